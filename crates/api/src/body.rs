//! Reading a body up to its cap, and not a byte further into memory.

use bytes::Buf;
use http_body::Body;
use http_body_util::BodyExt;

/// Why there is no whole body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is longer than its cap.
    #[error("the body is longer than its cap")]
    TooLong,
    /// The connection broke.
    #[error("the body was cut off")]
    Broken,
    /// The sender took too long.
    #[error("the body did not arrive in time")]
    Slow,
}

/// Bytes set aside for what a body says of its length, before any came.
const FIRST_MAX: usize = 64 * 1024;

/// Bytes of a body that is too long that are still taken off the wire, and dropped: a sender that
/// is cut off in mid-write does not read why. As much as the largest cap, and some.
pub const DISCARD_MAX: usize = 32 * 1024 * 1024;

/// Reads a whole body of at most `max` bytes. The rest of what is longer stays on the wire, for
/// [`discard`]. A body that says how long it is is not asked for its end: that it has one costs a
/// component two more turns.
///
/// # Errors
/// [`ReadError::TooLong`], [`ReadError::Broken`]; the caller, who has the clock, bounds the time.
pub async fn read<B: Body + Unpin>(mut body: B, max: usize) -> Result<Vec<u8>, ReadError> {
    let told = body.size_hint().upper().and_then(|told| usize::try_from(told).ok());
    let mut whole = Vec::with_capacity(told.unwrap_or_default().min(max).min(FIRST_MAX));
    while told != Some(whole.len())
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|_| ReadError::Broken)?;
        let Ok(mut data) = frame.into_data() else { continue };
        if data.remaining() > max - whole.len() {
            return Err(ReadError::TooLong);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            let length = chunk.len();
            whole.extend_from_slice(chunk);
            data.advance(length);
        }
    }
    Ok(whole)
}

/// Takes a body off the wire and drops it, up to [`DISCARD_MAX`] bytes.
pub async fn discard<B: Body + Unpin>(mut body: B) {
    let mut dropped = 0;
    while dropped < DISCARD_MAX {
        let Some(Ok(frame)) = body.frame().await else { return };
        dropped += frame.into_data().map_or(0, |data| data.remaining());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures::executor::block_on;
    use futures::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    fn body(chunks: &[&'static str]) -> impl Body<Data = Bytes, Error = std::convert::Infallible> + Unpin {
        let frames: Vec<_> =
            chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))).collect();
        StreamBody::new(stream::iter(frames))
    }

    #[test]
    fn a_body_is_read_up_to_its_cap_and_not_a_byte_further() {
        let check = |chunks: &[&'static str], expected: Result<&str, ReadError>| {
            let read = block_on(read(body(chunks), 4));
            assert_eq!(read, expected.map(|text| text.as_bytes().to_vec()), "{chunks:?}");
        };
        check(&[], Ok(""));
        check(&["ab", "", "cd"], Ok("abcd"));
        check(&["abcd", "e"], Err(ReadError::TooLong));
        check(&["abcde"], Err(ReadError::TooLong));
    }

    #[test]
    fn what_is_too_long_is_dropped_up_to_a_bound() {
        const CHUNK: usize = 1024 * 1024;
        let taken = std::cell::Cell::new(0);
        let endless = stream::iter(std::iter::repeat_with(|| {
            taken.set(taken.get() + CHUNK);
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(vec![0; CHUNK])))
        }));
        let mut body = StreamBody::new(endless);
        assert_eq!(block_on(read(&mut body, 4)), Err(ReadError::TooLong));
        assert_eq!(taken.get(), CHUNK, "not a byte further");
        block_on(discard(&mut body));
        assert_eq!(taken.get(), DISCARD_MAX + CHUNK);
    }

    #[test]
    fn a_body_that_says_its_length_is_not_asked_for_its_end() {
        let asked = std::cell::Cell::new(0);
        let frames = stream::iter(["ab", "cd"]).map(|chunk| {
            asked.set(asked.get() + 1);
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(chunk.as_bytes())))
        });
        let end = stream::poll_fn(|_| -> std::task::Poll<Option<_>> { panic!("its end was asked for") });
        let told = Told { body: StreamBody::new(frames.chain(end)), length: 4 };
        assert_eq!(block_on(read(told, 8)), Ok(b"abcd".to_vec()));
        assert_eq!(asked.get(), 2);
        let empty = Told { body: http_body_util::Empty::<Bytes>::new(), length: 0 };
        assert_eq!(block_on(read(empty, 8)), Ok(Vec::new()));
    }

    struct Told<B> {
        body: B,
        length: u64,
    }

    impl<B: Body + Unpin> Body for Told<B> {
        type Data = B::Data;
        type Error = B::Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<B::Data>, B::Error>>> {
            std::pin::Pin::new(&mut self.body).poll_frame(cx)
        }

        fn size_hint(&self) -> http_body::SizeHint {
            let mut hint = http_body::SizeHint::new();
            hint.set_upper(self.length);
            hint
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_not_whole() {
        let frames = vec![Ok(Frame::data(Bytes::from_static(b"ab"))), Err("gone")];
        assert_eq!(block_on(read(StreamBody::new(stream::iter(frames)), 4)), Err(ReadError::Broken));
    }
}

//! Short bodies, gathered before they are passed on.
//!
//! Purpose: a body that comes in several pieces costs several turns of the instance, and a
//! response whose body follows its head costs two writes; gathered, it is one of each.
//! Does not: touch a body of unknown length, such as an event stream, or a long one.
//! Invariant: the bytes, their order and a failure among them are as they came; at most
//! [`GATHER_BYTES_MAX`] are held, for at most [`GATHER_TIME_MAX`].

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, WasiBody};

/// The longest body that is gathered, in bytes: nearly every webhook and answer is shorter.
pub const GATHER_BYTES_MAX: u64 = 64 * 1024;

/// How long a gathered body may keep what came of it waiting: what is on this machine already
/// comes within microseconds, and a slow sender is passed on as slowly as it is.
pub const GATHER_TIME_MAX: Duration = Duration::from_millis(2);

/// Takes together what comes of `body` within the bounds; the rest streams behind it.
pub(super) async fn gather<B>(body: B) -> WasiBody
where
    B: Body<Data = Bytes, Error = Error> + Send + Unpin + 'static,
{
    let Some(length) = body.size_hint().exact().filter(|length| (1..=GATHER_BYTES_MAX).contains(length))
    else {
        return body.boxed_unsync();
    };
    let mut gathered = Gathered { pieces: Vec::new(), length, failure: None, rest: Some(body) };
    // Late is as good as whole: the rest follows.
    let _whole_or_late = tokio::time::timeout(GATHER_TIME_MAX, gathered.fill()).await;
    gathered.into_body()
}

struct Gathered<B> {
    pieces: Vec<Bytes>,
    /// Bytes still to come.
    length: u64,
    failure: Option<Error>,
    rest: Option<B>,
}

impl<B: Body<Data = Bytes, Error = Error> + Send + Unpin + 'static> Gathered<B> {
    /// Cut off at any await, it has lost nothing.
    async fn fill(&mut self) {
        while self.length > 0
            && let Some(rest) = &mut self.rest
        {
            match rest.frame().await.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(piece))) => {
                    self.length = self.length.saturating_sub(piece.len() as u64);
                    self.pieces.push(piece);
                }
                // Trailers end a body; none follow one of known length.
                Some(Ok(Err(_))) | None => self.rest = None,
                Some(Err(failure)) => (self.failure, self.rest) = (Some(failure), None),
            }
        }
    }

    fn into_body(self) -> WasiBody {
        let first = joined(self.pieces);
        let rest = self.rest.filter(|_| self.length > 0);
        if self.failure.is_none() && rest.is_none() {
            return http_body_util::Full::new(first).map_err(|never| match never {}).boxed_unsync();
        }
        Continued { first: Some(first).filter(|first| !first.is_empty()), failure: self.failure, rest }
            .boxed_unsync()
    }
}

fn joined(pieces: Vec<Bytes>) -> Bytes {
    match <[Bytes; 1]>::try_from(pieces) {
        Ok([only]) => only,
        Err(pieces) => {
            let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
            pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
            whole.freeze()
        }
    }
}

/// What was gathered, then the failure or the rest.
struct Continued<B> {
    first: Option<Bytes>,
    failure: Option<Error>,
    rest: Option<B>,
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for Continued<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.failure.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.first.as_ref().map_or(0, |first| first.len() as u64);
        let rest = self.rest.as_ref().and_then(|rest| rest.size_hint().exact());
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(held + rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, stream};
    use http_body_util::StreamBody;
    use http_body_util::combinators::UnsyncBoxBody;

    /// A body that says its length.
    struct Told(UnsyncBoxBody<Bytes, Error>, u64);

    impl Body for Told {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            let polled = Pin::new(&mut self.0).poll_frame(cx);
            if let Poll::Ready(Some(Ok(frame))) = &polled {
                self.1 = self.1.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            }
            polled
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.1)
        }
    }

    fn frame(text: &'static str) -> Result<Frame<Bytes>, Error> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    fn told(length: u64, frames: Vec<Result<Frame<Bytes>, Error>>) -> Told {
        Told(StreamBody::new(stream::iter(frames)).boxed_unsync(), length)
    }

    async fn pieces(mut body: WasiBody) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            all.push(match frame.map(Frame::into_data) {
                Ok(Ok(data)) => String::from_utf8_lossy(&data).into_owned(),
                Ok(Err(_)) => "trailers".to_owned(),
                Err(_) => "failure".to_owned(),
            });
        }
        all
    }

    #[tokio::test]
    async fn pieces_that_are_there_become_one() {
        let body = gather(told(6, vec![frame("ab"), frame(""), frame("cdef")])).await;
        assert_eq!(body.size_hint().exact(), Some(6));
        assert_eq!(pieces(body).await, ["abcdef"]);
        assert_eq!(pieces(gather(told(2, vec![frame("ab")])).await).await, ["ab"]);
    }

    #[tokio::test]
    async fn a_failure_comes_after_what_came_before_it() {
        let body = gather(told(6, vec![frame("ab"), Err(Error::ConnectionTerminated)])).await;
        assert_eq!(pieces(body).await, ["ab", "failure"]);
    }

    #[tokio::test]
    async fn long_bodies_and_those_of_unknown_length_pass_as_they_are() {
        let long = told(GATHER_BYTES_MAX + 1, vec![frame("ab"), frame("cd")]);
        assert_eq!(pieces(gather(long).await).await, ["ab", "cd"]);
        let unknown = StreamBody::new(stream::iter(vec![frame("ab"), frame("cd")]));
        assert_eq!(pieces(gather(unknown).await).await, ["ab", "cd"]);
    }

    #[tokio::test]
    async fn what_is_late_follows() {
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let late = stream::once(async move {
            released.await.expect("it is released");
            frame("cd")
        });
        let frames = stream::iter(vec![frame("ab")]).chain(late);
        let body = gather(Told(StreamBody::new(frames).boxed_unsync(), 4)).await;
        assert_eq!(body.size_hint().exact(), Some(4));
        release.send(()).expect("it waits");
        assert_eq!(pieces(body).await, ["ab", "cd"]);
    }
}

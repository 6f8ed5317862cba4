//! Bodies that were compressed for the way.
//!
//! What this does not do: decompress what was not verified, or what the instance's configuration
//! does not name. The proof is over the bytes as they came.
//!
//! Invariant: no more than the instance's cap is ever made of a body, however it was compressed.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};
use homeostat_schema::config::ContentEncoding;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::authenticate::single;
use crate::instance::Instance;
use crate::reading::NotUnderstood;

/// The body as it was before compression; `None` when it was not compressed.
///
/// # Errors
/// [`NotUnderstood`] when it is compressed as the configuration does not name, is no such stream,
/// or becomes longer than the instance's cap.
pub(crate) fn decoded(
    instance: Instance<'_>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Vec<u8>>, NotUnderstood> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(None);
    }
    let named = single(headers, CONTENT_ENCODING.as_str()).unwrap_or_default().trim_ascii();
    if named.eq_ignore_ascii_case(b"identity") {
        return Ok(None);
    }
    let encoding = encoding(named).filter(|encoding| instance.content_encodings().contains(encoding));
    let whole = match encoding {
        Some(ContentEncoding::Gzip) => capped(GzDecoder::new(body), instance.body_max())?,
        Some(ContentEncoding::Deflate) => capped(ZlibDecoder::new(body), instance.body_max())?,
        None => {
            let why =
                "the body is compressed in a way that content_encodings of its [[source]] does not name";
            return Err(NotUnderstood::new(why));
        }
    };
    Ok(Some(whole))
}

fn encoding(named: &[u8]) -> Option<ContentEncoding> {
    match named.to_ascii_lowercase().as_slice() {
        b"gzip" | b"x-gzip" => Some(ContentEncoding::Gzip),
        b"deflate" => Some(ContentEncoding::Deflate),
        _ => None,
    }
}

fn capped(stream: impl Read, max: usize) -> Result<Vec<u8>, NotUnderstood> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    let mut body = Vec::new();
    let read = stream.take(limit.saturating_add(1)).read_to_end(&mut body);
    if read.is_err() {
        return Err(NotUnderstood::new("the body is not compressed as its Content-Encoding says"));
    }
    if body.len() > max {
        return Err(NotUnderstood::new("decompressed, the body is longer than its source may send"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use homeostat_schema::config::Config;

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut stream = GzEncoder::new(Vec::new(), Compression::best());
        stream.write_all(body).unwrap();
        stream.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut stream = ZlibEncoder::new(Vec::new(), Compression::best());
        stream.write_all(body).unwrap();
        stream.finish().unwrap()
    }

    fn check(encodings: &str, named: &[&str], body: &[u8], expected: Result<Option<&[u8]>, &str>) {
        let toml =
            format!("[[source]]\nname = \"generic\"\nbody_bytes_max = 100\ncontent_encodings = {encodings}");
        let config = Config::from_toml(&toml, "f").unwrap();
        let mut headers = HeaderMap::new();
        named.iter().for_each(|named| {
            headers.append(CONTENT_ENCODING, named.parse().unwrap());
        });
        match (decoded(Instance::of(&config, "generic").unwrap(), &headers, body), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), expected, "{named:?}"),
            (Err(why), Err(part)) => assert!(why.to_string().contains(part), "{why}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn only_what_is_configured_is_decompressed() {
        check("[]", &[], b"{}", Ok(None));
        check("[]", &["identity"], b"{}", Ok(None));
        check("[\"gzip\"]", &["gzip"], &gzip(b"{}"), Ok(Some(b"{}")));
        check("[\"gzip\"]", &["GZIP"], &gzip(b"{}"), Ok(Some(b"{}")));
        check("[\"deflate\"]", &["deflate"], &zlib(b"{}"), Ok(Some(b"{}")));
        check("[]", &["gzip"], &gzip(b"{}"), Err("does not name"));
        check("[\"deflate\"]", &["gzip"], &gzip(b"{}"), Err("does not name"));
        check("[\"gzip\"]", &["br"], b"{}", Err("does not name"));
        check("[\"gzip\"]", &["gzip, gzip"], &gzip(&gzip(b"{}")), Err("does not name"));
        check("[\"gzip\"]", &["gzip", "gzip"], &gzip(b"{}"), Err("does not name"));
    }

    #[test]
    fn a_bomb_is_not_let_off() {
        check("[\"gzip\"]", &["gzip"], &gzip(&[b' '; 100]), Ok(Some(&[b' '; 100])));
        check("[\"gzip\"]", &["gzip"], &gzip(&vec![b' '; 10_000_000]), Err("longer than"));
        check("[\"gzip\"]", &["gzip"], b"{}", Err("as its Content-Encoding says"));
        let mut cut = gzip(b"{}");
        cut.truncate(12);
        check("[\"gzip\"]", &["gzip"], &cut, Err("as its Content-Encoding says"));
    }
}

//! Deliveries as they are kept for replay: headers and body, compressed, then encrypted.
//!
//! XChaCha20-Poly1305, whose nonce is long enough to be drawn at random for every delivery.
//!
//! What this does not do: draw the nonce, or store anything.
//!
//! Invariants: no header that may hold a secret is kept; what was kept for one instance is not
//! opened as another's.

use std::io::{Read, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::plug_in::shown;

/// Bytes of a nonce, which is kept before the text.
pub const NONCE_LEN: usize = 24;
/// Bytes of a key.
pub const KEY_LEN: usize = 32;
/// Nothing larger was ever kept: the largest cap of a body, and its headers.
const OPENED_MAX: u64 = 26 * 1024 * 1024;

/// The key that kept deliveries are encrypted with. No `Debug`: it is a secret.
#[derive(Clone)]
pub struct BodyKey([u8; KEY_LEN]);

/// Why a text is no key. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is {KEY_LEN} bytes, as 64 hexadecimal digits or in base64: openssl rand -hex 32")]
pub struct NoKey;

/// Why a kept delivery cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Another key, another instance, or changed bytes.
    #[error("it was kept with another key than body_key holds now")]
    Key,
    /// Opened, and not what is kept.
    #[error("it was kept by another version")]
    Form,
}

/// A delivery that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Those that may be kept.
    pub headers: HeaderMap,
    /// As it came.
    pub body: Vec<u8>,
}

impl BodyKey {
    /// Reads the variable `body_key`. `None` when it is empty: then nothing is kept.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn parse(text: &str) -> Result<Option<Self>, NoKey> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let hex = (text.len() == 2 * KEY_LEN).then(|| hex::decode(text).ok()).flatten();
        let bytes = hex.or_else(|| BASE64_STANDARD.decode(text).ok()).ok_or(NoKey)?;
        bytes.try_into().map(|key| Some(Self(key))).map_err(|_| NoKey)
    }

    /// Headers and body of a delivery to this instance, to be kept. `None` when it cannot be made.
    pub fn seal(
        &self,
        instance: &str,
        headers: &HeaderMap,
        body: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Option<Vec<u8>> {
        let mut compressed = ZlibEncoder::new(Vec::new(), Compression::fast());
        for (name, value) in shown(headers) {
            writeln!(compressed, "{name}: {value}").ok()?;
        }
        compressed.write_all(b"\n").ok()?;
        compressed.write_all(body).ok()?;
        let message = compressed.finish().ok()?;
        let text =
            self.cipher()?.encrypt(&XNonce::from(nonce), Payload { msg: &message, aad: instance.as_bytes() });
        Some([nonce.as_slice(), &text.ok()?].concat())
    }

    /// Reads what [`BodyKey::seal`] made for the same instance.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open(&self, instance: &str, kept: &[u8]) -> Result<Opened, Unreadable> {
        let (nonce, text) = kept.split_at_checked(NONCE_LEN).ok_or(Unreadable::Form)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| Unreadable::Form)?;
        let payload = Payload { msg: text, aad: instance.as_bytes() };
        let cipher = self.cipher().ok_or(Unreadable::Key)?;
        let message = cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| Unreadable::Key)?;
        let mut whole = Vec::new();
        let stream = ZlibDecoder::new(message.as_slice());
        stream.take(OPENED_MAX).read_to_end(&mut whole).map_err(|_| Unreadable::Form)?;
        split(&whole).ok_or(Unreadable::Form)
    }

    fn cipher(&self) -> Option<XChaCha20Poly1305> {
        XChaCha20Poly1305::new_from_slice(&self.0).ok()
    }
}

/// Lines of headers, an empty line, the body.
fn split(whole: &[u8]) -> Option<Opened> {
    let mut headers = HeaderMap::new();
    let mut rest = whole;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = rest.split_at(end);
        rest = after.get(1..)?;
        if line.is_empty() {
            return Some(Opened { headers, body: rest.to_vec() });
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let value = HeaderValue::from_bytes(value.get(2..)?).ok()?;
        headers.append(HeaderName::from_bytes(name).ok()?, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; NONCE_LEN] = [7; NONCE_LEN];

    fn key(text: &str) -> BodyKey {
        BodyKey::parse(text).unwrap().unwrap()
    }

    fn headers() -> HeaderMap {
        let pairs = [
            ("x-github-event", "push"),
            ("x-hub-signature-256", "sha256=ab"),
            ("authorization", "Bearer s"),
            ("x-gitlab-token", "s"),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_key_is_32_bytes_and_nothing_else() {
        for (text, expected) in [
            ("", Ok(false)),
            (" \n", Ok(false)),
            (&"ab".repeat(32) as &str, Ok(true)),
            (&format!("{}\n", "AB".repeat(32)), Ok(true)),
            ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", Ok(true)),
            ("short", Err(NoKey)),
            (&"ab".repeat(31), Err(NoKey)),
            (&"xy".repeat(32), Err(NoKey)),
        ] {
            assert_eq!(BodyKey::parse(text).map(|key| key.is_some()), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_kept_is_read_again_without_any_secret() {
        let key = key(&"ab".repeat(32));
        let body = b"{\"a\":\n\n1}\xff";
        let kept = key.seal("github", &headers(), body, NONCE).unwrap();
        let opened = key.open("github", &kept).unwrap();
        assert_eq!(opened.body, body);
        let names: Vec<_> = opened.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-github-event"]);
        assert!(!kept.windows(4).any(|part| part == b"push" || part == b"{\"a\""));
    }

    #[test]
    fn another_key_another_instance_and_changed_bytes_open_nothing() {
        let (ours, theirs) = (key(&"ab".repeat(32)), key(&"cd".repeat(32)));
        let kept = ours.seal("github", &headers(), b"{}", NONCE).unwrap();
        assert_eq!(theirs.open("github", &kept), Err(Unreadable::Key));
        assert_eq!(ours.open("github/team-a", &kept), Err(Unreadable::Key));
        for at in 0..kept.len() {
            let mut changed = kept.clone();
            changed[at] ^= 1;
            assert!(ours.open("github", &changed).is_err(), "byte {at}");
        }
        assert_eq!(ours.open("github", b"short"), Err(Unreadable::Form));
    }

    #[test]
    fn a_long_body_is_kept_smaller_than_it_came() {
        let body = "{\"name\":\"value\"},".repeat(1000);
        let kept = key(&"ab".repeat(32)).seal("github", &headers(), body.as_bytes(), NONCE).unwrap();
        assert!(kept.len() * 10 < body.len(), "{}", kept.len());
    }
}

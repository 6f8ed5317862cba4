//! Standard Webhooks, the sender's side: HMAC-SHA256 over `<id>.<seconds>.<body>`.
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
//!
//! What this does not do: the asymmetric scheme (`v1a`).
//!
//! Invariant: a key has no `Debug`, and no error holds one.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use homeostat_schema::secret::Secret;
use sha2::Sha256;

/// What a key's text begins with.
const PREFIX: &str = "whsec_";
/// Fewer bytes than this can be guessed; the specification wants 24 at least.
pub const KEY_BYTES_MIN: usize = 24;
/// More bytes than this add nothing; the specification wants 64 at most.
pub const KEY_BYTES_MAX: usize = 64;

/// Keys one sink is signed for with at once: a rotation needs two.
pub const KEYS_MAX: usize = 4;

/// Keys come with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key to sign with.
pub struct SigningKey(Vec<u8>);

/// Why a text is no key. Never shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64 after the prefix.
    #[error("a signing key is written `whsec_` and base64")]
    NotBase64,
    /// Too short or too long.
    #[error("a signing key has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
}

impl SigningKey {
    /// Reads `whsec_<base64>`; the prefix may be left out.
    ///
    /// # Errors
    /// [`KeyError`] when it is none, or one that could be guessed.
    pub fn parse(secret: &Secret) -> Result<Self, KeyError> {
        let text = secret.expose().trim();
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = BASE64.decode(text).map_err(|_| KeyError::NotBase64)?;
        if (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(KeyError::Length(bytes.len()))
        }
    }

    fn signature(&self, id: &str, at_s: u64, body: &[u8]) -> String {
        // A key of any length is taken, so this cannot fail; an empty signature would be refused.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{at_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

/// The keys of one sink, of a variable with a line `<sink>=whsec_<base64>` for each key; commas
/// part lines too. More than one are all used, so that keys can be rotated.
///
/// # Errors
/// [`KeyError`] when one of the sink's lines holds no key.
pub fn keys_of(lines: &str, sink: &str) -> Result<Vec<SigningKey>, KeyError> {
    let lines = lines.split(['\n', ',']).filter_map(|line| line.trim().split_once('='));
    let own = lines.filter(|(name, _)| name.trim() == sink);
    own.take(KEYS_MAX).map(|(_, key)| SigningKey::parse(&Secret::new(key))).collect()
}

/// The value of `webhook-signature`: one signature for each key, so that keys can be rotated.
/// `at_s` is the time of the try, in seconds since the epoch.
pub fn header(keys: &[SigningKey], id: &str, at_s: u64, body: &[u8]) -> String {
    keys.iter().map(|key| key.signature(id, at_s, body)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<SigningKey, KeyError> {
        SigningKey::parse(&Secret::new(text))
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let check = |text: &str, expected: Option<KeyError>| {
            assert_eq!(parsed(text).err(), expected, "{text}");
        };
        check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None);
        check(" MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", None);
        check("", Some(KeyError::Length(0)));
        check("whsec_c2hvcnQ=", Some(KeyError::Length(5)));
        check("whsec_not base64!", Some(KeyError::NotBase64));
        check(&format!("whsec_{}", "A".repeat(88)), Some(KeyError::Length(66)));
    }

    /// The value the reference implementations give for their example message.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let key = parsed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").ok().into_iter().collect::<Vec<_>>();
        let signed = header(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_sinks_keys_are_its_own_lines() {
        let lines = "team=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nother=whsec_c2hvcnQ=, team = MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(keys_of(lines, "team").map(|keys| keys.len()).ok(), Some(2));
        assert_eq!(keys_of(lines, "other").err(), Some(KeyError::Length(5)));
        assert_eq!(keys_of(lines, "nobody").map(|keys| keys.len()).ok(), Some(0));
        assert_eq!(keys_of("", "team").map(|keys| keys.len()).ok(), Some(0));
    }

    #[test]
    fn two_keys_sign_twice() {
        let keys: Vec<_> = ["A", "B"].iter().filter_map(|c| parsed(&c.repeat(32)).ok()).collect();
        let signed = header(&keys, "id", 1, b"body");
        let (first, second) = signed.split_once(' ').expect("two signatures");
        assert!(first.starts_with("v1,") && second.starts_with("v1,") && first != second);
    }
}

//! Making what the schemes verify, for the command line and for tests.
//!
//! What this does not do: sign with a private key; a public key or a set of keys proves others'
//! deliveries and makes none.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use homeostat_schema::secret::Secret;

use super::hmac::{hex_of, mac};
use super::{Scheme, Stamp, standard};

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned<'a> {
    /// The delivery's id.
    pub id: &'a str,
    /// As it is sent.
    pub body: &'a [u8],
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

/// Headers that prove a delivery, names in lower case.
pub type Signed = Vec<(String, String)>;

impl Scheme<'_> {
    /// The headers that prove a delivery by this scheme. `None` when the secret is empty, or not
    /// one that this scheme can sign with.
    pub fn sign(&self, delivery: &Unsigned<'_>, secret: &Secret) -> Option<Signed> {
        let text = secret.expose();
        let key = text.as_bytes();
        let one = |value: String| vec![(self.header().to_owned(), value)];
        if secret.is_empty() {
            return None;
        }
        match *self {
            Self::HmacBody { prefix, .. } => {
                hex_of(&[delivery.body], key).map(|hex| one(format!("{prefix}{hex}")))
            }
            Self::HmacTimestamped { header, prefix, stamp, before, separator } => {
                let seconds = (delivery.now_ms / 1000).to_string();
                let parts = [before.as_bytes(), seconds.as_bytes(), separator.as_bytes(), delivery.body];
                let signature = format!("{prefix}{}", hex_of(&parts, key)?);
                Some(match stamp {
                    Stamp::Header(name) => vec![(name.to_owned(), seconds), (header.to_owned(), signature)],
                    Stamp::Beside(prefix) => one(format!("{prefix}{seconds},{signature}")),
                })
            }
            Self::StandardWebhooks => standard_webhooks(delivery, secret),
            Self::Token { .. } => Some(one(text.to_owned())),
            Self::Basic => Some(one(format!("Basic {}", BASE64_STANDARD.encode(key)))),
            // Of OIDC, the secret is the token itself.
            Self::Bearer | Self::Oidc(_) => Some(one(format!("Bearer {text}"))),
        }
    }
}

fn standard_webhooks(delivery: &Unsigned<'_>, secret: &Secret) -> Option<Signed> {
    let key = standard::symmetric_key(secret)?;
    let seconds = (delivery.now_ms / 1000).to_string();
    let parts = [delivery.id.as_bytes(), b".", seconds.as_bytes(), b".", delivery.body];
    let signature = format!("v1,{}", BASE64_STANDARD.encode(mac(&key, &parts)?));
    let headers = [
        (standard::ID, delivery.id.to_owned()),
        (standard::TIMESTAMP, seconds),
        (standard::SIGNATURE, signature),
    ];
    Some(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

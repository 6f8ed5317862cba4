//! Proving that a delivery comes from who it says, before a byte of it is parsed.
//!
//! One engine per family of schemes: [`hmac`], [`standard`], [`fixed`], [`oidc`]. [`sign`] makes
//! what they verify.
//!
//! What this does not do: choose a scheme. The path and the configuration do, never a header, and
//! the algorithm is the scheme's, never one that a header names.
//!
//! Invariants: an absent or repeated header, no live secret and a malformed signature are
//! refusals, never "skip"; a refusal does not say which it was, and the work done depends neither
//! on which it was nor on where a comparison first differs.

pub mod fixed;
pub mod hmac;
pub mod oidc;
mod sign;
pub mod standard;

use homeostat_schema::secret::SecretList;
use http::HeaderMap;
use http::header::AUTHORIZATION;

pub use fixed::bearer;
pub use hmac::{Signatures, Stamp, sign};
pub use oidc::Oidc;
pub use sign::{Signed, Unsigned};

/// GitHub's signature header.
pub const GITHUB_SIGNATURE: &str = "x-hub-signature-256";

/// The signature header of the generic source, same scheme as GitHub's.
pub const GENERIC_SIGNATURE: &str = "x-homeostat-signature-256";

/// A signed time within this of ours is fresh, either way; milliseconds. What Standard Webhooks,
/// Slack and Buildkite ask for.
pub const TOLERANCE_MS: u64 = 5 * 60 * 1000;

/// Signatures looked at in one header: a rotation needs two, and each costs work before it is
/// known who asks.
pub const SIGNATURES_MAX: usize = 8;

/// The delivery is not from a holder of a secret. Says no more on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delivery could not be authenticated")]
pub struct Refused;

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// As received.
    pub headers: &'a HeaderMap,
    /// As received: compressed, when it came so.
    pub body: &'a [u8],
    /// By the wall clock, milliseconds since the epoch.
    pub now_ms: u64,
}

/// What a verified delivery is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The place of the secret in its list, from 1.
    pub key: usize,
    /// A digest of the body alone, where the scheme makes one anyway: its HMAC under the first
    /// live secret, so that it stays the same while a second one is rotated in.
    pub body: Option<[u8; hmac::DIGEST_LEN]>,
}

/// A scheme of proof, as a source's table row or the configuration names it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scheme<'a> {
    /// HMAC-SHA256 over the raw body, hexadecimal after a prefix.
    HmacBody {
        /// Lower case.
        header: &'a str,
        /// Names algorithm or version: `sha256=`, `v1=`, or nothing.
        prefix: &'a str,
        /// Whether several may be given.
        signatures: Signatures,
    },
    /// HMAC-SHA256 over a time and the raw body.
    HmacTimestamped {
        /// Lower case; holds the signature.
        header: &'a str,
        /// Before the signature: `signature=`, `v0=`, or nothing.
        prefix: &'a str,
        /// Where the time is.
        stamp: Stamp<'a>,
        /// Signed before the time: `v0:`, or nothing.
        before: &'a str,
        /// Signed between time and body.
        separator: &'a str,
    },
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`; the secrets are
    /// `whsec_…` (HMAC-SHA256) or `whpk_…` (ed25519).
    StandardWebhooks,
    /// The secret itself in a header of this name.
    Token {
        /// Lower case.
        header: &'a str,
    },
    /// `Authorization: Basic`; the secret is `name:password`.
    Basic,
    /// `Authorization: Bearer <secret>`.
    Bearer,
    /// `Authorization: Bearer <JWT>`; the secret is the issuer's set of keys (JWKS).
    Oidc(Oidc<'a>),
}

impl Scheme<'_> {
    /// `sha256=<hex>` in this header, as GitHub, Bitbucket and Flux have it.
    pub const fn sha256(header: &str) -> Scheme<'_> {
        Scheme::HmacBody { header, prefix: "sha256=", signatures: Signatures::One }
    }

    /// `v1=<hex>` in this header, possibly among others, as PagerDuty and CircleCI have it.
    pub const fn v1(header: &str) -> Scheme<'_> {
        Scheme::HmacBody { header, prefix: "v1=", signatures: Signatures::List }
    }

    /// As the configuration calls it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::HmacBody { .. } => "hmac-body",
            Self::HmacTimestamped { .. } => "hmac-timestamped",
            Self::StandardWebhooks => "standard-webhooks",
            Self::Token { .. } => "token",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Oidc(_) => "oidc",
        }
    }

    /// The header that carries the proof, lower case.
    pub fn header(&self) -> &str {
        match self {
            Self::HmacBody { header, .. } | Self::HmacTimestamped { header, .. } | Self::Token { header } => {
                header
            }
            Self::StandardWebhooks => standard::SIGNATURE,
            Self::Basic | Self::Bearer | Self::Oidc(_) => AUTHORIZATION.as_str(),
        }
    }

    /// Whether the delivery carries this scheme's header, right or wrong.
    pub fn is_claimed(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(self.header())
    }

    /// Verifies a delivery by this scheme.
    ///
    /// # Errors
    /// [`Refused`], with the same work done whatever was wrong.
    pub fn verify(&self, claim: &Claim<'_>, secrets: &SecretList) -> Result<Proof, Refused> {
        match *self {
            Self::HmacBody { header, prefix, signatures } => {
                hmac::over_body(claim, &hmac::Form { header, prefix, signatures }, secrets)
            }
            Self::HmacTimestamped { header, prefix, stamp, before, separator } => {
                let text = hmac::Text { header, prefix, stamp, before, separator };
                hmac::over_time_and_body(claim, &text, secrets)
            }
            Self::StandardWebhooks => standard::verify(claim, secrets),
            Self::Token { header } => fixed::token(claim, header, secrets),
            Self::Basic => fixed::basic(claim, secrets),
            Self::Bearer => fixed::bearer_at(claim, secrets),
            Self::Oidc(rules) => oidc::verify(claim, &rules, secrets),
        }
    }
}

/// The header's value when it is there exactly once: two signatures are a trick, not a choice.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

/// Whether a signed time in seconds, as digits and nothing else, is fresh.
fn is_fresh(seconds: &[u8], now_ms: u64) -> bool {
    let digits = !seconds.is_empty() && seconds.iter().all(u8::is_ascii_digit);
    let seconds = std::str::from_utf8(seconds).ok().filter(|_| digits);
    let at_ms = seconds.and_then(|text| text.parse::<u64>().ok()).and_then(|at| at.checked_mul(1000));
    at_ms.is_some_and(|at_ms| at_ms.abs_diff(now_ms) <= TOLERANCE_MS)
}

#[cfg(test)]
mod tests;

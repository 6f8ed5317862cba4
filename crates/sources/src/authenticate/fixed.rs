//! A secret that is sent as it is: in a header of its own, as a password, as a bearer token.
//!
//! What this does not do: prove that the body is the sender's. Whoever reads the request once can
//! send another, so these are for senders that can sign nothing, behind TLS.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use homeostat_schema::secret::SecretList;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{Claim, Proof, Refused, single};

/// Longest `Authorization` value looked at, bytes: far above any secret, and decoding it is work.
const VALUE_MAX: usize = 8 * 1024;

pub(super) fn token(claim: &Claim<'_>, header: &str, secrets: &SecretList) -> Result<Proof, Refused> {
    held(single(claim.headers, header), claim, secrets)
}

pub(super) fn basic(claim: &Claim<'_>, secrets: &SecretList) -> Result<Proof, Refused> {
    let value = single(claim.headers, AUTHORIZATION.as_str()).filter(|value| value.len() <= VALUE_MAX);
    let pair = value.and_then(|value| credentials(value, "Basic ")).and_then(|text| {
        let pair = BASE64_STANDARD.decode(text).ok();
        pair.filter(|pair| pair.contains(&b':'))
    });
    held(pair.as_deref(), claim, secrets)
}

pub(super) fn bearer_at(claim: &Claim<'_>, secrets: &SecretList) -> Result<Proof, Refused> {
    held(bearer_token(claim.headers), claim, secrets)
}

/// Verifies `Authorization: Bearer <secret>` against any secret that never ends.
///
/// # Errors
/// [`Refused`] when the header is absent, repeated, of another scheme or wrong, and when there is
/// no secret.
pub fn bearer(headers: &HeaderMap, secrets: &SecretList) -> Result<(), Refused> {
    let token = bearer_token(headers);
    let matched = secrets.matches(token.unwrap_or_default());
    if matched && token.is_some() { Ok(()) } else { Err(Refused) }
}

pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    single(headers, AUTHORIZATION.as_str()).and_then(|value| credentials(value, "Bearer "))
}

fn credentials<'a>(value: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (scheme, rest) = value.split_at_checked(name.len())?;
    let rest = rest.trim_ascii();
    (scheme.eq_ignore_ascii_case(name.as_bytes()) && !rest.is_empty()).then_some(rest)
}

fn held(given: Option<&[u8]>, claim: &Claim<'_>, secrets: &SecretList) -> Result<Proof, Refused> {
    let key = secrets.place_of(given.unwrap_or_default(), claim.now_ms);
    given.and(key).map(|key| Proof { key, body: None }).ok_or(Refused)
}

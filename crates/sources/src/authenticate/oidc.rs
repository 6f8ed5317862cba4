//! A JSON web token of an OpenID Connect issuer, as GitHub Actions, GitLab and Google give their
//! jobs, against the issuer's set of keys (JWKS).
//!
//! What this does not do: fetch keys (they are given, so that the ingest reaches nothing outside);
//! take a symmetric key, or an algorithm that the configuration does not name; prove that the body
//! is the sender's, which the token does not cover.
//!
//! Invariant: a valid signature does not authorise on its own: issuer, audience and at least one
//! further claim must be as configured, as everyone at a public issuer can have a valid token.

use std::collections::BTreeMap;

use homeostat_schema::config::OidcAlgorithm;
use homeostat_schema::secret::SecretList;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use super::fixed::bearer_token;
use super::{Claim, Proof, Refused};

/// Longest token taken, bytes; GitHub's have about 1,500.
const TOKEN_MAX: usize = 8 * 1024;
/// Keys looked through in a set; Google publishes 3, GitHub 4.
const KEYS_MAX: usize = 32;
/// By how much clocks may differ, milliseconds.
const LEEWAY_MS: u64 = 60_000;

/// What a token must say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Oidc<'a> {
    /// `iss`, to the letter.
    pub issuer: &'a str,
    /// One of `aud`, to the letter.
    pub audience: &'a str,
    /// What may have signed it.
    pub algorithms: &'a [OidcAlgorithm],
    /// Further claims, each a text and to the letter; at least one.
    pub claims: &'a BTreeMap<String, String>,
}

pub(super) fn verify(claim: &Claim<'_>, rules: &Oidc<'_>, secrets: &SecretList) -> Result<Proof, Refused> {
    let token = bearer_token(claim.headers).filter(|token| token.len() <= TOKEN_MAX).ok_or(Refused)?;
    let keys: JwkSet = serde_json::from_str(secrets.document().expose()).map_err(|_| Refused)?;
    let head = jsonwebtoken::decode_header(token).map_err(|_| Refused)?;
    if !rules.algorithms.iter().any(|allowed| algorithm(*allowed) == head.alg) {
        return Err(Refused);
    }
    let (place, key) = key_of(&keys, head.kid.as_deref(), head.alg).ok_or(Refused)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| Refused)?;
    let said = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation(head.alg, rules));
    let said = said.map_err(|_| Refused)?.claims;
    if is_current(&said, claim.now_ms) && says_all(&said, rules.claims) {
        return Ok(Proof { key: place, body: None });
    }
    Err(Refused)
}

/// Times are judged by us: the library would ask a clock.
fn validation(algorithm: Algorithm, rules: &Oidc<'_>) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[rules.issuer]);
    validation.set_audience(&[rules.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation
}

/// The one key of this id that is for this algorithm, and its place from 1. A token without an id
/// of its key is taken when there is one key only.
fn key_of<'a>(keys: &'a JwkSet, id: Option<&str>, algorithm: Algorithm) -> Option<(usize, &'a Jwk)> {
    let keys = keys.keys.iter().take(KEYS_MAX).enumerate().map(|(at, key)| (at + 1, key));
    let mut fitting = keys.filter(|(_, key)| {
        let named = id.is_none_or(|id| key.common.key_id.as_deref() == Some(id));
        let own = key.common.key_algorithm.and_then(|of_key| of_key.to_string().parse().ok());
        named && own.is_none_or(|own: Algorithm| own == algorithm)
    });
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

fn is_current(said: &Map<String, Value>, now_ms: u64) -> bool {
    let at = |name: &str| said.get(name).and_then(Value::as_f64).map(|seconds| seconds * 1000.0);
    let (now, leeway) = (now_ms as f64, LEEWAY_MS as f64);
    let begun = !said.contains_key("nbf") || at("nbf").is_some_and(|from| from <= now + leeway);
    begun && at("exp").is_some_and(|end| now - leeway <= end)
}

fn says_all(said: &Map<String, Value>, wanted: &BTreeMap<String, String>) -> bool {
    let says = |(name, value): (&String, &String)| said.get(name).and_then(Value::as_str) == Some(value);
    !wanted.is_empty() && wanted.iter().all(says)
}

fn algorithm(named: OidcAlgorithm) -> Algorithm {
    match named {
        OidcAlgorithm::Rs256 => Algorithm::RS256,
        OidcAlgorithm::Es256 => Algorithm::ES256,
        OidcAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

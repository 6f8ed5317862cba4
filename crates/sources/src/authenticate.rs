//! Proving that a delivery comes from who it says, before a byte of it is parsed.
//!
//! What this does not do: it reads no headers by guesswork and chooses no algorithm a header
//! names; the route decides the scheme.
//!
//! Invariants: an absent header, an empty list of secrets and a malformed signature are refusals,
//! never "skip"; the work done does not depend on which of them it was, nor on where a comparison
//! first differs.

use hmac::{Hmac, KeyInit, Mac};
use homeostat_schema::secret::{Secret, SecretList};
use http::{HeaderMap, header::AUTHORIZATION};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// GitHub's signature header.
pub const GITHUB_SIGNATURE: &str = "x-hub-signature-256";

/// The signature header of the generic source, same scheme as GitHub's.
pub const GENERIC_SIGNATURE: &str = "x-homeostat-signature-256";

const PREFIX: &[u8] = b"sha256=";
const DIGEST_LEN: usize = 32;
/// Keeps the work the same when there is no secret; never leads to acceptance.
const NO_SECRET: &[u8] = b"no secret is configured";

/// The delivery is not from a holder of a secret. Says no more on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delivery could not be authenticated")]
pub struct Refused;

/// A scheme of proof, as a source's table row names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `sha256=<hex>` in this header: HMAC-SHA256 over the raw body.
    HmacBody {
        /// Lower case.
        header: &'static str,
    },
    /// `Authorization: Bearer <secret>`.
    Bearer,
}

impl Scheme {
    /// Whether the delivery carries this scheme's header, right or wrong.
    pub fn is_claimed(self, headers: &HeaderMap) -> bool {
        match self {
            Self::HmacBody { header } => headers.contains_key(header),
            Self::Bearer => headers.contains_key(AUTHORIZATION),
        }
    }

    /// Verifies a delivery by this scheme.
    ///
    /// # Errors
    /// [`Refused`], with the same work done whatever was wrong.
    pub fn verify(self, headers: &HeaderMap, body: &[u8], secrets: &SecretList) -> Result<(), Refused> {
        match self {
            Self::HmacBody { header } => hmac_sha256(headers, header, body, secrets),
            Self::Bearer => bearer(headers, secrets),
        }
    }
}

/// Verifies `sha256=<hex>` in `header`, an HMAC-SHA256 over the raw body, against any secret.
///
/// # Errors
/// [`Refused`] when the header is absent, repeated, of another algorithm or length, not
/// hexadecimal, or wrong, and when there is no secret.
pub fn hmac_sha256(
    headers: &HeaderMap,
    header: &str,
    body: &[u8],
    secrets: &SecretList,
) -> Result<(), Refused> {
    let (claimed, well_formed) = claimed_digest(headers, header);
    let mut matched = Choice::from(0);
    for key in keys(secrets) {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return Err(Refused);
        };
        mac.update(body);
        matched |= mac.finalize().into_bytes().as_slice().ct_eq(&claimed);
    }
    verdict(matched & Choice::from(u8::from(well_formed)), secrets)
}

/// Verifies `Authorization: Bearer <secret>` against any secret.
///
/// # Errors
/// [`Refused`] when the header is absent, repeated, of another scheme or wrong, and when there is
/// no secret.
pub fn bearer(headers: &HeaderMap, secrets: &SecretList) -> Result<(), Refused> {
    let token = single(headers, AUTHORIZATION.as_str()).and_then(bearer_token);
    let matched = secrets.matches(token.unwrap_or_default());
    if matched && token.is_some() { Ok(()) } else { Err(Refused) }
}

/// Signs a body as [`hmac_sha256`] expects it: `sha256=<hex>`. `None` for an empty secret.
pub fn sign(body: &[u8], secret: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(body);
    (!secret.is_empty()).then(|| format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

fn keys(secrets: &SecretList) -> impl Iterator<Item = &[u8]> {
    let stand_in = secrets.is_empty().then_some(NO_SECRET);
    secrets.iter().map(Secret::expose).map(str::as_bytes).chain(stand_in)
}

fn verdict(matched: Choice, secrets: &SecretList) -> Result<(), Refused> {
    if bool::from(matched) && !secrets.is_empty() { Ok(()) } else { Err(Refused) }
}

fn claimed_digest(headers: &HeaderMap, header: &str) -> ([u8; DIGEST_LEN], bool) {
    let mut digest = [0; DIGEST_LEN];
    let text = single(headers, header).and_then(|value| value.strip_prefix(PREFIX));
    let well_formed = text.is_some_and(|text| hex::decode_to_slice(text, &mut digest).is_ok());
    (digest, well_formed)
}

fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

/// The header's value when it is there exactly once: two signatures are a trick, not a choice.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: &[u8] = b"Hello, World!";
    const SECRET: &str = "It's a Secret to Everybody";
    /// The vector GitHub publishes for this secret and body.
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(name, value.parse().unwrap());
        }
        map
    }

    fn check(secrets: &str, signatures: &[&str], expected: bool) {
        let headers = headers(GITHUB_SIGNATURE, signatures);
        let verified = hmac_sha256(&headers, GITHUB_SIGNATURE, BODY, &SecretList::parse(secrets));
        assert_eq!(verified.is_ok(), expected, "{secrets:?} {signatures:?}");
    }

    #[test]
    fn the_published_vector_verifies_with_any_of_the_secrets() {
        check(SECRET, &[SIGNATURE], true);
        check(&format!("new\n {SECRET} \n"), &[SIGNATURE], true);
        check(&format!("{SECRET},new"), &[SIGNATURE], true);
        check(SECRET, &[&SIGNATURE.to_ascii_uppercase().replace("SHA256", "sha256")], true);
    }

    #[test]
    fn whatever_is_not_exactly_the_scheme_is_refused() {
        let bare = SIGNATURE.trim_start_matches("sha256=");
        check("another", &[SIGNATURE], false);
        check("", &[SIGNATURE], false);
        check(" \n, ", &[SIGNATURE], false);
        check(SECRET, &[], false);
        check(SECRET, &[""], false);
        check(SECRET, &["sha256="], false);
        check(SECRET, &[bare], false);
        check(SECRET, &[&format!("sha1={bare}")], false);
        check(SECRET, &[&format!("sha1={}", bare.split_at(40).0)], false);
        check(SECRET, &[&format!("SHA256={bare}")], false);
        check(SECRET, &[&format!("{SIGNATURE}00")], false);
        check(SECRET, &[SIGNATURE.split_at(SIGNATURE.len() - 2).0], false);
        check(SECRET, &[&format!("sha256={}", "z".repeat(64))], false);
        check(SECRET, &[SIGNATURE, SIGNATURE], false);
    }

    #[test]
    fn no_secret_refuses_even_what_is_signed_with_the_stand_in() {
        let stand_in = std::str::from_utf8(NO_SECRET).unwrap();
        check("", &[&sign(BODY, stand_in).unwrap()], false);
        let token = headers("authorization", &[&format!("Bearer {stand_in}")]);
        assert_eq!(bearer(&token, &SecretList::default()), Err(Refused));
    }

    #[test]
    fn a_signature_with_an_empty_secret_is_never_made() {
        assert_eq!(sign(BODY, ""), None);
        assert_eq!(sign(BODY, SECRET).as_deref(), Some(SIGNATURE));
    }

    #[test]
    fn bearer_tokens_must_be_whole() {
        let check = |secrets: &str, values: &[&str], expected: bool| {
            let verified = bearer(&headers("authorization", values), &SecretList::parse(secrets));
            assert_eq!(verified.is_ok(), expected, "{secrets:?} {values:?}");
        };
        check("abc", &["Bearer abc"], true);
        check("old,abc", &["bearer abc"], true);
        check("abc", &["Bearer ab"], false);
        check("abc", &["Bearer abcd"], false);
        check("abc", &["Basic abc"], false);
        check("abc", &["abc"], false);
        check("abc", &["Bearer "], false);
        check("abc", &[], false);
        check("", &["Bearer "], false);
        check("abc", &["Bearer abc", "Bearer abc"], false);
    }

    proptest! {
        #[test]
        fn a_changed_signature_never_verifies(body: Vec<u8>, at in 7_usize..71, with in "[0-9a-f]") {
            let signature = sign(&body, SECRET).unwrap();
            let mut changed = signature.clone();
            changed.replace_range(at..=at, &with);
            let map = headers(GITHUB_SIGNATURE, &[&changed]);
            let verified = hmac_sha256(&map, GITHUB_SIGNATURE, &body, &SecretList::parse(SECRET));
            prop_assert_eq!(verified.is_ok(), changed == signature);
        }

        #[test]
        fn a_changed_body_never_verifies(mut body in proptest::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0_u8..8) {
            let map = headers(GITHUB_SIGNATURE, &[&sign(&body, SECRET).unwrap()]);
            let at = at.index(body.len());
            body[at] ^= 1 << bit;
            prop_assert!(hmac_sha256(&map, GITHUB_SIGNATURE, &body, &SecretList::parse(SECRET)).is_err());
        }

        #[test]
        fn any_header_is_answered_without_panic(value: Vec<u8>) {
            let mut map = HeaderMap::new();
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                map.insert(GITHUB_SIGNATURE, value.clone());
                map.insert(AUTHORIZATION, value);
            }
            prop_assert!(hmac_sha256(&map, GITHUB_SIGNATURE, b"", &SecretList::parse("s")).is_err());
            prop_assert!(bearer(&map, &SecretList::parse("a longer secret than random finds")).is_err());
        }
    }
}

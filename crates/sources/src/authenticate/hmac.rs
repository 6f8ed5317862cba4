//! HMAC-SHA256 over the body, or over a time and the body.
//!
//! What this does not do: any other algorithm, whatever a header says: SHA-1 is not accepted even
//! where a sender offers it beside.
//!
//! Invariant: every live secret is tried on the whole text, also when the header is absent.

use hmac::{Hmac, KeyInit, Mac};
use homeostat_schema::secret::{Secret, SecretList};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::{Claim, Proof, Refused, SIGNATURES_MAX, is_fresh, single};

/// Bytes of an HMAC-SHA256.
pub const DIGEST_LEN: usize = 32;
/// Keeps the work the same when there is no secret; never leads to acceptance.
pub(super) const NO_SECRET: &[u8] = b"no secret is configured";

/// Whether a header may hold several signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// One, and nothing beside it.
    One,
    /// Several, separated by commas, as a sender gives while its secret is rotated. Only those
    /// with the scheme's prefix count: another version is not looked at, newer or older.
    List,
}

/// Where a signed time is, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp<'a> {
    /// In a header of this name.
    Header(&'a str),
    /// Beside the signature in its header, after this prefix: `timestamp=`.
    Beside(&'a str),
}

pub(super) struct Form<'a> {
    pub(super) header: &'a str,
    pub(super) prefix: &'a str,
    pub(super) signatures: Signatures,
}

pub(super) struct Text<'a> {
    pub(super) header: &'a str,
    pub(super) prefix: &'a str,
    pub(super) stamp: Stamp<'a>,
    pub(super) before: &'a str,
    pub(super) separator: &'a str,
}

type Digest = [u8; DIGEST_LEN];

/// Verifies a signature over the body.
pub(super) fn over_body(claim: &Claim<'_>, form: &Form<'_>, secrets: &SecretList) -> Result<Proof, Refused> {
    let value = single(claim.headers, form.header);
    let claimed = match form.signatures {
        Signatures::One => value.and_then(|value| digest(value, form.prefix)).into_iter().collect(),
        Signatures::List => value.map(|value| listed(value, form.prefix)).unwrap_or_default(),
    };
    let made = try_all(&[claim.body], &claimed, secrets, claim.now_ms)?;
    Ok(Proof { key: made.key, body: Some(made.first) })
}

/// Verifies a signature over a time and the body, and that the time is fresh.
pub(super) fn over_time_and_body(
    claim: &Claim<'_>,
    text: &Text<'_>,
    secrets: &SecretList,
) -> Result<Proof, Refused> {
    let value = single(claim.headers, text.header);
    let (seconds, claimed) = match text.stamp {
        Stamp::Header(name) => {
            (single(claim.headers, name), value.and_then(|value| digest(value, text.prefix)))
        }
        Stamp::Beside(prefix) => (
            value.and_then(|value| only(value, prefix)),
            value.and_then(|value| only(value, text.prefix)).and_then(|hex| digest(hex, "")),
        ),
    };
    let seconds = seconds.unwrap_or_default();
    let parts = [text.before.as_bytes(), seconds, text.separator.as_bytes(), claim.body];
    let claimed: Vec<Digest> = claimed.into_iter().collect();
    let made = try_all(&parts, &claimed, secrets, claim.now_ms)?;
    if is_fresh(seconds, claim.now_ms) { Ok(Proof { key: made.key, body: None }) } else { Err(Refused) }
}

/// Signs a body as GitHub does: `sha256=<hex>`. `None` for an empty secret.
pub fn sign(body: &[u8], secret: &str) -> Option<String> {
    hex_of(&[body], secret.as_bytes()).map(|hex| format!("sha256={hex}"))
}

/// The HMAC of these parts in a row, hexadecimal. `None` for an empty secret.
pub(super) fn hex_of(parts: &[&[u8]], secret: &[u8]) -> Option<String> {
    let digest = mac(secret, parts).filter(|_| !secret.is_empty())?;
    Some(hex::encode(digest))
}

pub(super) struct Made {
    pub(super) key: usize,
    /// Under the first live secret.
    pub(super) first: Digest,
}

/// Makes the digest under every live secret and compares it with every claimed one.
fn try_all(parts: &[&[u8]], claimed: &[Digest], secrets: &SecretList, now_ms: u64) -> Result<Made, Refused> {
    let mut first = None;
    let mut key = 0_u64;
    for (place, secret) in secrets.live(now_ms) {
        let digest = mac(secret.expose().as_bytes(), parts).ok_or(Refused)?;
        first.get_or_insert(digest);
        let matched = is_any(&digest, claimed) & key.ct_eq(&0) & usable(secret);
        key.conditional_assign(&(place as u64), matched);
    }
    let Some(first) = first else {
        // As long as a wrong signature takes.
        let _unused = std::hint::black_box(mac(NO_SECRET, parts));
        return Err(Refused);
    };
    usize::try_from(key).ok().filter(|key| *key > 0).map(|key| Made { key, first }).ok_or(Refused)
}

pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> Option<Digest> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

pub(super) fn is_any(digest: &Digest, claimed: &[Digest]) -> Choice {
    claimed.iter().fold(Choice::from(0), |any, one| any | digest.ct_eq(one))
}

fn usable(secret: &Secret) -> Choice {
    Choice::from(u8::from(!secret.is_empty()))
}

fn digest(value: &[u8], prefix: &str) -> Option<Digest> {
    let mut digest = [0; DIGEST_LEN];
    let hex = value.strip_prefix(prefix.as_bytes())?;
    hex::decode_to_slice(hex, &mut digest).ok().map(|()| digest)
}

/// The well-formed signatures with this prefix; none when there are more than are looked at.
fn listed(value: &[u8], prefix: &str) -> Vec<Digest> {
    if items(value).count() > SIGNATURES_MAX {
        return Vec::new();
    }
    items(value).filter_map(|item| digest(item, prefix)).collect()
}

/// What follows the prefix in the one item that has it.
fn only<'a>(value: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    if items(value).count() > SIGNATURES_MAX {
        return None;
    }
    let mut found = items(value).filter_map(|item| item.strip_prefix(prefix.as_bytes()));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

//! Standard Webhooks 1.0: symmetric (`whsec_`, `v1`) and ed25519 (`whpk_`, `v1a`).
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
//!
//! What this does not do: take a secret without its prefix (it would be a guess at its encoding),
//! or a version of signature that belongs to another kind of key.
//!
//! Invariant: id and time hold no `.`, so that the signed text can be read in one way only.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use homeostat_schema::secret::{Secret, SecretList};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::hmac::{DIGEST_LEN, NO_SECRET, is_any, mac};
use super::{Claim, Proof, Refused, SIGNATURES_MAX, is_fresh, single};

/// The message's id, the same when it is sent again.
pub const ID: &str = "webhook-id";
/// Seconds since the epoch.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Signatures, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// What a symmetric secret begins with.
pub const SYMMETRIC: &str = "whsec_";
/// What a public key begins with.
pub const PUBLIC: &str = "whpk_";

/// Longest id taken, bytes; a UUID has 36, Svix's have 31.
const ID_MAX: usize = 256;
/// Ed25519 signatures tried per key: each takes about as long as hashing 10 kB.
const ED25519_MAX: usize = 2;
/// Bytes of an ed25519 signature.
const ED25519_LEN: usize = 64;

/// Secrets are copied by people, with and without the `=` at the end.
const OF_SECRETS: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the header claims.
#[derive(Default)]
struct Claimed {
    symmetric: Vec<[u8; DIGEST_LEN]>,
    ed25519: Vec<[u8; ED25519_LEN]>,
}

pub(super) fn verify(claim: &Claim<'_>, secrets: &SecretList) -> Result<Proof, Refused> {
    let id = single(claim.headers, ID).filter(|id| is_id(id));
    let seconds = single(claim.headers, TIMESTAMP);
    let claimed = single(claim.headers, SIGNATURE).map(claimed).unwrap_or_default();
    let parts = [id.unwrap_or_default(), b".", seconds.unwrap_or_default(), b".", claim.body];
    let mut key = 0_u64;
    let mut tried = false;
    for (place, secret) in secrets.live(claim.now_ms) {
        let matched = by(secret, &parts, &claimed);
        tried |= matched.is_some();
        let matched = matched.unwrap_or(Choice::from(0)) & key.ct_eq(&0);
        key.conditional_assign(&(place as u64), matched);
    }
    if !tried {
        // As long as a wrong signature takes.
        let _unused = std::hint::black_box(mac(NO_SECRET, &parts));
    }
    let whole = id.is_some() && seconds.is_some_and(|seconds| is_fresh(seconds, claim.now_ms));
    let key = usize::try_from(key).ok().filter(|key| whole && *key > 0);
    key.map(|key| Proof { key, body: None }).ok_or(Refused)
}

/// Whether a secret is of this scheme; what it is worth is known only when it is used.
pub fn is_key(secret: &Secret) -> bool {
    secret.expose().starts_with(SYMMETRIC) || secret.expose().starts_with(PUBLIC)
}

/// The key of a symmetric secret. `None` when it is none.
pub(super) fn symmetric_key(secret: &Secret) -> Option<Vec<u8>> {
    let text = secret.expose().strip_prefix(SYMMETRIC)?;
    OF_SECRETS.decode(text).ok().filter(|key| !key.is_empty())
}

/// Whether any signature is this secret's; `None` when the secret is no key.
fn by(secret: &Secret, parts: &[&[u8]], claimed: &Claimed) -> Option<Choice> {
    if let Some(key) = symmetric_key(secret) {
        return mac(&key, parts).map(|digest| is_any(&digest, &claimed.symmetric));
    }
    let key = public_key(secret)?;
    let message = parts.concat();
    let signed = |signature: &[u8; ED25519_LEN]| {
        key.verify_strict(&message, &Signature::from_bytes(signature)).is_ok()
    };
    Some(Choice::from(u8::from(claimed.ed25519.iter().any(signed))))
}

fn public_key(secret: &Secret) -> Option<VerifyingKey> {
    let bytes = OF_SECRETS.decode(secret.expose().strip_prefix(PUBLIC)?).ok()?;
    VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()
}

fn is_id(id: &[u8]) -> bool {
    (1..=ID_MAX).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.')
}

/// The well-formed signatures of versions we know; none when there are more than are looked at.
fn claimed(value: &[u8]) -> Claimed {
    let items = || value.split(|byte| *byte == b' ').filter(|item| !item.is_empty());
    let mut found = Claimed::default();
    if items().count() > SIGNATURES_MAX {
        return found;
    }
    for item in items() {
        let decoded =
            |prefix: &[u8]| item.strip_prefix(prefix).and_then(|text| BASE64_STANDARD.decode(text).ok());
        found.symmetric.extend(decoded(b"v1,").and_then(sized::<DIGEST_LEN>));
        found.ed25519.extend(decoded(b"v1a,").and_then(sized::<ED25519_LEN>));
    }
    found.ed25519.truncate(ED25519_MAX);
    found
}

fn sized<const N: usize>(bytes: Vec<u8>) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

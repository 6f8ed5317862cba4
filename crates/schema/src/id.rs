//! Identifiers. No clock and no randomness in here: both are arguments.
//!
//! * A derived id is a UUID of version 8 (RFC 9562): the first 16 bytes of a SHA-256 over a domain
//!   name and the parts, each preceded by its length, with the version and variant bits set. The
//!   same parts give the same id on every machine and in every version of Homeostat.
//! * An id made at a time is a UUID of version 7, which sorts by that time.
//! * An idempotency key is readable and made of content alone, so that a replay has the same.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::identity::{hex, safe_name};
use crate::types::{FindingKind, Remedy};

/// Largest time a UUIDv7 holds: 48 bits of milliseconds, the year 10889.
pub const TIME_MS_MAX: u64 = (1 << 48) - 1;

/// The id of an event, from its source instance and the source's id of the delivery. A redelivery
/// has the same. `index` tells apart the items of one delivery, 0 for the first or only one.
pub fn event(source: &str, delivery: &str, index: usize) -> String {
    derived("event", &[source, delivery, &index.to_string()]).to_string()
}

/// The id of an event whose source names no delivery: from the bytes it sent.
pub fn event_of_content(source: &str, body: &[u8], index: usize) -> String {
    let digest = hex(&Sha256::digest(body));
    derived("event-content", &[source, &digest, &index.to_string()]).to_string()
}

/// The id of a finding, from what it is about and the event that opened it.
pub fn finding(env: &str, service: &str, kind: &FindingKind, opened_by: &str) -> String {
    derived("finding", &[env, service, kind.name(), opened_by]).to_string()
}

/// The id of an incident, from its first finding; sorts by the time it was opened (milliseconds
/// since the epoch, at most [`TIME_MS_MAX`], later ones as that).
pub fn incident(opened_at_ms: u64, finding: &str) -> String {
    let digest = digest("incident", &[finding]);
    let mut random = [0; 10];
    random.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    v7(opened_at_ms, random).to_string()
}

/// The id of a plan: one for each incident and number of the plan in it.
pub fn plan(incident: &str, number: usize) -> String {
    derived("plan", &[incident, &number.to_string()]).to_string()
}

/// The key under which a remedy is carried out at most once: environment, service, release
/// (version or commit), remedy and the ordinal of the attempt on that release. Readable, for the
/// logs of others; a digest of all parts keeps apart what is cut or replaced for readability.
pub fn idempotency_key(env: &str, service: &str, release: &str, remedy: &Remedy, ordinal: u32) -> String {
    let ordinal = ordinal.to_string();
    let parts = [env, service, release, remedy.name(), &ordinal];
    let digest = digest("attempt", &parts).iter().take(KEY_DIGEST_BYTES).copied().collect::<Vec<u8>>();
    let readable = parts.map(|part| safe_name(part).replace('/', "."));
    format!("{}:{}", readable.join(":"), hex(&digest))
}

/// 64 bits: enough to keep apart the attempts of one installation.
const KEY_DIGEST_BYTES: usize = 8;

/// An id that sorts by time, from milliseconds since the epoch (at most [`TIME_MS_MAX`], later
/// ones as that) and ten random bytes.
pub fn timed(now_ms: u64, random: [u8; 10]) -> String {
    v7(now_ms, random).to_string()
}

fn v7(now_ms: u64, random: [u8; 10]) -> Uuid {
    Builder::from_unix_timestamp_millis(now_ms.min(TIME_MS_MAX), &random).into_uuid()
}

fn derived(domain: &str, parts: &[&str]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest(domain, parts)).for_each(|(to, from)| *to = from);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Every part is preceded by its length, so that no two lists of parts read alike.
fn digest(domain: &str, parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in std::iter::once(&domain).chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Changing any of these makes redeliveries count twice after an upgrade.
    #[test]
    fn derived_ids_never_change() {
        let check = |id: String, expected: &str| assert_eq!(id, expected);
        check(
            event("github", "72d3162e-cc78-11e3-81ab-4c9367dc0958", 0),
            "73cc409c-4fe8-8966-b20f-abd10838b575",
        );
        check(event_of_content("generic", b"{}", 1), "b7c2e0ac-0f7d-8651-97a2-76edcee34d70");
        check(finding("prod", "shop", &FindingKind::RunFailed, "e1"), "2341881f-19b0-8cb3-a2f4-591b4cbce9b2");
        check(incident(1_764_244_800_000, "f1"), "019ac52f-4200-7ba7-9042-173fa63aecf4");
        check(plan("i1", 1), "80e14127-5b77-83ec-a7f1-b94748a6978a");
        check(
            idempotency_key("prod", "shop", "v1.2.3", &Remedy::Rollback, 1),
            "prod:shop:v1.2.3:rollback:1:38af637240addb4f",
        );
        check(timed(1_764_244_800_000, [7; 10]), "019ac52f-4200-7707-8707-070707070707");
    }

    #[test]
    fn every_part_counts() {
        let ids: Vec<String> = vec![
            event("github", "1", 0),
            event("gitlab", "1", 0),
            event("github", "2", 0),
            event("github", "1", 1),
            event("github1", "", 0),
            event("", "github1", 0),
            finding("github", "1", &FindingKind::Blind, "0"),
            plan("github", 1),
            idempotency_key("prod", "a b", "1", &Remedy::Restart, 1),
            idempotency_key("prod", "a-b", "1", &Remedy::Restart, 1),
            idempotency_key("prod", "a-b", "1", &Remedy::Restart, 2),
            idempotency_key("prod", "a-b", "1", &Remedy::Rollback, 2),
            idempotency_key("prod", "a:b", "1", &Remedy::Rollback, 2),
            idempotency_key("prod", "a/b", "1", &Remedy::Rollback, 2),
            idempotency_key("prod", "a.b", "1", &Remedy::Rollback, 2),
        ];
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn ids_made_at_a_time_sort_by_it() {
        let at = |ms| incident(ms, "f");
        assert!(at(1) < at(2));
        assert!(at(999_999) < at(1_000_000));
        assert!(at(TIME_MS_MAX - 1) < at(u64::MAX));
        assert_eq!(at(TIME_MS_MAX), at(u64::MAX));
        assert!(timed(1, [255; 10]) < timed(2, [0; 10]));
    }

    #[test]
    fn versions_and_variants_are_those_of_rfc_9562() {
        let check = |id: String, version: usize| {
            let id = Uuid::parse_str(&id).unwrap();
            assert_eq!(id.get_version_num(), version);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        };
        check(event("s", "d", 0), 8);
        check(finding("e", "s", &FindingKind::Blind, "x"), 8);
        check(incident(5, "f"), 7);
        check(timed(5, [0; 10]), 7);
    }

    #[test]
    fn an_idempotency_key_is_readable_and_bounded() {
        let long = "x/".repeat(5_000);
        let key = idempotency_key(&long, &long, &long, &Remedy::Other(long.clone()), u32::MAX);
        assert!(key.len() < 600, "{key}");
        assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
    }
}

//! A bounded memory of what was taken already, so that a redelivery counts once.
//!
//! What this does not do: remember for ever. It knows the last [`KEPT`]; whoever may deliver an
//! older one again must refuse it before (the ingest does, by the delivery's id).
//! Invariant: two different keys are taken for the same with a chance below one in 10^8.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::text::fnv;

/// How many are remembered: several sources' worth of a few minutes of reports, in 350 bytes.
pub(crate) const KEPT: usize = 32;

/// Digests of the last ones.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Recent(VecDeque<u32>);

impl Recent {
    /// Whether this was not taken yet; from now on it is.
    pub(crate) fn is_new(&mut self, source: &str, at_ms: u64) -> bool {
        let key = folded(digest(&[source, &at_ms.to_string()]));
        if self.0.contains(&key) {
            return false;
        }
        while self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(key);
        true
    }
}

fn folded(digest: u64) -> u32 {
    let bytes = (digest ^ (digest >> 32)).to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// A digest of the parts and of where they end, 64 bits.
pub(crate) fn digest(parts: &[&str]) -> u64 {
    fnv(parts.iter().flat_map(|part| part.bytes().chain([0xff])))
}

/// Forty-eight bits of [`digest`]: exact in a JSON number of any reader.
pub(crate) fn short_digest(parts: &[&str]) -> u64 {
    let digest = digest(parts);
    (digest ^ (digest >> 48)) & 0xffff_ffff_ffff
}

/// A name within `bytes_max` (at least 20) bytes of JSON: a longer one, or one with characters
/// that JSON escapes, keeps its beginning and a digest of the whole.
pub(crate) fn bounded_name(text: &str, bytes_max: usize) -> String {
    let plain = |one: char| !one.is_control() && one != '"' && one != '\\';
    if text.len() <= bytes_max && text.chars().all(plain) {
        return text.to_owned();
    }
    let digest = format!("~{:012x}", short_digest(&[text]));
    let mut start = String::new();
    for one in text.chars().filter(|one| plain(*one)) {
        if start.len() + one.len_utf8() + digest.len() > bytes_max {
            break;
        }
        start.push(one);
    }
    start + &digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known_and_older_ones_are_forgotten() {
        let mut recent = Recent::default();
        assert!(recent.is_new("a", 1) && recent.is_new("b", 1) && recent.is_new("a", 2));
        assert!(!recent.is_new("a", 1) && !recent.is_new("b", 1));
        (10..10 + KEPT as u64).for_each(|at| assert!(recent.is_new("a", at)));
        assert!(recent.is_new("a", 1), "beyond the bound it is forgotten");
        assert!(serde_json::to_vec(&recent).unwrap().len() <= 360);
    }

    #[test]
    fn names_stay_different_and_within_their_bytes() {
        let check = |text: &str| {
            let name = bounded_name(text, 40);
            assert!(serde_json::to_vec(&name).unwrap().len() <= 42, "{name}");
            name
        };
        assert_eq!(check("checkout"), "checkout");
        assert_ne!(check(&"é".repeat(50)), check(&"é".repeat(51)));
        assert_ne!(check("a\"b"), check("a\\b"));
        assert_ne!(check("a\u{1}"), check("a"));
    }
}

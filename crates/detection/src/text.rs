//! Names that come from outside, cut to a bound before they are kept.

use homeostat_schema::types::Event;

/// Characters kept of a version, commit, branch or title. Longer ones are cut.
const NAME_CHARS_MAX: usize = 64;
/// Characters kept of an identity. A longer one, or one with control characters, keeps its
/// beginning and a digest of the whole.
const KEY_CHARS_MAX: usize = 64;
/// `~` and 64 bits in hex.
const DIGEST_CHARS: usize = 17;
/// Begins the identity of a subject that the sender did not name.
const OF_EVENT: &str = "event:";

/// A name for people, cut to its bound and without control characters, which JSON writes six
/// bytes long.
pub(crate) fn name(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(NAME_CHARS_MAX).collect()
}

/// The same for an optional name; an empty one is none.
pub(crate) fn optional(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(|text| name(text))
}

/// An identity within its bound; different identities stay different.
pub(crate) fn key(text: &str) -> String {
    let fits = text.chars().nth(KEY_CHARS_MAX).is_none() && !text.chars().any(char::is_control);
    if fits {
        return text.to_owned();
    }
    let start: String = name(text).chars().take(KEY_CHARS_MAX - DIGEST_CHARS).collect();
    format!("{start}~{:016x}", fnv(text.bytes()))
}

/// What an event is about: the sender's name for it, or else the event itself.
pub(crate) fn subject(named: Option<&String>, event: &Event) -> String {
    match named.filter(|named| !named.is_empty()) {
        Some(named) => key(named),
        None => key(&format!("{OF_EVENT}{}", event.id)),
    }
}

/// Whether [`subject`] had no name to go by.
pub(crate) fn is_of_event(subject: &str) -> bool {
    subject.starts_with(OF_EVENT)
}

/// FNV-1a, 64 bits. Offset and prime from the FNV reference.
pub(crate) fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_identities_stay_different_and_bounded() {
        let one = key(&format!("{}1", "x".repeat(500)));
        let other = key(&format!("{}2", "x".repeat(500)));
        assert_ne!(one, other);
        assert_eq!(one.chars().count(), KEY_CHARS_MAX);
        assert_eq!(key("short"), "short");
        assert_ne!(key("a\u{1}b"), key("a\u{2}b"));
        assert!(!key("a\u{1}b").contains('\u{1}'));
        assert_eq!(name(&"é".repeat(500)).chars().count(), NAME_CHARS_MAX);
    }
}

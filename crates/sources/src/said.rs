//! Small steps that readers share on their way to a draft.
//!
//! What this does not do: decide what an event means; that is each source's own.

use homeostat_schema::types::Status;
use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX};
use sha2::{Digest, Sha256};

use crate::json::bounded;

/// Longest id of our own making kept as it is, bytes; a longer one is kept by its digest.
const ID_BYTES_MAX: usize = 256;

/// Whether nothing more comes for this attempt.
pub(crate) fn finished(status: &Status) -> bool {
    matches!(status, Status::Success | Status::Failure | Status::Cancelled)
}

/// The time between, when both ends are known and it did not run backwards; milliseconds.
pub(crate) fn span(from: Option<u64>, until: Option<u64>) -> Option<u64> {
    until?.checked_sub(from?)
}

/// The branch or tag of a reference.
pub(crate) fn short_ref(name: &str) -> Option<String> {
    let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name);
    bounded(short, TEXT_CHARS_MAX)
}

/// Adds an attribute when there is something to say.
pub(crate) fn attribute(draft: &mut flat::Draft, name: &str, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| bounded(value, TEXT_CHARS_MAX)) {
        draft.attributes.push((name.to_owned(), value));
    }
}

/// The words that fit whole into one attribute, in their order. One as long as the bound may have
/// been cut already, and is left out.
pub(crate) fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut list = String::new();
    let mut chars = 0_usize;
    for word in words {
        let length = word.chars().count();
        let longer = chars + usize::from(chars > 0) + length;
        if length >= TEXT_CHARS_MAX || longer > TEXT_CHARS_MAX || word.contains(char::is_whitespace) {
            continue;
        }
        if chars > 0 {
            list.push(' ');
        }
        list.push_str(word);
        chars = longer;
    }
    list
}

/// One id of several parts. A long one is its SHA-256, so that two that differ late stay apart.
pub(crate) fn joined_id(parts: &[&str]) -> String {
    let id = parts.join(" ");
    if id.len() <= ID_BYTES_MAX { id } else { hex::encode(Sha256::digest(id)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_needs_both_ends_in_order() {
        let check = |from, until, expected| assert_eq!(span(from, until), expected, "{from:?} {until:?}");
        check(Some(1), Some(3), Some(2));
        check(Some(3), Some(3), Some(0));
        check(Some(3), Some(1), None);
        check(None, Some(1), None);
        check(Some(1), None, None);
    }

    #[test]
    fn words_of_a_list_are_whole_or_absent() {
        let (half, longest) = ("x".repeat(TEXT_CHARS_MAX / 2), "y".repeat(TEXT_CHARS_MAX));
        let check = |words: &[&str], expected: &str| assert_eq!(listed(words.iter().copied()), expected);
        check(&[], "");
        check(&["a:1", "b:2"], "a:1 b:2");
        check(&["a:1", "two words", "b:2"], "a:1 b:2");
        check(&[&longest, "b:2"], "b:2");
        check(&[&half, &half, "b:2"], &format!("{half} b:2"));
        check(&[&half, &half[1..]], &format!("{half} {}", &half[1..]));
    }

    #[test]
    fn long_ids_stay_apart_and_bounded() {
        let long = "a".repeat(10_000);
        let (one, two) = (joined_id(&[&long, "1"]), joined_id(&[&long, "2"]));
        assert_ne!(one, two);
        assert!(one.len() <= ID_BYTES_MAX && two.len() <= ID_BYTES_MAX);
        assert_eq!(joined_id(&["/source", "1"]), "/source 1");
    }
}

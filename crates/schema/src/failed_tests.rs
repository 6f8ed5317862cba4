//! Which tests of a run failed, without their names: what tells one test from another is a digest.
//!
//! An event carries them in its attribute [`ATTRIBUTE`]. A name may hold anything a pipeline's author
//! put there, and nothing here needs it.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::identity::hex;

/// The attribute of an event.
pub const ATTRIBUTE: &str = "failed-tests";
/// So many are told apart; of a run in which more failed the first ones in order are told, which is
/// one more than counts as tests and not as the whole run.
pub const TESTS_MAX: usize = 5;
/// 64 bits tell the tests of one pipeline apart.
const DIGEST_BYTES: usize = 8;

/// The attribute's value; none for no test. The same names in any order give the same.
pub fn told<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names = names.into_iter().map(str::trim).filter(|name| !name.is_empty());
    let digest = |name: &str| hex(Sha256::digest(name.as_bytes()).get(..DIGEST_BYTES).unwrap_or_default());
    let digests: BTreeSet<String> = names.map(digest).collect();
    let first: Vec<String> = digests.into_iter().take(TESTS_MAX).collect();
    (!first.is_empty()).then(|| first.join(" "))
}

/// The digests of an attribute's value, as far as they are any.
pub fn read(value: &str) -> BTreeSet<u64> {
    let whole = |word: &&str| word.len() == 2 * DIGEST_BYTES;
    let words = value.split(' ').filter(whole).filter_map(|word| u64::from_str_radix(word, 16).ok());
    words.take(TESTS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_digests_in_any_order_once_each() {
        let two = told(["pays.Total", "pays.Cart"]).unwrap();
        assert_eq!(told([" pays.Cart ", "pays.Total", "", "pays.Cart"]), Some(two.clone()));
        assert_eq!(read(&two).len(), 2);
        assert!(!two.contains("pays") && two.len() == 33, "{two}");
        assert_eq!((told([]), told([" "])), (None, None));
        let many: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        assert_eq!(read(&told(many.iter().map(String::as_str)).unwrap()).len(), TESTS_MAX);
    }

    #[test]
    fn what_is_no_digest_is_no_test() {
        assert!(read("").is_empty());
        assert!(read("pays.Total 12 zzzzzzzzzzzzzzzz").is_empty());
        assert_eq!(read("000000000000000a 000000000000000a"), BTreeSet::from([10]));
    }
}

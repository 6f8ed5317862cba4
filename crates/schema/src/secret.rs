//! Secrets: held, compared in constant time, never shown.
//!
//! Neither type has `Debug`, `Display` or a serde form, so that none can end in a log, an error or
//! an answer by accident. Constant time holds for entries of equal length; lengths may leak.

use subtle::{Choice, ConstantTimeEq};

/// More secrets at once than any rotation needs; the rest are not looked at.
pub const SECRETS_MAX: usize = 64;

/// A secret text.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for a signature or an `Authorization` header and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is empty, which no secret should be.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these bytes are the secret, in constant time. An empty secret matches nothing.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        !self.is_empty() && bool::from(self.0.as_bytes().ct_eq(candidate))
    }
}

/// Several secrets of which any one will do, so that they can be rotated.
#[derive(Clone, Default)]
pub struct SecretList(Vec<Secret>);

impl SecretList {
    /// Reads one secret a line, or several separated by commas; white space around each is
    /// dropped, and so are empty ones. At most [`SECRETS_MAX`].
    pub fn parse(text: &str) -> Self {
        let entries = text.split(['\n', ',']).map(str::trim).filter(|entry| !entry.is_empty());
        Self(entries.take(SECRETS_MAX).map(Secret::new).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }

    /// Whether these bytes are any of the secrets. All are compared, whichever matches.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        let any = self
            .0
            .iter()
            .fold(Choice::from(0), |any, secret| any | Choice::from(u8::from(secret.matches(candidate))));
        bool::from(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_commas_separate_secrets() {
        let check = |text: &str, expected: &[&str]| {
            let list = SecretList::parse(text);
            assert_eq!(list.iter().map(Secret::expose).collect::<Vec<_>>(), expected, "{text:?}");
            assert_eq!(list.is_empty(), expected.is_empty());
            assert_eq!(list.len(), expected.len());
        };
        check("", &[]);
        check(" \r\n ,, \n", &[]);
        check("one", &["one"]);
        check(" one \r\n two,three ", &["one", "two", "three"]);
        check("with space inside", &["with space inside"]);
    }

    #[test]
    fn any_listed_secret_matches_and_nothing_else() {
        let list = SecretList::parse("one,two");
        for (candidate, expected) in
            [("one", true), ("two", true), ("", false), ("on", false), ("onee", false), ("One", false)]
        {
            assert_eq!(list.matches(candidate.as_bytes()), expected, "{candidate}");
        }
    }

    #[test]
    fn no_secret_matches_nothing() {
        assert!(!SecretList::parse("").matches(b""));
        assert!(!Secret::new("").matches(b""));
    }

    #[test]
    fn secrets_beyond_the_bound_are_not_looked_at() {
        let many = (0..=SECRETS_MAX).map(|index| format!("s{index}")).collect::<Vec<_>>().join(",");
        let list = SecretList::parse(&many);
        assert_eq!(list.len(), SECRETS_MAX);
        assert!(!list.matches(format!("s{SECRETS_MAX}").as_bytes()));
    }
}

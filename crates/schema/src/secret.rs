//! Secrets: held, compared in constant time, never shown.
//!
//! Neither type has `Debug`, `Display` or a serde form, so that none can end in a log, an error or
//! an answer by accident. Constant time holds for entries of equal length; lengths may leak.

use serde::Deserialize;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::time;

/// More secrets at once than any rotation needs; the rest are not looked at.
pub const SECRETS_MAX: usize = 64;

/// A secret text.
#[derive(Clone, Default)]
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

/// Several secrets of which any one will do, so that they can be rotated with no gap.
///
/// Written as one secret a line, or several separated by commas; or, where one has to end by
/// itself or holds a comma, as a JSON list:
///
/// ```json
/// [{"secret": "old", "not_after": "2026-12-01T00:00:00Z"}, {"secret": "new"}]
/// ```
///
/// A text is the JSON form exactly when it begins with `[{`, so that no mark inside a secret can be
/// taken for a time. A secret that begins so is written in the JSON form.
#[derive(Clone, Default)]
pub struct SecretList {
    entries: Vec<Entry>,
    document: Secret,
}

#[derive(Clone)]
struct Entry {
    secret: Secret,
    /// Milliseconds since the epoch; matches nothing after. Absent: never ends.
    not_after_ms: Option<u64>,
}

/// An entry of the JSON form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    secret: String,
    not_after: Option<String>,
}

/// Why a text holds no secrets. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// Begins as the JSON form and is not.
    #[error(
        "begins with [{{ and is not a list like [{{\"secret\": \"...\", \"not_after\": \"2026-12-01T00:00:00Z\"}}]"
    )]
    Malformed,
    /// A time that cannot be read. The entry matches nothing.
    #[error("entry {0} has a not_after that is not a time as in RFC 3339, so that it matches nothing")]
    Time(usize),
}

impl SecretList {
    /// Reads the text of a variable, at most [`SECRETS_MAX`] entries. What cannot be read matches
    /// nothing; [`SecretList::check`] says so.
    pub fn parse(text: &str) -> Self {
        if !is_json(text) {
            let entries = text.split(['\n', ',']).map(str::trim).filter(|entry| !entry.is_empty());
            let lasting = |entry| Entry { secret: Secret::new(entry), not_after_ms: None };
            return Self::of(text, entries.take(SECRETS_MAX).map(lasting).collect());
        }
        let written = written(text).unwrap_or_default().into_iter();
        let entries = written.filter(|entry| !entry.secret.is_empty()).map(|entry| Entry {
            // A time that cannot be read ended long ago.
            not_after_ms: entry.not_after.map(|at| time::parse(&at).unwrap_or_default()),
            secret: Secret::new(entry.secret),
        });
        Self::of(text, entries.take(SECRETS_MAX).collect())
    }

    fn of(text: &str, entries: Vec<Entry>) -> Self {
        Self { entries, document: Secret::new(text.trim()) }
    }

    /// Whether a text is read whole.
    ///
    /// # Errors
    /// [`SecretsError`], the first.
    pub fn check(text: &str) -> Result<(), SecretsError> {
        if !is_json(text) {
            return Ok(());
        }
        let unreadable =
            |entry: &Written| entry.not_after.as_ref().is_some_and(|at| time::parse(at).is_err());
        match written(text)?.iter().position(unreadable) {
            Some(at) => Err(SecretsError::Time(at + 1)),
            None => Ok(()),
        }
    }

    /// The whole text, for a scheme whose keys are one document, as a set of JSON web keys is.
    pub fn document(&self) -> &Secret {
        &self.document
    }

    /// Whether there is none, ended ones counted.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are, ended ones counted.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// In the order they were given, ended ones among them.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.entries.iter().map(|entry| &entry.secret)
    }

    /// Those that have not ended, with their place in the list, from 1.
    pub fn live(&self, now_ms: u64) -> impl Iterator<Item = (usize, &Secret)> {
        let entries = self.entries.iter().enumerate();
        let live = entries.filter(move |(_, entry)| entry.not_after_ms.is_none_or(|end| now_ms <= end));
        live.map(|(at, entry)| (at + 1, &entry.secret))
    }

    /// Whether these bytes are one of the secrets that never end, for callers without a clock. All
    /// are compared, whichever matches.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        let lasting = self.entries.iter().filter(|entry| entry.not_after_ms.is_none());
        let any = lasting.fold(Choice::from(0), |any, entry| {
            any | Choice::from(u8::from(entry.secret.matches(candidate)))
        });
        bool::from(any)
    }

    /// The place (from 1) of the secret that these bytes are, if it has not ended. All are
    /// compared, whichever matches.
    pub fn place_of(&self, candidate: &[u8], now_ms: u64) -> Option<usize> {
        let matching = self.live(now_ms).fold(0_u64, |found, (place, secret)| {
            let matched = Choice::from(u8::from(secret.matches(candidate)));
            u64::conditional_select(&found, &(place as u64), matched & found.ct_eq(&0))
        });
        usize::try_from(matching).ok().filter(|place| *place > 0)
    }
}

fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    text.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('{'))
}

fn written(text: &str) -> Result<Vec<Written>, SecretsError> {
    serde_json::from_str(text).map_err(|_| SecretsError::Malformed)
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
        let list = SecretList::parse("one,two,one");
        for (candidate, expected) in
            [("one", Some(1)), ("two", Some(2)), ("", None), ("on", None), ("onee", None), ("One", None)]
        {
            assert_eq!(list.place_of(candidate.as_bytes(), 0), expected, "{candidate}");
        }
    }

    #[test]
    fn a_secret_ends_at_its_time_and_keeps_its_place() {
        let list = SecretList::parse(
            r#" [{"secret":"old","not_after":"1970-01-01T00:00:01Z"},{"secret":"new, with a comma"}]"#,
        );
        let check = |candidate: &str, now_ms: u64, expected: Option<usize>| {
            assert_eq!(list.place_of(candidate.as_bytes(), now_ms), expected, "{candidate} at {now_ms}");
        };
        check("old", 1_000, Some(1));
        check("old", 1_001, None);
        check("new, with a comma", 1_000, Some(2));
        assert!(list.matches(b"new, with a comma") && !list.matches(b"old"));
        check("new, with a comma", u64::MAX, Some(2));
        assert_eq!((list.len(), list.live(2_000).count()), (2, 1));
    }

    #[test]
    fn what_cannot_be_read_matches_nothing_and_is_told() {
        let check = |text: &str, secrets: usize, expected: Result<(), SecretsError>| {
            assert_eq!(SecretList::check(text), expected, "{text}");
            assert_eq!(SecretList::parse(text).live(1).count(), secrets, "{text}");
        };
        check(r#"[{"secret":"a"},{"secret":""}]"#, 1, Ok(()));
        check(r#"[{"secret":"a","until":"x"}]"#, 0, Err(SecretsError::Malformed));
        check(r#"[{"secret":"a"}"#, 0, Err(SecretsError::Malformed));
        check(r#"[{"secret":"b"},{"secret":"a","not_after":"soon"}]"#, 1, Err(SecretsError::Time(2)));
        check("[a", 1, Ok(()));
        check("old not_after=2026-12-01", 1, Ok(()));
    }

    #[test]
    fn no_secret_matches_nothing() {
        assert_eq!(SecretList::parse("").place_of(b"", 0), None);
        assert!(!Secret::new("").matches(b""));
    }

    #[test]
    fn secrets_beyond_the_bound_are_not_looked_at() {
        let many = (0..=SECRETS_MAX).map(|index| format!("s{index}")).collect::<Vec<_>>().join(",");
        let list = SecretList::parse(&many);
        assert_eq!(list.len(), SECRETS_MAX);
        assert_eq!(list.place_of(format!("s{SECRETS_MAX}").as_bytes(), 0), None);
    }
}

//! Fields that never fail a delivery: what is missing, null or of another type is not there.
//!
//! For senders whose bodies vary by version, plug-in or template. What a reader cannot do without
//! it asks for, and says what is missing.
//!
//! What this does not do: keep a text longer than its bound; tell why a field was not taken.
//!
//! Invariant: whatever stands in a field, reading it succeeds. (A body that is not JSON, or names
//! a field we read twice, still fails.)

use std::fmt;
use std::marker::PhantomData;

use homeostat_schema::time::{self, TimeError};
use homeostat_schema::wire::flat::TEXT_CHARS_MAX;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use crate::json::bounded;

/// A part of a body that is read on its own; `None` when it is not a `T`.
#[derive(Debug, Clone)]
pub(crate) struct Part<T>(pub(crate) Option<T>);

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

/// A text, or a number as a text; at most `N` characters, `None` when nothing is left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word<const N: usize = TEXT_CHARS_MAX>(pub(crate) Option<String>);

impl<const N: usize> Word<N> {
    /// The text, when it is not empty.
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'de, const N: usize> Deserialize<'de> for Word<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = deserializer.deserialize_any(ScalarVisitor(N))?;
        Ok(Self(match scalar {
            Scalar::Text(text) => Some(text),
            Scalar::Count(number) => Some(number.to_string()),
            Scalar::Nothing | Scalar::Flag(_) => None,
        }))
    }
}

/// A whole number from 0, also as a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match deserializer.deserialize_any(ScalarVisitor(DIGITS_MAX))? {
            Scalar::Count(number) => Some(number),
            Scalar::Text(text) => text.parse().ok(),
            Scalar::Nothing | Scalar::Flag(_) => None,
        }))
    }
}

/// `u64::MAX` has 20 digits.
const DIGITS_MAX: usize = 20;

/// True or false; anything else is neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) Option<bool>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match deserializer.deserialize_any(ScalarVisitor(0))? {
            Scalar::Flag(flag) => Some(flag),
            _ => None,
        }))
    }
}

/// Milliseconds since the epoch, of RFC 3339 or of `2019-08-11 06:01:35 UTC` (or `+0200`). A time
/// without a zone, or before the epoch, is none: senders write the year 1 for "never".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Option<u64>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match deserializer.deserialize_any(ScalarVisitor(TIME_CHARS_MAX))? {
            Scalar::Text(text) => moment(&text),
            _ => None,
        }))
    }
}

/// `2006-01-02T15:04:05.999999999+07:00` has 35.
const TIME_CHARS_MAX: usize = 40;

/// As [`Moment`] reads a text.
pub(crate) fn moment(text: &str) -> Option<u64> {
    match time::parse(text) {
        Ok(ms) => Some(ms),
        Err(TimeError::BeforeEpoch) => None,
        Err(TimeError::Malformed) => {
            let mut words = text.split(' ');
            let (date, clock, zone) = (words.next()?, words.next()?, words.next()?);
            let zone = if zone == "UTC" { "Z" } else { zone };
            time::parse(&format!("{date}T{clock}{zone}")).ok()
        }
    }
}

/// The first `N` items of a list that are a `T`; the rest is walked over.
#[derive(Debug, Clone)]
pub(crate) struct Few<T, const N: usize>(pub(crate) Vec<T>);

impl<T, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: DeserializeOwned, const N: usize> Deserialize<'de> for Few<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let Heads(items) = serde_json::from_str::<Heads<T, N>>(raw.get()).unwrap_or_default();
        Ok(Self(items))
    }
}

struct Heads<T, const N: usize>(Vec<T>);

impl<T, const N: usize> Default for Heads<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: DeserializeOwned, const N: usize> Deserialize<'de> for Heads<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const N: usize>(PhantomData<T>);
        impl<'de, T: DeserializeOwned, const N: usize> Visitor<'de> for List<T, N> {
            type Value = Heads<T, N>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut kept = Vec::new();
                // Bounded by the body, which is bounded by its cap.
                while kept.len() < N {
                    let Some(Part(item)) = items.next_element::<Part<T>>()? else { break };
                    kept.extend(item);
                }
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Heads(kept))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

enum Scalar {
    Nothing,
    Text(String),
    Count(u64),
    Flag(bool),
}

/// Takes anything; keeps texts of at most so many characters.
struct ScalarVisitor(usize);

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(bounded(text, self.0).map_or(Scalar::Nothing, Scalar::Text))
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Count(number))
    }
    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(flag))
    }
    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }
    fn visit_unit<E: de::Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Body {
        word: Word<5>,
        count: Count,
        flag: Flag,
        moment: Moment,
        part: Part<Inner>,
        few: Few<Inner, 2>,
    }

    #[derive(Deserialize, Debug, Clone)]
    struct Inner {
        a: u8,
    }

    fn read(json: &str) -> Body {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn words_are_texts_or_numbers_within_their_bound() {
        let check = |json: &str, expected: Option<&str>| {
            assert_eq!(read(&format!("{{\"word\":{json}}}")).word.as_str(), expected, "{json}");
        };
        check("\" abcdefg \"", Some("abcde"));
        check("7", Some("7"));
        check("\" \"", None);
        for other in ["null", "true", "-1", "1.5", "{\"a\":[1]}", "[1,{}]"] {
            check(other, None);
        }
    }

    #[test]
    fn moments_are_rfc_3339_or_with_a_blank_and_a_zone() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(moment(text), expected, "{text}");
        check("2025-11-27T12:00:00Z", Some(1_764_244_800_000));
        check("2025-11-27 12:00:00 UTC", Some(1_764_244_800_000));
        check("2025-11-27 14:00:00 +0200", Some(1_764_244_800_000));
        check("2025-11-27T12:00:00", None);
        check("0001-01-01T00:00:00", None);
        check("0001-01-01T00:00:00Z", None);
        check("2025-11-27 12:00:00", None);
        check("yesterday at noon", None);
        check("", None);
    }

    #[test]
    fn a_part_of_another_type_is_not_there_and_fails_nothing() {
        let body = read(r#"{"part":{"a":"x"},"few":[{"a":1},5,{"a":2},{"a":3}],"count":"12","flag":false}"#);
        assert!(body.part.0.is_none());
        assert_eq!(body.few.0.iter().map(|inner| inner.a).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((body.count.0, body.flag.0, body.moment.0), (Some(12), Some(false), None));
        assert_eq!(read(r#"{"part":{"a":4}}"#).part.0.unwrap().a, 4);
        assert!(read(r#"{"few":{"a":1}}"#).few.0.is_empty());
    }

    proptest! {
        #[test]
        fn any_value_in_any_field_is_read(value in crate::testing::any_json()) {
            let mut body = serde_json::Map::new();
            for field in ["word", "count", "flag", "moment", "part", "few"] {
                body.insert(field.to_owned(), value.clone());
            }
            prop_assert!(serde_json::from_value::<serde_json::Value>(body.clone().into()).is_ok());
            prop_assert!(serde_json::from_str::<Body>(&serde_json::Value::Object(body).to_string()).is_ok());
        }
    }
}

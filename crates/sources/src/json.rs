//! Narrow reading of JSON: only the fields asked for are built, everything else is walked over.
//!
//! What this does not do: build a tree of the body; keep a text longer than its bound.
//!
//! Invariants: time and memory are linear in the body, whatever it holds; what an error says
//! never quotes the body. Decided here: a byte order mark is skipped; a field we read that is
//! there twice makes the body not understood (which one counts would be a guess); fields we do
//! not read may be doubled, nested or numerous at will.

use std::fmt;
use std::marker::PhantomData;

use homeostat_schema::time;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// The body is not what its source sends. Safe to show: holds no text of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not UTF-8.
    #[error("not UTF-8 (byte {0})")]
    Encoding(usize),
    /// Not JSON, or cut off.
    #[error("not JSON (line {line}, column {column})")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON, but a value we read has the wrong type or range, or is there twice.
    #[error("a value of the wrong type, or a field given twice (line {line}, column {column})")]
    Type {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON, but not an object at the top.
    #[error("not a JSON object")]
    NotAnObject,
}

impl From<serde_json::Error> for BodyError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => Self::Type { line, column },
            _ => Self::Syntax { line, column },
        }
    }
}

/// The body as text, without a byte order mark.
///
/// # Errors
/// [`BodyError::Encoding`] when it is not UTF-8.
pub(crate) fn text(body: &[u8]) -> Result<&str, BodyError> {
    let text = std::str::from_utf8(body).map_err(|error| BodyError::Encoding(error.valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads one object.
///
/// # Errors
/// [`BodyError`], by what is wrong with it.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    let text = text(body)?;
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'{') => Ok(serde_json::from_str(text)?),
        // Tells what is not JSON from what is JSON of another shape.
        _ => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(BodyError::NotAnObject),
            Err(error) => Err(error.into()),
        },
    }
}

/// A text cut to at most `N` characters when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<const N: usize>(pub(crate) String);

/// At most `max` characters of a text, without blanks around it; `None` when nothing is left.
pub(crate) fn bounded(text: &str, max: usize) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(max).collect())
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded<const N: usize>;
        impl<const N: usize> Visitor<'_> for Bounded<N> {
            type Value = Text<N>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<N>, E> {
                Ok(Text(text.trim().chars().take(N).collect()))
            }
        }
        deserializer.deserialize_str(Bounded)
    }
}

/// A time: RFC 3339, or whole seconds since the epoch. In milliseconds; before the epoch, negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct When(i64);

impl When {
    /// Milliseconds since the epoch; what was before the epoch is the epoch.
    pub(crate) fn ms(self) -> u64 {
        u64::try_from(self.0).unwrap_or_default()
    }

    /// What the sender said, as RFC 3339 in UTC.
    pub(crate) fn told(self) -> Option<String> {
        time::rfc3339_any(self.0)
    }

    /// Whether it is before the epoch, so that [`When::ms`] is not what was said.
    pub(crate) fn is_early(self) -> bool {
        self.0 < 0
    }

    fn of_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Time;
        impl Visitor<'_> for Time {
            type Value = When;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an RFC 3339 time or seconds since the epoch")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<When, E> {
                time::parse_any(text).map(When).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<When, E> {
                Ok(When::of_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<When, E> {
                Ok(When::of_seconds(seconds))
            }
        }
        deserializer.deserialize_any(Time)
    }
}

/// The first item of a list; the others are walked over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct First<T>(pub(crate) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Head<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Head<T> {
            type Value = First<T>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<First<T>, A::Error> {
                let first = items.next_element()?;
                skip_items(&mut items)?;
                Ok(First(first))
            }
        }
        deserializer.deserialize_seq(Head(PhantomData))
    }
}

/// Something free-form that may be what we look for: an object `T`, or a text that holds one as
/// JSON. Anything else is there and means nothing to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Perhaps<T>(pub(crate) Option<T>);

impl<T> Default for Perhaps<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Perhaps<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look(PhantomData))
    }
}

struct Look<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for Look<T> {
    type Value = Perhaps<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(de::value::MapAccessDeserializer::new(map)).map(|found| Perhaps(Some(found)))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        // Free text that is not JSON is nobody's mistake.
        Ok(Perhaps(serde_json::from_str(text).ok()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        skip_items(&mut items)?;
        Ok(Perhaps(None))
    }
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Perhaps(None))
    }
    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Perhaps(None))
    }
    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Perhaps(None))
    }
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Perhaps(None))
    }
    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Perhaps(None))
    }
}

/// Walks to the end of a list; bounded by the body, which is bounded by its cap.
fn skip_items<'de, A: SeqAccess<'de>>(items: &mut A) -> Result<(), A::Error> {
    while items.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

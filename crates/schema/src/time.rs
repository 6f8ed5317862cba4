//! Times: milliseconds since the epoch inside, RFC 3339 outside.
//!
//! Ours begin at the epoch. A sender's may be earlier; only [`parse_any`] and [`rfc3339_any`] know
//! those, for what repeats a sender's own words.
//!
//! Milliseconds are kept, finer parts cut off. A time beyond the year 9999 has no RFC 3339 form;
//! it is written as the plain number of milliseconds, so that every `u64` can be written and
//! comes back as it was. Reading takes either.

use jiff::Timestamp;
use serde::de::{Unexpected, Visitor};
use serde::{Deserializer, Serializer};
use thiserror::Error;

/// A text that is not a time that can be kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimeError {
    /// Not RFC 3339, or without an offset.
    #[error("not an RFC 3339 time with an offset, such as 2025-11-27T12:00:00Z")]
    Malformed,
    /// Before 1970.
    #[error("a time before 1970-01-01T00:00:00Z cannot be kept")]
    BeforeEpoch,
}

/// Milliseconds since the epoch of an RFC 3339 text; finer parts are cut off.
///
/// # Errors
/// See [`TimeError`].
pub fn parse(text: &str) -> Result<u64, TimeError> {
    u64::try_from(parse_any(text)?).map_err(|_| TimeError::BeforeEpoch)
}

/// The same of a time that may be before the epoch: then it is negative.
///
/// # Errors
/// [`TimeError::Malformed`].
pub fn parse_any(text: &str) -> Result<i64, TimeError> {
    let timestamp: Timestamp = text.parse().map_err(|_| TimeError::Malformed)?;
    let finer = timestamp.subsec_nanosecond() % 1_000_000 < 0;
    Ok(timestamp.as_millisecond() - i64::from(finer))
}

/// RFC 3339 in UTC of a time that may be before the epoch, or `None` beyond the years that have one.
pub fn rfc3339_any(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).ok().map(|timestamp| timestamp.to_string())
}

/// RFC 3339 in UTC, or `None` beyond the year 9999.
pub fn rfc3339(ms: u64) -> Option<String> {
    rfc3339_any(i64::try_from(ms).ok()?)
}

/// For people: RFC 3339 in UTC, or the number of milliseconds beyond the year 9999.
pub fn display(ms: u64) -> String {
    rfc3339(ms).unwrap_or_else(|| ms.to_string())
}

/// Writes a time as RFC 3339, or as a number where there is no such form.
pub(crate) fn serialize<S: Serializer>(ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    match rfc3339(*ms) {
        Some(text) => serializer.serialize_str(&text),
        None => serializer.serialize_u64(*ms),
    }
}

/// Reads an RFC 3339 text or a number of milliseconds.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    deserializer.deserialize_any(TimeVisitor)
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an RFC 3339 time or milliseconds since 1970")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
        parse(text).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, ms: u64) -> Result<u64, E> {
        Ok(ms)
    }

    fn visit_i64<E: serde::de::Error>(self, ms: i64) -> Result<u64, E> {
        u64::try_from(ms).map_err(|_| E::invalid_value(Unexpected::Signed(ms), &self))
    }
}

/// The same for a time that may be absent.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Reads a time, or nothing where there is `null`.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        #[derive(Deserialize)]
        struct Time(#[serde(deserialize_with = "super::deserialize")] u64);
        Ok(Option::<Time>::deserialize(deserializer)?.map(|time| time.0))
    }

    /// Writes a time, or `null`.
    pub(crate) fn serialize<S: Serializer>(ms: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match ms {
            Some(ms) => super::serialize(ms, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_to_the_millisecond() {
        let check =
            |text: &str, expected: Result<u64, TimeError>| assert_eq!(parse(text), expected, "{text}");
        check("1970-01-01T00:00:00Z", Ok(0));
        check("2025-11-27T12:00:00Z", Ok(1_764_244_800_000));
        check("2025-11-27T12:00:00.123456789Z", Ok(1_764_244_800_123));
        check("2025-11-27T14:00:00+02:00", Ok(1_764_244_800_000));
        check("1969-12-31T23:59:59Z", Err(TimeError::BeforeEpoch));
        check("1969-12-31T23:59:59.9999Z", Err(TimeError::BeforeEpoch));
        check("2025-11-27T12:00:00", Err(TimeError::Malformed));
        check("yesterday", Err(TimeError::Malformed));
        check("", Err(TimeError::Malformed));
    }

    #[test]
    fn a_senders_time_before_the_epoch_is_read_and_written() {
        let check = |text: &str, ms: i64, written: &str| {
            assert_eq!(parse_any(text), Ok(ms), "{text}");
            assert_eq!(rfc3339_any(ms).as_deref(), Some(written), "{text}");
        };
        check("1969-12-31T23:59:59Z", -1000, "1969-12-31T23:59:59Z");
        check("1969-12-31T23:59:59.9999Z", -1, "1969-12-31T23:59:59.999Z");
        check("1970-01-01T02:00:00.0009+02:00", 0, "1970-01-01T00:00:00Z");
        check("1015-01-11T19:01:11+00:00", -30_135_992_329_000, "1015-01-11T19:01:11Z");
        assert_eq!(parse_any("0"), Err(TimeError::Malformed));
    }

    #[test]
    fn a_time_beyond_the_year_9999_is_shown_as_a_number() {
        assert_eq!(display(1_764_244_800_123), "2025-11-27T12:00:00.123Z");
        assert_eq!(display(u64::MAX), "18446744073709551615");
        assert_eq!(rfc3339(u64::MAX), None);
    }
}

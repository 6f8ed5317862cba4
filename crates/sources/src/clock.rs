//! Times as GitLab and Bitbucket write them.
//!
//! What this does not do: read a time without an offset; guess one.

use std::fmt;

use homeostat_schema::time::{self, TimeError};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// Longest text looked at: a time with nanoseconds and an offset has 35 characters.
const CHARS_MAX: usize = 40;

/// Milliseconds since the epoch: a number of them, or RFC 3339, also with blanks for the `T` and
/// before the offset, with an offset without its colon, and with `UTC` for `Z`. Times before the
/// epoch are the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    fn of(text: &str) -> Result<Self, TimeError> {
        if text.len() > CHARS_MAX {
            return Err(TimeError::Malformed);
        }
        let mut parts = text.split_ascii_whitespace();
        let whole = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(date), Some(hour), Some("UTC"), None) => format!("{date}T{hour}Z"),
            (Some(date), Some(hour), Some(offset), None) => format!("{date}T{hour}{offset}"),
            (Some(date), Some(hour), None, None) => format!("{date}T{hour}"),
            (Some(time), None, None, None) => time.to_owned(),
            _ => return Err(TimeError::Malformed),
        };
        match time::parse(&whole) {
            Err(TimeError::BeforeEpoch) => Ok(Self(0)),
            parsed => parsed.map(Self),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Time;
        impl Visitor<'_> for Time {
            type Value = Moment;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a time with an offset, or milliseconds since the epoch")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                Moment::of(text).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, ms: u64) -> Result<Moment, E> {
                Ok(Moment(ms))
            }
            fn visit_i64<E: de::Error>(self, _before_the_epoch: i64) -> Result<Moment, E> {
                Ok(Moment(0))
            }
        }
        deserializer.deserialize_any(Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_they_come_in() {
        let check = |text: &str, expected: Result<u64, TimeError>| {
            assert_eq!(Moment::of(text), expected.map(Moment), "{text}");
        };
        check("2016-08-12 15:23:28 UTC", Ok(1_471_015_408_000));
        check("2021-04-28 21:50:00 +0200", Ok(1_619_639_400_000));
        check("2021-04-28 21:50:00 +02:00", Ok(1_619_639_400_000));
        check("2021-02-23T02:41:37.886Z", Ok(1_614_048_097_886));
        check("2021-02-23 02:41:37Z", Ok(1_614_048_097_000));
        check("2019-03-01T10:37:14+0100", Ok(1_551_433_034_000));
        check("2015-11-19T20:37:35.547563+00:00", Ok(1_447_965_455_547));
        check("1915-11-19T20:37:35Z", Ok(0));
        check("2016-08-12 15:23:28", Err(TimeError::Malformed));
        check("2016-08-12", Err(TimeError::Malformed));
        check("a b c d", Err(TimeError::Malformed));
        check("", Err(TimeError::Malformed));
        check(&"2".repeat(41), Err(TimeError::Malformed));
    }

    #[test]
    fn numbers_are_milliseconds() {
        let read = |json: &str| serde_json::from_str::<Moment>(json).ok();
        assert_eq!(read("1551433034286"), Some(Moment(1_551_433_034_286)));
        assert_eq!(read("-1"), Some(Moment(0)));
        assert_eq!(read("true"), None);
        assert_eq!(read("1.5"), None);
    }
}

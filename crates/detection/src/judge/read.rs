//! One line of JSON into an observation.
//!
//! Fields that are not known are passed over, so that senders may say more. Kinds and arms that are
//! not known are errors.

use std::borrow::Cow;

use homeostat_schema::time;
use serde::Deserialize;

use super::{Arm, Observation, What};

/// A line that is no observation.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or not of the form.
    #[error("not an observation: {0}")]
    Form(#[from] serde_json::Error),
    /// `at` cannot be kept.
    #[error("`at` is {0}")]
    Time(#[from] time::TimeError),
    /// A field that this kind needs.
    #[error("an observation of kind `{kind}` needs `{field}`")]
    Missing {
        /// The kind.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// More bad ones than there were.
    #[error("`bad` is {bad} of a `total` of {total}")]
    MoreBadThanAll {
        /// As the line has it.
        bad: u64,
        /// As the line has it.
        total: u64,
    },
    /// A name that is empty or too long.
    #[error("`{0}` must have 1 to {max} bytes", max = Observation::NAME_BYTES_MAX)]
    Name(&'static str),
    /// Too many measurements.
    #[error("{0} values in one observation: send at most {max}", max = Observation::VALUES_MAX)]
    Values(usize),
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    rollout: Cow<'a, str>,
    #[serde(borrow)]
    at: At<'a>,
    arm: Option<ArmName>,
    kind: Kind,
    #[serde(borrow)]
    metric: Option<Cow<'a, str>>,
    bad: Option<u64>,
    total: Option<u64>,
    values: Option<Vec<f64>>,
    value: Option<f64>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`at` must be an RFC 3339 time or milliseconds since the epoch")]
enum At<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Ms(u64),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ArmName {
    Baseline,
    Canary,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Bernoulli,
    Sample,
    Gauge,
    Event,
}

impl Observation {
    /// Reads one line of JSON.
    ///
    /// # Errors
    /// [`ReadError`] when it is no observation; the text says what is wrong with it.
    pub fn read(line: &[u8]) -> Result<Self, ReadError> {
        let mut line: Line<'_> = serde_json::from_slice(line)?;
        let at_ms = match &line.at {
            At::Ms(ms) => *ms,
            At::Text(text) => time::parse(text)?,
        };
        let what = what(&mut line)?;
        let arm = line.arm.map(|arm| match arm {
            ArmName::Baseline => Arm::Baseline,
            ArmName::Canary => Arm::Canary,
        });
        Ok(Self { rollout: name("rollout", line.rollout)?, at_ms, arm, told_by: None, what })
    }
}

fn what(line: &mut Line<'_>) -> Result<What, ReadError> {
    match line.kind {
        Kind::Bernoulli => {
            let metric = needed("bernoulli", "metric", line.metric.take())?;
            let bad = needed("bernoulli", "bad", line.bad)?;
            let total = needed("bernoulli", "total", line.total)?;
            if bad > total {
                return Err(ReadError::MoreBadThanAll { bad, total });
            }
            Ok(What::Bernoulli { metric: name("metric", metric)?, bad, total })
        }
        Kind::Sample => {
            let metric = needed("sample", "metric", line.metric.take())?;
            let values = needed("sample", "values", line.values.take())?;
            if values.len() > Observation::VALUES_MAX {
                return Err(ReadError::Values(values.len()));
            }
            Ok(What::Sample { metric: name("metric", metric)?, values })
        }
        Kind::Gauge => {
            let metric = needed("gauge", "metric", line.metric.take())?;
            let value = needed("gauge", "value", line.value)?;
            Ok(What::Gauge { metric: name("metric", metric)?, value })
        }
        Kind::Event => {
            let event = needed("event", "event", line.event.take())?;
            Ok(What::Event { event: name("event", event)? })
        }
    }
}

fn needed<T>(kind: &'static str, field: &'static str, value: Option<T>) -> Result<T, ReadError> {
    value.ok_or(ReadError::Missing { kind, field })
}

fn name(field: &'static str, text: Cow<'_, str>) -> Result<String, ReadError> {
    let fits = !text.is_empty() && text.len() <= Observation::NAME_BYTES_MAX;
    if fits { Ok(text.into_owned()) } else { Err(ReadError::Name(field)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#""rollout":"r1","at":"2026-01-01T00:00:00Z""#;

    #[test]
    fn each_kind_is_read() {
        let check = |rest: &str, arm: Option<Arm>, what: What| {
            let read = Observation::read(format!("{{{START},{rest}}}").as_bytes()).unwrap();
            let at_ms = 1_767_225_600_000;
            assert_eq!(
                read,
                Observation { rollout: "r1".to_owned(), at_ms, arm, told_by: None, what },
                "{rest}"
            );
        };
        let metric = || "m".to_owned();
        check(
            r#""arm":"canary","metric":"m","kind":"bernoulli","bad":3,"total":200"#,
            Some(Arm::Canary),
            What::Bernoulli { metric: metric(), bad: 3, total: 200 },
        );
        check(
            r#""arm":"baseline","metric":"m","kind":"sample","values":[1,2.5],"more":{}"#,
            Some(Arm::Baseline),
            What::Sample { metric: metric(), values: vec![1.0, 2.5] },
        );
        check(
            r#""metric":"m","kind":"gauge","value":0.5"#,
            None,
            What::Gauge { metric: metric(), value: 0.5 },
        );
        check(r#""kind":"event","event":"deployed""#, None, What::Event { event: "deployed".to_owned() });
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let check = |line: String, expected: &str| {
            let error = Observation::read(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        };
        let whole = |rest: &str| format!("{{{START},{rest}}}");
        check("nonsense".to_owned(), "not an observation");
        check(whole(r#""kind":"noise""#), "unknown variant `noise`");
        check(whole(r#""kind":"event""#), "of kind `event` needs `event`");
        check(whole(r#""kind":"gauge","metric":"m""#), "needs `value`");
        check(whole(r#""kind":"bernoulli","metric":"m","bad":3,"total":2"#), "`bad` is 3 of a `total` of 2");
        check(whole(r#""kind":"bernoulli","metric":"m","bad":-3,"total":2"#), "invalid value");
        check(whole(r#""kind":"gauge","metric":"","value":1"#), "`metric` must have 1 to 128 bytes");
        check(whole(r#""kind":"gauge","metric":"m","value":1e999"#), "out of range");
        check(whole(r#""arm":"left","kind":"gauge","metric":"m","value":1"#), "unknown variant `left`");
        check(r#"{"rollout":"r","at":"noon","kind":"event","event":"e"}"#.to_owned(), "not an RFC 3339 time");
        check(r#"{"rollout":"r","at":[],"kind":"event","event":"e"}"#.to_owned(), "milliseconds since");
        check(r#"{"at":0,"kind":"event","event":"e"}"#.to_owned(), "missing field `rollout`");
    }
}

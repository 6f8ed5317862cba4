//! Prometheus's answer to a range query: a matrix of series, or an error.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>.
//!
//! Invariant: a sample is a finite number at the end of a step that was asked for; whatever else is
//! there is absent (not a number, infinite) or makes the whole answer refused.

use std::collections::BTreeMap;

use homeostat_schema::config::Pull;
use http::Response;
use serde::Deserialize;

use super::steps::Steps;
use crate::wire::{Heard, status};

/// Longest answer read, bytes: the most series of the most steps take a tenth.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Series of one answer: more are an expression that is not summed by arm.
const SERIES_MAX: usize = 16;
/// What is shown of Prometheus's own words, characters.
const SAID_CHARS_MAX: usize = 200;

/// Whose numbers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arm {
    /// The series has no label of an arm.
    Whole,
    Baseline,
    Canary,
}

/// The samples of one expression, by arm and by the end of their step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples(pub(crate) BTreeMap<Arm, BTreeMap<u64, f64>>);

/// Why there are no samples, and how long Prometheus asks to be left alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoSamples {
    pub(crate) why: String,
    pub(crate) wait_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    data: Option<Matrix>,
}

#[derive(Deserialize)]
struct Matrix {
    #[serde(rename = "resultType")]
    kind: String,
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// Absent of histograms, which are no numbers.
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    error: String,
}

impl Samples {
    pub(crate) fn at(&self, arm: Arm, at_ms: u64) -> Option<f64> {
        self.0.get(&arm)?.get(&at_ms).copied()
    }
}

/// Reads an answer to the question for these steps.
pub(crate) fn samples(
    response: Result<Response<Vec<u8>>, String>,
    pull: &Pull,
    steps: Steps,
    now_ms: u64,
) -> Result<Samples, NoSamples> {
    let said = response.as_ref().ok().and_then(|response| complaint(response.body()));
    let told = |why: String| said.as_ref().map_or(why.clone(), |said| format!("{why}: {said}"));
    match status(response, now_ms) {
        Heard::Ok(response) => {
            read(response.body(), pull, steps).map_err(|why| NoSamples { why: told(why), wait_ms: None })
        }
        Heard::Refused(why) => Err(NoSamples { why: told(why), wait_ms: None }),
        Heard::Later(why, wait_ms) => Err(NoSamples { why: told(why), wait_ms }),
    }
}

/// Prometheus's own words, where it has any.
fn complaint(body: &[u8]) -> Option<String> {
    let bounded = Some(body).filter(|body| body.len() <= BODY_BYTES_MAX)?;
    let said = serde_json::from_slice::<Complaint>(bounded).ok()?.error;
    let plain = said.chars().map(|one| if one.is_control() { ' ' } else { one }).take(SAID_CHARS_MAX);
    Some(plain.collect::<String>()).filter(|said| !said.trim().is_empty())
}

fn read(body: &[u8], pull: &Pull, steps: Steps) -> Result<Samples, String> {
    if body.len() > BODY_BYTES_MAX {
        return Err(format!("the answer has {} bytes, at most {BODY_BYTES_MAX} are read", body.len()));
    }
    let strange = || "the answer is not what Prometheus's documentation says".to_owned();
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| strange())?;
    if envelope.status != "success" {
        return Err("Prometheus could not answer".to_owned());
    }
    let matrix = envelope.data.filter(|data| data.kind == "matrix").ok_or_else(strange)?;
    if matrix.result.len() > SERIES_MAX {
        let many = matrix.result.len();
        return Err(format!("{many} series, at most {SERIES_MAX} are read: sum by ({})", pull.arm_label));
    }
    let mut samples = Samples::default();
    for series in matrix.result {
        let Some(arm) = arm(&series.metric, pull) else { continue };
        let points = points(&series.values, steps).ok_or_else(strange)?;
        if samples.0.insert(arm, points).is_some() {
            return Err(format!("more than one series of an arm: sum by ({})", pull.arm_label));
        }
    }
    Ok(samples)
}

/// `None` for a value of the label that is neither arm's.
fn arm(metric: &BTreeMap<String, String>, pull: &Pull) -> Option<Arm> {
    match metric.get(&pull.arm_label) {
        None => Some(Arm::Whole),
        Some(value) if *value == pull.baseline => Some(Arm::Baseline),
        Some(value) if *value == pull.canary => Some(Arm::Canary),
        Some(_) => None,
    }
}

/// `None` when a time was not asked for, or a value is no number.
fn points(values: &[(f64, String)], steps: Steps) -> Option<BTreeMap<u64, f64>> {
    let mut points = BTreeMap::new();
    for (seconds, text) in values {
        // A float turned to an integer saturates, and what is out of range was not asked for.
        let at_ms = (seconds * 1000.0).round() as u64;
        let value: f64 = text.parse().ok()?;
        if !steps.contains(at_ms) {
            return None;
        }
        if value.is_finite() {
            points.insert(at_ms, value);
        }
    }
    Some(points)
}

#[cfg(test)]
mod tests;

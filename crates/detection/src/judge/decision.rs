//! What the judge says, and why.

use serde::Serialize;

/// The verdict on a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Not enough evidence for anything else.
    Watching,
    /// Shown to be no worse than tolerated.
    Healthy,
    /// Worse than the baseline, or than its own past. Stays until a new deployment.
    Bad,
    /// The telemetry itself is missing: nothing can be said.
    Blind,
}

impl Verdict {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Healthy => "healthy",
            Self::Bad => "bad",
            Self::Blind => "blind",
        }
    }
}

/// A verdict with its reasons: one line of the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// The rollout's name.
    pub rollout: String,
    /// Event time, RFC 3339.
    pub at: String,
    /// The verdict.
    pub verdict: Verdict,
    /// 0 to 100: 100 times the probability that the rollout is good, from a prior of 15 percent
    /// bad ones and the evidence.
    pub score: f64,
    /// The combined evidence that the canary is worse: the average of the metrics' e-values. `bad`
    /// at 1/alpha.
    pub evidence: f64,
    /// The reasons, the weightiest first.
    pub because: Vec<Because>,
    /// What would change the verdict, in plain words.
    pub would_change: String,
    /// The last word on the rollout.
    #[serde(rename = "final", skip_serializing_if = "is_not")]
    pub last: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_not(last: &bool) -> bool {
    !*last
}

/// One metric's part in a verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Because {
    /// The metric, or `telemetry`.
    pub metric: String,
    /// The e-value, or for a stream without an arm the detector's value.
    pub statistic: f64,
    /// What the statistic is held against.
    pub bound: f64,
    /// How much the metric counts, 0 to 1.
    pub weight: f64,
    /// How many times more than the baseline (or the past), best guess.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
    /// From and to, at the level 1 - alpha, valid however often one looks; an end is `null` beyond
    /// what is told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<(Option<f64>, Option<f64>)>,
    /// How many requests, measurements or levels of the canary (or the stream).
    pub samples: u64,
    /// For how long, in seconds of event time.
    pub seconds: u64,
    /// In plain words.
    pub text: String,
}

/// Numbers are told to four digits: enough to read, and the same on every machine.
pub(crate) fn told(value: f64) -> f64 {
    const DIGITS: i32 = 4;
    if value == 0.0 || !value.is_finite() {
        return if value > 0.0 { f64::MAX } else { 0.0 };
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a finite number is small")]
    let exponent = value.abs().log10().floor() as i32;
    let unit = 10_f64.powi(DIGITS - 1 - exponent);
    let rounded = (value * unit).round() / unit;
    if rounded.is_finite() { rounded } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_to_four_digits() {
        let check =
            |value: f64, expected: f64| assert!((told(value) - expected).abs() <= expected.abs() * 1e-12);
        check(0.0, 0.0);
        check(123_456.0, 123_500.0);
        check(-0.001_234_56, -0.001_235);
        check(f64::INFINITY, f64::MAX);
        check(1e-308, 1e-308);
    }
}

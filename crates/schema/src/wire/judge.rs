//! What was found: health, findings and assessments.

pub use crate::types::{FindingKind, Severity, Verdict};

use super::mirror::record;
use super::sense::{Correlation, Trust};

record!(Evidence {
    metric: String,
    observed: f64,
    bound: f64,
    unit: String,
    samples: u64,
    text: String,
    #[serde(default)]
    events: Vec<String>,
});

record!(Health {
    verdict: Verdict,
    score: f64,
    #[serde(default)]
    because: Vec<Evidence>,
});

record!(Release {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(with = "crate::time")]
    at: u64,
});

record!(PlotPoint {
    #[serde(with = "crate::time")]
    at: u64,
    baseline: f64,
    baseline_samples: u64,
    canary: f64,
    canary_samples: u64,
    statistic: f64,
});

record!(Plot {
    metric: String,
    unit: String,
    bound: f64,
    points: Vec<PlotPoint>,
});

record!(Cause {
    incident: String,
    findings: u32,
    #[serde(default)]
    answered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    probability: f64,
    blamed: bool,
    text: String,
});

record!(Finding {
    id: String,
    kind: FindingKind,
    severity: Severity,
    env: String,
    service: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_good: Option<Release>,
    health: Health,
    correlation: Correlation,
    trust: Trust,
    irreversible: bool,
    #[serde(with = "crate::time")]
    found_at: u64,
    config_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plot: Option<Plot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
});

record!(AssessmentRequest {
    attempt: String,
    incident: String,
    env: String,
    service: String,
    kind: FindingKind,
    correlation: Correlation,
    #[serde(with = "crate::time")]
    since: u64,
});

record!(Assessment {
    attempt: String,
    incident: String,
    env: String,
    service: String,
    health: Health,
    #[serde(with = "crate::time")]
    at: u64,
});

impl Plot {
    /// A value of the metric for people, with its unit.
    pub fn shown(&self, value: f64) -> String {
        match self.unit.as_str() {
            "1" => format!("{:.2} %", 100.0 * value),
            unit => format!("{value:.1} {unit}"),
        }
    }

    /// Evidence for people, as at [`PlotPoint::statistic`] and [`Plot::bound`].
    pub fn evidence_shown(value: f64) -> String {
        if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") }
    }
}

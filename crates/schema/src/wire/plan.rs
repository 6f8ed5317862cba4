//! What is to be done: targets, guards, choices and plans.

pub use crate::types::{Decision, Guard, Mode, Remedy};

use super::judge::{FindingKind, Release, Severity, Verdict};
use super::mirror::record;
use super::sense::Correlation;
use super::target::Target;

record!(GuardCheck { guard: Guard, passed: bool, reason: String });

record!(PolicyContext { env: String, kind: FindingKind, severity: Severity });

record!(Choice {
    context: PolicyContext,
    #[serde(default)]
    allowed: Vec<Remedy>,
    remedy: Remedy,
    propensity: f64,
    policy_version: u64,
});

record!(Prediction { verdict: Verdict, score_min: f64, after: u64 });

record!(Request { method: String, url: String, body: String });

record!(Plan {
    id: String,
    incident: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    env: String,
    service: String,
    remedy: Remedy,
    target: Target,
    choice: Choice,
    #[serde(default)]
    guards: Vec<GuardCheck>,
    decision: Decision,
    prediction: Prediction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preview: Option<Request>,
    idempotency_key: String,
    ordinal: u32,
    dry_run: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_good: Option<Release>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    correlation: Correlation,
    reason: String,
    #[serde(with = "crate::time")]
    made_at: u64,
    config_version: u64,
});

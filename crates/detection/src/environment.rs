//! What the rest of an environment has to know of a service: what is wrong with it by now, and what
//! was released.
//!
//! What this does not do: judge; these are the findings that are open, and the releases as told.
//!
//! Invariant: both follow from the state alone, so that the same events in other batches tell the
//! same.

use homeostat_schema::types::{Finding, FindingKind};

use crate::{progress::Progress, releases::Deployment, settings::Settings, state::ServiceState};

/// A release, as a change of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Its commit, else its version, else its sender's name for the deployment.
    pub id: String,
    /// When it began, milliseconds.
    pub at_ms: u64,
}

/// The kinds of findings that are open, each once.
pub fn troubles(state: &ServiceState) -> Vec<FindingKind> {
    let canary = state.canary.as_ref().and_then(|canary| canary.open).map(|regression| regression.kind());
    let failed = state.releases.newest_decided().is_some_and(|one| one.mark.progress == Progress::Failure);
    let is = |kind: &FindingKind, own: bool| own || canary.as_ref() == Some(kind);
    let all = [
        (FindingKind::DeploymentFailed, failed),
        (FindingKind::RunFailed, state.runs.any_failing()),
        (FindingKind::LatencyHigh, state.latency_open),
        (FindingKind::ErrorRateHigh, state.errors_open),
        (FindingKind::CapacityLow, state.queue.as_ref().is_some_and(|queue| queue.is_passing())),
        (FindingKind::Blind, state.telemetry.blind),
    ];
    all.into_iter().filter(|(kind, own)| is(kind, *own)).map(|(kind, _)| kind).collect()
}

/// The releases that are remembered, the first to begin first. None that an unsigned event tells of:
/// whoever can make up a change could have it blamed.
pub fn releases(state: &ServiceState) -> impl Iterator<Item = Released> {
    state.releases.iter().filter(|one| one.signed && one.is_told_apart()).map(Released::of)
}

/// How much likelier what is seen is when the newest release is worse than the one before it than
/// when it is not: the natural logarithm. For findings of a comparison; `None` for others.
pub fn split(finding: &Finding) -> Option<f64> {
    let told = finding.health.because.iter().find(|evidence| evidence.metric == "canary")?;
    Some(told.observed.ln()).filter(|ln| ln.is_finite())
}

/// Since when the stream that a finding is about is suspicious, milliseconds; `None` where a
/// comparison or an objective found it.
pub fn suspicious_ms(state: &ServiceState, finding: &Finding, settings: &Settings) -> Option<u64> {
    if split(finding).is_some() {
        return None;
    }
    let streams = state.streams.with(state.window.items(), settings);
    match finding.kind {
        FindingKind::LatencyHigh => streams.latency().suspicious_ms(),
        FindingKind::ErrorRateHigh => streams.errors().suspicious_ms(),
        _ => None,
    }
}

impl Released {
    fn of(one: &Deployment) -> Self {
        let id = one.commit.as_ref().or(one.version.as_ref()).unwrap_or(&one.key);
        Self { id: id.clone(), at_ms: one.started_ms }
    }
}

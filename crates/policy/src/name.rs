//! Names of kinds, severities and remedies as keys of the table: the wire names.

use homeostat_schema::types::{FindingKind, Remedy, Severity};

/// The wire name of a finding kind.
pub(crate) fn kind(kind: &FindingKind) -> &str {
    match kind {
        FindingKind::DeploymentFailed => "deployment-failed",
        FindingKind::RunFailed => "run-failed",
        FindingKind::LatencyHigh => "latency-high",
        FindingKind::ErrorRateHigh => "error-rate-high",
        FindingKind::Blind => "blind",
        FindingKind::Other(name) => name,
    }
}

/// The wire name of a severity.
pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// The wire name of a remedy.
pub(crate) fn remedy(remedy: &Remedy) -> &str {
    match remedy {
        Remedy::Rollback => "rollback",
        Remedy::Redeploy => "redeploy",
        Remedy::RerunFailedJobs => "rerun-failed-jobs",
        Remedy::Restart => "restart",
        Remedy::ScaleUp => "scale-up",
        Remedy::PauseRollout => "pause-rollout",
        Remedy::AbortRollout => "abort-rollout",
        Remedy::RevertPullRequest => "revert-pull-request",
        Remedy::Freeze => "freeze",
        Remedy::Notify => "notify",
        Remedy::Other(name) => name,
    }
}

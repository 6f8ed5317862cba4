//! What to expect of a remedy before anything was learned.
//!
//! Rewards run from -1 to 1. The numbers only have to be in a sensible order and small enough
//! that a few real outcomes overrule them: at the default learning rate of 0.2 a prior of 0.6
//! falls below 0.1 after three failures in a row (0.6 → 0.28 → 0.024).

use homeostat_schema::types::{FindingKind, Remedy};

/// A remedy that no table knows: worth a try only when nothing else is allowed.
const UNKNOWN: f64 = 0.0;
/// Telling a person cures little by itself, but never harms.
const NOTIFY: f64 = 0.05;

/// The expected reward of a remedy for a kind of finding before the first lesson; -1 to 1.
pub fn prior(kind: &FindingKind, remedy: &Remedy) -> f64 {
    match kind {
        FindingKind::RunFailed => run_failed(remedy),
        FindingKind::DeploymentFailed => deployment_failed(remedy),
        FindingKind::ErrorRateHigh => error_rate_high(remedy),
        FindingKind::LatencyHigh => latency_high(remedy),
        FindingKind::CapacityLow => capacity_low(remedy),
        FindingKind::Blind | FindingKind::Disaster | FindingKind::Other(_) => only_tell(remedy),
    }
}

fn run_failed(remedy: &Remedy) -> f64 {
    match remedy {
        Remedy::RerunFailedJobs => 0.6,
        Remedy::RevertPullRequest => 0.2,
        Remedy::Redeploy => 0.1,
        other => only_tell(other),
    }
}

fn deployment_failed(remedy: &Remedy) -> f64 {
    match remedy {
        Remedy::Rollback => 0.6,
        Remedy::Redeploy => 0.5,
        Remedy::AbortRollout => 0.4,
        Remedy::RerunFailedJobs => 0.3,
        Remedy::PauseRollout | Remedy::RevertPullRequest => 0.2,
        Remedy::Restart => 0.1,
        other => only_tell(other),
    }
}

fn error_rate_high(remedy: &Remedy) -> f64 {
    match remedy {
        Remedy::Rollback => 0.6,
        Remedy::Redeploy => 0.5,
        Remedy::AbortRollout => 0.4,
        Remedy::Restart => 0.3,
        Remedy::PauseRollout | Remedy::RevertPullRequest => 0.2,
        Remedy::ScaleUp => 0.1,
        other => only_tell(other),
    }
}

fn latency_high(remedy: &Remedy) -> f64 {
    match remedy {
        Remedy::Rollback => 0.5,
        Remedy::Redeploy => 0.45,
        Remedy::ScaleUp | Remedy::Restart => 0.4,
        Remedy::AbortRollout => 0.35,
        Remedy::PauseRollout | Remedy::RevertPullRequest => 0.2,
        other => only_tell(other),
    }
}

fn capacity_low(remedy: &Remedy) -> f64 {
    match remedy {
        Remedy::ScaleUp => 0.6,
        other => only_tell(other),
    }
}

fn only_tell(remedy: &Remedy) -> f64 {
    match remedy {
        Remedy::Notify => NOTIFY,
        _ => UNKNOWN,
    }
}

//! The words of the vocabulary, as they stand in texts and idempotency keys.

use homeostat_schema::types::{FindingKind, Guard, Remedy, Target};

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

pub(crate) fn guard(guard: &Guard) -> &str {
    match guard {
        Guard::KillSwitch => "kill-switch",
        Guard::Mode => "mode",
        Guard::Trust => "trust",
        Guard::Blind => "blind",
        Guard::MaintenanceWindow => "maintenance-window",
        Guard::Cooldown => "cooldown",
        Guard::AttemptBudget => "attempt-budget",
        Guard::PointOfNoReturn => "point-of-no-return",
        Guard::Approval => "approval",
        Guard::NoTarget => "no-target",
        Guard::Other(name) => name,
    }
}

pub(crate) fn target(target: &Target) -> String {
    match target {
        Target::Github(github) => format!("GitHub repository {}", github.repository),
        Target::Kubernetes(k8s) => format!("Deployment {}/{}", k8s.namespace, k8s.deployment),
        Target::Slack => "Slack".to_owned(),
        Target::Other(name) => name.clone(),
    }
}

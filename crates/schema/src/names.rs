//! The names of kinds, statuses, remedies and the like: one table each, used for JSON, for keys,
//! in metrics and on pages.
//!
//! Open sets (with an `other` case) take every name: [`named`](crate::types::EventKind::named)
//! gives the known case for a known name and keeps any other. So a known name never comes out of
//! it as `other`, and an `other` made by hand with a known name is written as, and read back as,
//! the known case. Closed sets refuse what they do not know.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types;

macro_rules! open_names {
    ($name:ident { $($case:ident = $text:literal,)* }) => {
        impl types::$name {
            /// The names this version knows.
            pub const NAMES: &[&str] = &[$($text),*];

            /// The known case of this name, compared exactly, or the name itself as `other`.
            pub fn named(name: &str) -> Self {
                match name {
                    $($text => Self::$case,)*
                    _ => Self::Other(name.to_owned()),
                }
            }

            /// The name, kebab-case for those this version knows.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$case => $text,)*
                    Self::Other(name) => name,
                }
            }
        }

        impl fmt::Display for types::$name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Serialize for types::$name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for types::$name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::named(&String::deserialize(deserializer)?))
            }
        }
    };
}

macro_rules! closed_names {
    ($name:ident { $($case:ident = $text:literal,)* }) => {
        impl types::$name {
            /// Every case, in the order of the schema.
            pub const ALL: &[Self] = &[$(Self::$case),*];

            /// The names of all cases.
            pub const NAMES: &[&str] = &[$($text),*];

            /// The case of this name, compared exactly.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$case),)*
                    _ => None,
                }
            }

            /// The name, kebab-case.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$case => $text,)*
                }
            }
        }

        impl fmt::Display for types::$name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Serialize for types::$name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for types::$name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                Self::from_name(&name)
                    .ok_or_else(|| serde::de::Error::unknown_variant(&name, Self::NAMES))
            }
        }
    };
}

open_names!(EventKind {
    Deployment = "deployment",
    Rollback = "rollback",
    Run = "run",
    Job = "job",
    Change = "change",
    Release = "release",
    Alert = "alert",
    Observation = "observation",
});

open_names!(Status {
    Queued = "queued",
    Waiting = "waiting",
    Running = "running",
    Success = "success",
    Failure = "failure",
    Cancelled = "cancelled",
    Skipped = "skipped",
    Superseded = "superseded",
    Firing = "firing",
    Resolved = "resolved",
    Unknown = "unknown",
});

open_names!(FindingKind {
    DeploymentFailed = "deployment-failed",
    RunFailed = "run-failed",
    LatencyHigh = "latency-high",
    ErrorRateHigh = "error-rate-high",
    CapacityLow = "capacity-low",
    Blind = "blind",
    Disaster = "disaster",
});

open_names!(Remedy {
    Rollback = "rollback",
    Redeploy = "redeploy",
    RerunFailedJobs = "rerun-failed-jobs",
    Restart = "restart",
    ScaleUp = "scale-up",
    PauseRollout = "pause-rollout",
    AbortRollout = "abort-rollout",
    RevertPullRequest = "revert-pull-request",
    Freeze = "freeze",
    Notify = "notify",
});

open_names!(Guard {
    KillSwitch = "kill-switch",
    Mode = "mode",
    Trust = "trust",
    Blind = "blind",
    MaintenanceWindow = "maintenance-window",
    Cooldown = "cooldown",
    AttemptBudget = "attempt-budget",
    PointOfNoReturn = "point-of-no-return",
    Approval = "approval",
    NoTarget = "no-target",
    Cause = "cause",
});

closed_names!(Verdict { Healthy = "healthy", Watching = "watching", Bad = "bad", Blind = "blind", });

closed_names!(Severity { Info = "info", Warning = "warning", Critical = "critical", });

closed_names!(Mode { Observe = "observe", Suggest = "suggest", Approve = "approve", Act = "act", });

closed_names!(Decision {
    Observed = "observed",
    Suggested = "suggested",
    AwaitingApproval = "awaiting-approval",
    Dispatched = "dispatched",
    HeldBack = "held-back",
});

closed_names!(AttemptResult {
    Done = "done",
    Failed = "failed",
    Unknown = "unknown",
    DryRun = "dry-run",
});

closed_names!(OutcomeKind {
    Cured = "cured",
    NotCured = "not-cured",
    Harmful = "harmful",
    Unverified = "unverified",
});

closed_names!(OperatorVerb { Approve = "approve", Reject = "reject", Resolve = "resolve", });

closed_names!(IncidentState {
    Open = "open",
    AwaitingApproval = "awaiting-approval",
    Acting = "acting",
    Verifying = "verifying",
    Escalated = "escalated",
    Resolved = "resolved",
});

impl types::Evidence {
    /// The metric that says what another run of a failed run is worth, in costs of a run: it pays
    /// above the bound.
    pub const RERUN: &str = "rerun";
    /// The metric that says how many replicas work and, as its bound, how many would do.
    pub const REPLICAS: &str = "replicas";
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! check_open {
        ($($name:ident),*) => {$(
            for name in types::$name::NAMES {
                let case = types::$name::named(name);
                assert_eq!(case.name(), *name);
                assert!(!matches!(case, types::$name::Other(_)), "{name} became other");
            }
            let unknown = types::$name::named("from-the-future");
            assert_eq!(unknown, types::$name::Other("from-the-future".to_owned()));
            let first = types::$name::NAMES.first().copied().unwrap_or_default();
            let by_hand = types::$name::Other(first.to_owned());
            assert_eq!(types::$name::named(by_hand.name()), types::$name::named(first));
        )*};
    }

    macro_rules! check_closed {
        ($($name:ident),*) => {$(
            for case in types::$name::ALL {
                assert_eq!(types::$name::from_name(case.name()), Some(*case));
            }
            assert_eq!(types::$name::from_name("from-the-future"), None);
        )*};
    }

    #[test]
    fn a_known_name_is_never_other() {
        check_open!(EventKind, Status, FindingKind, Remedy, Guard);
    }

    #[test]
    fn a_closed_set_refuses_an_unknown_name() {
        check_closed!(
            Verdict,
            Severity,
            Mode,
            Decision,
            AttemptResult,
            OutcomeKind,
            OperatorVerb,
            IncidentState
        );
    }

    #[test]
    fn names_are_compared_exactly() {
        assert_eq!(types::Status::named("Success"), types::Status::Other("Success".to_owned()));
    }
}

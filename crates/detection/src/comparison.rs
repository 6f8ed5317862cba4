//! Where the newest release stands beside the one before: what a pipeline asks before it promotes.
//!
//! What this does not do: decide anything; it is the judge's last word, with the release it is of.
//!
//! Invariant: `healthy` is said of the newest release that is known, never of the one before, and
//! not while the service's telemetry is missing.

use homeostat_schema::types::{Evidence, Plot, Verdict};

use crate::{judge, settings::Settings, state::ServiceState};

/// The judge's word on the newest release.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Healthy: promote. Watching, blind: wait. Bad: do not.
    pub verdict: Verdict,
    /// 100 times the probability that the release is good.
    pub score: f64,
    /// The weightiest reason.
    pub because: Evidence,
    /// What would change the verdict, in plain words; empty when nobody can say.
    pub would_change: String,
    /// When the new version was heard of last, by our clock; milliseconds.
    pub heard_at: Option<u64>,
    /// The release, when a deployment told of it.
    pub version: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// How it went, once both versions were seen.
    pub plot: Option<Plot>,
}

/// Where the newest release of a service stands; `None` where no arm of a rollout was ever heard.
pub fn comparison(state: &ServiceState, settings: &Settings) -> Option<Comparison> {
    let mut found = state.canary.as_ref()?.comparison(settings);
    if state.telemetry.blind && found.verdict != Verdict::Bad {
        found.verdict = Verdict::Blind;
    }
    if let Some(release) = state.releases.get(&state.compared) {
        (found.version, found.commit) = (release.version.clone(), release.commit.clone());
    }
    Some(found)
}

impl From<judge::Verdict> for Verdict {
    fn from(verdict: judge::Verdict) -> Self {
        match verdict {
            judge::Verdict::Watching => Self::Watching,
            judge::Verdict::Healthy => Self::Healthy,
            judge::Verdict::Bad => Self::Bad,
            judge::Verdict::Blind => Self::Blind,
        }
    }
}

//! The few fields read of a Rollout.
//!
//! What this does not do: decide what a trigger means.

use serde::Deserialize;

use crate::labels::Pairs;
use crate::lenient::{Count, Few, Moment, Part, Word};
use crate::said::listed;

/// Containers of a pod, conditions and pauses of a Rollout.
const ITEMS_MAX: usize = 16;

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Rollout {
    metadata: Metadata,
    images: Few<Word, ITEMS_MAX>,
    status: State,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Metadata {
    name: Word,
    namespace: Word,
    uid: Word,
    labels: Pairs,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct State {
    phase: Word,
    message: Word,
    #[serde(rename = "abortedAt")]
    aborted_at: Moment,
    #[serde(rename = "currentPodHash")]
    current: Word,
    #[serde(rename = "stableRS")]
    stable: Word,
    #[serde(rename = "currentStepIndex")]
    step: Count,
    #[serde(rename = "pauseConditions")]
    pauses: Few<Pause, ITEMS_MAX>,
    conditions: Few<Condition, ITEMS_MAX>,
    canary: Part<Analyses>,
    #[serde(rename = "blueGreen")]
    blue_green: Part<Analyses>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Pause {
    #[serde(rename = "startTime")]
    start: Moment,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Condition {
    #[serde(rename = "lastUpdateTime")]
    updated: Moment,
}

/// The analyses of either strategy, in the order in which they are looked for.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Analyses {
    #[serde(rename = "currentStepAnalysisRunStatus")]
    step: Part<Analysis>,
    #[serde(rename = "currentBackgroundAnalysisRunStatus")]
    background: Part<Analysis>,
    #[serde(rename = "postPromotionAnalysisRunStatus")]
    after: Part<Analysis>,
    #[serde(rename = "prePromotionAnalysisRunStatus")]
    before: Part<Analysis>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Analysis {
    name: Word,
}

impl Rollout {
    pub(super) fn name(&self) -> Option<&str> {
        self.metadata.name.as_str()
    }

    pub(super) fn namespace(&self) -> Option<String> {
        self.metadata.namespace.0.clone()
    }

    /// `namespace/name`.
    pub(super) fn path(&self, name: &str) -> String {
        self.metadata.namespace.as_str().map_or_else(|| name.to_owned(), |space| format!("{space}/{name}"))
    }

    /// What does not change while it lives.
    pub(super) fn identity(&self, name: &str) -> String {
        self.metadata.uid.0.clone().unwrap_or_else(|| self.path(name))
    }

    pub(super) fn labels(&self) -> &Pairs {
        &self.metadata.labels
    }

    pub(super) fn phase(&self) -> Option<&str> {
        self.status.phase.as_str()
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.status.message.as_str()
    }

    pub(super) fn step(&self) -> Option<String> {
        self.status.step.0.map(|step| step.to_string())
    }

    /// The new version and the stable one, by the hashes of their pods.
    pub(super) fn versions(&self) -> (Option<String>, Option<String>) {
        (self.status.current.0.clone(), self.status.stable.0.clone())
    }

    pub(super) fn images(&self) -> String {
        listed(self.images.0.iter().filter_map(Word::as_str))
    }

    /// The analysis that is under way or ended last.
    pub(super) fn analysis(&self) -> Option<String> {
        let strategies = [&self.status.canary, &self.status.blue_green];
        let all = strategies.into_iter().filter_map(|strategy| strategy.0.as_ref());
        all.flat_map(|one| [&one.step, &one.background, &one.after, &one.before])
            .find_map(|analysis| analysis.0.as_ref()?.name.0.clone())
    }

    /// When it happened. A trigger whose time the Rollout notes has that, all others the newest
    /// time of any of its conditions.
    pub(super) fn moment(&self, trigger: &str) -> Option<u64> {
        let noted = match trigger {
            "on-rollout-aborted" => self.status.aborted_at.0,
            "on-rollout-paused" => self.status.pauses.0.iter().filter_map(|pause| pause.start.0).max(),
            _ => None,
        };
        noted.or_else(|| self.status.conditions.0.iter().filter_map(|one| one.updated.0).max())
    }
}

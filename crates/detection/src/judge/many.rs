//! Many rollouts at once, a bounded number of them.
//!
//! Each rollout's time is its own: observations of one say nothing of the silence of another.

use std::collections::BTreeMap;

use super::{Decision, Ignored, Observation, Rollout, Settings};

/// Rollouts kept at once, some kilobytes each. When one more comes, the one that was told of least
/// recently is finished.
pub const ROLLOUTS_MAX: usize = 1024;

/// The rollouts and their settings.
#[derive(Debug)]
pub struct Judge {
    settings: Settings,
    rollouts: BTreeMap<String, Kept>,
    told: u64,
    ignored: Ignored,
}

#[derive(Debug, Default)]
struct Kept {
    rollout: Rollout,
    last: u64,
}

impl Judge {
    /// Nobody told of anything yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, rollouts: BTreeMap::new(), told: 0, ignored: Ignored::default() }
    }

    /// Takes one observation; the decisions that follow go to `say`, in order of event time within
    /// a rollout.
    pub fn observe(&mut self, observation: &Observation, say: &mut dyn FnMut(Decision)) {
        self.told += 1;
        if !self.rollouts.contains_key(&observation.rollout) {
            self.make_room(say);
            self.rollouts.insert(observation.rollout.clone(), Kept::default());
        }
        let Some(kept) = self.rollouts.get_mut(&observation.rollout) else { return };
        kept.last = self.told;
        // It went blind in between, and that is when.
        let blind_at = kept.rollout.blind_at_ms(&self.settings);
        if let Some(blind_at) = blind_at.filter(|blind_at| *blind_at <= observation.at_ms)
            && let Some(decision) = kept.rollout.tick(&observation.rollout, blind_at, &self.settings)
        {
            say(decision);
        }
        if let Some(decision) = kept.rollout.observe(observation, &self.settings) {
            say(decision);
        }
    }

    /// The last word on every rollout, by name.
    pub fn finish(&mut self, say: &mut dyn FnMut(Decision)) {
        for (name, mut kept) in std::mem::take(&mut self.rollouts) {
            say(kept.rollout.finish(&name, &self.settings));
            self.count(kept.rollout.ignored());
        }
    }

    /// What was counted and not used, of the rollouts that are finished.
    pub fn ignored(&self) -> Ignored {
        self.ignored
    }

    fn make_room(&mut self, say: &mut dyn FnMut(Decision)) {
        if self.rollouts.len() < ROLLOUTS_MAX {
            return;
        }
        let oldest = self.rollouts.iter().min_by_key(|(_, kept)| kept.last).map(|(name, _)| name.clone());
        if let Some(name) = oldest
            && let Some(mut kept) = self.rollouts.remove(&name)
        {
            say(kept.rollout.finish(&name, &self.settings));
            self.count(kept.rollout.ignored());
        }
    }

    fn count(&mut self, ignored: Ignored) {
        self.ignored.late += ignored.late;
        self.ignored.repeated += ignored.repeated;
        self.ignored.unfit += ignored.unfit;
    }
}

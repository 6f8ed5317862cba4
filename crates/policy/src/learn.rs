//! One lesson: `Q ← Q + α (r + γ · max Q' − Q)` (Watkins and Dayan, "Q-learning", 1992).
//!
//! What follows an attempt that earned nothing is the next choice in the same context, without
//! the remedy just tried; an attempt that earned a reward ends the incident and nothing follows.
//! At the default discount of 0 this is a bandit.

use homeostat_schema::{
    config::Learning,
    types::{Choice, Sample},
};

use crate::{Policy, choose::share, table::Cell};

/// No value leaves ±this, whatever the discount: rewards are at most 1 and a discount is at most
/// 0.999, so `1 / (1 - 0.999)` bounds the sum of what follows.
pub const VALUE_MAX: f64 = 1000.0;
/// The configuration allows no more; a discount of 1 would let values grow without end.
const DISCOUNT_MAX: f64 = 0.999;

impl Policy {
    /// Takes one lesson and raises the version by 1. A lesson about an attempt that is remembered
    /// (see [`crate::LESSONS_REMEMBERED_MAX`]), or whose reward is not finite, changes nothing.
    /// Rewards beyond ±1 count as ±1.
    pub fn learn(&mut self, sample: &Sample, learning: &Learning) {
        if !sample.reward.is_finite() || self.has_learned(&sample.attempt) {
            return;
        }
        let choice = &sample.choice;
        let reward = sample.reward.clamp(-1.0, 1.0);
        let target = reward + share(learning.discount).min(DISCOUNT_MAX) * self.following(choice, reward);
        let cell = self.cell(&choice.context, &choice.remedy);
        let value = cell.value + share(learning.learning_rate) * (target - cell.value);
        let cell = Cell { value: value.clamp(-VALUE_MAX, VALUE_MAX), visits: cell.visits.saturating_add(1) };
        self.write(&choice.context, &choice.remedy, cell);
        self.remember(&sample.attempt);
    }

    fn following(&self, choice: &Choice, reward: f64) -> f64 {
        if reward > 0.0 {
            return 0.0;
        }
        let others = choice.allowed.iter().filter(|remedy| **remedy != choice.remedy);
        others.map(|remedy| self.value(&choice.context, remedy)).reduce(f64::max).unwrap_or(0.0)
    }
}

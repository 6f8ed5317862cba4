//! How bursty the errors of a rollout are, learned while it runs.
//!
//! Two estimates of the variance of a batch's errors over their mean. One is of the baseline alone,
//! from first differences ([`super::Dispersion`]); it begins before the canary and is too large
//! when both arms share a shock. The other is of both arms: first differences of what the canary
//! has beyond its share of the batch's errors, where whatever both share cancels; it is too large
//! when the canary itself changes. So the smaller one counts, made larger for how little it rests
//! on. A canary without history begins with a cautious guess.
//!
//! What this does not do: judge.

use serde::{Deserialize, Serialize};

use super::{Arms, Tally};
use crate::number::float;

/// Variance over mean that is guessed with no history.
const GUESS: f64 = 5.0;
/// The guess stands for so many errors, whatever was seen.
const GUESS_ERRORS: f64 = 2.0;
/// At first it stands for so many more, and for ever fewer until so many were seen.
const GUESS_MORE: f64 = 30.0;
const GUESS_MORE_UNTIL: f64 = 150.0;
/// And at first for so many pairs of batches, and for ever fewer until so many were seen.
const GUESS_PAIRS: f64 = 12.0;
const GUESS_UNTIL: f64 = 120.0;
/// Bursts may begin at any time: what is kept, from pair to pair, of the sums of late. Some twenty
/// pairs count.
const LATE: f64 = 0.95;
/// An estimate that rests on twenty pairs may be as many times too large by chance.
const LATE_BY_CHANCE: f64 = 1.6;
/// Pairs of batches it takes before the estimate of both arms may count.
const PAIRS_MIN: u64 = 30;
/// The estimate is made larger by so many of its standard errors, roughly.
const CAUTION: f64 = 0.5;
/// How much larger for bursts that vary in size: the larger the bursts, the more.
const TAIL: f64 = 1.1;

/// Burstier than this is not told apart.
const RATIO_MAX: f64 = 1e9;

/// The state: two sums for each estimate, and the batch before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bursts {
    baseline: Sums,
    baseline_before: Option<Tally>,
    both: Sums,
    both_before: Option<Arms>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Sums {
    squares: f64,
    errors: f64,
    pairs: u64,
    late_squares: f64,
    late_errors: f64,
}

impl Sums {
    fn add(&mut self, change: f64, errors: f64) {
        self.late_squares = LATE * self.late_squares + change * change;
        self.late_errors = LATE * self.late_errors + errors;
        self.squares += change * change;
        self.errors += errors;
        self.pairs = self.pairs.saturating_add(1);
    }

    /// With a guess in place of what was not seen.
    fn estimate(self) -> f64 {
        let pairs = float(self.pairs);
        let guessed = GUESS_PAIRS * (1.0 - pairs / GUESS_UNTIL).max(0.0) * self.errors / pairs.max(1.0);
        let more = GUESS_MORE * (1.0 - self.errors / GUESS_MORE_UNTIL).max(0.0);
        let guessed = guessed + more + GUESS_ERRORS;
        let estimate = (self.squares + GUESS * guessed) / (self.errors + guessed);
        let estimate = estimate.max(self.late());
        // What the estimate rests on: bursts, and pairs of batches (of which each is in two).
        let rests_on = 1.0 / (2.0 * estimate.max(1.0) / self.errors + 1.5 / pairs) + 1.0;
        let cautious = (estimate * (1.0 + CAUTION / rests_on.sqrt())).max(1.0);
        let beyond = cautious - 1.0;
        let whole = cautious + TAIL * beyond * beyond / cautious;
        if whole.is_finite() { whole } else { RATIO_MAX }
    }

    /// Of late, less what few batches may seem by chance.
    fn late(self) -> f64 {
        (self.late_squares + GUESS_ERRORS) / (self.late_errors + GUESS_ERRORS) / LATE_BY_CHANCE
    }
}

impl Bursts {
    /// Takes one batch, with or without a canary in it.
    pub fn observe(&mut self, arms: Arms) {
        self.observe_baseline(arms.baseline);
        if !arms.both() {
            return;
        }
        if let Some(before) = self.both_before.replace(arms) {
            let change = excess(arms) - excess(before);
            self.both.add(change, spread(arms) + spread(before));
        }
    }

    /// Forgets what was learned of the canary; the baseline's part is kept.
    pub fn forget_canary(&mut self) {
        self.both = Sums::default();
        self.both_before = None;
    }

    fn observe_baseline(&mut self, tally: Tally) {
        if tally.total == 0 {
            return;
        }
        if let Some(before) = self.baseline_before.replace(tally) {
            let requests = (float(before.total) + float(tally.total)) / 2.0;
            let change = (tally.share() - before.share()) * requests;
            self.baseline.add(change, float(before.bad()) + float(tally.bad()));
        }
    }

    /// Variance over mean, at least 1, on the cautious side.
    pub fn estimate(&self) -> f64 {
        let baseline = self.baseline.estimate();
        if self.both.pairs < PAIRS_MIN { baseline } else { baseline.min(self.both.estimate()) }
    }

    /// The exponent for [`super::Mixture::observe`] of the next batch.
    pub fn tempering(&self) -> f64 {
        1.0 / self.estimate()
    }
}

/// The canary's share of the requests.
fn split(arms: Arms) -> f64 {
    float(arms.canary.total) / (float(arms.canary.total) + float(arms.baseline.total))
}

/// What the canary has beyond its share of the errors.
fn excess(arms: Arms) -> f64 {
    let share = split(arms);
    (1.0 - share) * float(arms.canary.bad()) - share * float(arms.baseline.bad())
}

/// Its variance, were errors to come one by one.
fn spread(arms: Arms) -> f64 {
    let share = split(arms);
    (1.0 - share) * (1.0 - share) * float(arms.canary.bad()) + share * share * float(arms.baseline.bad())
}

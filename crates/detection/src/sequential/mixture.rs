//! Error counts of a canary against a live baseline: the tempered binomial mixture.
//!
//! Given the errors of both arms in a batch, those of the canary are binomial with a share that
//! depends on the ratio of the two error rates and on the traffic split of that very batch. So a
//! ramping canary and an outage shared by both arms do no harm: the level cancels. The likelihood
//! ratios of a grid of ratios against the null ratio, averaged, are an e-process (Lindon & Malek,
//! NeurIPS 2022, arXiv 2011.03567, for the conditional argument; Hoeffding 1963, theorem 4, for
//! requests that are bernoulli). Tempering, an exponent at most 1, keeps it one (Jensen) and makes
//! up for errors that come in bursts.
//!
//! What this does not do: estimate how bursty errors are; see [`super::Dispersion`].

use serde::{Deserialize, Serialize};

use super::number::ln_weighted_exp;
use super::{Arms, Onset};
use crate::number::float;

/// What the evidence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The canary's error rate is above the null ratio times the baseline's.
    Worse,
    /// The canary's error rate is below the null ratio times the baseline's.
    NotWorse,
}

/// Multiples of the null ratio, and how much each counts; weights sum to 1.
const WORSE: [(f64, f64); 8] = [
    (1.25, 0.10),
    (1.5, 0.15),
    (2.0, 0.20),
    (3.0, 0.20),
    (5.0, 0.15),
    (8.0, 0.10),
    (15.0, 0.06),
    (40.0, 0.04),
];
const NOT_WORSE: [(f64, f64); 4] = [(0.8, 0.25), (0.667, 0.25), (0.5, 0.25), (0.33, 0.25)];

/// Ratios beyond it say nothing more.
const RATIO_MAX: f64 = 1e6;

impl Direction {
    fn grid(self) -> &'static [(f64, f64)] {
        match self {
            Self::Worse => &WORSE,
            Self::NotWorse => &NOT_WORSE,
        }
    }
}

/// The state: one logarithm for each ratio of the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    direction: Direction,
    /// Above 0.
    null_ratio: f64,
    onset: Onset,
    /// See [`Mixture::with_gain_max`].
    gain_max: f64,
    logs: [f64; WORSE.len()],
}

impl Mixture {
    /// Nothing seen yet. `null_ratio` is what the ratio of the error rates is held against: above
    /// 0, in practice from 1 to 2; no number counts as 1.
    pub fn new(direction: Direction, null_ratio: f64) -> Self {
        let null_ratio = if null_ratio.is_nan() { 1.0 } else { null_ratio.clamp(1.0 / RATIO_MAX, RATIO_MAX) };
        Self { direction, null_ratio, onset: Onset::at_start(), gain_max: f64::MAX, logs: [0.0; WORSE.len()] }
    }

    /// The same, for what may begin late: see [`Onset`].
    #[must_use]
    pub fn with_onset(mut self, onset: Onset) -> Self {
        self.logs = [onset.ln_first(); WORSE.len()];
        self.onset = onset;
        self
    }

    /// The same, with the logarithm of a bet growing by at most `gain` (above 0, nats) in one batch. A
    /// burst is one thing that happened, however many errors it is: until the tempering knows of
    /// bursts, none of them outweighs many batches. What is left away of a gain only makes the
    /// e-value smaller.
    #[must_use]
    pub fn with_gain_max(mut self, gain: f64) -> Self {
        self.gain_max = if gain > 0.0 { gain } else { f64::MAX };
        self
    }

    /// Takes one batch. `tempering` is from 0 (exclusive) to 1, and must not depend on the batch.
    pub fn observe(&mut self, arms: Arms, tempering: f64) {
        let usable = arms.both() && tempering > 0.0 && tempering <= 1.0;
        if !usable {
            return;
        }
        let (canary, baseline) = (float(arms.canary.bad()), float(arms.baseline.bad()));
        let share = float(arms.canary.total) / (float(arms.canary.total) + float(arms.baseline.total));
        let null = Odds::of(share, self.null_ratio);
        let fresh = self.onset.next();
        for (log, (multiple, _)) in self.logs.iter_mut().zip(self.direction.grid()) {
            let other = Odds::of(share, self.null_ratio * multiple);
            let change = canary * (other.canary - null.canary) + baseline * (other.baseline - null.baseline);
            *log = fresh.joined_to(*log) + (tempering * change).min(self.gain_max);
        }
    }

    /// The logarithm of the e-value.
    pub fn ln_e(&self) -> f64 {
        let grid = self.direction.grid();
        let logs = ln_weighted_exp(self.logs.iter().zip(grid).map(|(log, (_, weight))| (*weight, *log)));
        self.onset.with_what_is_left(logs)
    }
}

/// The logarithms of the chances that an error is the canary's or the baseline's.
struct Odds {
    canary: f64,
    baseline: f64,
}

impl Odds {
    fn of(share: f64, ratio: f64) -> Self {
        let weighed = share * ratio;
        let all = weighed + (1.0 - share);
        Self { canary: (weighed / all).ln(), baseline: ((1.0 - share) / all).ln() }
    }
}

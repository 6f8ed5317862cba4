//! How many times more errors the canary has: an interval that holds however often one looks.
//!
//! The tempered log-likelihood of each ratio on a grid, as [`super::Mixture`] takes it. Against a
//! ratio `r`, the mean of the likelihood ratios of all others is an e-process; what it has not
//! ruled out at `1/alpha` is the interval.
//!
//! What this does not do: decide.

use serde::{Deserialize, Serialize};

use super::Arms;
use super::number::ln_mean_exp;
use crate::number::float;

/// The ratios that are told apart.
const GRID: [f64; 24] = [
    0.1, 0.2, 0.33, 0.5, 0.667, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0, 11.0,
    15.0, 22.0, 40.0, 100.0,
];

/// The state: a log-likelihood for each ratio.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ratios {
    logs: [f64; GRID.len()],
}

impl Ratios {
    /// Takes one batch; `tempering` as in [`super::Mixture::observe`].
    pub fn observe(&mut self, arms: Arms, tempering: f64) {
        let (canary, baseline) = (float(arms.canary.bad()), float(arms.baseline.bad()));
        let usable = arms.both() && tempering > 0.0 && tempering <= 1.0 && canary + baseline > 0.0;
        if !usable {
            return;
        }
        let odds = float(arms.canary.total) / float(arms.baseline.total);
        for (log, ratio) in self.logs.iter_mut().zip(GRID) {
            let weighed = odds * ratio;
            *log += tempering * (canary * weighed.ln() - (canary + baseline) * weighed.ln_1p());
        }
    }

    /// The lowest and the highest ratio that is not ruled out at the level `alpha`, 0 to 1; `None`
    /// for an end beyond the grid.
    pub fn interval(&self, alpha: f64) -> (Option<f64>, Option<f64>) {
        let line = ln_mean_exp(&self.logs) + alpha.clamp(f64::MIN_POSITIVE, 1.0).ln();
        let kept = |at: &usize| self.logs.get(*at).is_some_and(|log| *log > line);
        let low = (0..GRID.len()).find(kept);
        let high = (0..GRID.len()).rev().find(kept);
        let inside = |at: usize| GRID.get(at).copied();
        let low = low.filter(|at| *at > 0).and_then(|at| inside(at - 1));
        let high = high.and_then(|at| inside(at + 1));
        (low, high)
    }
}

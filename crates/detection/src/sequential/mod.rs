//! Sequential tests that hold under continuous looking, each with O(1) state.
//!
//! Every one keeps an e-value: a number that, while the service is healthy, has expectation at
//! most 1 whenever one chooses to look, so that it reaches `1/α` with probability at most `α` over
//! a whole life (Ville's inequality). E-values of streams that depend on each other may be
//! averaged, current value by current value, never by their maxima.
//!
//! What this does not do: decide, group observations into batches, or know what is measured.
//!
//! Invariants: no finite input gives NaN or infinity; a batch that says nothing changes nothing.

mod absence;
mod bet;
mod bursts;
mod dispersion;
mod e_detector;
mod mixture;
mod number;
mod onset;
mod ratios;
mod symmetric;

pub use absence::Absence;
pub use bet::BoundedBet;
pub use bursts::Bursts;
pub use dispersion::Dispersion;
pub use e_detector::EDetector;
pub use mixture::{Direction, Mixture};
pub use number::{ln_mean_exp, ln_weighted_exp};
pub use onset::Onset;
pub use ratios::Ratios;
pub use symmetric::Symmetric;

use serde::{Deserialize, Serialize};

/// What one arm counted in one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Requests, runs, or whatever can go well or badly.
    pub total: u64,
    /// How many of them went badly; at most `total`, what is beyond it does not count.
    pub bad: u64,
}

impl Tally {
    /// The bad ones, at most all of them.
    pub fn bad(self) -> u64 {
        self.bad.min(self.total)
    }

    /// The share of bad ones, 0 to 1; 0 of nothing.
    pub fn share(self) -> f64 {
        if self.total == 0 {
            0.0
        } else {
            crate::number::float(self.bad()) / crate::number::float(self.total)
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self { total: self.total.saturating_add(other.total), bad: self.bad().saturating_add(other.bad()) }
    }
}

/// What both arms counted in the same batch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arms {
    /// The new version.
    pub canary: Tally,
    /// The old version, at the same time.
    pub baseline: Tally,
}

impl Arms {
    /// Whether both arms counted anything.
    pub fn both(self) -> bool {
        self.canary.total > 0 && self.baseline.total > 0
    }
}

#[cfg(test)]
mod tests;

//! How bursty errors are: the variance of a batch's errors over their mean.
//!
//! From first differences of the baseline's error share, so that a wandering level does not count
//! as burstiness. 1 for errors that come one by one.

use serde::{Deserialize, Serialize};

use super::Tally;
use crate::number::float;

/// Batches it takes before the estimate may be believed.
const BATCHES_MIN: u64 = 100;

/// The estimate is made larger by this, since too small a one costs false alarms and too large a
/// one only delay.
const CAUTION: f64 = 1.3;

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Dispersion {
    before: Option<Tally>,
    pairs: u64,
    squares: f64,
    errors: f64,
}

impl Dispersion {
    /// Takes one batch of the baseline.
    pub fn observe(&mut self, tally: Tally) {
        if tally.total == 0 {
            return;
        }
        if let Some(before) = self.before.replace(tally) {
            let requests = (float(before.total) + float(tally.total)) / 2.0;
            let change = (tally.share() - before.share()) * requests;
            self.squares += change * change;
            self.errors += float(before.bad()) + float(tally.bad());
            self.pairs += 1;
        }
    }

    /// Variance over mean, at least 1; `None` while too little was seen.
    pub fn estimate(&self) -> Option<f64> {
        if self.pairs < BATCHES_MIN {
            return None;
        }
        let ratio = self.squares / self.errors;
        Some(if ratio.is_finite() { ratio.max(1.0) } else { 1.0 })
    }

    /// The exponent for [`super::Mixture::observe`]; `None` while too little was seen.
    pub fn tempering(&self) -> Option<f64> {
        self.estimate().map(|estimate| 1.0 / (CAUTION * estimate).max(1.0))
    }
}

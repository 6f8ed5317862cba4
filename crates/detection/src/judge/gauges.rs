//! Levels of a canary against its baseline: the symmetric test on their differences.
//!
//! Holds while both arms are exchangeable: as many pods, the same work. A gauge can speak against
//! a canary, never for it.

use serde::{Deserialize, Serialize};

use crate::number::float;
use crate::sequential::Symmetric;

/// Where the test is sharpest, in batches.
const SHARPEST: f64 = 40.0;

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Gauges {
    test: Option<Symmetric>,
    canary: f64,
    baseline: f64,
    batches: u64,
}

impl Gauges {
    /// Takes the last level of each arm in one batch.
    pub(super) fn observe(&mut self, canary: f64, baseline: f64, alpha: f64) {
        self.test.get_or_insert_with(|| Symmetric::new(SHARPEST, alpha)).observe(canary - baseline);
        self.batches += 1;
        let part = 1.0 / float(self.batches);
        self.canary += part * canary - part * self.canary;
        self.baseline += part * baseline - part * self.baseline;
    }

    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    pub(super) fn ln_worse(&self) -> f64 {
        self.test.as_ref().map_or(0.0, Symmetric::ln_e)
    }

    /// The mean levels of canary and baseline, and in how many batches.
    pub(super) fn seen(&self) -> (f64, f64, u64) {
        (self.canary, self.baseline, self.batches)
    }
}

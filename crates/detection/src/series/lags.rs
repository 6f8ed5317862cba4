//! What the last values let expect of the next: a linear prediction that learns as it goes.
//!
//! Normalised least mean squares over [`LAGS`] residuals. What this does not do: seasons.

use serde::{Deserialize, Serialize};

const LAGS: usize = 6;
/// How fast it learns.
const RATE: f64 = 0.02;
/// An error teaches as if it was at most this many spreads.
const CLIP: f64 = 3.0;
/// Keeps quiet stretches from being learned from too fast.
const CALM: f64 = 0.5;

/// The state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Lags {
    weights: [f64; LAGS],
    last: [f64; LAGS],
}

impl Default for Lags {
    fn default() -> Self {
        // At first: seven tenths of the last value.
        Self { weights: [0.7, 0.0, 0.0, 0.0, 0.0, 0.0], last: [0.0; LAGS] }
    }
}

impl Lags {
    /// How far a bounded residual is from what was expected, at least 0; then learns from it.
    pub(super) fn observe(&mut self, residual: f64) -> f64 {
        let expected: f64 = self.weights.iter().zip(self.last).map(|(weight, last)| weight * last).sum();
        let power: f64 = CALM + self.last.iter().map(|last| last * last).sum::<f64>();
        let error = residual - expected;
        for (weight, last) in self.weights.iter_mut().zip(self.last) {
            *weight += RATE * error.clamp(-CLIP, CLIP) * last / power;
        }
        self.last.rotate_right(1);
        self.last[0] = residual;
        error.abs()
    }
}

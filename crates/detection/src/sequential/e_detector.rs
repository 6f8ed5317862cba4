//! A single stream with no control: when did it become worse than it may be?
//!
//! The Shiryaev–Roberts e-detector with bounded bets (Shin, Ramdas and Rinaldo, NEJSDS 2024, arXiv
//! 2203.03532): as long as the conditional mean of the values stays at or below `mean`, it takes
//! on average at least `c` batches until it reaches `c`, whatever the dependence.

use serde::{Deserialize, Serialize};

use super::bet::STAKES;
use crate::number::float;

/// Far above any threshold; keeps the state finite through a long outage.
const CEILING: f64 = 1e12;

/// No mean is taken to be smaller: one value in a billion.
const MEAN_MIN: f64 = 1e-9;

/// The share counted as 1 is this many times the usual one,
const CAP_TIMES: f64 = 25.0;
/// and at least this.
const CAP_MIN: f64 = 0.02;

/// The state: one number for each stake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EDetector {
    cap: f64,
    mean: f64,
    values: [f64; STAKES.len()],
}

impl EDetector {
    /// Nothing seen yet. Values count as shares of `cap` (above 0), at most 1; `mean` is the upper
    /// bound of their healthy mean, above 0 and at most 1.
    pub fn new(cap: f64, mean: f64) -> Self {
        let mean = if mean.is_nan() { 1.0 } else { mean.clamp(MEAN_MIN, 1.0) };
        let cap = if cap.is_normal() && cap > 0.0 { cap } else { 1.0 };
        Self { cap, mean, values: [0.0; STAKES.len()] }
    }

    /// For shares from 0 to 1 that are usually `usual` and may be so many times that. What counts is
    /// capped, so that no single one says much.
    pub fn of_shares(usual: f64, allowance: f64) -> Self {
        let cap = (CAP_TIMES * usual).clamp(CAP_MIN, 1.0);
        Self::new(cap, allowance * usual / cap)
    }

    /// Whether both ask the same of their values.
    pub fn asks_as(&self, other: &Self) -> bool {
        self.cap == other.cap && self.mean == other.mean
    }

    /// Takes the value of one batch, at least 0.
    pub fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let value = (value / self.cap).clamp(0.0, 1.0);
        for (kept, stake) in self.values.iter_mut().zip(STAKES) {
            *kept = ((1.0 + *kept) * (1.0 + stake / self.mean * (value - self.mean))).min(CEILING);
        }
    }

    /// The detector's value: an alarm at `c` comes on average after at least `c` healthy batches.
    pub fn value(&self) -> f64 {
        self.values.iter().sum::<f64>() / float(STAKES.len() as u64)
    }

    /// Starts anew, as after an alarm that was dealt with.
    pub fn reset(&mut self) {
        self.values = [0.0; STAKES.len()];
    }
}

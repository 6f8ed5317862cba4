//! When a regression begins: at once, or at any later batch.
//!
//! An e-process that bets from the first batch on loses through every healthy batch, and must win
//! all of that back when a service becomes worse later. So a part of the stake is held back and
//! laid anew at each batch `s`, with weight `1/((s-1)s)` of what was held back: a mixture over the
//! time of the onset, one recursion for each bet. The sum of all weights is 1, so that it stays an
//! e-process.
//!
//! What this does not do: bet.

use serde::{Deserialize, Serialize};

use super::number::ln_sum_exp;
use crate::number::float;

/// The state: how many batches were bet on, and the part of the stake laid at the first one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Onset {
    first: f64,
    batches: u64,
}

/// What is laid anew in one batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh(Option<f64>);

impl Onset {
    /// The whole stake at the first batch.
    pub fn at_start() -> Self {
        Self { first: 1.0, batches: 0 }
    }

    /// The part `first` of the stake at the first batch, the rest spread over all later ones;
    /// above 0 and at most 1, anything else counts as 1.
    pub fn any_time(first: f64) -> Self {
        Self { first: if first > 0.0 && first <= 1.0 { first } else { 1.0 }, batches: 0 }
    }

    /// The logarithm of what is laid at the first batch.
    pub(super) fn ln_first(self) -> f64 {
        self.first.ln()
    }

    /// Goes on by a batch: what is laid anew before it.
    pub(super) fn next(&mut self) -> Fresh {
        self.batches = self.batches.saturating_add(1);
        if self.first >= 1.0 || self.batches < 2 {
            return Fresh(None);
        }
        let batch = float(self.batches);
        Fresh(Some(((1.0 - self.first) / ((batch - 1.0) * batch)).ln()))
    }

    /// The logarithm of a bet's e-value and of what is not yet laid.
    pub(super) fn with_what_is_left(self, ln_laid: f64) -> f64 {
        if self.first >= 1.0 {
            return ln_laid;
        }
        ln_sum_exp(ln_laid, ((1.0 - self.first) / float(self.batches.max(1))).ln())
    }
}

impl Fresh {
    /// The logarithm of what a bet has with what is laid anew.
    pub(super) fn joined_to(self, ln_laid: f64) -> f64 {
        self.0.map_or(ln_laid, |ln_fresh| ln_sum_exp(ln_laid, ln_fresh))
    }
}

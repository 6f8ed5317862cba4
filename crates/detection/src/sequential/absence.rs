//! Does one side stay away more often than it may?
//!
//! A bet on each slot of time in which it should have been heard: that it was silent in more than
//! an allowed share of them. A likelihood ratio of two shares, which is an e-process for every
//! smaller share, over every time of onset ([`super::Onset`]).

use serde::{Deserialize, Serialize};

use super::Onset;

/// As large a share of slots without a word is no wonder: a restart, a lost scrape.
const ALLOWED: f64 = 0.1;
/// What is bet on.
const SILENT: f64 = 0.7;
/// The part of the stake that is laid at once.
const FIRST: f64 = 0.5;

/// The state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Absence {
    onset: Onset,
    log: f64,
}

impl Default for Absence {
    fn default() -> Self {
        Self { onset: Onset::any_time(FIRST), log: FIRST.ln() }
    }
}

impl Absence {
    /// One slot went by without a word.
    pub fn silent(&mut self) {
        self.step(SILENT / ALLOWED);
    }

    /// One slot went by with a word.
    pub fn heard(&mut self) {
        self.step((1.0 - SILENT) / (1.0 - ALLOWED));
    }

    fn step(&mut self, factor: f64) {
        self.log = self.onset.next().joined_to(self.log) + factor.ln();
    }

    /// The logarithm of the e-value.
    pub fn ln_e(&self) -> f64 {
        self.onset.with_what_is_left(self.log)
    }
}

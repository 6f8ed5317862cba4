//! Error shares of a canary against a live baseline, with no assumption on how bursty errors are.
//!
//! Bets on the difference of the two shares, each capped, being above 0: an e-process as long as
//! the difference's conditional mean is at most 0 (Waudby-Smith & Ramdas, JRSS B 2024, arXiv
//! 2010.09686).

use serde::{Deserialize, Serialize};

use super::number::ln_mean_exp;
use super::{Arms, Onset};

/// The shares of the stake that are bet, equally weighed.
pub(super) const STAKES: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.7];

/// The cap is at least this share.
const CAP_MIN: f64 = 0.02;
/// The cap is this many times the baseline's share at the start.
const CAP_TIMES: f64 = 10.0;

/// The state: one logarithm for each stake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundedBet {
    cap: f64,
    onset: Onset,
    logs: [f64; STAKES.len()],
}

impl BoundedBet {
    /// Nothing seen yet. `share` is the baseline's share of errors before the start, 0 to 1: it
    /// fixes the cap.
    pub fn new(share: f64) -> Self {
        let cap = if share.is_finite() { (CAP_TIMES * share).clamp(CAP_MIN, 1.0) } else { CAP_MIN };
        Self { cap, onset: Onset::at_start(), logs: [0.0; STAKES.len()] }
    }

    /// The same, for what may begin late: see [`Onset`].
    #[must_use]
    pub fn with_onset(mut self, onset: Onset) -> Self {
        self.logs = [onset.ln_first(); STAKES.len()];
        self.onset = onset;
        self
    }

    /// Takes one batch.
    pub fn observe(&mut self, arms: Arms) {
        if !arms.both() {
            return;
        }
        // A share of fewer is more often beyond the cap: capped, the smaller arm looks better on
        // average than it is. That may be the canary, and never the baseline.
        let cap = if arms.canary.total > arms.baseline.total { 1.0 } else { self.cap };
        let capped = |share: f64| share.min(cap);
        let difference = (capped(arms.canary.share()) - capped(arms.baseline.share())) / cap;
        let fresh = self.onset.next();
        for (log, stake) in self.logs.iter_mut().zip(STAKES) {
            *log = fresh.joined_to(*log) + (stake * difference).ln_1p();
        }
    }

    /// The logarithm of the e-value.
    pub fn ln_e(&self) -> f64 {
        self.onset.with_what_is_left(ln_mean_exp(&self.logs))
    }
}

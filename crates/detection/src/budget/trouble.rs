//! What a service was like while all was well, and since it no longer is: what an attempt to mend it
//! is held against.
//!
//! The usual rate and how bursty its errors are come from the batches before the errors began; the
//! bad rate from the run of batches before the attempt with the most errors beyond what is allowed.
//! Both go to [`crate::verify`] with the batches since the attempt, anew at each look, so nothing of a
//! verification is kept.
//!
//! What this does not do: watch on after the proof. What comes back opens a finding.
//! Invariant: a batch in which the attempt ended counts neither as before nor as after.

use serde::{Deserialize, Serialize};

use super::log::Log;
use crate::{
    sequential::{Dispersion, Tally},
    verify::{BATCH_MS, Before, Counted, DEADLINE_MS, Judged, Verification},
};

/// Requests that the usual rate is taken of: at one error in a thousand it is known to 3 %. Beyond,
/// older ones count half.
const USUAL_MAX: u64 = 1_000_000;
/// The name of the only source in a verification.
const SOURCE: &str = "log";

/// While all is well.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Calm {
    /// The last minutes, which may turn out to be where it began.
    log: Log,
    /// Before those.
    usual: Tally,
    dispersion: Dispersion,
}

impl Calm {
    pub(super) fn add(&mut self, at_ms: u64, tally: Tally) {
        self.log.add(at_ms, tally);
        while let Some(batch) = self.log.overflow() {
            self.usual = halved(self.usual).plus(batch);
            self.dispersion.observe(batch);
        }
    }

    /// A finding opened, with this share of errors as the bound that it is about.
    pub(super) fn ended(&mut self, now_ms: u64, allowed: f64) -> Trouble {
        let mut log = std::mem::take(&mut self.log);
        let began_ms = log.worst_until(u64::MAX, allowed).map_or(now_ms, |(from_ms, _)| from_ms);
        self.usual = self.usual.plus(log.cut(began_ms));
        let dispersion = self.dispersion.estimate().unwrap_or(1.0);
        Trouble { usual: self.usual, dispersion, allowed, log, closed_ms: None }
    }
}

/// The older requests count half once there are many.
fn halved(usual: Tally) -> Tally {
    if usual.total < USUAL_MAX { usual } else { Tally { total: usual.total / 2, bad: usual.bad() / 2 } }
}

/// From the beginning of the errors on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trouble {
    usual: Tally,
    dispersion: f64,
    /// The share of errors from which it was found, 0 to 1.
    pub(super) allowed: f64,
    log: Log,
    /// When the finding closed by itself.
    closed_ms: Option<u64>,
}

impl Trouble {
    pub(super) fn add(&mut self, at_ms: u64, tally: Tally) {
        self.log.add(at_ms, tally);
        self.log.condense();
    }

    /// The finding closed by itself.
    pub(super) fn closed(&mut self, now_ms: u64) {
        self.closed_ms = Some(now_ms);
    }

    /// Whether a finding that opens now is a new trouble.
    pub(super) fn is_closed(&self) -> bool {
        self.closed_ms.is_some()
    }

    /// Whether nobody will ask about it any more.
    pub(super) fn is_over(&self, now_ms: u64) -> bool {
        self.closed_ms.is_some_and(|closed_ms| now_ms > closed_ms.saturating_add(DEADLINE_MS))
    }

    /// How it is since an attempt that ended at `since_ms`; `None` when there is nothing to hold it
    /// against, or no clear difference between the usual rate and the bad one.
    pub(super) fn verify(&self, since_ms: u64) -> Option<Judged> {
        let (_, bad) = self.log.worst_until(since_ms, self.allowed)?;
        let before = Before { usual: self.usual, bad, dispersion: self.dispersion, attempt_ms: since_ms };
        let mut verification = Verification::begin(&before).ok()?;
        // Two batches after the last report: it is complete, and nobody is silent yet.
        let now_ms = self.log.since(since_ms).last().map_or(since_ms, |batch| batch.end_ms());
        let now_ms = now_ms.saturating_add(2 * BATCH_MS);
        for batch in self.log.since(since_ms) {
            let counted = Counted { source: SOURCE, at_ms: batch.begin_ms(), tally: batch.tally() };
            // Each batch is later than the one before and before now; what is decided stays so.
            let _taken = verification.observe(counted, now_ms);
        }
        Some(verification.judge(now_ms, None))
    }
}

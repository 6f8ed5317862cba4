//! The old version reports, the new one is silent: evidence against the new one.
//!
//! Event time is cut into slots of the length of a silence. A slot in which the baseline reported
//! is a bet on whether the canary did ([`Absence`]). No bet is made while a scrape is known to have
//! failed, when so little traffic came that the canary may well have had none, or before the canary
//! has to be there.

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::number::float;
use crate::sequential::Absence;

/// With fewer expected of the canary in a slot, its silence says nothing.
const EXPECTED_MIN: f64 = 10.0;
/// Slots after a deployment before a canary that never reported counts as silent.
const WARM_UP: u64 = 4;

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Silence {
    process: Absence,
    /// When the canary should be there from.
    due_ms: Option<u64>,
    /// When this slot began.
    began_ms: u64,
    /// In this slot.
    baseline: u64,
    canary: u64,
    /// The last scrape that failed.
    failed_ms: Option<u64>,
    /// Over all slots in which both reported.
    baseline_all: u64,
    canary_all: u64,
    /// Slots without a word, in a row.
    pub(super) slots: u64,
}

impl Silence {
    /// The baseline reported `units` (at least 1) of anything.
    pub(super) fn baseline(&mut self, units: u64) {
        self.baseline = self.baseline.saturating_add(units);
    }

    /// The canary reported `units` (at least 1) of anything, at `at_ms`.
    pub(super) fn canary(&mut self, units: u64, at_ms: u64) {
        self.canary = self.canary.saturating_add(units);
        self.due(at_ms);
    }

    /// The canary reported something of a time that is over.
    pub(super) fn late_canary(&mut self, at_ms: u64) {
        self.canary = self.canary.max(1);
        self.due(at_ms);
    }

    /// The canary is known to be out, though it does not report: it has to before long.
    pub(super) fn expect(&mut self, at_ms: u64, settings: &Settings) {
        if self.due_ms.is_none() {
            self.due(at_ms.saturating_add(WARM_UP * settings.silence_ms));
        }
    }

    fn due(&mut self, at_ms: u64) {
        self.due_ms = Some(self.due_ms.map_or(at_ms, |due| due.min(at_ms)));
    }

    /// A scrape failed: a slot that ended before it says nothing.
    pub(super) fn scrape_failed(&mut self, at_ms: u64) {
        self.failed_ms = self.failed_ms.max(Some(at_ms));
    }

    /// A new version went out; nothing of it is expected yet.
    pub(super) fn restart(&mut self) {
        *self = Self { began_ms: self.began_ms, failed_ms: self.failed_ms, ..Self::default() };
    }

    /// Its silence until now is no longer held against the canary, which has to be there as before.
    pub(super) fn forgive(&mut self) {
        (self.process, self.slots) = (Absence::default(), 0);
    }

    /// States of the first form counted slots of this length.
    pub(super) fn count_from(&mut self, slot_ms: u64) {
        self.began_ms = self.began_ms.saturating_mul(slot_ms);
    }

    /// Goes on to the slot of `now_ms`, and bets on the one that ended, `open` to bets.
    pub(super) fn advance(&mut self, now_ms: u64, open: bool, settings: &Settings) {
        let length_ms = settings.silence_ms.max(1);
        let began_ms = now_ms - now_ms % length_ms;
        if began_ms < self.began_ms.saturating_add(length_ms) {
            return;
        }
        let due = self.due_ms.is_some_and(|due| due <= self.began_ms);
        let failed = self.failed_ms.is_some_and(|failed| failed >= self.began_ms);
        if open && due && !failed && self.baseline > 0 {
            self.bet();
        }
        if self.baseline > 0 && self.canary > 0 {
            self.baseline_all = self.baseline_all.saturating_add(self.baseline);
            self.canary_all = self.canary_all.saturating_add(self.canary);
        }
        (self.began_ms, self.baseline, self.canary) = (began_ms, 0, 0);
    }

    fn bet(&mut self) {
        if self.canary > 0 {
            self.slots = 0;
            self.process.heard();
        } else if self.expected() >= EXPECTED_MIN {
            self.slots = self.slots.saturating_add(1);
            self.process.silent();
        }
    }

    /// How much the canary should have had in this slot.
    fn expected(&self) -> f64 {
        if self.canary_all == 0 {
            return f64::INFINITY;
        }
        float(self.baseline) * float(self.canary_all) / float(self.baseline_all)
    }

    /// The logarithm of the e-value that the canary is silent more often than it may be.
    pub(super) fn ln_e(&self) -> f64 {
        self.process.ln_e()
    }
}

//! Can anything be seen at all? When each arm was last heard, and which scrapes failed.
//!
//! Blind begins when a scrape is said to have failed, or nothing was heard of a kind of arm that
//! reported before for the time set; it ends with the next word.

use serde::{Deserialize, Serialize};

use super::batch::Lane;
use super::settings::Settings;

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Watch {
    alone: Ear,
    baseline: Ear,
    canary: Ear,
    /// When a scrape of everything failed.
    all_failed_ms: Option<u64>,
}

/// What is heard of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Ear {
    last_ms: Option<u64>,
    failed_ms: Option<u64>,
}

impl Ear {
    fn has_failed(self) -> bool {
        self.failed_ms.is_some() && self.failed_ms > self.last_ms
    }
}

/// Why nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blindness {
    /// A scrape failed.
    ScrapeFailed,
    /// Nothing was heard of anything, for so many milliseconds.
    Nothing(u64),
    /// The canary reports and the baseline does not, for so many milliseconds.
    NoBaseline(u64),
}

impl Watch {
    /// Something was heard.
    pub(super) fn heard(&mut self, lane: Lane, at_ms: u64) {
        let ear = self.ear(lane);
        ear.last_ms = ear.last_ms.max(Some(at_ms));
    }

    /// A scrape failed; of everything when no arm is named.
    pub(super) fn scrape_failed(&mut self, lane: Lane, at_ms: u64) {
        let failed_ms = match lane {
            Lane::Alone => &mut self.all_failed_ms,
            lane => &mut self.ear(lane).failed_ms,
        };
        *failed_ms = (*failed_ms).max(Some(at_ms));
    }

    fn ear(&mut self, lane: Lane) -> &mut Ear {
        match lane {
            Lane::Alone => &mut self.alone,
            Lane::Baseline => &mut self.baseline,
            Lane::Canary => &mut self.canary,
        }
    }

    /// When the canary was last heard.
    pub(super) fn canary_ms(&self) -> Option<u64> {
        self.canary.last_ms
    }

    /// A deployment: the canary need not have been heard yet.
    pub(super) fn deployed(&mut self) {
        self.canary = Ear::default();
    }

    /// Whether anything can be said at `now_ms`, of a version told of at `deployed_ms`; an arm may be
    /// late by `wait_ms`.
    pub(super) fn blindness(
        &self,
        now_ms: u64,
        deployed_ms: Option<u64>,
        wait_ms: u64,
        settings: &Settings,
    ) -> Option<Blindness> {
        let last = self.last_ms();
        let all_failed = self.all_failed_ms.is_some() && self.all_failed_ms > last;
        if all_failed || self.baseline.has_failed() || self.canary.has_failed() {
            return Some(Blindness::ScrapeFailed);
        }
        // Who is told of only while there are two versions was not expected before.
        let deployed_ms = deployed_ms.unwrap_or(0);
        let quiet = now_ms.saturating_sub(last?.max(deployed_ms));
        if quiet >= settings.blind_ms {
            return Some(Blindness::Nothing(quiet));
        }
        let quiet = now_ms.saturating_sub(self.baseline.last_ms?.max(deployed_ms));
        let silent = quiet >= settings.blind_ms.saturating_add(wait_ms);
        let nothing_to_hold_against = self.canary.last_ms.is_some() && silent;
        nothing_to_hold_against.then_some(Blindness::NoBaseline(quiet))
    }

    /// When it will be blind if nothing more is heard, of a version told of at `deployed_ms`.
    pub(super) fn blind_at_ms(&self, deployed_ms: Option<u64>, settings: &Settings) -> Option<u64> {
        let last_ms = self.last_ms()?.max(deployed_ms.unwrap_or(0));
        Some(last_ms.saturating_add(settings.blind_ms))
    }

    fn last_ms(&self) -> Option<u64> {
        self.alone.last_ms.max(self.baseline.last_ms).max(self.canary.last_ms)
    }
}

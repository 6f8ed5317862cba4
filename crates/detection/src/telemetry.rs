//! Telemetry that stopped.
//!
//! The rhythm of a service is known once [`INTERVALS_MIN`] intervals between its observations
//! were seen. Opens when nothing came for longer than the environment's timeout and longer than
//! [`SILENCE_FACTOR`] times the median interval, so that a service that reports every five minutes
//! is not blind every minute. Closes with the next observation. Always a warning, never bad:
//! what cannot be seen is not thereby broken.

use homeostat_schema::types::Event;
use serde::{Deserialize, Serialize};

use crate::{
    progress::happened_ms,
    score::{Part, Standing, evidence},
    settings::Settings,
    text,
};

/// Intervals kept: enough for a median that one gap does not move.
const INTERVALS_MAX: usize = 7;
/// Intervals seen before there is a rhythm.
const INTERVALS_MIN: usize = 2;
/// Observations nearer than this came together: one event for each signal, say.
const TOGETHER_MS: u64 = 1000;
/// How many of its own intervals a service may miss.
const SILENCE_FACTOR: u64 = 3;

/// When a service reported, by our clock.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Telemetry {
    last_at_ms: u64,
    last_seen_ms: u64,
    last_event: String,
    intervals_ms: Vec<u64>,
    /// A finding is open.
    pub(crate) blind: bool,
    /// The last observation was signed.
    pub(crate) signed: bool,
}

impl Telemetry {
    /// Takes one observation; one that is not newer than the newest changes nothing.
    pub(crate) fn heard(&mut self, event: &Event) {
        let id = text::key(&event.id);
        let at_ms = happened_ms(event);
        if (at_ms, &id) <= (self.last_at_ms, &self.last_event) {
            return;
        }
        let interval_ms = event.received_at.saturating_sub(self.last_seen_ms);
        // The gap of a silence that was found is not part of the rhythm.
        if !self.last_event.is_empty() && !self.blind && interval_ms >= TOGETHER_MS {
            self.intervals_ms.push(interval_ms);
            self.intervals_ms.drain(..self.intervals_ms.len().saturating_sub(INTERVALS_MAX));
        }
        self.last_at_ms = at_ms;
        self.last_seen_ms = self.last_seen_ms.max(event.received_at);
        self.last_event = id;
        self.signed = event.trust.signed;
        self.blind = false;
    }

    /// When silence becomes blindness, if the rhythm is known and it has not been found yet.
    pub(crate) fn due_ms(&self, settings: &Settings) -> Option<u64> {
        let limit = self.limit_ms(settings).filter(|_| !self.blind)?;
        Some(self.last_seen_ms.saturating_add(limit).saturating_add(1))
    }

    /// Whether it is silent for too long at this time.
    pub(crate) fn is_silent(&self, settings: &Settings, now_ms: u64) -> bool {
        self.limit_ms(settings).is_some_and(|limit| now_ms.saturating_sub(self.last_seen_ms) > limit)
    }

    /// `None` for a service that has no rhythm.
    pub(crate) fn part(&self, settings: &Settings, now_ms: u64) -> Option<Part> {
        let limit = self.limit_ms(settings)?;
        let silence = now_ms.saturating_sub(self.last_seen_ms);
        let standing = if self.blind { Standing::Blind } else { Standing::Fine };
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let mut evidence = evidence("telemetry", "");
        evidence.observed = silence as f64;
        evidence.bound = limit as f64;
        evidence.unit = "ms".to_owned();
        evidence.samples = self.intervals_ms.len() as u64 + 1;
        evidence.text = format!(
            "last observation {:.0} s ago, silence of {:.0} s is expected at most",
            seconds(silence),
            seconds(limit)
        );
        evidence.events = vec![self.last_event.clone()];
        Some(Part { standing, evidence })
    }

    /// The event that was heard last.
    pub(crate) fn last_event(&self) -> &str {
        &self.last_event
    }

    fn limit_ms(&self, settings: &Settings) -> Option<u64> {
        if self.intervals_ms.len() < INTERVALS_MIN {
            return None;
        }
        let mut intervals = self.intervals_ms.clone();
        intervals.sort_unstable();
        let median = intervals.get(intervals.len() / 2).copied().unwrap_or(0);
        Some(settings.timeout_ms.max(median.saturating_mul(SILENCE_FACTOR)))
    }
}

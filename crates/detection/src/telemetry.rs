//! Telemetry that stopped.
//!
//! Opens when it is said more than once that nothing could be read ([`Unread`]), and when nothing came
//! for longer than
//! the environment's timeout and longer than [`SILENCE_FACTOR`] times the usual interval, so that a
//! service that reports every five minutes is not blind every minute. Closes with the next
//! observation. Always a warning, never bad: what cannot be seen is not thereby broken.

use homeostat_schema::types::Event;
use serde::{Deserialize, Serialize};

use crate::{
    judge::Arm,
    progress::happened_ms,
    rhythm::Rhythm,
    score::{Part, Standing, evidence},
    settings::Settings,
    text,
    unread::Unread,
};

/// An observation that is older than the newest by no more than this is a word all the same,
/// milliseconds: senders are not equally quick.
const LATE_MS_MAX: u64 = 60_000;
/// A silence that was found counts as an interval of at most so many times what was expected.
const FOUND_TIMES_MAX: u64 = 2;
/// How many of its own intervals a service may miss.
const SILENCE_FACTOR: u64 = 3;

/// When a service reported, by our clock.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Telemetry {
    last_at_ms: u64,
    last_seen_ms: u64,
    last_event: String,
    /// Of what is told of the whole service.
    #[serde(rename = "intervals_ms")]
    rhythm: Rhythm,
    #[serde(default)]
    whole_seen_ms: u64,
    /// Of what is told of the old version beside a new one; how often the new one reports says
    /// nothing about when it is gone.
    #[serde(default, skip_serializing_if = "Rhythm::is_new")]
    baseline_rhythm: Rhythm,
    #[serde(default)]
    baseline_seen_ms: u64,
    /// A finding is open.
    pub(crate) blind: bool,
    /// Whether it was said that nothing could be read.
    #[serde(default, skip_serializing_if = "Unread::is_none")]
    unread: Unread,
    /// The last observation was signed.
    pub(crate) signed: bool,
}

impl Telemetry {
    /// Takes one observation, of an arm if it names one; one that is long over changes nothing.
    pub(crate) fn heard(&mut self, event: &Event, arm: Option<Arm>, settings: &Settings) {
        let at_ms = happened_ms(event);
        if at_ms.saturating_add(LATE_MS_MAX) < self.last_at_ms {
            return;
        }
        // Replicas that tell of the same moment are one word.
        if at_ms != self.last_at_ms {
            self.note_rhythm(event.received_at, arm, settings);
        }
        self.last_seen_ms = self.last_seen_ms.max(event.received_at);
        self.blind = false;
        self.unread.read();
        let id = text::key(&event.id);
        if (at_ms, &id) > (self.last_at_ms, &self.last_event) {
            self.last_at_ms = at_ms;
            self.last_event = id;
            self.signed = event.trust.signed;
        }
    }

    fn note_rhythm(&mut self, seen_ms: u64, arm: Option<Arm>, settings: &Settings) {
        let found_ms = self.limit_ms(settings).filter(|_| self.blind);
        let (rhythm, last_ms) = match arm {
            None => (&mut self.rhythm, &mut self.whole_seen_ms),
            Some(Arm::Baseline) => (&mut self.baseline_rhythm, &mut self.baseline_seen_ms),
            Some(Arm::Canary) => return,
        };
        if *last_ms > 0 {
            let gap_ms = seen_ms.saturating_sub(*last_ms);
            // The gap of a silence that was found is hardly part of the rhythm, but when it comes
            // again and again it is.
            rhythm.note(found_ms.map_or(gap_ms, |limit| gap_ms.min(limit.saturating_mul(FOUND_TIMES_MAX))));
        }
        *last_ms = seen_ms.max(*last_ms);
    }

    /// It is said that nothing could be read; whether that is news. What was read since then counts
    /// for more.
    pub(crate) fn could_not_be_read(&mut self, event: &Event) -> bool {
        if happened_ms(event) < self.last_at_ms {
            return false;
        }
        self.unread.failed(happened_ms(event), event.received_at) && !std::mem::replace(&mut self.blind, true)
    }

    /// When silence, or what could not be read, becomes blindness, if it has not been found yet.
    pub(crate) fn due_ms(&self, settings: &Settings) -> Option<u64> {
        if self.blind {
            return None;
        }
        let limit = self.limit_ms(settings);
        let silent = limit.map(|limit| self.last_seen_ms.saturating_add(limit).saturating_add(1));
        silent.into_iter().chain(self.unread.due_ms()).min()
    }

    /// Whether nothing could be read for too long at this time, which is told once.
    pub(crate) fn falls_unread(&mut self, now_ms: u64) -> bool {
        self.unread.falls_due(now_ms)
    }

    /// Whether it is silent for too long at this time.
    pub(crate) fn is_silent(&self, settings: &Settings, now_ms: u64) -> bool {
        self.limit_ms(settings).is_some_and(|limit| now_ms.saturating_sub(self.last_seen_ms) > limit)
    }

    /// `None` for a service that has no rhythm, unless nothing could be read.
    pub(crate) fn part(&self, settings: &Settings, now_ms: u64) -> Option<Part> {
        if !self.unread.is_none() {
            return Some(self.could_not());
        }
        let limit = self.limit_ms(settings)?;
        let silence = now_ms.saturating_sub(self.last_seen_ms);
        let standing = if self.blind { Standing::Blind } else { Standing::Fine };
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let mut evidence = evidence("telemetry", "");
        evidence.observed = silence as f64;
        evidence.bound = limit as f64;
        evidence.unit = "ms".to_owned();
        evidence.samples = self.rhythm.samples().max(self.baseline_rhythm.samples()) as u64 + 1;
        evidence.text = format!(
            "last observation {:.0} s ago, silence of {:.0} s is expected at most",
            seconds(silence),
            seconds(limit)
        );
        evidence.events = vec![self.last_event.clone()];
        Some(Part { standing, evidence })
    }

    fn could_not(&self) -> Part {
        let mut evidence = evidence("telemetry", "the last numbers could not be read");
        (evidence.observed, evidence.samples) = (1.0, 1);
        Part { standing: if self.blind { Standing::Blind } else { Standing::Waiting }, evidence }
    }

    /// When the newest was told of, by the sender's clock; milliseconds.
    pub(crate) fn last_at_ms(&self) -> u64 {
        self.last_at_ms
    }

    /// How often the whole service is told of, once that is known; milliseconds.
    pub(crate) fn interval_ms(&self) -> Option<u64> {
        self.rhythm.interval_ms()
    }

    /// The event that was heard last.
    pub(crate) fn last_event(&self) -> &str {
        &self.last_event
    }

    fn limit_ms(&self, settings: &Settings) -> Option<u64> {
        let interval = self.rhythm.interval_ms().max(self.baseline_rhythm.interval_ms())?;
        Some(settings.timeout_ms.max(interval.saturating_mul(SILENCE_FACTOR)))
    }
}

//! What a service reported about itself since its release: a bounded window, by time.
//!
//! Invariant: ordered by (time, event id) with no event twice and none before `from`; an event
//! that fell out of the window never comes back.

use homeostat_schema::types::{Event, EventKind, Signal};
use serde::{Deserialize, Serialize};

use crate::{progress::happened_ms, text};

/// Observations kept. The detectors look at the last [`crate::error_rate::POOL`] at most; the rest is for
/// deliveries out of order and for assessments.
pub(crate) const OBSERVATIONS_MAX: usize = 10;

/// The latency of one observation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) ms: f64,
    pub(crate) samples: u64,
}

/// The failed share of one observation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Errors {
    /// 0 to 1.
    pub(crate) rate: f64,
    /// Requests behind it; 0 when the sender did not say and the rate cannot be of one request.
    pub(crate) total: u64,
}

impl Errors {
    /// How many failed, of those that were counted.
    pub(crate) fn bad(self) -> u64 {
        (self.rate * self.total as f64).round() as u64
    }
}

/// One event's numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Observation {
    pub(crate) at_ms: u64,
    pub(crate) seen_ms: u64,
    pub(crate) event: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) latency: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) errors: Option<Errors>,
}

/// The newest observations since the release, oldest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    items: Vec<Observation>,
    /// Nothing before this (time, event id) belongs here.
    from_ms: u64,
    from_event: String,
}

impl Observation {
    /// The numbers an event carries; `None` when it carries none that are usable. Those of runs,
    /// jobs and changes are about the pipeline, not the service.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        if matches!(event.kind, EventKind::Run | EventKind::Job | EventKind::Change) {
            return None;
        }
        let (latency, errors) = (latency(event), errors(&event.signals));
        (latency.is_some() || errors.is_some()).then(|| Self {
            at_ms: happened_ms(event),
            seen_ms: event.received_at,
            event: text::key(&event.id),
            latency,
            errors,
        })
    }

    fn order(&self) -> (u64, &str) {
        (self.at_ms, &self.event)
    }
}

impl Window {
    /// Puts an observation in its place; one that is there already, or is older than what is
    /// kept, changes nothing. What has to leave for it is handed out, oldest first.
    pub(crate) fn insert(&mut self, new: Observation) -> Vec<Observation> {
        if new.order() < (self.from_ms, self.from_event.as_str()) {
            return Vec::new();
        }
        let Err(place) = self.items.binary_search_by(|known| known.order().cmp(&new.order())) else {
            return Vec::new();
        };
        self.items.insert(place, new);
        let excess = self.items.len().saturating_sub(OBSERVATIONS_MAX);
        let left = self.items.drain(..excess).collect();
        if let Some(first) = self.items.first().filter(|_| excess > 0) {
            (self.from_ms, self.from_event) = (first.at_ms, first.event.clone());
        }
        left
    }

    /// Begins again with a release that was out at this time.
    pub(crate) fn restart(&mut self, at_ms: u64) {
        self.items.retain(|known| known.at_ms >= at_ms);
        (self.from_ms, self.from_event) = (at_ms, String::new());
    }

    /// When the newest was seen, milliseconds; 0 without one.
    pub(crate) fn last_ms(&self) -> u64 {
        self.items.last().map_or(0, |last| last.at_ms)
    }

    pub(crate) fn items(&self) -> &[Observation] {
        &self.items
    }
}

pub(crate) fn latency(event: &Event) -> Option<Latency> {
    let signal = event.signals.iter().find(|signal| is_named(signal, &["latency-ms", "latency"]));
    let (ms, samples) = match (event.latency, signal) {
        (_, Some(signal)) => (in_ms(signal), signal.samples.max(1)),
        (Some(ms), None) => (ms, 1),
        (None, None) => return None,
    };
    (ms.is_finite() && ms >= 0.0).then_some(Latency { ms, samples })
}

pub(crate) fn errors(signals: &[Signal]) -> Option<Errors> {
    let Some(signal) = named(signals, "error-rate") else {
        return counted(signals);
    };
    let rate = if signal.unit == "%" { signal.value / 100.0 } else { signal.value };
    let valid = rate.is_finite() && (0.0..=1.0).contains(&rate);
    valid.then(|| Errors { rate, total: total(signal, rate, signals) })
}

/// From how many failed and how many there were.
fn counted(signals: &[Signal]) -> Option<Errors> {
    let count = |name: &str| {
        let value = named(signals, name)?.value;
        (value.is_finite() && value >= 0.0).then(|| value.round())
    };
    let (bad, total) = (count("errors")?, count("requests")?);
    (bad <= total && total >= 1.0).then(|| Errors { rate: bad / total, total: total as u64 })
}

fn total(signal: &Signal, rate: f64, signals: &[Signal]) -> u64 {
    if signal.samples > 1 {
        return signal.samples;
    }
    let requests = named(signals, "requests").map(|other| other.value);
    match requests.filter(|requests| requests.is_finite() && *requests >= 1.0) {
        // A float turned to an integer saturates.
        Some(requests) => requests as u64,
        None if rate == 0.0 || rate == 1.0 => 1,
        None => 0,
    }
}

fn in_ms(signal: &Signal) -> f64 {
    if signal.unit == "s" { signal.value * 1000.0 } else { signal.value }
}

/// The signal of this name.
pub(crate) fn named<'a>(signals: &'a [Signal], name: &str) -> Option<&'a Signal> {
    signals.iter().find(|signal| is_named(signal, &[name]))
}

/// Senders write `error-rate` and `error_rate`.
fn is_named(signal: &Signal, names: &[&str]) -> bool {
    names.contains(&signal.name.replace('_', "-").as_str())
}

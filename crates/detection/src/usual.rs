//! What is usual of a service that has no second version to be compared with: five-minute means of
//! its latency and its errors, each judged from its own past ([`crate::series`]).
//!
//! A shift that lasts makes the service doubtful for an hour and is told; it opens nothing, as its
//! bound is learned and a healthy service may drift (docs/adr/0014). Errors are judged by the logarithm
//! of their share and what is tolerable, so that few and none are alike. About two days are learned from first; a false word comes on average
//! after at least 100,000 means, a year.
//!
//! Invariants: an observation of a mean that is over changes nothing; the state is below 8 KB, and
//! read as what it is only once in five minutes.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    number::float,
    observation::Observation,
    score::{Part, Standing, evidence},
    series::{self, Series},
    settings::Settings,
};

/// Observations are averaged over this, milliseconds.
const STEP_MS: u64 = 300_000;
/// For so long after a shift the service is doubtful, milliseconds.
const TOLD_MS: u64 = 3_600_000;
/// A mean weighs so much of what is told as usual, and counts as if it were away from it by this part
/// of it at most: what has moved is not usual before it is told.
const RATE: f64 = 0.02;
const AWAY_MAX: f64 = 0.5;
/// Less than so many times the usual is nothing to tell.
const TIMES_MIN: f64 = 1.5;

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Usual {
    latency: Stream,
    errors: Stream,
}

/// One number of the service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Stream {
    /// As it is stored, in base64.
    series: String,
    step: u64,
    sum: f64,
    weight: f64,
    /// For people; not what a shift is judged by.
    usual: Option<f64>,
    moved: Option<Moved>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Moved {
    at_ms: u64,
    to: f64,
    from: f64,
    event: String,
}

impl Usual {
    /// Takes an observation of what everybody gets.
    pub(crate) fn take(&mut self, one: &Observation, settings: &Settings) {
        if let Some(latency) = one.latency {
            self.latency.take(one, (latency.ms, 1.0), settings, |mean| mean);
        }
        if let Some(errors) = one.errors {
            let weighed = (errors.rate, float(errors.total.max(1)));
            self.errors.take(one, weighed, settings, |mean| (mean + settings.judge.tolerable).ln());
        }
    }

    /// What has moved; none when nothing has.
    pub(crate) fn parts(&self, now_ms: u64) -> impl Iterator<Item = Part> {
        let latency = self
            .latency
            .moved(now_ms)
            .map(|moved| moved.part(format!("latency of {:.0} ms, usually {:.0} ms", moved.to, moved.from)));
        let errors = self.errors.moved(now_ms).map(|moved| {
            moved.part(format!(
                "{:.2} % of requests fail, usually {:.2} %",
                100.0 * moved.to,
                100.0 * moved.from
            ))
        });
        latency.into_iter().chain(errors)
    }

    /// Whether nothing was taken.
    pub(crate) fn is_new(&self) -> bool {
        *self == Self::default()
    }
}

impl Stream {
    /// Takes a value and its weight; its means are judged by what is made of them.
    fn take(
        &mut self,
        one: &Observation,
        (value, weight): (f64, f64),
        settings: &Settings,
        made: impl Fn(f64) -> f64,
    ) {
        let step = one.at_ms / STEP_MS;
        if step < self.step {
            return;
        }
        if step > self.step {
            self.close(one, settings, made);
            (self.step, self.sum, self.weight) = (step, 0.0, 0.0);
        }
        self.sum += weight * value;
        self.weight += weight;
    }

    /// Judges the mean that is over.
    fn close(&mut self, one: &Observation, settings: &Settings, made: impl Fn(f64) -> f64) {
        if self.weight <= 0.0 {
            return;
        }
        let mean = self.sum / self.weight;
        let at_ms = self.step.saturating_mul(STEP_MS);
        let mut series = self.read();
        let set = series::Settings { seasonal: settings.seasonal, ..series::Settings::default() };
        let judged = series.observe(i64::try_from(at_ms).unwrap_or(i64::MAX), Some(made(mean)), &set);
        self.series = STANDARD_NO_PAD.encode(series.encode());
        let from = self.usual.unwrap_or(mean);
        if judged.moved && mean > TIMES_MIN * from.max(settings.judge.tolerable) {
            self.moved = Some(Moved { at_ms: at_ms + STEP_MS, to: mean, from, event: one.event.clone() });
        }
        let away = AWAY_MAX * from.abs();
        self.usual = Some(from + RATE * (mean - from).clamp(-away, away));
    }

    /// One that cannot be read begins anew: it is learned again in two days, and opens nothing.
    fn read(&self) -> Series {
        let bytes = STANDARD_NO_PAD.decode(&self.series).ok().filter(|bytes| !bytes.is_empty());
        bytes.and_then(|bytes| Series::decode(Some(&bytes)).ok()).unwrap_or_default()
    }

    fn moved(&self, now_ms: u64) -> Option<&Moved> {
        self.moved.as_ref().filter(|moved| now_ms.saturating_sub(moved.at_ms) < TOLD_MS)
    }
}

impl Moved {
    fn part(&self, what: String) -> Part {
        let mut evidence = evidence("usual", &format!("{what}: five-minute means have moved"));
        (evidence.observed, evidence.bound, evidence.samples) = (self.to, self.from, 1);
        evidence.events = vec![self.event.clone()];
        Part { standing: Standing::Doubtful, evidence }
    }
}

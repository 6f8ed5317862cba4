//! What is usual of a service that has no second version to be compared with: five-minute means of
//! its latency and its errors, each judged from its own past (the shift of [`crate::series`]).
//!
//! A shift that lasts makes the service doubtful for an hour and is told; it opens nothing, as its
//! bound is learned and a healthy service may drift (docs/adr/0014). Errors are judged by the logarithm
//! of their share and what is tolerable, so that few and none are alike. About two days are learned
//! from first; a false word comes on average after at least 100,000 means, a year.
//!
//! Invariants: an observation counts once, when it leaves the window of the newest, so that neither
//! order nor repetition matters; one of a mean that is over changes nothing; the state is below 4 KB.

use serde::{Deserialize, Serialize};

use crate::{
    number::float,
    observation::Observation,
    score::{Part, Standing, evidence},
    series::Shift,
    settings::Settings,
    stored,
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
    #[serde(with = "stored::text")]
    shift: Shift,
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
    /// Takes an observation of what everybody gets, in order and each once.
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
        let time = i64::try_from(at_ms).unwrap_or(i64::MAX);
        let has_moved = self.shift.observe(time, made(mean), settings.seasonal);
        let from = self.usual.unwrap_or(mean);
        if has_moved && mean > TIMES_MIN * from.max(settings.judge.tolerable) {
            self.moved = Some(Moved { at_ms: at_ms + STEP_MS, to: mean, from, event: one.event.clone() });
        }
        let away = AWAY_MAX * from.abs();
        self.usual = Some(from + RATE * (mean - from).clamp(-away, away));
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

//! One metric of a rollout: the test that fits its kind, and whether it has arms.

use serde::{Deserialize, Serialize};

use super::batch::{Batch, Lane};
use super::contest::{Contest, Rules};
use super::gauges::Gauges;
use super::past::{PastCounts, PastGauges, PastSamples};
use super::samples::Samples;
use super::settings::Settings;
use super::{Observation, What, closed};

/// What one batch of counts may gain, see [`Rules::gain_max`]. With 1.5 errors that begin to come in
/// bursts when the canary comes cost three times as many false alarms, and are found a fifth sooner.
const GAIN_MAX_COUNTED: f64 = 1.0;
/// The same of measurements, of which a batch has many. With 1, 1.5 and 2: pauses that begin when the
/// canary comes called 0, 6 and 13 of 400 healthy ones slow, and latency 1.5 times as long was found
/// after 45, 35 and 30 s (medians, seeds for tuning).
const GAIN_MAX_MEASURED: f64 = 1.5;

/// A named stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stream {
    pub(super) metric: String,
    /// How much it counts among those with arms; 0 until it is given its part.
    pub(super) weight: f64,
    /// Both arms were told of in the same batch, since this batch.
    pub(super) met: bool,
    pub(super) test: Test,
}

/// What it is judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Test {
    Counts(Contest),
    Samples(Samples),
    Gauges(Gauges),
    PastCounts(PastCounts),
    PastSamples(PastSamples),
    PastGauges(PastGauges),
}

impl Test {
    /// The test that fits what was told; `None` for an event.
    pub(super) fn of(observation: &Observation) -> Option<Self> {
        let armed = observation.arm.is_some();
        match (&observation.what, armed) {
            (What::Bernoulli { .. }, true) => Some(Self::Counts(Contest::default())),
            (What::Bernoulli { .. }, false) => Some(Self::PastCounts(PastCounts::default())),
            (What::Sample { .. }, true) => Some(Self::Samples(Samples::default())),
            (What::Sample { .. }, false) => Some(Self::PastSamples(PastSamples::default())),
            (What::Gauge { .. }, true) => Some(Self::Gauges(Gauges::default())),
            (What::Gauge { .. }, false) => Some(Self::PastGauges(PastGauges::default())),
            (What::Event { .. }, _) => None,
        }
    }

    /// Whether it has a baseline.
    pub(super) fn is_armed(&self) -> bool {
        matches!(self, Self::Counts(_) | Self::Samples(_) | Self::Gauges(_))
    }

    /// Whether both are of one kind.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Stream {
    pub(super) fn new(metric: &str, test: Test) -> Self {
        Self { metric: metric.to_owned(), weight: 0.0, met: false, test }
    }

    /// Takes a closed batch.
    pub(super) fn close(&mut self, batch: &Batch, id: u8, settings: &Settings) {
        let told = |lane| batch.content(id, lane).is_some();
        self.met |= told(Lane::Canary) && told(Lane::Baseline);
        match &mut self.test {
            Test::Counts(contest) => contest.observe(closed::arms(batch, id), counted(settings)),
            Test::Samples(samples) => {
                let values = |lane| closed::values(batch, id, lane);
                let margin = 1.0 + settings.sample_margin;
                samples.observe(&values(Lane::Canary), &values(Lane::Baseline), margin, measured(settings));
            }
            Test::Gauges(gauges) => {
                let level = |lane| closed::level(batch, id, lane);
                if let (Some(canary), Some(baseline)) = (level(Lane::Canary), level(Lane::Baseline)) {
                    gauges.observe(canary, baseline, settings.alpha);
                }
            }
            Test::PastCounts(past) => past.observe(closed::tally(batch, id, Lane::Alone), settings),
            Test::PastSamples(past) => past.observe(&closed::values(batch, id, Lane::Alone), settings),
            Test::PastGauges(past) => {
                if let Some(level) = closed::level(batch, id, Lane::Alone) {
                    past.observe(level, settings);
                }
            }
        }
    }

    /// A new deployment: forgets the canary, keeps what the baseline or the past was.
    pub(super) fn restart(&mut self, settings: &Settings) {
        self.met = false;
        match &mut self.test {
            Test::Counts(contest) => contest.restart(),
            Test::Samples(samples) => samples.restart(),
            Test::Gauges(gauges) => gauges.restart(),
            Test::PastCounts(past) => past.restart(settings),
            Test::PastSamples(past) => past.restart(settings),
            Test::PastGauges(past) => past.restart(),
        }
    }

    /// With arms: the logarithm of the e-value that the canary is worse.
    pub(super) fn ln_worse(&self) -> f64 {
        match &self.test {
            Test::Counts(contest) => contest.ln_worse(),
            Test::Samples(samples) => samples.ln_worse(),
            Test::Gauges(gauges) => gauges.ln_worse(),
            Test::PastCounts(_) | Test::PastSamples(_) | Test::PastGauges(_) => 0.0,
        }
    }

    /// The logarithm of the e-value that the canary is not worse than tolerated; `None` for what
    /// cannot speak for a canary.
    pub(super) fn ln_not_worse(&self, settings: &Settings) -> Option<f64> {
        match &self.test {
            Test::Counts(contest) => Some(contest.ln_not_worse(counted(settings))),
            Test::Samples(samples) => Some(samples.ln_not_worse(measured(settings))),
            Test::Gauges(_) | Test::PastCounts(_) | Test::PastSamples(_) | Test::PastGauges(_) => None,
        }
    }

    /// Without an arm: the detector's value, and how many batches it has judged.
    pub(super) fn alarm(&self) -> Option<(f64, u64)> {
        match &self.test {
            Test::PastCounts(past) => Some((past.value(), past.since())),
            Test::PastSamples(past) => Some((past.counts().value(), past.counts().since())),
            Test::PastGauges(past) => Some((past.value(), past.since())),
            Test::Counts(_) | Test::Samples(_) | Test::Gauges(_) => None,
        }
    }
}

fn counted(settings: &Settings) -> Rules {
    let null_ratio = 1.0 + settings.margin;
    Rules {
        null_ratio,
        worst_ratio: null_ratio * (1.0 + settings.tolerance),
        tolerable: settings.tolerable,
        alpha: settings.alpha,
        gain_max: GAIN_MAX_COUNTED,
    }
}

fn measured(settings: &Settings) -> Rules {
    Rules {
        null_ratio: 1.0,
        worst_ratio: 1.0 + settings.tolerance,
        tolerable: 0.0,
        alpha: settings.alpha,
        gain_max: GAIN_MAX_MEASURED,
    }
}

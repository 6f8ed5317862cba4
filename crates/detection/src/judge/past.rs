//! A stream without a control, judged against its own past.
//!
//! The e-detector of [`EDetector`] on values from 0 to 1 whose healthy mean is known from the first
//! batches, from what came before a deployment, or as a setting. It alarms when its value reaches
//! the run length, which takes on average at least so many healthy batches whatever the dependence.
//!
//! Counts give the share of bad ones; measurements the share beyond the 95th percentile of the
//! first ones; levels how far they are above a robust moving average, in its own deviations.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::settings::Settings;
use crate::number::float;
use crate::sequential::{Arms, Bursts, EDetector, Tally};

/// The healthy mean is taken to be larger by this.
const ALLOWANCE: f64 = 1.1;
/// Batches before a deployment that are enough to know what is usual.
const BATCHES_MIN: u64 = 12;
/// Batches after which nothing more is learned without a deployment.
const LEARNING_MAX: u64 = 2_000;
/// With a detector's value above it, what is usual is not learned.
const CALM: f64 = 100.0;
/// Measurements: the quantile whose exceedances are counted, and how many are needed to know it.
const QUANTILE: f64 = 0.95;
const VALUES_MIN: u64 = 200;

/// Shares of bad ones.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct PastCounts {
    learned: Tally,
    bursts: Bursts,
    batches: u64,
    detector: Option<EDetector>,
    seen: Tally,
    since: u64,
}

impl PastCounts {
    pub(super) fn observe(&mut self, tally: Tally, settings: &Settings) {
        if tally.total == 0 {
            return;
        }
        if self.is_due(settings) {
            self.learn_seen(settings);
        }
        self.bursts.observe(Arms { baseline: tally, canary: Tally::default() });
        match &mut self.detector {
            Some(detector) => {
                detector.observe(tally.share());
                self.seen = self.seen.plus(tally);
                self.since += 1;
            }
            None => {
                self.learned = self.learned.plus(tally);
                self.batches += 1;
                if let Some(share) = settings.bad_share_max {
                    self.detector = Some(against(share));
                }
            }
        }
    }

    /// What is usual is learned again each time twice as much is known, while all is calm.
    fn is_due(&self, settings: &Settings) -> bool {
        let known = self.batches + self.since;
        let doubled = known.is_multiple_of(settings.learning_batches)
            && (known / settings.learning_batches).is_power_of_two()
            && known <= LEARNING_MAX.max(settings.learning_batches);
        doubled && self.value() < CALM && settings.bad_share_max.is_none()
    }

    fn learn_seen(&mut self, settings: &Settings) {
        self.learned = self.learned.plus(self.seen);
        self.batches += self.since;
        (self.seen, self.since) = (Tally::default(), 0);
        self.freeze(settings);
    }

    fn freeze(&mut self, settings: &Settings) {
        // The upper end of what the errors may have come from, as bursty as they are.
        let bad = float(self.learned.bad()) + 1.0;
        let upper = bad + 2.0 * (bad * self.bursts.estimate()).sqrt();
        let share = (upper / float(self.learned.total.max(1))).min(1.0);
        self.detector = Some(against(settings.bad_share_max.unwrap_or(share)));
    }

    /// A deployment: what came before is the past, unless it was alarming or too little to know.
    pub(super) fn restart(&mut self, settings: &Settings) {
        if self.value() < settings.run_length {
            self.learned = self.learned.plus(self.seen);
            self.batches += self.since;
        }
        (self.seen, self.since) = (Tally::default(), 0);
        if self.detector.is_some() || self.batches >= BATCHES_MIN.min(settings.learning_batches) {
            self.freeze(settings);
        }
    }

    pub(super) fn value(&self) -> f64 {
        self.detector.as_ref().map_or(0.0, EDetector::value)
    }

    /// Batches judged; 0 while learning.
    pub(super) fn since(&self) -> u64 {
        self.since
    }

    pub(super) fn seen(&self) -> (Tally, Tally) {
        (self.seen, self.learned)
    }
}

fn against(share: f64) -> EDetector {
    EDetector::of_shares(share, ALLOWANCE)
}

/// Measurements beyond the first ones' 95th percentile.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct PastSamples {
    values: Histogram,
    threshold: Option<i16>,
    counts: PastCounts,
}

impl PastSamples {
    pub(super) fn observe(&mut self, values: &Histogram, settings: &Settings) {
        if self.threshold.is_none() && self.values.count() >= VALUES_MIN {
            self.threshold = self.values.quantile_bin(QUANTILE);
        }
        self.values.add_all(values);
        if let Some(threshold) = self.threshold {
            let tally = Tally { total: values.count(), bad: values.above(threshold) };
            // A share that is allowed is one of errors; here it is always learned.
            self.counts.observe(tally, &Settings { bad_share_max: None, ..settings.clone() });
        }
    }

    pub(super) fn restart(&mut self, settings: &Settings) {
        self.counts.restart(&Settings { bad_share_max: None, ..settings.clone() });
    }

    pub(super) fn counts(&self) -> &PastCounts {
        &self.counts
    }
}

/// How fast the moving average follows.
const FOLLOW: f64 = 0.01;
/// Deviations beyond which a level no longer moves the average.
const CLIP: f64 = 3.0;
/// Deviations that count as 1.
const SCALE: f64 = 8.0;
/// The healthy mean of the positive deviations: 0.4 for a normal one, over the scale, and more for
/// heavier tails.
const RESIDUAL_MEAN: f64 = 0.06;
/// Levels farther from 0 count as this.
const LEVEL_MAX: f64 = 1e150;
/// A deviation is taken to be at least this part of the level.
const STILL: f64 = 0.01;
/// The mean absolute deviation of a normal one.
const NORMAL: f64 = 0.797_884_560_802_865_4;

/// Levels.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct PastGauges {
    level: f64,
    deviation: f64,
    batches: u64,
    detector: Option<EDetector>,
    since: u64,
    last: f64,
}

impl PastGauges {
    pub(super) fn observe(&mut self, value: f64, settings: &Settings) {
        let value = value.clamp(-LEVEL_MAX, LEVEL_MAX);
        self.last = value;
        if self.batches < settings.learning_batches {
            self.batches += 1;
            self.learn(value);
            return;
        }
        let scale = self.deviation.max(STILL * self.level.abs());
        let above = (value - self.level).max(0.0);
        let detector = self.detector.get_or_insert_with(|| EDetector::new(1.0, RESIDUAL_MEAN));
        // What never moved and then does is as far off as anything can be.
        detector.observe(if above > 0.0 { (above / scale / SCALE).min(1.0) } else { 0.0 });
        self.since += 1;
        self.follow(value, scale);
    }

    /// The first ones: plain means.
    fn learn(&mut self, value: f64) {
        if self.batches > 1 {
            let off = (value - self.level).abs() / NORMAL;
            self.deviation += (off - self.deviation) / float(self.batches - 1);
        }
        self.level += (value - self.level) / float(self.batches);
    }

    fn follow(&mut self, value: f64, scale: f64) {
        let off = value - self.level;
        let reach = if scale > 0.0 { CLIP * scale } else { off.abs() };
        let off = off.clamp(-reach, reach);
        self.level += FOLLOW * off;
        self.deviation += FOLLOW * (off.abs() / NORMAL - self.deviation);
    }

    pub(super) fn restart(&mut self) {
        if let Some(detector) = &mut self.detector {
            detector.reset();
        }
        self.since = 0;
    }

    pub(super) fn value(&self) -> f64 {
        self.detector.as_ref().map_or(0.0, EDetector::value)
    }

    pub(super) fn since(&self) -> u64 {
        self.since
    }

    /// The last level and the usual one.
    pub(super) fn seen(&self) -> (f64, f64) {
        (self.last, self.level)
    }
}

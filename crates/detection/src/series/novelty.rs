//! How unusual a value is, from 0 to 1: nine views of it, each held against its own past.
//!
//! Far above the level, far below it, a large step, unlike this time of day, unlike this time of
//! day for a while, two means that moved away from the long one, values that are rare at this time
//! of day, and not what the last values let expect. How rare a view's number is among its own past
//! makes the views comparable; together they count as the 5/2-norm of their surprises: between
//! the largest alone and their sum. What was said once stays in mind, so that one episode is not
//! told again with every value.
//!
//! What this does not do: keep a rate of false alarms. It opens tickets and is never a reason to
//! roll back; see `alarm` for the detector that keeps one.
//!
//! The numbers below were chosen on half of the files of the Numenta Anomaly Benchmark; see
//! docs/evaluation/nab.md.

use serde::{Deserialize, Serialize};

use super::habit::Habit;
use super::histogram::{Counted, Histogram};
use super::lags::Lags;
use super::level::{Level, in_units};
use super::season::Season;

/// Views of a value, and how much each counts.
const WEIGHTS: [f64; 9] = [0.4, 0.45, 0.53, 0.87, 0.5, 0.99, 0.77, 1.0, 0.8];
/// One view counts for at most so many powers of ten.
const SURPRISE_MAX: f64 = 14.0;
/// The surprise that has the score one half: between the best thresholds of the standard profile
/// and of the one with few false alarms, on the half of the benchmark that was used.
const SURPRISE_HALF: f64 = 3.9;

/// How fast the level, the long mean, and the two shorter means follow.
const LEVEL_RATE: f64 = 0.0023;
const LONG_RATE: f64 = 0.0034;
const MIDDLE_RATE: f64 = 0.03;
const SLOW_RATE: f64 = 0.012;
/// How fast what is rare at this time of day is averaged.
const HABIT_RATE: f64 = 0.104;
/// Day by day a value varies by at least this share of the spread of all.
const SEASON_UNIT: f64 = 0.12;
/// Residuals move means as if they were at most this many spreads.
const CLIP: f64 = 8.0;

/// What surprised stays in mind: a share of it is gone with each value, half in 290 values.
const HOLD: f64 = 0.9976;
/// What surprises less than what is in mind has this share of its score; below one half.
const SHADOW: f64 = 0.4;
/// Values before views are counted.
const WARM: u32 = 20;

/// The state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Novelty {
    level: Level,
    season: Season,
    habit: Habit,
    lags: Lags,
    histograms: [Histogram; WEIGHTS.len()],
    means: Means,
    last: Option<f64>,
    held: f64,
    seen: u32,
}

/// Means of residuals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Means {
    long: f64,
    middle: f64,
    slow: f64,
    /// Of the residual from the time of day.
    season: f64,
    /// Of how rare values are at their time of day.
    habit: f64,
}

impl Default for Novelty {
    fn default() -> Self {
        Self {
            level: Level::default(),
            season: Season::default(),
            habit: Habit::default(),
            lags: Lags::default(),
            histograms: std::array::from_fn(|_| Histogram::default()),
            means: Means::default(),
            last: None,
            held: 0.0,
            seen: 0,
        }
    }
}

impl Novelty {
    /// Scores a finite value from what came before it, and takes it.
    pub(super) fn observe(&mut self, at_ms: i64, value: f64) -> f64 {
        self.seen = self.seen.saturating_add(1);
        let views = self.views(at_ms, value);
        let counted = if self.seen > WARM { Counted::Yes } else { Counted::No };
        let mut sum = 0.0;
        for ((histogram, view), weight) in self.histograms.iter_mut().zip(views).zip(WEIGHTS) {
            let part = weight * histogram.surprise(view, counted).min(SURPRISE_MAX);
            sum += part * part * part.sqrt();
        }
        self.level.observe(value, LEVEL_RATE);
        self.season.observe(at_ms, value);
        self.last = Some(value);
        self.hold(sum.powf(0.4))
    }

    /// What is usual at each time of day.
    pub(super) fn season(&self) -> &Season {
        &self.season
    }

    /// Whether a stored one is well formed.
    pub(super) fn is_sound(&self) -> bool {
        self.season.is_sound() && self.habit.is_sound() && self.histograms.iter().all(Histogram::is_sound)
    }

    /// The number of each view, at least 0, in the order of [`WEIGHTS`].
    fn views(&mut self, at_ms: i64, value: f64) -> [f64; WEIGHTS.len()] {
        let unit = self.level.unit();
        let residual = self.level.residual(value);
        let step = self.last.map_or(0.0, |last| in_units(value - last, unit));
        let usual = self.season.usual(at_ms);
        let seasonal = usual.map(|usual| usual.residual(value, SEASON_UNIT * unit));
        let clipped = residual.clamp(-CLIP, CLIP);
        let unexpected = self.lags.observe(clipped) + (residual - clipped).abs();
        let rare = self.habit.observe(at_ms, residual);

        let means = &mut self.means;
        let first = 1.0 / f64::from(self.seen);
        follow(&mut means.long, clipped, LONG_RATE.max(first));
        follow(&mut means.middle, clipped, MIDDLE_RATE.max(first));
        follow(&mut means.slow, clipped, SLOW_RATE.max(first));
        follow(&mut means.season, seasonal.unwrap_or(residual).clamp(-CLIP, CLIP), MIDDLE_RATE);
        follow(&mut means.habit, rare, HABIT_RATE);
        [
            residual.max(0.0),
            (-residual).max(0.0),
            step.abs(),
            seasonal.map_or(0.0, f64::abs),
            seasonal.map_or(0.0, |_| means.season.abs()),
            (means.middle - means.long).abs(),
            (means.slow - means.long).abs(),
            means.habit,
            unexpected,
        ]
    }

    /// The score, and what stays in mind of it.
    fn hold(&mut self, surprise: f64) -> f64 {
        let score = surprise / (surprise + SURPRISE_HALF);
        self.held *= HOLD;
        if surprise > self.held {
            self.held = surprise;
            score
        } else {
            SHADOW * score
        }
    }
}

fn follow(mean: &mut f64, number: f64, rate: f64) {
    *mean += rate * (number - *mean);
}

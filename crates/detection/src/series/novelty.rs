//! How unusual a value is, from 0 to 1: four views of it, each held against its own past.
//!
//! Unlike this time of day, a short mean that moved away from the long one, a stretch of values that
//! are rare at this time of day, and not what the last values let expect. How rare a view's number
//! is among those it remembers makes the views comparable; together they count as the 7/2-norm of
//! their surprises: a little more than the largest alone.
//!
//! The score is one half where a value surprises a little more than what comes once in all that is
//! remembered. The more is remembered, the more that takes, so that a long series has not many
//! times the novelties of a short one. What was said once stays in mind, so that one episode is not
//! told again with every value.
//!
//! What this does not do: keep a rate of false alarms. It opens tickets and is never a reason to
//! roll back; see `alarm` for the detector that keeps one.
//!
//! The numbers below were chosen on half of the series of the Numenta Anomaly Benchmark; see
//! docs/evaluation/nab.md, also for how much they matter.

use serde::{Deserialize, Serialize};

use super::habit::Habit;
use super::histogram::Histogram;
use super::lags::Lags;
use super::level::Level;
use super::season::Season;

/// Views of a value.
const VIEWS: usize = 4;
/// One view counts for at most so many powers of ten.
const SURPRISE_MAX: f64 = 14.0;

/// How fast the level follows, and the long and the short mean of the residuals from it.
const LEVEL_RATE: f64 = 0.002;
const LONG_RATE: f64 = 0.003;
const SHORT_RATE: f64 = 0.03;
/// How fast what is rare at this time of day is averaged.
const HABIT_RATE: f64 = 0.15;
/// Day by day a value varies by at least this share of the spread of all.
const SEASON_UNIT: f64 = 0.1;
/// Residuals move means as if they were at most this many spreads.
const CLIP: f64 = 8.0;

/// What surprised stays in mind: it fades to a third in this share of what is remembered.
const HELD_SHARE: f64 = 0.1;
/// What is told again is so many times as surprising as what is in mind.
const HELD_TIMES: f64 = 1.2;
/// At most so many powers of ten beyond what has the score one half stay in mind: after a giant, the
/// series is not deaf for long.
const HELD_BEYOND: f64 = 2.0;
/// What surprises less than what is in mind has this share of its score; below one half.
const SHADOW: f64 = 0.4;
/// Values before views are counted.
const WARM: u32 = 20;
/// At least so many values are taken to be remembered: what is new to a young series is much.
const REMEMBERED_MIN: u32 = 400;
/// What has the score one half is so many powers of ten rarer than what comes once in all that is
/// remembered: rarer by a quarter.
const BEYOND_ONCE: f64 = 0.1;

/// The state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Novelty {
    level: Level,
    season: Season,
    habit: Habit,
    lags: Lags,
    histograms: [Histogram; VIEWS],
    means: Means,
    held: f64,
    seen: u32,
}

/// Means that follow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Means {
    /// Of residuals from the level.
    long: f64,
    short: f64,
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
        let surprise = if self.seen > WARM { self.surprise(views) } else { 0.0 };
        self.level.observe(value, LEVEL_RATE);
        self.season.observe(at_ms, value);
        self.hold(surprise)
    }

    /// What is usual at each time of day.
    pub(super) fn season(&self) -> &Season {
        &self.season
    }

    /// Whether a stored one is well formed.
    pub(super) fn is_sound(&self) -> bool {
        self.season.is_sound() && self.habit.is_sound() && self.histograms.iter().all(Histogram::is_sound)
    }

    /// The number of each view, at least 0; `None` where the time of day is not known yet.
    fn views(&mut self, at_ms: i64, value: f64) -> [Option<f64>; VIEWS] {
        let residual = self.level.residual(value);
        let unit_min = SEASON_UNIT * self.level.unit();
        let seasonal = self.season.usual(at_ms).map(|usual| usual.residual(value, unit_min).abs());
        let clipped = residual.clamp(-CLIP, CLIP);
        let unexpected = self.lags.observe(clipped) + (residual - clipped).abs();
        let rare = self.habit.observe(at_ms, residual);

        let means = &mut self.means;
        let first = 1.0 / f64::from(self.seen);
        follow(&mut means.long, clipped, LONG_RATE.max(first));
        follow(&mut means.short, clipped, SHORT_RATE.max(first));
        follow(&mut means.habit, rare, HABIT_RATE);
        [seasonal, Some((means.short - means.long).abs()), Some(means.habit), Some(unexpected)]
    }

    /// How many powers of ten rarer than common the views are together; counts them.
    fn surprise(&mut self, views: [Option<f64>; VIEWS]) -> f64 {
        let mut sum = 0.0;
        for (histogram, view) in self.histograms.iter_mut().zip(views) {
            let part = view.map_or(0.0, |view| histogram.surprise(view).min(SURPRISE_MAX));
            sum += part.powi(3) * part.sqrt();
        }
        sum.powf(2.0 / 7.0)
    }

    /// The score, and what stays in mind of it.
    fn hold(&mut self, surprise: f64) -> f64 {
        let counted = self.histograms.iter().map(Histogram::total).max().unwrap_or_default();
        let remembered = f64::from(counted.max(REMEMBERED_MIN));
        let half = remembered.log10() + BEYOND_ONCE;
        let score = surprise / (surprise + half);
        self.held *= 1.0 - 1.0 / (HELD_SHARE * remembered);
        if surprise <= self.held {
            return SHADOW * score;
        }
        self.held = if surprise < half { surprise } else { HELD_TIMES * surprise.min(half + HELD_BEYOND) };
        score
    }
}

fn follow(mean: &mut f64, number: f64, rate: f64) {
    *mean += rate * (number - *mean);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: f64 = 2.602_059_991_327_962 + BEYOND_ONCE;

    #[test]
    fn one_half_is_a_quarter_rarer_than_what_comes_once_in_400() {
        let check = |surprise: f64, expected: f64| {
            let score = Novelty::default().hold(surprise);
            assert!((score - expected).abs() < 1e-12, "{surprise}: {score}");
        };
        check(0.0, 0.0);
        check(HALF, 0.5);
        check(3.0 * HALF, 0.75);
    }

    #[test]
    fn what_was_told_is_told_again_when_it_is_a_fifth_more_or_has_faded() {
        let mut novelty = Novelty::default();
        assert!(novelty.hold(1.01 * HALF) >= 0.5);
        assert!(novelty.hold(1.1 * HALF) < SHADOW);
        assert!(novelty.hold(1.3 * HALF) >= 0.5);
        let quiet = (0..400).take_while(|_| novelty.hold(HALF) < 0.5).count();
        assert!((15..25).contains(&quiet), "{quiet}");
    }

    #[test]
    fn after_a_giant_a_series_is_not_deaf_for_long() {
        let mut novelty = Novelty::default();
        assert!(novelty.hold(20.0) > 0.8);
        let quiet = (0..400).take_while(|_| novelty.hold(HALF) < 0.5).count();
        assert!((20..40).contains(&quiet), "{quiet}");
    }
}

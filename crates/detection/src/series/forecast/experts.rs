//! Four ways to forecast, none of which is the best for every series.
//!
//! The last value; a moving average; the value a season ago, moved by how the level has changed
//! since; damped Holt–Winters. Without a season, or before one was seen whole, the seasonal ones
//! answer as the moving average does.

use serde::{Deserialize, Serialize};

use super::holt_winters::{HoltWinters, Smoothing};

/// How many there are.
pub(super) const EXPERTS: usize = 4;

/// How fast the moving average follows.
const AVERAGE_RATE: f64 = 0.3;
/// How fast the change of level since a season ago is followed.
const SHIFT_RATE: f64 = 0.1;

/// What they remember.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Experts {
    /// Steps in a season; 0 where there is none.
    season: u16,
    last: f64,
    average: f64,
    seen: u32,
    /// The last season's values, as a ring.
    values: Vec<f32>,
    /// Where the value a season ago is; the next one replaces it.
    next: u16,
    /// How much higher the series is than a season ago.
    shift: f64,
    smooth: Option<HoltWinters>,
}

impl Experts {
    pub(super) fn new(season: u16) -> Self {
        let values = Vec::new();
        Self { season, last: 0.0, average: 0.0, seen: 0, values, next: 0, shift: 0.0, smooth: None }
    }

    /// Each one's forecast so many steps ahead, at least 1; `None` before the first value.
    pub(super) fn ahead(&self, steps: u16) -> Option<[f64; EXPERTS]> {
        if self.seen == 0 {
            return None;
        }
        let seasonal = self.season_ago(steps).map_or(self.average, |value| value + self.shift);
        let smooth = self.smooth.as_ref();
        let smooth = smooth.map_or(self.average, |smooth| smooth.ahead(steps, &Smoothing::default()));
        Some([self.last, self.average, seasonal, smooth])
    }

    /// The value a season before the one so many steps ahead.
    fn season_ago(&self, steps: u16) -> Option<f64> {
        if self.season == 0 || self.values.len() < usize::from(self.season) {
            return None;
        }
        let at = (usize::from(self.next) + usize::from(steps.max(1)) - 1) % self.values.len();
        self.values.get(at).map(|value| f64::from(*value))
    }

    /// Takes the next value; errors count as at most `clip` where they would mislead.
    pub(super) fn observe(&mut self, value: f64, clip: f64) {
        self.seen = self.seen.saturating_add(1);
        self.last = value;
        let rate = AVERAGE_RATE.max(1.0 / f64::from(self.seen));
        self.average += rate * (value - self.average);
        if let Some(before) = self.season_ago(1) {
            let change = value - before - self.shift;
            self.shift += SHIFT_RATE * change.clamp(-clip, clip);
        }
        match &mut self.smooth {
            Some(smooth) => smooth.observe(value, clip, &Smoothing::default()),
            None if self.season == 0 => self.smooth = Some(HoltWinters::new(value, 0.0, Vec::new())),
            None => {}
        }
        self.remember(value);
    }

    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough of a season ago")]
    fn remember(&mut self, value: f64) {
        let season = usize::from(self.season);
        if season == 0 {
            return;
        }
        if self.values.len() < season {
            self.values.push(value as f32);
            if self.values.len() == season {
                self.start_smooth();
            }
            return;
        }
        if let Some(kept) = self.values.get_mut(usize::from(self.next)) {
            *kept = value as f32;
        }
        self.next = (self.next + 1) % self.season;
    }

    /// A season was seen whole. Each step starts as the median of itself and its neighbours, so
    /// that a single spike of the first season is not expected in the second.
    fn start_smooth(&mut self) {
        let values: Vec<f64> = self.values.iter().map(|value| f64::from(*value)).collect();
        let mean = values.iter().sum::<f64>() / f64::from(self.season);
        let around = |at: usize| values.get(at % values.len()).copied().unwrap_or(mean);
        let steps = 0..values.len();
        let season = steps.map(|at| median(around(at + values.len() - 1), around(at), around(at + 1)) - mean);
        self.smooth = Some(HoltWinters::new(mean, 0.0, season.collect()));
    }

    pub(super) fn is_sound(&self) -> bool {
        let numbers = [self.last, self.average, self.shift];
        self.season <= super::SEASON_STEPS_MAX
            && self.values.len() <= usize::from(self.season)
            && numbers.iter().all(|number| number.is_finite())
            && self.values.iter().all(|value| value.is_finite())
            && self.smooth.as_ref().is_none_or(HoltWinters::is_sound)
    }
}

fn median(one: f64, two: f64, three: f64) -> f64 {
    one.min(two).max(one.max(two).min(three))
}

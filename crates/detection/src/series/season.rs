//! What is usual at this time of day: 48 half-hours, each with a level and a spread of its own.
//!
//! What this does not do: weeks and holidays. Invariant: a bin that was not seen on two days
//! says nothing.

use serde::{Deserialize, Serialize};

use super::level::in_units;

/// Half-hours of a day.
const BINS: usize = 48;
const DAY_MS: i64 = 86_400_000;
/// A bin speaks after it was visited on so many days.
const DAYS_MIN: u8 = 2;
/// A day weighs so much of what is usual in its bin.
const RATE: f64 = 0.21;
/// No half-hour varies by less than this share of its level from day to day.
const SPREAD_MIN: f64 = 1e-3;
/// A deviation moves a bin as if it were at most this many spreads.
const CLIP: f64 = 3.0;

/// The usual values of a day; the mean of a visit moves its bin when the visit is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Season {
    centers: Vec<f64>,
    spreads: Vec<f64>,
    days: Vec<u8>,
    /// Over the whole day, once all of it is known.
    mean: Option<f64>,
    /// The bin that is being visited, and the sum and number of its values so far.
    visit: u8,
    sum: f64,
    count: u32,
}

impl Default for Season {
    fn default() -> Self {
        Self {
            centers: vec![0.0; BINS],
            spreads: vec![0.0; BINS],
            days: vec![0; BINS],
            mean: None,
            visit: 0,
            sum: 0.0,
            count: 0,
        }
    }
}

/// What is usual at a time of day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    /// The level then.
    pub(super) center: f64,
    /// The mean absolute deviation from it, day by day.
    pub(super) spread: f64,
}

impl Season {
    /// What is usual at this time, if it is known.
    pub(super) fn usual(&self, at_ms: i64) -> Option<Usual> {
        let bin = bin(at_ms);
        if self.days.get(bin).copied().unwrap_or_default() < DAYS_MIN {
            return None;
        }
        Some(Usual { center: *self.centers.get(bin)?, spread: *self.spreads.get(bin)? })
    }

    /// Takes a finite value.
    pub(super) fn observe(&mut self, at_ms: i64, value: f64) {
        let bin = bin(at_ms);
        if usize::from(self.visit) != bin {
            self.leave();
            self.mean = self.day_mean();
            self.visit = u8::try_from(bin).unwrap_or_default();
        }
        self.sum += value;
        self.count = self.count.saturating_add(1);
    }

    /// The visit is over.
    fn leave(&mut self) {
        let bin = usize::from(self.visit);
        let (sum, count) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.count));
        let (Some(center), Some(spread), Some(days)) =
            (self.centers.get_mut(bin), self.spreads.get_mut(bin), self.days.get_mut(bin))
        else {
            return;
        };
        if count == 0 {
            return;
        }
        let mean = sum / f64::from(count);
        *days = days.saturating_add(1);
        let rate = RATE.max(1.0 / f64::from(*days));
        if *days == 1 {
            *center = mean;
            return;
        }
        let deviation = mean - *center;
        let clip = if *days < 4 { f64::INFINITY } else { CLIP * spread.max(SPREAD_MIN * center.abs()) };
        *center += rate * deviation.clamp(-clip, clip);
        *spread += rate * (deviation.abs().min(clip) - *spread);
    }

    /// How much higher than over the whole day it usually is at this time; 0 until a whole day is
    /// known, so that what it is taken off does not jump half-hour by half-hour.
    pub(super) fn offset(&self, at_ms: i64) -> f64 {
        let (Some(mean), Some(center)) = (self.mean, self.centers.get(bin(at_ms))) else { return 0.0 };
        center - mean
    }

    /// Over the whole day, once all of it is known.
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    fn day_mean(&self) -> Option<f64> {
        let known = self.days.iter().all(|days| *days >= DAYS_MIN);
        known.then(|| self.centers.iter().sum::<f64>() / BINS as f64)
    }

    /// Whether a stored one is well formed.
    pub(super) fn is_sound(&self) -> bool {
        let lengths = [self.centers.len(), self.spreads.len(), self.days.len()];
        lengths == [BINS; 3] && usize::from(self.visit) < BINS
    }
}

impl Usual {
    /// How far a value is from what is usual, in units of at least `unit_min`.
    pub(super) fn residual(self, value: f64, unit_min: f64) -> f64 {
        in_units(value - self.center, self.spread.max(unit_min))
    }
}

fn bin(at_ms: i64) -> usize {
    usize::try_from(at_ms.rem_euclid(DAY_MS) * 48 / DAY_MS).unwrap_or_default()
}

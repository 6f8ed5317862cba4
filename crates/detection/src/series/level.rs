//! Level and spread of a series, neither led astray by a few wild values: the robust EWMA.
//!
//! Residuals are clipped before they move the level (Huber) and the spread, so that an outage
//! does not become what is usual before it has lasted.
//!
//! What this does not do: know the time of day; see `season`.

use serde::{Deserialize, Serialize};

/// A residual moves the level as if it were at most this many spreads.
const LEVEL_CLIP: f64 = 3.0;
/// A residual moves the spread as if it were at most this many spreads.
const SPREAD_CLIP: f64 = 4.0;
/// No spread is below this share of the values' size, so that a constant series has residuals.
const SPREAD_MIN: f64 = 1e-6;
/// No residual is larger.
pub(super) const RESIDUAL_MAX: f64 = 1e6;

/// The state: three numbers, in the values' unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Level {
    center: f64,
    /// Mean absolute deviation from the center.
    spread: f64,
    /// How large values are.
    size: f64,
    seen: u32,
}

impl Level {
    /// How far the value is from the level, in spreads; 0 before anything was seen.
    pub(super) fn residual(&self, value: f64) -> f64 {
        if self.seen == 0 {
            return 0.0;
        }
        in_units(value - self.center, self.unit())
    }

    /// One spread in the values' unit; 0 when every value was 0.
    pub(super) fn unit(&self) -> f64 {
        self.spread.max(SPREAD_MIN * self.size)
    }

    /// Takes a finite value. `rate`, 0 to 1, is the weight of a new value when many were seen.
    pub(super) fn observe(&mut self, value: f64, rate: f64) {
        self.seen = self.seen.saturating_add(1);
        // The first ones are averaged, all alike.
        let rate = rate.max(1.0 / f64::from(self.seen));
        self.size += rate * (value.abs() - self.size);
        if self.seen == 1 {
            self.center = value;
            return;
        }
        let unit = self.unit();
        let deviation = value - self.center;
        // The second value is the first that tells of the spread.
        let (center_clip, spread_clip) = if self.seen < 8 {
            (f64::INFINITY, f64::INFINITY)
        } else {
            (LEVEL_CLIP * unit, SPREAD_CLIP * unit)
        };
        self.center += rate * deviation.clamp(-center_clip, center_clip);
        self.spread += rate * (deviation.abs().min(spread_clip) - self.spread);
    }
}

/// A deviation in units, finite whatever the unit.
pub(super) fn in_units(deviation: f64, unit: f64) -> f64 {
    if deviation == 0.0 {
        return 0.0;
    }
    let residual = deviation / unit;
    if residual.is_nan() { 0.0 } else { residual.clamp(-RESIDUAL_MAX, RESIDUAL_MAX) }
}

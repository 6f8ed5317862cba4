//! What a series will be some steps ahead, and what it will be at most.
//!
//! A mix of experts (`experts`), each weighed by how well it did at this very distance (Hedge with
//! a fixed share, Herbster and Warmuth 1998), and an upper bound by quantile tracking: a miss
//! raises it, each step without one lowers it, so that the share of misses is the stated one
//! whatever the series does (Gibbs and Candès 2021; Angelopoulos, Candès and Tibshirani 2023).
//!
//! What this does not do: know times. Values come at equal steps, the caller averages or repeats
//! what does not; no decision to scale follows from it alone (see [`replicas`]).
//!
//! Invariants: the state is bounded ([`Forecast::BYTES_MAX`]); a forecast uses what came before
//! only; no finite input gives NaN or infinity.

mod experts;
mod holt_winters;

pub use holt_winters::{HoltWinters, Smoothing};

use serde::{Deserialize, Serialize};

use crate::stored::{self, Packed, StoredError};
use experts::{EXPERTS, Experts};

/// The stored form's version.
const SCHEMA: u32 = 1;
/// What it is called in an error.
const WHAT: &str = "the forecast";
/// A season has at most so many steps: a day in steps of five minutes.
pub const SEASON_STEPS_MAX: u16 = 288;
/// A forecast reaches at most so many steps: an hour in steps of five minutes.
pub const AHEAD_STEPS_MAX: u16 = 12;
/// The share of values that may lie above the upper bound.
pub const MISS_SHARE: f64 = 0.05;
/// Of its capacity, this share of a replica is planned for.
pub const LOAD_SHARE: f64 = 0.7;

/// How fast weights follow losses. Forecasts further ahead overlap, and so do their losses: the
/// rate is divided by the root of the distance.
const ETA: f64 = 0.1;
/// So much of all weights is shared out again at a step in which the experts' losses differed, so
/// that no expert is lost for good. Where they were equal nothing was learned, and nothing is
/// shared.
const SHARE: f64 = 0.001;
/// How fast the scale of errors follows.
const SCALE_RATE: f64 = 0.02;
/// How far a miss raises the bound, in scales.
const BOUND_RATE: f64 = 0.2;
/// The bound in scales at the start: about the 95th percentile of normal errors.
const BOUND_START: f64 = 2.0;
/// An error moves the experts as if it were at most so many scales.
const CLIP: f64 = 4.0;
/// One loss counts for at most so many scales.
const LOSS_MAX: f64 = 100.0;
/// Values are taken to be at most this far from 0: what is kept of a season has this range.
const VALUE_MAX: f64 = 1e37;

/// What is said of the value at the distance of a [`Forecast`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// The expected value, in the values' unit.
    pub expected: f64,
    /// It will be at most this, but for [`MISS_SHARE`] of the times.
    pub upper: f64,
}

/// A forecast that was made and whose value has not come yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Pending {
    experts: [f32; EXPERTS],
    upper: f64,
}

/// The state of the forecast of one series at one distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    ahead: u16,
    experts: Experts,
    weights: [f64; EXPERTS],
    /// Forecasts on their way, the oldest first.
    pending: Vec<Pending>,
    /// The usual size of an error, at this distance.
    scale: f64,
    /// The usual size of an error of the next value.
    step_scale: f64,
    /// The bound above the forecast, in scales.
    bound: f64,
    judged: u32,
}

impl Forecast {
    /// The stored state is never longer, in bytes.
    pub const BYTES_MAX: usize = 4096;

    /// Nothing seen yet. `ahead` is the distance in steps, 1 to [`AHEAD_STEPS_MAX`]; `season` is
    /// its length in steps, at most [`SEASON_STEPS_MAX`]; below 2, or above the most, there is
    /// none.
    pub fn new(ahead: u16, season: u16) -> Self {
        let season = if (2..=SEASON_STEPS_MAX).contains(&season) { season } else { 0 };
        Self {
            ahead: ahead.clamp(1, AHEAD_STEPS_MAX),
            experts: Experts::new(season),
            weights: [1.0 / EXPERTS as f64; EXPERTS],
            pending: Vec::new(),
            scale: 0.0,
            step_scale: 0.0,
            bound: BOUND_START,
            judged: 0,
        }
    }

    /// Reads a stored state.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let state: Self = stored::unpack(WHAT, SCHEMA, bytes)?;
        if state.is_sound() { Ok(state) } else { Err(StoredError::Damaged { what: WHAT }) }
    }

    /// The stored form, at most [`Forecast::BYTES_MAX`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        stored::pack(SCHEMA, self)
    }

    /// Takes the value of the next step; one that is not finite counts as the last one again.
    pub fn observe(&mut self, value: f64) {
        let last = self.experts.ahead(1).map_or(0.0, |[last, ..]| last);
        let value = if value.is_finite() { value.clamp(-VALUE_MAX, VALUE_MAX) } else { last };
        if self.pending.len() >= usize::from(self.ahead) {
            let pending = self.pending.remove(0);
            self.judge(pending, value);
        }
        if let Some([last, ..]) = self.experts.ahead(1) {
            self.step_scale = follow(self.step_scale, (value - last).abs(), self.judged);
        }
        let clip = if self.judged < 8 { f64::INFINITY } else { CLIP * self.step_scale };
        self.experts.observe(value, clip);
        if let (Some(experts), Some(outlook)) = (self.experts.ahead(self.ahead), self.outlook()) {
            #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough of a loss")]
            let experts = experts.map(|forecast| forecast as f32);
            self.pending.push(Pending { experts, upper: outlook.upper });
        }
    }

    /// The forecast at this distance; `None` before the first value.
    pub fn outlook(&self) -> Option<Outlook> {
        let experts = self.experts.ahead(self.ahead)?;
        let expected = experts.iter().zip(self.weights).map(|(forecast, weight)| forecast * weight).sum();
        Some(Outlook { expected, upper: expected + self.bound * self.scale })
    }

    /// Each expert's forecast, for reports: last value, moving average, season ago, Holt–Winters.
    pub fn experts(&self) -> Option<[f64; EXPERTS]> {
        self.experts.ahead(self.ahead)
    }

    /// How many forecasts were held against what came.
    pub fn judged(&self) -> u32 {
        self.judged
    }

    fn judge(&mut self, pending: Pending, value: f64) {
        let errors = pending.experts.map(|forecast| (value - f64::from(forecast)).abs());
        let mixed: f64 = errors.iter().zip(self.weights).map(|(error, weight)| error * weight).sum();
        if self.judged > 0 {
            let missed = if value > pending.upper { 1.0 } else { 0.0 };
            self.bound += BOUND_RATE * (missed - MISS_SHARE);
        }
        self.scale = follow(self.scale, mixed, self.judged);
        self.judged = self.judged.saturating_add(1);
        self.weigh(errors);
    }

    fn weigh(&mut self, errors: [f64; EXPERTS]) {
        if self.scale <= 0.0 {
            return;
        }
        let losses = errors.map(|error| (error / self.scale).min(LOSS_MAX));
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let most = losses.iter().copied().fold(0.0, f64::max);
        let eta = ETA / f64::from(self.ahead).sqrt();
        for (weight, loss) in self.weights.iter_mut().zip(losses) {
            *weight *= (-eta * (loss - least)).exp();
        }
        let sum: f64 = self.weights.iter().sum();
        let share = SHARE * (most - least).min(1.0);
        for weight in &mut self.weights {
            *weight = (1.0 - share) * *weight / sum + share / EXPERTS as f64;
        }
    }

    fn is_sound(&self) -> bool {
        let numbers = [self.scale, self.step_scale, self.bound];
        (1..=AHEAD_STEPS_MAX).contains(&self.ahead)
            && self.pending.len() <= usize::from(self.ahead)
            && numbers.iter().chain(&self.weights).all(|number| number.is_finite())
            && self.experts.is_sound()
    }
}

impl Packed for Forecast {
    fn packed(&self) -> Vec<u8> {
        self.encode()
    }

    fn unpacked(bytes: &[u8]) -> Result<Self, StoredError> {
        Self::decode(bytes)
    }
}

/// A mean that follows; the first ones count alike.
fn follow(mean: f64, number: f64, seen: u32) -> f64 {
    mean + SCALE_RATE.max(1.0 / (1.0 + f64::from(seen))) * (number - mean)
}

/// How many replicas carry a load of at most `upper` when one carries `capacity` (the same unit,
/// above 0) at full load and is planned for [`LOAD_SHARE`] of it; at least 1. `None` when either
/// is not a number, or no such number of replicas can be had.
pub fn replicas(upper: f64, capacity: f64) -> Option<u32> {
    let wanted = (upper.max(0.0) / (capacity * LOAD_SHARE)).ceil();
    let fits = capacity > 0.0 && upper.is_finite() && wanted <= f64::from(u32::MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range of u32")]
    fits.then(|| (wanted as u32).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_carry_the_bound_at_their_planned_load() {
        let check = |upper, capacity, expected| assert_eq!(replicas(upper, capacity), expected);
        check(100.0, 10.0, Some(15));
        check(70.0, 100.0, Some(1));
        check(71.0, 100.0, Some(2));
        check(0.0, 100.0, Some(1));
        check(-5.0, 100.0, Some(1));
        check(100.0, 0.0, None);
        check(f64::NAN, 10.0, None);
        check(f64::INFINITY, 10.0, None);
        check(10.0, f64::NAN, None);
        check(1e300, 1e-300, None);
    }

    #[test]
    fn a_constant_series_is_forecast_as_it_is() {
        let mut forecast = Forecast::new(3, 4);
        for _ in 0..100 {
            forecast.observe(5.0);
        }
        let outlook = forecast.outlook();
        assert!(
            outlook
                .is_some_and(|outlook| (outlook.expected - 5.0).abs() < 1e-9 && outlook.upper >= 5.0 - 1e-9)
        );
    }

    #[test]
    fn a_season_is_known_the_second_time() {
        let mut forecast = Forecast::new(1, 24);
        for step in 0..24 * 40_u32 {
            forecast.observe(if step % 24 < 8 { 10.0 } else { 100.0 });
        }
        // The next step is the first of a night.
        let outlook = forecast.outlook();
        assert!(outlook.is_some_and(|outlook| outlook.expected < 20.0), "{outlook:?}");
    }
}

//! Damped Holt–Winters: level, trend that fades, and an additive season, one value at a time.
//!
//! The error form of additive exponential smoothing (Hyndman and Athanasopoulos, *Forecasting:
//! Principles and Practice*, 8.6), with the errors clipped so that an outage does not become the
//! trend. What this does not do: fit its parameters; [`Smoothing::default`] works for all.

use serde::{Deserialize, Serialize};

/// How fast each part follows; each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// The level.
    pub alpha: f64,
    /// The trend, as a share of `alpha`.
    pub beta: f64,
    /// The season.
    pub gamma: f64,
    /// The share of the trend that is left after each step.
    pub phi: f64,
}

impl Default for Smoothing {
    fn default() -> Self {
        Self { alpha: 0.2, beta: 0.01, gamma: 0.2, phi: 0.98 }
    }
}

/// The state: level, trend, and one number for each step of the season.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoltWinters {
    level: f64,
    trend: f64,
    season: Vec<f64>,
    /// Which step of the season is next.
    next: u16,
}

impl HoltWinters {
    /// Starts from a level, a trend (a step's change), and a season, none if it is empty.
    pub fn new(level: f64, trend: f64, season: Vec<f64>) -> Self {
        Self { level, trend, season, next: 0 }
    }

    /// The forecast so many steps ahead, at least 1.
    pub fn ahead(&self, steps: u16, smoothing: &Smoothing) -> f64 {
        let (mut fading, mut trend) = (self.trend, 0.0);
        for _ in 0..steps.max(1) {
            fading *= smoothing.phi;
            trend += fading;
        }
        self.level + trend + self.at(steps.max(1) - 1)
    }

    /// Takes the next value. An error counts as at most `clip`, in the values' unit.
    pub fn observe(&mut self, value: f64, clip: f64, smoothing: &Smoothing) {
        let error = (value - self.ahead(1, smoothing)).clamp(-clip, clip);
        self.level += smoothing.phi * self.trend + smoothing.alpha * error;
        self.trend = smoothing.phi * self.trend + smoothing.alpha * smoothing.beta * error;
        let next = usize::from(self.next);
        if let Some(season) = self.season.get_mut(next) {
            *season += smoothing.gamma * error;
        }
        let steps = u16::try_from(self.season.len()).unwrap_or(u16::MAX).max(1);
        self.next = (self.next + 1) % steps;
    }

    /// The season so many steps after the next.
    fn at(&self, steps: u16) -> f64 {
        let at = usize::from(self.next) + usize::from(steps);
        self.season.get(at % self.season.len().max(1)).copied().unwrap_or_default()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.level.is_finite() && self.trend.is_finite() && self.season.iter().all(|step| step.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers, equal to statsmodels' to 4e-15.
    #[test]
    fn it_forecasts_as_statsmodels_does() {
        let smoothing = Smoothing { alpha: 0.3, beta: 0.1, gamma: 0.2, phi: 0.95 };
        let mut model = HoltWinters::new(14.25, 0.5, vec![-4.25, -0.25, -6.25, 10.75]);
        let known = [
            (10.0, 10.475),
            (14.0, 14.770_212_5),
            (8.0, 8.933_024_568_75),
            (25.0, 26.000_708_025_728_123),
            (12.0, 10.907_186_725_499_404),
            (16.0, 15.493_739_938_288_082),
            (9.0, 9.929_348_098_727_022),
            (28.0, 26.910_998_484_791_165),
            (13.0, 12.852_731_674_306_995),
            (18.0, 17.001_518_227_901_47),
            (11.0, 11.276_746_682_720_148),
            (30.0, 28.856_568_199_413_687),
        ];
        for (value, expected) in known {
            let forecast = model.ahead(1, &smoothing);
            assert!((forecast - expected).abs() < 1e-9, "{forecast} for {expected}");
            model.observe(value, f64::INFINITY, &smoothing);
        }
    }

    #[test]
    fn a_trend_fades_with_the_distance() {
        let smoothing = Smoothing { phi: 0.5, ..Smoothing::default() };
        let model = HoltWinters::new(10.0, 4.0, Vec::new());
        for (steps, expected) in [(1, 12.0), (2, 13.0), (3, 13.5)] {
            assert!((model.ahead(steps, &smoothing) - expected).abs() < 1e-12);
        }
    }
}

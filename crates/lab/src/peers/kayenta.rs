//! Kayenta's `NetflixACAJudge` on one metric: a canary whose error share or latency has shifted
//! upwards, by the 98 % interval of the Hodges–Lehmann estimate, fails.
//!
//! *High* when the interval's lower end is above `tolerance` times the estimate's size and the
//! ratio of the means is at least `allowedIncrease` (defaults .25, .98, 1). Points of a minute,
//! judged at each interval on all since the start; a metric without data, and samples that are
//! equal, pass.
//!
//! Sees what a metric store gives it: one number a minute of each arm, as the mean or the p99 of
//! the minute's latencies, and never a single request.

use serde::Deserialize;

use super::mann_whitney::{clearly_above, shift};
use super::{Peer, Seen, Statistic, Window};
use crate::sim::Tick;

/// What a canary configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// How often it judges, seconds.
    pub interval_s: u32,
    /// Of the estimate; .25 by default.
    pub tolerance: f64,
    /// The normal quantile of the confidence level; 2.3263 for 98 %.
    pub quantile: f64,
    /// The least ratio of means that counts; 1 by default.
    pub allowed_increase: f64,
    /// What a point is.
    #[serde(default)]
    pub statistic: Statistic,
}

/// Seconds of one point of the metric.
const POINT_S: u32 = 60;

/// The rule in one life.
pub struct Kayenta<S> {
    setting: Setting,
    window: Window<S>,
    baseline: Vec<f64>,
    canary: Vec<f64>,
}

impl<S: Seen> Kayenta<S> {
    /// No point was seen.
    pub fn new(setting: Setting) -> Self {
        Self { setting, window: Window::new(POINT_S), baseline: Vec::new(), canary: Vec::new() }
    }
}

impl<S: Seen> Peer<S> for Kayenta<S> {
    fn look(&mut self, tick: &Tick<S>) -> bool {
        let Some((baseline, canary)) = self.window.take(tick) else { return false };
        // nanStrategy `none` makes a missing point 0.
        let point = |seen: S| seen.value(self.setting.statistic).unwrap_or(0.0);
        self.baseline.push(point(baseline));
        self.canary.push(point(canary));
        let judges = (tick.at_s + super::TICK_S) % i64::from(self.setting.interval_s).max(1) == 0;
        judges && is_high(&self.canary, &self.baseline, &self.setting)
    }
}

/// Whether the metric is classified as *High*.
pub fn is_high(canary: &[f64], baseline: &[f64], setting: &Setting) -> bool {
    let empty = canary.is_empty() || baseline.is_empty();
    if empty || canary == baseline || !clearly_above(canary, baseline, setting.quantile) {
        return false;
    }
    let shift = shift(canary, baseline, setting.quantile);
    let ratio = mean(canary) / mean(baseline);
    shift.low > setting.tolerance * shift.estimate.abs() && ratio >= setting.allowed_increase
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::slow;
    use super::*;

    const DEFAULT: Setting = Setting {
        interval_s: 300,
        tolerance: 0.25,
        quantile: 2.326_347_874_040_841,
        allowed_increase: 1.0,
        statistic: Statistic::ErrorShare,
    };

    fn check(canary: &[f64], baseline: &[f64], expected: bool) {
        assert_eq!(is_high(canary, baseline, &DEFAULT), expected, "{canary:?}");
    }

    /// spinnaker/spinnaker#6278: with seven of ten points a hundred times as large it passes, with
    /// the eighth it fails. spinnaker/kayenta#426: sparse errors over none pass.
    #[test]
    fn cases_from_its_issues_are_judged_as_reported_there() {
        let points =
            |large: usize| -> Vec<f64> { (0..10).map(|i| if i < large { 100.0 } else { 1.0 }).collect() };
        check(&points(7), &[1.0; 10], false);
        check(&points(8), &[1.0; 10], true);
        check(&[0.0, 1.0, 2.0, 1.0, 0.0, 0.0], &[0.0; 6], false);
    }

    #[test]
    fn no_data_and_equal_data_pass() {
        check(&[], &[1.0], false);
        check(&[1.0, 5.0], &[1.0, 5.0], false);
    }

    /// The ratio of means is 1.5: what is clear is called at the first look of five points, and
    /// not where an increase by a half is allowed.
    #[test]
    fn points_are_the_minutes_means() {
        let check = |allowed_increase: f64, expected: Option<i64>| {
            let setting = Setting { allowed_increase, statistic: Statistic::Mean, ..DEFAULT };
            assert_eq!(slow(&mut Kayenta::new(setting), &[50.0, 150.0], &[100.0, 200.0]), expected);
        };
        check(1.0, Some(300));
        check(1.51, None);
    }
}

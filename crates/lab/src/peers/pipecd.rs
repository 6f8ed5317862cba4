//! PipeCD's analysis stage: at each interval, on the points of that interval alone, one of its
//! strategies; the stage fails when more intervals failed than the limit allows (0 where nothing is
//! said).
//!
//! *threshold*: every point within the expected range. *canary-baseline* and *previous*: a
//! Mann–Whitney test at 5 % that the canary's points are higher, against the baseline's, or against
//! the deployment before at the same time since its start.

use serde::Deserialize;

use super::mann_whitney::{Alternative, p_value};
use super::{Peer, Window};
use crate::sim::counts::Tick;

/// What an analysis stage says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// `interval`, seconds.
    pub interval_s: u32,
    /// `failureLimit`.
    pub failure_limit: u32,
    /// `strategy`.
    pub strategy: Strategy,
    /// `expected.max` of the error share, for the threshold.
    #[serde(default)]
    pub error_max: f64,
}

/// What the canary is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// A fixed range.
    Threshold,
    /// The deployment before.
    Previous,
    /// The baseline at the same time.
    CanaryBaseline,
}

/// Its level; a constant there.
const ALPHA: f64 = 0.05;
/// Seconds of one point.
const POINT_S: u32 = 60;

/// The rule in one life.
pub struct Pipecd<'a> {
    setting: Setting,
    window: Window,
    earlier: Window,
    before: std::slice::Iter<'a, Tick>,
    canary: Vec<f64>,
    other: Vec<f64>,
    failed: u32,
}

impl<'a> Pipecd<'a> {
    /// `before` is the deployment before, from its history on, tick for tick as this one.
    pub fn new(setting: Setting, before: &'a [Tick]) -> Self {
        Self {
            setting,
            window: Window::new(POINT_S),
            earlier: Window::new(POINT_S),
            before: before.iter(),
            canary: Vec::new(),
            other: Vec::new(),
            failed: 0,
        }
    }

    fn fails(&self) -> bool {
        match self.setting.strategy {
            Strategy::Threshold => self.canary.iter().any(|point| *point > self.setting.error_max),
            Strategy::Previous | Strategy::CanaryBaseline => is_higher(&self.canary, &self.other),
        }
    }
}

/// Whether the deviation is significant. Where the test cannot be made (no data, all points equal)
/// the interval fails there too.
fn is_higher(canary: &[f64], other: &[f64]) -> bool {
    p_value(canary, other, Alternative::Greater).is_none_or(|p| p <= ALPHA)
}

impl Peer for Pipecd<'_> {
    fn look(&mut self, tick: &Tick) -> bool {
        let earlier = self.before.next().and_then(|before| self.earlier.take(before));
        let Some((baseline, canary)) = self.window.take(tick) else { return false };
        self.canary.push(canary.share());
        self.other.push(match (self.setting.strategy, earlier) {
            (Strategy::Previous, Some((_, before))) => before.share(),
            _ => baseline.share(),
        });
        if (tick.at_s + super::TICK_S) % i64::from(self.setting.interval_s).max(1) == 0 {
            self.failed += u32::from(self.fails());
            self.canary.clear();
            self.other.clear();
        }
        self.failed > self.setting.failure_limit
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::call;
    use super::*;

    /// The cases of its own `metrics_analyzer_test.go` for deviation HIGH, and no data.
    #[test]
    fn comparisons_are_those_that_it_publishes() {
        let (low, high) = ([0.1, 0.2, 0.3, 0.4, 0.5], [10.1, 10.2, 10.3, 10.4, 10.5]);
        assert!(!is_higher(&low, &low));
        assert!(!is_higher(&low, &high));
        assert!(is_higher(&high, &low));
        assert!(is_higher(&[], &low));
        assert!(is_higher(&[0.0; 5], &[0.0; 5]));
    }

    #[test]
    fn a_point_out_of_range_fails_the_threshold() {
        let setting =
            Setting { interval_s: 300, failure_limit: 0, strategy: Strategy::Threshold, error_max: 1.0 };
        assert_eq!(
            call(&mut Pipecd::new(Setting { error_max: 0.05, ..setting }, &[]), (0, 9), (1, 10)),
            Some(300)
        );
        assert_eq!(call(&mut Pipecd::new(setting, &[]), (0, 9), (1, 10)), None);
    }
}

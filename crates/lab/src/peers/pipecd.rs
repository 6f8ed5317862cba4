//! PipeCD's analysis stage: at each interval, on the points of that interval alone, one of its
//! strategies; the stage fails when more intervals failed than the limit allows (0 where nothing is
//! said).
//!
//! *threshold*: every point within the expected range. *canary-baseline* and *previous*: a
//! Mann–Whitney test at 5 % that the canary's points are higher, against the baseline's, or against
//! the deployment before at the same time since its start.
//!
//! Sees what its queries answer: one number a minute of each variant, as the mean or the p99 of the
//! minute's latencies. Its documentation has no number for latency.

use serde::Deserialize;

use super::mann_whitney::{Alternative, p_value};
use super::{Peer, Seen, Statistic, Window};
use crate::sim::Tick;

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
    /// What a point is.
    #[serde(default)]
    pub statistic: Statistic,
    /// `expected.max`, for the threshold.
    #[serde(default)]
    pub max: f64,
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
pub struct Pipecd<'a, S> {
    setting: Setting,
    window: Window<S>,
    earlier: Window<S>,
    before: std::slice::Iter<'a, Tick<S>>,
    canary: Vec<f64>,
    other: Vec<f64>,
    failed: u32,
}

impl<'a, S: Seen> Pipecd<'a, S> {
    /// `before` is the deployment before, from its history on, tick for tick as this one.
    pub fn new(setting: Setting, before: &'a [Tick<S>]) -> Self {
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
            Strategy::Threshold => self.canary.iter().any(|point| *point > self.setting.max),
            Strategy::Previous | Strategy::CanaryBaseline => is_higher(&self.canary, &self.other),
        }
    }
}

/// Whether the deviation is significant. Where the test cannot be made (no data, all points equal)
/// the interval fails there too.
fn is_higher(canary: &[f64], other: &[f64]) -> bool {
    p_value(canary, other, Alternative::Greater).is_none_or(|p| p <= ALPHA)
}

impl<S: Seen> Peer<S> for Pipecd<'_, S> {
    fn look(&mut self, tick: &Tick<S>) -> bool {
        let earlier = self.before.next().and_then(|before| self.earlier.take(before));
        let Some((baseline, canary)) = self.window.take(tick) else { return false };
        let other = match (self.setting.strategy, earlier) {
            (Strategy::Previous, Some((_, before))) => before,
            _ => baseline,
        };
        let point = |seen: S| seen.value(self.setting.statistic).unwrap_or(0.0);
        self.canary.push(point(canary));
        self.other.push(point(other));
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
    use super::super::testing::{call, slow};
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
        let setting = Setting {
            interval_s: 300,
            failure_limit: 0,
            strategy: Strategy::Threshold,
            statistic: Statistic::ErrorShare,
            max: 1.0,
        };
        assert_eq!(call(&mut Pipecd::new(Setting { max: 0.05, ..setting }, &[]), (0, 9), (1, 10)), Some(300));
        assert_eq!(call(&mut Pipecd::new(setting, &[]), (0, 9), (1, 10)), None);
    }

    /// Five points that are all higher: p = 1 in 252.
    #[test]
    fn a_canary_whose_minutes_are_all_slower_deviates() {
        let setting = Setting {
            interval_s: 300,
            failure_limit: 0,
            strategy: Strategy::CanaryBaseline,
            statistic: Statistic::Mean,
            max: 0.0,
        };
        assert_eq!(slow(&mut Pipecd::new(setting, &[]), &[100.0], &[101.0]), Some(300));
        assert_eq!(slow(&mut Pipecd::new(setting, &[]), &[101.0], &[100.0]), None);
    }
}

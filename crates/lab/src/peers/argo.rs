//! Argo Rollouts' rule: measure the last interval at each interval; the analysis fails when more
//! measurements failed than the limit allows (`docs/features/analysis.md`: the success rate,
//! `successCondition: result[0] >= 0.95`, interval 5m, failureLimit 3; the limit is 0 where nothing
//! is said). For latency the query is the user's: the rule is the same, and no number is published.
//!
//! Sees the canary alone, as its queries do. A p95 would be read from a histogram's buckets; here
//! it is exact.

use serde::Deserialize;

use super::{Peer, Seen, Statistic, Window};
use crate::sim::Tick;

/// What an `AnalysisTemplate` says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// `interval`, seconds.
    pub interval_s: u32,
    /// `failureLimit`.
    pub failure_limit: u32,
    /// What is measured.
    #[serde(default)]
    pub statistic: Statistic,
    /// The most that `successCondition` accepts; of successes at least 0.95 is of errors at most
    /// 0.05.
    pub max: f64,
}

/// The rule in one life.
pub struct Argo<S> {
    setting: Setting,
    window: Window<S>,
    failed: u32,
}

impl<S: Seen> Argo<S> {
    /// No measurement was taken.
    pub fn new(setting: Setting) -> Self {
        Self { setting, window: Window::new(setting.interval_s), failed: 0 }
    }
}

impl<S: Seen> Peer<S> for Argo<S> {
    fn look(&mut self, tick: &Tick<S>) -> bool {
        let Some((_, canary)) = self.window.take(tick) else { return false };
        // Without traffic the query has no result: an error there, which this rule leaves out.
        if canary.value(self.setting.statistic).is_some_and(|value| value > self.setting.max) {
            self.failed += 1;
        }
        self.failed > self.setting.failure_limit
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, slow};
    use super::*;

    fn check(failure_limit: u32, canary: (u64, u64), expected: Option<i64>) {
        let setting = Setting { interval_s: 300, failure_limit, statistic: Statistic::ErrorShare, max: 0.05 };
        assert_eq!(call(&mut Argo::new(setting), (0, 450), canary), expected, "{failure_limit} {canary:?}");
    }

    /// The documented example: every 5 minutes, at least 95 %, and more than 3 failures fail it.
    #[test]
    fn the_documented_example_fails_at_the_fourth_failure() {
        check(3, (6, 100), Some(1200));
        check(3, (5, 100), None);
        check(0, (6, 100), Some(300));
    }

    /// The same rule on a p95 of at most 500 ms: five slow requests in a hundred are accepted.
    #[test]
    fn a_slow_p95_fails_at_the_fourth_failure() {
        let check = |slow_ones: usize, expected: Option<i64>| {
            let setting = Setting {
                interval_s: 300,
                failure_limit: 3,
                statistic: Statistic::Quantile(0.95),
                max: 500.0,
            };
            let latencies: Vec<f64> = (0..100).map(|i| if i < slow_ones { 501.0 } else { 100.0 }).collect();
            assert_eq!(slow(&mut Argo::new(setting), &[9_000.0], &latencies), expected, "{slow_ones}");
        };
        check(5, None);
        check(6, Some(1200));
    }
}

//! Flagger's rule: at each interval the metric of the last interval must be in its range; the canary
//! is rolled back when as many checks have failed as the threshold says. A failed check is never
//! forgotten by a good one (`docs.flagger.app/usage/how-it-works` and `/usage/metrics`: interval
//! 1m, `request-success-rate` min 99, `request-duration`, which is the p99, max 500 ms).
//!
//! Sees the canary alone, as its queries do. They read the p99 from a histogram's buckets; here it
//! is exact.

use serde::Deserialize;

use super::{Peer, Seen, Statistic, Window};
use crate::sim::Tick;

/// What a `Canary` resource says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// `interval`, seconds; a minute where nothing is said.
    pub interval_s: u32,
    /// `threshold`: failed checks before rollback; 1 where nothing is said.
    pub threshold: u32,
    /// What is checked.
    #[serde(default)]
    pub statistic: Statistic,
    /// The end of `thresholdRange`: `max` of `request-duration`; `min` 99 of
    /// `request-success-rate` is an error share of at most 0.01.
    pub max: f64,
}

/// The rule in one life.
pub struct Flagger<S> {
    setting: Setting,
    window: Window<S>,
    failed: u32,
}

impl<S: Seen> Flagger<S> {
    /// No check was made.
    pub fn new(setting: Setting) -> Self {
        Self { setting, window: Window::new(setting.interval_s), failed: 0 }
    }
}

impl<S: Seen> Peer<S> for Flagger<S> {
    fn look(&mut self, tick: &Tick<S>) -> bool {
        let Some((_, canary)) = self.window.take(tick) else { return false };
        // No values is a failed check there.
        let value = canary.value(self.setting.statistic);
        if value.is_none_or(|value| value > self.setting.max) {
            self.failed += 1;
        }
        self.failed >= self.setting.threshold
    }
}

#[cfg(test)]
mod tests {
    use homeostat_detection::sequential::Tally;

    use super::super::testing::{call, slow, tick};
    use super::*;

    const DOCUMENTED: Setting =
        Setting { interval_s: 60, threshold: 10, statistic: Statistic::ErrorShare, max: 0.01 };

    fn check(setting: Setting, canary: (u64, u64), expected: Option<i64>) {
        assert_eq!(call(&mut Flagger::new(setting), (0, 450), canary), expected, "{canary:?}");
    }

    /// "rollback = interval * threshold": an interval of 1m and a threshold of 10 are 10 minutes.
    #[test]
    fn the_documented_example_rolls_back_after_ten_minutes() {
        check(DOCUMENTED, (2, 100), Some(600));
        check(DOCUMENTED, (1, 100), None);
        check(DOCUMENTED, (0, 0), Some(600));
        check(Setting { threshold: 1, ..DOCUMENTED }, (2, 100), Some(60));
    }

    #[test]
    fn a_good_check_does_not_make_up_for_a_failed_one() {
        let mut flagger = Flagger::new(Setting { threshold: 2, ..DOCUMENTED });
        let minute = |flagger: &mut Flagger<Tally>, from: i64, bad: u64| {
            (0..12).any(|index| flagger.look(&tick(from + index * 5, (0, 100), (bad, 100))))
        };
        assert!(!minute(&mut flagger, 0, 5));
        assert!(!minute(&mut flagger, 60, 0));
        assert!(minute(&mut flagger, 120, 5));
    }

    /// The documented `request-duration`: the p99 of a minute, at most 500 ms.
    #[test]
    fn one_slow_request_in_a_hundred_is_accepted_and_two_are_not() {
        let check = |slow_ones: usize, expected: Option<i64>| {
            let setting = Setting { statistic: Statistic::Quantile(0.99), max: 500.0, ..DOCUMENTED };
            let latencies: Vec<f64> = (0..100).map(|i| if i < slow_ones { 501.0 } else { 100.0 }).collect();
            assert_eq!(slow(&mut Flagger::new(setting), &[9_000.0], &latencies), expected, "{slow_ones}");
        };
        check(1, None);
        check(2, Some(600));
    }
}

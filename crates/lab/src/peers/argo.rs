//! Argo Rollouts' rule: measure the success rate of the last interval at each interval; the
//! analysis fails when more measurements failed than the limit allows (`docs/features/analysis.md`:
//! `successCondition: result[0] >= 0.95`, interval 5m, failureLimit 3; the limit is 0 where
//! nothing is said).

use serde::Deserialize;

use super::{Peer, Window};
use crate::sim::counts::Tick;

/// What an `AnalysisTemplate` says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// `interval`, seconds.
    pub interval_s: u32,
    /// `failureLimit`.
    pub failure_limit: u32,
    /// The least share of successes in `successCondition`, 0 to 1.
    pub success_min: f64,
}

/// The rule in one life.
pub struct Argo {
    setting: Setting,
    window: Window,
    failed: u32,
}

impl Argo {
    /// No measurement was taken.
    pub fn new(setting: Setting) -> Self {
        Self { setting, window: Window::new(setting.interval_s), failed: 0 }
    }
}

impl Peer for Argo {
    fn look(&mut self, tick: &Tick) -> bool {
        let Some((_, canary)) = self.window.take(tick) else { return false };
        // Without traffic the query has no result: an error there, which this rule leaves out.
        if canary.total > 0 && 1.0 - canary.share() < self.setting.success_min {
            self.failed += 1;
        }
        self.failed > self.setting.failure_limit
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::call;
    use super::*;

    fn check(failure_limit: u32, canary: (u64, u64), expected: Option<i64>) {
        let setting = Setting { interval_s: 300, failure_limit, success_min: 0.95 };
        assert_eq!(call(&mut Argo::new(setting), (0, 450), canary), expected, "{failure_limit} {canary:?}");
    }

    /// The documented example: every 5 minutes, at least 95 %, and more than 3 failures fail it.
    #[test]
    fn the_documented_example_fails_at_the_fourth_failure() {
        check(3, (6, 100), Some(1200));
        check(3, (5, 100), None);
        check(0, (6, 100), Some(300));
    }
}

//! Flagger's rule: at each interval the success rate of the last interval must not be below a
//! minimum; the canary is rolled back when as many checks have failed as the threshold says. A
//! failed check is never forgotten by a good one (`docs.flagger.app/usage/how-it-works` and
//! `/usage/metrics`: interval 1m, `request-success-rate` min 99).

use serde::Deserialize;

use super::{Peer, Window};
use crate::sim::counts::Tick;

/// What a `Canary` resource says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// `interval`, seconds; a minute where nothing is said.
    pub interval_s: u32,
    /// `threshold`: failed checks before rollback; 1 where nothing is said.
    pub threshold: u32,
    /// `thresholdRange.min` of `request-success-rate`, percent.
    pub success_min: f64,
}

/// The rule in one life.
pub struct Flagger {
    setting: Setting,
    window: Window,
    failed: u32,
}

impl Flagger {
    /// No check was made.
    pub fn new(setting: Setting) -> Self {
        Self { setting, window: Window::new(setting.interval_s), failed: 0 }
    }
}

impl Peer for Flagger {
    fn look(&mut self, tick: &Tick) -> bool {
        let Some((_, canary)) = self.window.take(tick) else { return false };
        // No values is a failed check there.
        let success = 100.0 * (1.0 - canary.share());
        if canary.total == 0 || success < self.setting.success_min {
            self.failed += 1;
        }
        self.failed >= self.setting.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, tick};
    use super::*;

    const DOCUMENTED: Setting = Setting { interval_s: 60, threshold: 10, success_min: 99.0 };

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
        let minute = |flagger: &mut Flagger, from: i64, bad: u64| {
            (0..12).any(|index| flagger.look(&tick(from + index * 5, (0, 100), (bad, 100))))
        };
        assert!(!minute(&mut flagger, 0, 5));
        assert!(!minute(&mut flagger, 60, 0));
        assert!(minute(&mut flagger, 120, 5));
    }
}

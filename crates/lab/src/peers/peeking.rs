//! What many dashboards do: a two-proportion z-test on everything since the start, looked at again
//! and again. Made for one look; here to show what looking costs.

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use super::{Peer, Window};
use crate::sim::counts::Tick;

/// How often and how strictly.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// How often one looks, seconds.
    pub interval_s: u32,
    /// The z at which one calls; 2.3263 is one-sided 1 %.
    pub z: f64,
}

/// The rule in one life.
pub struct Peeking {
    setting: Setting,
    window: Window,
    baseline: Tally,
    canary: Tally,
}

impl Peeking {
    /// Nothing was looked at.
    pub fn new(setting: Setting) -> Self {
        let window = Window::new(setting.interval_s);
        Self { setting, window, baseline: Tally::default(), canary: Tally::default() }
    }
}

impl Peer for Peeking {
    fn look(&mut self, tick: &Tick) -> bool {
        let Some((baseline, canary)) = self.window.take(tick) else { return false };
        self.baseline = self.baseline.plus(baseline);
        self.canary = self.canary.plus(canary);
        z(self.canary, self.baseline).is_some_and(|z| z > self.setting.z)
    }
}

/// The pooled z of the first share being larger; `None` where it is not defined.
pub fn z(first: Tally, second: Tally) -> Option<f64> {
    let pooled = first.plus(second).share();
    let spread = pooled * (1.0 - pooled) * (1.0 / first.total as f64 + 1.0 / second.total as f64);
    let z = (first.share() - second.share()) / libm::sqrt(spread);
    z.is_finite().then_some(z)
}

#[cfg(test)]
mod tests {
    use super::super::testing::call;
    use super::*;

    /// The example of NIST's handbook of statistical methods, 7.3.3: 38 of 58 against 40 of 50 is
    /// not computed there by pooling, so this is by hand: p = 78/108, z = (0.655172-0.8)/0.086435.
    #[test]
    fn the_statistic_is_the_pooled_one() {
        let tally = |bad, total| Tally { total, bad };
        let seen = z(tally(38, 58), tally(40, 50)).unwrap_or(f64::NAN);
        let pooled: f64 = 78.0 / 108.0;
        let spread = (pooled * (1.0 - pooled) * (1.0 / 58.0 + 1.0 / 50.0)).sqrt();
        assert!((seen - (38.0 / 58.0 - 0.8) / spread).abs() < 1e-12);
        assert!((seen + 1.6756).abs() < 1e-3, "{seen}");
        assert_eq!(z(tally(0, 10), tally(0, 10)), None);
    }

    #[test]
    fn it_calls_once_the_difference_is_clear() {
        let setting = Setting { interval_s: 10, z: 2.3263 };
        assert_eq!(call(&mut Peeking::new(setting), (5, 450), (5, 50)), Some(10));
        assert_eq!(call(&mut Peeking::new(setting), (9, 450), (1, 50)), None);
    }
}

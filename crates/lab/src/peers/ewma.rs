//! The usual anomaly rule: how many standard deviations is the share of errors, or the mean latency,
//! above its exponentially weighted past? Knows nothing of a baseline at the same time; its past
//! begins with the old version.

use serde::Deserialize;

use super::{Peer, Seen, Statistic, Window};
use crate::sim::Tick;

/// How slowly it forgets, and how strict it is.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Seconds of one value.
    pub interval_s: u32,
    /// The weight of the newest value, 0 to 1.
    pub weight: f64,
    /// The z at which it calls.
    pub z: f64,
    /// What a value is.
    #[serde(default)]
    pub statistic: Statistic,
}

/// Values it wants before it calls.
const VALUES_MIN: u32 = 30;

/// The rule in one life.
pub struct Ewma<S> {
    setting: Setting,
    window: Window<S>,
    history: S,
    past: Past,
}

/// An exponentially weighted mean and variance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Past {
    mean: f64,
    variance: f64,
    seen: u32,
}

impl Past {
    /// The z of a value against what came before it, which then includes it; `None` while there
    /// is too little of it.
    pub fn z(&mut self, value: f64, weight: f64) -> Option<f64> {
        let off = value - self.mean;
        let z = off / libm::sqrt(self.variance);
        let weight = if self.seen == 0 { 1.0 } else { weight.max(1.0 / f64::from(self.seen + 1)) };
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
        self.seen = self.seen.saturating_add(1);
        (self.seen > VALUES_MIN && z.is_finite()).then_some(z)
    }
}

impl<S: Seen> Ewma<S> {
    /// Nothing was seen.
    pub fn new(setting: Setting) -> Self {
        let window = Window::new(setting.interval_s);
        Self { setting, window, history: S::default(), past: Past::default() }
    }

    /// The value of a window that ends with this tick: the old version's before the canary's start.
    fn value(&mut self, tick: &Tick<S>) -> Option<f64> {
        let value = |seen: S| seen.value(self.setting.statistic).unwrap_or(0.0);
        if tick.at_s >= 0 {
            return self.window.take(tick).map(|(_, canary)| value(canary));
        }
        self.history.add(&tick.baseline);
        let ends = (tick.at_s + super::TICK_S).rem_euclid(i64::from(self.setting.interval_s)) == 0;
        ends.then(|| value(std::mem::take(&mut self.history)))
    }
}

impl<S: Seen> Peer<S> for Ewma<S> {
    fn look(&mut self, tick: &Tick<S>) -> bool {
        let Some(value) = self.value(tick) else { return false };
        let z = self.past.z(value, self.setting.weight);
        tick.at_s >= 0 && z.is_some_and(|z| z > self.setting.z)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::tick;
    use super::*;

    /// By hand: values 1 and 3 with weight 1/2 have mean 2 and variance 1; 4 is then 2 away.
    #[test]
    fn the_past_is_weighted() {
        let mut past = Past { seen: VALUES_MIN, mean: 1.0, variance: 0.0 };
        assert_eq!(past.z(3.0, 0.5), None);
        assert!((past.mean - 2.0).abs() < 1e-12 && (past.variance - 1.0).abs() < 1e-12);
        assert_eq!(past.z(4.0, 0.5), Some(2.0));
    }

    #[test]
    fn it_calls_what_is_far_above_the_past() {
        let setting = Setting { interval_s: 10, weight: 0.05, z: 5.0, statistic: Statistic::ErrorShare };
        let mut ewma = Ewma::new(setting);
        let mut called = None;
        for index in -240..100_i64 {
            let bad = 2 + u64::from(index % 4 == 0);
            let canary = if index < 0 { (0, 0) } else { (if index > 50 { 40 } else { bad }, 100) };
            if ewma.look(&tick(index * 5, (bad, 100), canary)) {
                called = called.or(Some(index));
            }
        }
        assert_eq!(called, Some(51));
    }
}

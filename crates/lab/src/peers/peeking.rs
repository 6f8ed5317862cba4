//! What many dashboards do: a two-proportion z-test on everything since the start, or for latency a
//! two-sample z-test of the means, looked at again and again. Made for one look; here to show what
//! looking costs.
//!
//! Sees both arms' counts, or their number of requests, mean and variance, which any metric store
//! has.

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use super::{Peer, Seen, Window};
use crate::sim::Tick;

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
pub struct Peeking<S> {
    setting: Setting,
    window: Window<S>,
    baseline: S,
    canary: S,
}

impl<S: Seen> Peeking<S> {
    /// Nothing was looked at.
    pub fn new(setting: Setting) -> Self {
        let window = Window::new(setting.interval_s);
        Self { setting, window, baseline: S::default(), canary: S::default() }
    }
}

impl<S: Seen> Peer<S> for Peeking<S> {
    fn look(&mut self, tick: &Tick<S>) -> bool {
        let Some((baseline, canary)) = self.window.take(tick) else { return false };
        self.baseline.add(&baseline);
        self.canary.add(&canary);
        self.canary.z(&self.baseline).is_some_and(|z| z > self.setting.z)
    }
}

/// The pooled z of the first share being larger; `None` where it is not defined.
pub fn z(first: Tally, second: Tally) -> Option<f64> {
    let pooled = first.plus(second).share();
    let spread = pooled * (1.0 - pooled) * (1.0 / first.total as f64 + 1.0 / second.total as f64);
    let z = (first.share() - second.share()) / libm::sqrt(spread);
    z.is_finite().then_some(z)
}

/// What is known of an arm's latencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How many.
    pub size: f64,
    /// Their mean.
    pub mean: f64,
    /// Their variance, over one less than how many.
    pub variance: f64,
}

impl Sample {
    /// Of these values.
    pub fn of(values: &[f64]) -> Self {
        let size = values.len() as f64;
        let mean = values.iter().sum::<f64>() / size;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Self { size, mean, variance: squares / (size - 1.0) }
    }
}

/// The z of the first mean being larger, each with its own variance (Welch); `None` where it is
/// not defined.
pub fn z_of_means(first: Sample, second: Sample) -> Option<f64> {
    let spread = first.variance / first.size + second.variance / second.size;
    let z = (first.mean - second.mean) / libm::sqrt(spread);
    z.is_finite().then_some(z)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, slow};
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

    /// The example of NIST's handbook of statistical methods, 1.3.5.3: mileage of cars made in the
    /// USA and in Japan, unequal variances, T = -12.94627.
    #[test]
    fn the_statistic_of_means_is_the_one_that_nist_prints() {
        let usa = Sample { size: 249.0, mean: 20.144_58, variance: 6.414_70 * 6.414_70 };
        let japan = Sample { size: 79.0, mean: 30.481_01, variance: 6.107_71 * 6.107_71 };
        assert!((z_of_means(usa, japan).unwrap_or(f64::NAN) + 12.946_27).abs() < 1e-4);
        assert_eq!(Sample::of(&[1.0, 2.0, 3.0, 4.0, 5.0]), Sample { size: 5.0, mean: 3.0, variance: 2.5 });
        assert_eq!(z_of_means(Sample::of(&[]), japan), None);
    }

    #[test]
    fn it_calls_once_the_difference_is_clear() {
        let setting = Setting { interval_s: 10, z: 2.3263 };
        assert_eq!(call(&mut Peeking::new(setting), (5, 450), (5, 50)), Some(10));
        assert_eq!(call(&mut Peeking::new(setting), (9, 450), (1, 50)), None);
    }

    /// By hand: each arm's variance is 2 n / (n - 1), the means are 1 apart, and so z is the root of
    /// (n - 1) / 4: 2.18 at twenty requests, 2.69 at thirty.
    #[test]
    fn it_calls_once_the_means_are_clearly_apart() {
        let setting = Setting { interval_s: 10, z: 2.3263 };
        let (fast, longer) = ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(slow(&mut Peeking::new(setting), &fast, &longer), Some(30));
        assert_eq!(slow(&mut Peeking::new(setting), &longer, &fast), None);
    }
}

//! Howard and Ramdas's bands around a distribution function that hold at all times (Bernoulli 2022,
//! arXiv 1906.09712, theorem 2), used on both arms as Lindon, Sanden and Shirikian judge canaries
//! with them (KDD 2022, arXiv 2205.14762): it calls once the canary's latencies are larger in
//! stochastic order somewhere, beyond both bands.
//!
//! Each band has half of the level. Sees every single latency of both arms since the canary's
//! start, exactly; in production that takes a sketch of each arm.

use serde::Deserialize;

use super::{Peer, Window};
use crate::sim::latency::Tick;

/// The level, and when it begins to look.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// How often one looks, seconds.
    pub interval_s: u32,
    /// The level of both bands together.
    pub alpha: f64,
    /// `m`: requests of an arm from which on its band holds. Bands are the narrowest near it.
    pub requests_min: f64,
}

/// The rule in one life.
pub struct HowardRamdas {
    setting: Setting,
    constant: f64,
    window: Window<Vec<f64>>,
    baseline: Vec<f64>,
    canary: Vec<f64>,
}

impl HowardRamdas {
    /// Nothing was seen.
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            constant: constant(setting.alpha / 2.0),
            window: Window::new(setting.interval_s),
            baseline: Vec::new(),
            canary: Vec::new(),
        }
    }

    fn radius(&self, values: &[f64]) -> f64 {
        radius(values.len() as f64, self.setting.requests_min, self.constant)
    }
}

impl Peer<Vec<f64>> for HowardRamdas {
    fn look(&mut self, tick: &Tick) -> bool {
        let Some((baseline, canary)) = self.window.take(tick) else { return false };
        insert(&mut self.baseline, baseline);
        insert(&mut self.canary, canary);
        let bands = self.radius(&self.baseline) + self.radius(&self.canary);
        // No two distribution functions are further apart than 1.
        bands < 1.0 && gap(&self.canary, &self.baseline) > bands
    }
}

/// Keeps the values in order.
fn insert(values: &mut Vec<f64>, more: Vec<f64>) {
    values.extend(more);
    values.sort_by(f64::total_cmp);
}

/// How far the canary's distribution function falls below the baseline's, where it does most. Both
/// are in order.
fn gap(canary: &[f64], baseline: &[f64]) -> f64 {
    let (mut below, mut widest) = (0, 0.0_f64);
    for (index, value) in baseline.iter().enumerate() {
        below += canary.iter().skip(below).take_while(|latency| *latency <= value).count();
        let gap = (index + 1) as f64 / baseline.len() as f64 - below as f64 / canary.len() as f64;
        widest = widest.max(gap);
    }
    widest
}

/// `A`, as the authors choose it.
const SCALE: f64 = 0.85;

/// Half a band's width after so many requests; infinite before the first few.
fn radius(requests: f64, requests_min: f64, constant: f64) -> f64 {
    if requests < requests_min {
        return f64::INFINITY;
    }
    let slowly = libm::log(1.0 + libm::log(requests / requests_min));
    SCALE * libm::sqrt((slowly + constant) / requests)
}

/// `C`: the least for which a band has this level.
fn constant(alpha: f64) -> f64 {
    let (mut low, mut high) = (1.0, 100.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if level(middle) > alpha { low = middle } else { high = middle }
    }
    high
}

/// Steps over eta, first over all of its range and then around the best.
const STEPS: u32 = 64;

/// The theorem's bound of the probability that the distribution function ever leaves its band:
/// 4 exp(-gamma² C) (1 + 1 / ((gamma² - 1) ln eta)), the least over eta from 1 to 2 A².
fn level(constant: f64) -> f64 {
    let at = |eta: f64| {
        let gamma = libm::sqrt(2.0 / eta) * (SCALE - libm::sqrt(2.0 * (eta - 1.0) / constant));
        let square = gamma * gamma;
        let chance = 4.0 * libm::exp(-square * constant) * (1.0 + 1.0 / ((square - 1.0) * libm::log(eta)));
        if gamma > 1.0 { chance } else { f64::INFINITY }
    };
    let least = |from: f64, step: f64| {
        let etas = (1..STEPS).map(|index| from + f64::from(index) * step);
        etas.map(|eta| (at(eta), eta)).fold((f64::INFINITY, from), |a, b| if b.0 < a.0 { b } else { a })
    };
    let step = (2.0 * SCALE * SCALE - 1.0) / f64::from(STEPS);
    let (_, eta) = least(1.0, step);
    least(eta - step, 2.0 * step / f64::from(STEPS)).0
}

#[cfg(test)]
mod tests {
    use super::super::testing::slow;
    use super::*;

    /// `empirical_process_lil_bound(1000, .05, 100)` in the tests of the authors' package confseq.
    #[test]
    fn the_band_is_the_one_of_the_authors_package() {
        assert!((radius(1000.0, 100.0, constant(0.05)) - 0.082_047_69).abs() < 1e-6);
        assert_eq!(radius(99.0, 100.0, constant(0.05)), f64::INFINITY);
    }

    /// The paper's closed form for A = .85, 0.8 ln(1612 / alpha), is a little wider at each level.
    #[test]
    fn the_papers_closed_form_is_a_little_wider() {
        for alpha in [0.05, 0.01, 0.005] {
            let closed = 0.8 * (1612.0_f64 / alpha).ln();
            let exact = constant(alpha);
            assert!(exact < closed && closed < exact + 0.4, "{exact} and {closed} at {alpha}");
        }
    }

    #[test]
    fn the_gap_is_where_the_canary_is_slower() {
        let check = |canary: &[f64], baseline: &[f64], expected: f64| {
            assert!((gap(canary, baseline) - expected).abs() < 1e-12, "{canary:?}");
        };
        check(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0], 0.0);
        check(&[5.0, 6.0], &[1.0, 2.0], 1.0);
        check(&[1.0, 2.0], &[5.0, 6.0], 0.0);
        check(&[1.0, 3.0, 3.0, 9.0], &[1.0, 1.0, 3.0, 4.0], 0.25);
    }

    /// By hand: every latency of the canary is larger, so the gap is 1. Both bands together are 0.94
    /// at 32 requests of each arm, which the fourth ten seconds bring.
    #[test]
    fn it_calls_once_the_bands_are_apart() {
        let setting = Setting { interval_s: 10, alpha: 0.01, requests_min: 32.0 };
        let (fast, longer) = ([1.0; 5], [2.0; 5]);
        assert_eq!(slow(&mut HowardRamdas::new(setting), &fast, &longer), Some(40));
        assert_eq!(slow(&mut HowardRamdas::new(setting), &longer, &fast), None);
    }
}

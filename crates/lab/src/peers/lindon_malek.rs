//! Lindon and Malek's sequential multinomial test (NeurIPS 2022, arXiv 2011.03567) on the errors of
//! both arms: errors fall to the canary with its share of traffic unless it is worse.
//!
//! The posterior odds under a Dirichlet prior centred on the expected shares, `k` of it strong. It
//! does not say which arm is worse, so a call also wants the canary to be the one. Its published
//! form takes the expected shares as fixed; here they are those of the traffic so far.

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use super::{Peer, Window};
use crate::sim::counts::Tick;

/// The prior's strength and the level.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// How often one looks, seconds.
    pub interval_s: u32,
    /// The concentration of the prior; 100 in the authors' package.
    pub k: f64,
    /// The level: it calls when the odds reach `1/alpha`.
    pub alpha: f64,
}

/// The rule in one life.
pub struct LindonMalek {
    setting: Setting,
    window: Window<Tally>,
    errors: [f64; 2],
    requests: [f64; 2],
}

impl LindonMalek {
    /// Nothing was seen.
    pub fn new(setting: Setting) -> Self {
        Self { setting, window: Window::new(setting.interval_s), errors: [0.0; 2], requests: [0.0; 2] }
    }
}

impl Peer<Tally> for LindonMalek {
    fn look(&mut self, tick: &Tick) -> bool {
        let Some((baseline, canary)) = self.window.take(tick) else { return false };
        for (index, arm) in [canary, baseline].into_iter().enumerate() {
            self.errors[index] += arm.bad as f64;
            self.requests[index] += arm.total as f64;
        }
        let [canary, baseline] = self.requests;
        if canary == 0.0 || baseline == 0.0 {
            return false;
        }
        let expected = [canary, baseline].map(|requests| requests / (canary + baseline));
        let more = self.errors[0] / canary > self.errors[1] / baseline;
        more && ln_odds(self.errors, expected, self.setting.k) >= -libm::log(self.setting.alpha)
    }
}

/// The logarithm of the odds against the expected shares, from even odds.
pub fn ln_odds(counts: [f64; 2], expected: [f64; 2], k: f64) -> f64 {
    let all = counts[0] + counts[1];
    let mut odds = libm::lgamma(k) - libm::lgamma(k + all);
    for (count, share) in counts.into_iter().zip(expected) {
        odds += libm::lgamma(k * share + count) - libm::lgamma(k * share) - count * libm::log(share);
    }
    odds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the authors' package savvi 0.3.1 and by its formula.
    #[test]
    fn the_odds_are_those_of_the_authors_package() {
        let check = |counts: [f64; 2], expected: [f64; 2], k: f64, odds: f64| {
            let seen = ln_odds(counts, expected, k);
            assert!((seen - odds).abs() < 1e-9, "{seen} instead of {odds}");
        };
        check([13.0, 22.0], [0.1, 0.9], 100.0, 2.755_560_057_099_387_4);
        check([0.0, 0.0], [0.5, 0.5], 2.0, 0.0);
        check([1.0, 0.0], [0.5, 0.5], 2.0, 0.0);
        check([10.0, 2.0], [0.5, 0.5], 2.0, 1.563_162_067_231_383_3);
        check([30.0, 10.0], [0.5, 0.5], 2.0, 3.454_324_362_841_799);
        check([500.0, 400.0], [0.5, 0.5], 2.0, 2.384_598_190_403_608);
    }
}

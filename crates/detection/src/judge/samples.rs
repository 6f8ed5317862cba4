//! Measurements of a canary against its baseline: how many are beyond what the baseline's were.
//!
//! Thresholds are frozen at quantiles of the baseline, as soon as it has shown enough or the canary
//! begins. From then on each batch is counts of measurements beyond them, a [`Contest`] for each
//! quantile, and the evidence is their average. The canary's threshold is higher by the margin, so
//! that a difference smaller than it is none, in every test.
//!
//! What this does not do: keep measurements; only counts by bin.

use serde::{Deserialize, Serialize};

use super::contest::{Contest, Rules};
use super::histogram::{Histogram, bins_of};
use crate::sequential::{Arms, Tally, ln_weighted_exp};

/// The quantiles of the baseline that are watched.
pub(super) const QUANTILES: [f64; 4] = [0.5, 0.9, 0.98, 0.99];
/// How much each counts.
const WEIGHTS: [f64; 4] = [0.25, 0.2, 0.35, 0.2];
/// A canary is not slower when this many of them, the lower ones, show it.
const NOT_SLOWER: usize = 3;
/// Measurements of the baseline after which thresholds are frozen, canary or not: what comes then
/// tells how bursty it is.
const ENOUGH: u64 = 2_000;
/// With fewer than this a canary waits.
const FEWEST: u64 = 200;

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Samples {
    baseline: Histogram,
    canary: Histogram,
    frozen: Option<Vec<Frozen>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Frozen {
    threshold: i16,
    contest: Contest,
}

impl Samples {
    /// Takes one closed batch. `margin` is the ratio, at least 1, that does not count.
    pub(super) fn observe(&mut self, canary: &Histogram, baseline: &Histogram, margin: f64, rules: Rules) {
        let known = self.baseline.count();
        let enough = known >= ENOUGH || (known >= FEWEST && canary.count() > 0);
        if self.frozen.is_none() && enough {
            self.freeze();
        }
        let margin = bins_of(margin);
        for frozen in self.frozen.iter_mut().flatten() {
            let beyond = frozen.threshold.saturating_add(margin);
            let arms = Arms {
                canary: Tally { total: canary.count(), bad: canary.above(beyond) },
                baseline: Tally { total: baseline.count(), bad: baseline.above(frozen.threshold) },
            };
            frozen.contest.observe(arms, rules);
        }
        self.baseline.add_all(baseline);
        self.canary.add_all(canary);
    }

    fn freeze(&mut self) {
        let frozen = QUANTILES.iter().filter_map(|share| {
            let threshold = self.baseline.quantile_bin(*share)?;
            Some(Frozen { threshold, contest: Contest::default() })
        });
        self.frozen = Some(frozen.collect());
    }

    /// Forgets the canary; thresholds stay.
    pub(super) fn restart(&mut self) {
        self.canary = Histogram::default();
        self.frozen.iter_mut().flatten().for_each(|frozen| frozen.contest.restart());
    }

    pub(super) fn ln_worse(&self) -> f64 {
        let parts = self.frozen.iter().flatten().zip(WEIGHTS);
        let evidence = ln_weighted_exp(parts.map(|(frozen, weight)| (weight, frozen.contest.ln_worse())));
        if evidence.is_finite() { evidence } else { 0.0 }
    }

    /// The weakest of the proofs that the canary is not slower.
    pub(super) fn ln_not_worse(&self, rules: Rules) -> f64 {
        let proofs = self.frozen.iter().flatten().take(NOT_SLOWER);
        let weakest = proofs.map(|frozen| frozen.contest.ln_not_worse(rules)).fold(f64::INFINITY, f64::min);
        if weakest.is_finite() { weakest } else { 0.0 }
    }

    /// The quantile that speaks loudest against the canary.
    pub(super) fn loudest(&self) -> f64 {
        let all = self.frozen.iter().flatten().zip(QUANTILES);
        let loudest = all.max_by(|a, b| a.0.contest.ln_worse().total_cmp(&b.0.contest.ln_worse()));
        loudest.map_or(QUANTILES[0], |(_, share)| share)
    }

    /// Canary and baseline.
    pub(super) fn histograms(&self) -> (&Histogram, &Histogram) {
        (&self.canary, &self.baseline)
    }
}

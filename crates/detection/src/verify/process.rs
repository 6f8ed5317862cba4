//! The e-processes of a verification.
//!
//! On Poisson likelihood ratios of a batch's errors, which bound those of bernoulli requests.
//! Valid for every rate on the wrong side of the boundary: `E[exp(e·ln(λ₁/λ₀) − n(λ₁ − λ₀))]` at the
//! rate `λ` is `exp(n(λ₁ − λ₀)(λ/λ₀ − 1))`, at most 1. An exponent of at most 1 keeps that (Jensen).
//!
//! The onset is unknown, so the stake is split over the batches at which it may be: `AT_ONCE` on
//! the first, the rest on batch `j + 1` with a share of `1/(j(j+1))`, which sums to one. A sum of
//! e-processes with weights that sum to one is one.

use serde::{Deserialize, Serialize};

use crate::{
    number::float,
    sequential::{Tally, ln_weighted_exp},
};

/// Rates that *fixed* is tried with, as multiples of the usual one, and how much each counts: one
/// below it and one above proved faster in simulation than the usual one itself, and no slower
/// where the rate came back to 1.2 times the usual one only.
const FIXED: [(f64, f64); 2] = [(0.85, 0.5), (1.05, 0.5)];
/// Rates that *worse* is tried with, as multiples of the bad one.
const WORSE: [(f64, f64); 3] = [(1.5, 0.4), (2.0, 0.3), (4.0, 0.3)];
/// The part of the stake on the first batch.
const AT_ONCE: f64 = 0.95;

/// The likelihood of one rate against that of the boundary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Ratio {
    /// Added for an error.
    error: f64,
    /// Added for a request.
    request: f64,
    /// How much it counts beside the others; they sum to one.
    weight: f64,
    /// The logarithm of what began so far.
    log: f64,
}

impl Ratio {
    fn new(rate: f64, boundary: f64, weight: f64, dispersion: f64) -> Self {
        let (error, request) = ((rate / boundary).ln() / dispersion, (boundary - rate) / dispersion);
        Self { error, request, weight, log: AT_ONCE.ln() }
    }

    fn step(&self, tally: Tally) -> f64 {
        float(tally.bad()) * self.error + float(tally.total) * self.request
    }
}

/// Evidence that the rate is on the other side of a boundary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Process {
    ratios: Vec<Ratio>,
    batches: u64,
}

impl Process {
    /// That the rate is the usual one, against its being at or above `boundary`. Rates are shares
    /// of requests, above 0 and at most 1; `dispersion` is at least 1.
    pub(super) fn below(boundary: f64, usual: f64, dispersion: f64) -> Self {
        let tried = FIXED.map(|(multiple, weight)| (multiple * usual, weight));
        Self::of(tried.into_iter().filter(|(rate, _)| *rate < boundary), boundary, dispersion)
    }

    /// That the rate is above `bad`, against its being at most that.
    pub(super) fn above(bad: f64, dispersion: f64) -> Self {
        Self::of(WORSE.map(|(multiple, weight)| (multiple * bad, weight)).into_iter(), bad, dispersion)
    }

    fn of(tried: impl Iterator<Item = (f64, f64)> + Clone, boundary: f64, dispersion: f64) -> Self {
        let sum: f64 = tried.clone().map(|(_, weight)| weight).sum();
        let ratio = |(rate, weight): (f64, f64)| Ratio::new(rate, boundary, weight / sum, dispersion);
        Self { ratios: tried.map(ratio).collect(), batches: 0 }
    }

    /// Takes one batch.
    pub(super) fn observe(&mut self, tally: Tally) {
        let begins = later(self.batches) - later(self.batches.saturating_add(1));
        for ratio in &mut self.ratios {
            let began = ln_weighted_exp([(1.0, ratio.log), (begins, 0.0)].into_iter());
            // Bounded on both sides, so that no outage makes it infinite.
            ratio.log = (if begins > 0.0 { began } else { ratio.log } + ratio.step(tally)).clamp(-1e15, 1e15);
        }
        self.batches = self.batches.saturating_add(1);
    }

    /// The logarithm of the e-value.
    pub(super) fn ln_e(&self) -> f64 {
        let began = self.ratios.iter().map(|ratio| (ratio.weight, ratio.log));
        ln_weighted_exp(began.chain([(later(self.batches), 0.0)]))
    }
}

/// The part of the stake that is still to begin after so many batches.
fn later(batches: u64) -> f64 {
    (1.0 - AT_ONCE) / float(batches.max(1))
}

/// A rate that was brought back rises again: the cumulative sum of one likelihood ratio, never
/// below nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Relapse {
    ratio: Ratio,
}

impl Relapse {
    /// Towards `bad`, against `boundary` below it.
    pub(super) fn new(boundary: f64, bad: f64, dispersion: f64) -> Self {
        Self { ratio: Ratio { log: 0.0, ..Ratio::new(bad, boundary, 1.0, dispersion) } }
    }

    /// Takes one batch.
    pub(super) fn observe(&mut self, tally: Tally) {
        self.ratio.log = (self.ratio.log.max(0.0) + self.ratio.step(tally)).clamp(-1e15, 1e15);
    }

    /// The logarithm of the sum's value.
    pub(super) fn ln(&self) -> f64 {
        self.ratio.log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
    }

    #[test]
    fn the_processes_have_their_values_by_hand() {
        // Boundary 2 %, usual 1 %.
        let mut fixed = Process::below(0.02, 0.01, 1.0);
        near(fixed.ln_e(), 0.0);
        fixed.observe(Tally { total: 100, bad: 1 });
        let of = |rate: f64, bad: f64| (rate / 0.02).powf(bad) * (100.0 * (0.02 - rate)).exp();
        let first = 0.95 * 0.5 * (of(0.0085, 1.0) + of(0.0105, 1.0)) + 0.05;
        near(fixed.ln_e(), first.ln());
        fixed.observe(Tally { total: 100, bad: 0 });
        let second = |rate: f64| (0.95 * of(rate, 1.0) + 0.025) * of(rate, 0.0);
        near(fixed.ln_e(), (0.5 * (second(0.0085) + second(0.0105)) + 0.025).ln());

        let mut relapse = Relapse::new(0.02, 0.04, 2.0);
        relapse.observe(Tally { total: 100, bad: 0 });
        near(relapse.ln(), -1.0);
        relapse.observe(Tally { total: 100, bad: 5 });
        near(relapse.ln(), (5.0 * 2.0_f64.ln() - 2.0) / 2.0);
    }

    #[test]
    fn a_rate_near_the_boundary_is_not_tried() {
        assert_eq!(Process::below(0.0104, 0.01, 1.0).ratios.len(), 1);
        near(Process::below(0.0104, 0.01, 1.0).ratios[0].weight, 1.0);
    }
}

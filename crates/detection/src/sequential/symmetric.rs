//! Any metric of a canary against as many pods of the baseline: the self-normalised test.
//!
//! When both arms are exchangeable, their difference in a batch is as likely up as down, whatever
//! its size: overdispersion, heavy tails, shocks shared by both and a wandering level do no harm.
//! `exp(λS − λ²V/2)`, mixed one-sidedly over a normal λ (de la Peña 1999; Howard, Ramdas, McAuliffe
//! and Sekhon, Annals of Statistics 2021, proposition 5).
//!
//! What this does not do: transform. Callers give the difference of square roots of counts, or of
//! logarithms of latencies, so that one batch cannot outweigh all.

use serde::{Deserialize, Serialize};

use super::number::ln_normal_cdf;
use crate::number::float;

/// No batch counts for more than this many times the usual.
const CLIP: f64 = 5.0;

/// The state: a sum, a sum of squares, and what is usual so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Symmetric {
    /// Where the test is sharpest; see [`Symmetric::new`].
    rho: f64,
    sum: f64,
    squares: f64,
    seen: u64,
    raw_squares: f64,
}

impl Symmetric {
    /// Nothing seen yet. The test is sharpest after about `batches` batches (at least 1) at the
    /// level `alpha` (0 to 0.5, exclusive).
    pub fn new(batches: f64, alpha: f64) -> Self {
        let level = 2.0 * (1.0 / (2.0 * alpha)).ln();
        Self {
            rho: batches.max(1.0) / (level + level.ln_1p()),
            sum: 0.0,
            squares: 0.0,
            seen: 0,
            raw_squares: 0.0,
        }
    }

    /// Takes the difference of one batch, canary minus baseline; above 0 is worse.
    pub fn observe(&mut self, difference: f64) {
        if !difference.is_finite() {
            return;
        }
        let scaled = self.scaled(difference);
        self.sum += scaled;
        self.squares += scaled * scaled;
        self.seen += 1;
        self.raw_squares = (self.raw_squares + difference * difference).min(f64::MAX);
    }

    /// By what was usual before it.
    fn scaled(&self, difference: f64) -> f64 {
        let usual = (self.raw_squares / float(self.seen.max(1))).sqrt();
        if difference == 0.0 {
            0.0
        } else if usual > 0.0 {
            (difference / usual).clamp(-CLIP, CLIP)
        } else {
            difference.signum()
        }
    }

    /// The logarithm of the e-value.
    pub fn ln_e(&self) -> f64 {
        let spread = self.squares + self.rho;
        0.5 * (4.0 * self.rho / spread).ln()
            + self.sum * self.sum / (2.0 * spread)
            + ln_normal_cdf(self.sum / spread.sqrt())
    }

    /// How many batches it has seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_sided_mixture_has_the_known_values() {
        let check = |(batches, alpha): (f64, f64), sum: f64, squares: f64, expected: f64| {
            let test = Symmetric { sum, squares, ..Symmetric::new(batches, alpha) };
            assert!((test.ln_e() - expected).abs() < 1e-9, "{} {expected}", test.ln_e());
        };
        check((100.0, 0.05), 10.0, 100.0, -0.065_023_912_429_011_48);
        check((60.0, 0.01), 14.0, 14.0, 4.990_458_998_900_691);
        check((60.0, 0.01), 20.0, 30.0, 5.352_471_639_361_287);
        let sharpest = |batches: f64, alpha: f64| Symmetric::new(batches, alpha).rho;
        assert!((sharpest(100.0, 0.05) - 15.800_634_906_850_53).abs() < 1e-9);
        assert!((sharpest(60.0, 0.01) - 5.999_084_235_544_383).abs() < 1e-9);
    }
}

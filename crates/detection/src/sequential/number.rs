//! The few functions of numbers that the tests need, total on finite input.

use crate::number::float;

/// The logarithm of a weighted sum of exponentials, without overflow: `ln Σ w·exp(x)`. Weights
/// are above 0. Nothing sums to negative infinity.
pub fn ln_weighted_exp(terms: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let largest = terms.clone().map(|(_, x)| x).fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return largest;
    }
    largest + terms.map(|(weight, x)| weight * (x - largest).exp()).sum::<f64>().ln()
}

/// The logarithm of the mean of exponentials: of the average of e-values held as logarithms.
pub fn ln_mean_exp(logs: &[f64]) -> f64 {
    let weight = 1.0 / float(logs.len() as u64);
    ln_weighted_exp(logs.iter().map(|log| (weight, *log)))
}

/// `ln Φ(x)` of the standard normal distribution.
pub(super) fn ln_normal_cdf(x: f64) -> f64 {
    // Below this, erfc underflows; the first terms of its asymptotic series are exact to 1e-6.
    const TAIL: f64 = -30.0;
    if x < TAIL {
        let square = x * x;
        return -0.5 * square - (-x * std::f64::consts::TAU.sqrt()).ln() + (-1.0 / square).ln_1p();
    }
    (0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)).ln()
}

/// `ln(exp(a) + exp(b))`, without overflow.
pub(super) fn ln_sum_exp(a: f64, b: f64) -> f64 {
    let (large, small) = if a >= b { (a, b) } else { (b, a) };
    if small == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

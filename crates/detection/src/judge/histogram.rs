//! Measurements in bins of equal ratio, and confidence bands for their quantiles.
//!
//! Bins are an eighteenth of a doubling wide (3.9 percent), so a quantile is right to 2 percent (as
//! in DDSketch: Masson, Rim and Lee, VLDB 2019). Which bins are used does not matter: only those
//! with something in them are kept, and beyond a bound the lowest are joined.
//!
//! The band: Howard and Ramdas, Bernoulli 2022, theorem 2, uniform over quantiles and time.

use crate::number::float;
use serde::{Deserialize, Serialize};

/// Bins for each doubling.
const PER_DOUBLING: f64 = 18.0;
/// More bins than this are never kept; 7 doublings without a gap.
const BINS_MAX: usize = 128;
/// Measurements of 0 and below.
const NOTHING: i16 = i16::MIN;

/// Counts of measurements by bin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// In order of bins.
    bins: Vec<(i16, u32)>,
}

impl Histogram {
    /// Takes a measurement; no number is nothing.
    pub fn add(&mut self, value: f64) {
        if !value.is_nan() {
            self.add_to(bin(value), 1);
            self.join_lowest();
        }
    }

    /// Takes all of another.
    pub fn add_all(&mut self, other: &Self) {
        other.bins.iter().for_each(|(bin, count)| self.add_to(*bin, *count));
        self.join_lowest();
    }

    fn add_to(&mut self, bin: i16, count: u32) {
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => {
                if let Some((_, kept)) = self.bins.get_mut(at) {
                    *kept = kept.saturating_add(count);
                }
            }
            Err(at) => self.bins.insert(at, (bin, count)),
        }
    }

    fn join_lowest(&mut self) {
        while self.bins.len() > BINS_MAX {
            let (_, lowest) = self.bins.remove(0);
            if let Some((_, kept)) = self.bins.first_mut() {
                *kept = kept.saturating_add(lowest);
            }
        }
    }

    /// How many measurements there are.
    pub fn count(&self) -> u64 {
        self.bins.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// How many are above a bin.
    pub(super) fn above(&self, bin: i16) -> u64 {
        self.bins.iter().rev().take_while(|(at, _)| *at > bin).map(|(_, count)| u64::from(*count)).sum()
    }

    /// The bin that holds the quantile `share`, 0 to 1; `None` of nothing.
    pub(super) fn quantile_bin(&self, share: f64) -> Option<i16> {
        let rank = share * float(self.count());
        let mut below = 0_u64;
        for (bin, count) in &self.bins {
            below += u64::from(*count);
            if float(below) >= rank {
                return Some(*bin);
            }
        }
        self.bins.last().map(|(bin, _)| *bin)
    }

    /// The quantile `share`, 0 to 1, in the unit of the measurements; `None` of nothing.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.quantile_bin(share).map(middle)
    }

    /// From and to: the quantile's interval at the level `1 - alpha`, valid however often one looks.
    pub fn interval(&self, share: f64, alpha: f64) -> (Option<f64>, Option<f64>) {
        let radius = band(self.count(), alpha, COUNT_MIN);
        let at = |share: f64| (0.0..=1.0).contains(&share).then(|| self.quantile(share)).flatten();
        (at(share - radius), at(share + radius))
    }
}

fn bin(value: f64) -> i16 {
    if value <= 0.0 {
        return NOTHING;
    }
    #[expect(clippy::cast_possible_truncation, reason = "saturates; 18 times 1024 fits")]
    let bin = (PER_DOUBLING * libm::log2(value)).floor() as i16;
    bin
}

fn middle(bin: i16) -> f64 {
    if bin == NOTHING { 0.0 } else { ((f64::from(bin) + 0.5) / PER_DOUBLING).exp2().min(f64::MAX) }
}

/// How many bins a ratio of at least 1 spans, to the nearest.
pub(super) fn bins_of(ratio: f64) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let bins = (PER_DOUBLING * libm::log2(ratio.max(1.0))).round() as i16;
    bins
}

/// A band begins to hold at so many measurements.
const COUNT_MIN: u64 = 32;
/// The leading constant of the band.
const LEAD: f64 = 0.85;

/// Half the height of the band around the shares of `count` measurements that holds for all
/// quantiles and all counts from `count_min` on, at the level `1 - alpha` (alpha from 1e-6 to 0.5);
/// 1 before that.
pub fn band(count: u64, alpha: f64, count_min: u64) -> f64 {
    if count < count_min.max(1) {
        return 1.0;
    }
    let (count, least) = (float(count), float(count_min.max(1)));
    LEAD * (((count / least).ln().ln_1p() + constant(alpha)) / count).sqrt()
}

/// The smallest constant with which the band misses with probability `alpha` at most.
fn constant(alpha: f64) -> f64 {
    const HALVINGS: u32 = 60;
    let (mut low, mut high) = (1.0, 200.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if miss(middle) > alpha { low = middle } else { high = middle }
    }
    high
}

/// The bound on missing, the smallest over the free parameter.
fn miss(constant: f64) -> f64 {
    // Unimodal; a golden-section search over the admissible range.
    const STEPS: u32 = 80;
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (1.0, 2.0 * LEAD * LEAD);
    for _ in 0..STEPS {
        let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
        if miss_at(constant, left) < miss_at(constant, right) { high = right } else { low = left }
    }
    miss_at(constant, 0.5 * (low + high))
}

fn miss_at(constant: f64, eta: f64) -> f64 {
    let root = LEAD - (2.0 * (eta - 1.0) / constant).sqrt();
    let square = 2.0 / eta * root * root;
    if root <= 0.0 || square <= 1.0 || eta <= 1.0 {
        // Not admissible; larger the farther from the admissible range, so that the search turns.
        return 1e9 * eta;
    }
    4.0 * (-square * constant).exp() * (1.0 + 1.0 / ((square - 1.0) * eta.ln()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_has_the_known_values() {
        let check = |got: f64, expected: f64| {
            assert!((got / expected - 1.0).abs() < 1e-9, "{got} is not {expected}");
        };
        check(constant(0.05), 8.122719345838114);
        check(constant(0.01), 9.283543354029137);
        check(constant(0.005), 9.783365215444697);
        check(band(1000, 0.05, 100), 0.08204778770914853);
    }

    #[test]
    fn quantiles_are_right_to_two_percent() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|value| histogram.add(f64::from(value) / 10.0));
        for share in [0.5, 0.9, 0.99] {
            let quantile = histogram.quantile(share).unwrap();
            assert!((quantile / (100.0 * share) - 1.0).abs() < 0.025, "{share} {quantile}");
        }
        assert_eq!(histogram.count(), 1000);
        let (low, high) = histogram.interval(0.5, 0.05);
        assert!(low.unwrap() < 50.0 && high.unwrap() > 50.0);
        assert_eq!(histogram.interval(0.99, 0.05).1, None, "the band passes the top");
    }

    #[test]
    fn any_numbers_keep_the_bound_and_the_count() {
        let mut histogram = Histogram::default();
        let mut value = 1e-300;
        for _ in 0..1000 {
            value *= 3.9;
            histogram.add(value);
        }
        [f64::MAX, -1.0, 0.0, f64::NAN, f64::INFINITY].into_iter().for_each(|value| histogram.add(value));
        assert!(histogram.bins.len() <= BINS_MAX);
        assert_eq!(histogram.count(), 1004);
        assert!(histogram.quantile(1.0).unwrap().is_finite());
    }
}

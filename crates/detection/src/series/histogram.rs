//! How rare is a number among those before it: a histogram over logarithms, with a tail beyond
//! what was ever seen.
//!
//! What this does not do: forget at once. When [`TOTAL_MAX`] numbers were counted, all counts are
//! halved, so that old ones weigh less and less.
//! Invariant: [`BINS`] counts of two bytes, whatever is counted.

use serde::{Deserialize, Serialize};

/// Bins, each a sixth of an e-fold wide: from [`FIRST`] to nine million times as much.
const BINS: usize = 96;
const BINS_PER_E_FOLD: f64 = 6.0;
/// What is not above this falls into the first bin.
const FIRST: f64 = 1e-3;
/// So many, and counts are halved: some weeks of five-minute values are remembered.
const TOTAL_MAX: u32 = 15_000;
/// So many are counted before any surprises.
const TOTAL_MIN: u32 = 100;
/// Beyond the record, `k` times as much is `k` to this power times as rare.
const TAIL_POWER: f64 = 3.0;

/// The counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Histogram {
    counts: Vec<u16>,
    total: u32,
    record: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BINS], total: 0, record: 0.0 }
    }
}

impl Histogram {
    /// How many powers of ten rarer than common a number is, at least 0 and finite: −log10 of the
    /// share of numbers before it that were as large. 0 before [`TOTAL_MIN`] were counted. Counts
    /// it.
    pub(super) fn surprise(&mut self, number: f64) -> f64 {
        let bin = bin(number);
        let surprise = self.rarity(number, bin);
        self.count(number, bin);
        surprise
    }

    /// How many are remembered.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    fn rarity(&self, number: f64, bin: usize) -> f64 {
        if self.total < TOTAL_MIN {
            return 0.0;
        }
        let all = f64::from(self.total) + 1.0;
        if number > self.record {
            let times = number / self.record.max(FIRST);
            return all.log10() + TAIL_POWER * times.max(1.0).log10();
        }
        let Some((here, above)) = self.counts.get(bin..).and_then(<[u16]>::split_first) else { return 0.0 };
        let above: u32 = above.iter().map(|count| u32::from(*count)).sum();
        -((f64::from(above) + 0.5 * f64::from(*here) + 0.5) / all).min(1.0).log10()
    }

    fn count(&mut self, number: f64, bin: usize) {
        if let Some(count) = self.counts.get_mut(bin) {
            *count = count.saturating_add(1);
        }
        self.total += 1;
        self.record = self.record.max(number);
        if self.total >= TOTAL_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().map(|count| u32::from(*count)).sum();
        }
    }

    /// Whether a stored one is well formed.
    pub(super) fn is_sound(&self) -> bool {
        self.counts.len() == BINS && self.record.is_finite() && self.total <= TOTAL_MAX
    }
}

fn bin(number: f64) -> usize {
    if number <= FIRST || number.is_nan() {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stays in range")]
    let bin = ((number / FIRST).ln() * BINS_PER_E_FOLD) as usize;
    bin.min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_as_rare_as_those_before_it_say() {
        let mut histogram = Histogram::default();
        for _ in 0..TOTAL_MIN {
            assert!(histogram.surprise(1.0).abs() < 1e-12);
        }
        for _ in TOTAL_MIN..999 {
            histogram.surprise(1.0);
        }
        histogram.surprise(100.0);
        // 1,000 were counted. Half of the 999 equal ones count as larger.
        let check = |number: f64, share: f64| {
            let surprise = histogram.clone().surprise(number);
            assert!((surprise + share.log10()).abs() < 1e-12, "{number}: {surprise}");
        };
        check(1.0, (1.0 + 0.5 * 999.0 + 0.5) / 1001.0);
        check(10.0, 1.5 / 1001.0);
        check(100.0, 1.0 / 1001.0);
        check(1000.0, 1e-3 / 1001.0);
    }

    #[test]
    fn old_numbers_weigh_less_and_the_counts_stay_bounded() {
        let mut histogram = Histogram::default();
        for step in 0..50_000_u32 {
            histogram.surprise(f64::from(step % 7) + 0.5);
            assert!(histogram.is_sound() && histogram.total < TOTAL_MAX);
        }
    }
}

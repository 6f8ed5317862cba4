//! How rare is a number among those before it: a histogram over logarithms, with a tail beyond
//! what was ever seen.
//!
//! What this does not do: forget at once. When [`TOTAL_MAX`] numbers were counted, all counts are
//! halved, so that old ones weigh less and less.
//! Invariant: [`BINS`] counts of two bytes, whatever is counted.

use serde::{Deserialize, Serialize};

/// Bins, each a quarter of an e-fold wide: from [`FIRST`] to 26 million times as much.
pub(super) const BINS: usize = 96;
const BINS_PER_E_FOLD: f64 = 4.0;
/// What is not above this falls into the first bin.
const FIRST: f64 = 1e-3;
/// Twice as many, and counts are halved: a month of five-minute values.
const TOTAL_MAX: u32 = 10_000;
/// Beyond the record, `k` times as much is `k` to this power times as rare.
const TAIL_POWER: f64 = 4.0;

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
    /// How many powers of ten rarer than common: −log10 of the share of numbers as large, at
    /// least 0. 0 before anything was seen.
    pub(super) fn surprise(&self, number: f64) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        let all = f64::from(self.total) + 1.0;
        if number > self.record {
            let times = number / self.record.max(FIRST);
            return (all.log10() + TAIL_POWER * times.max(1.0).log10()).max(0.0);
        }
        let bin = bin(number);
        let above: u32 = self.counts.iter().skip(bin + 1).map(|count| u32::from(*count)).sum();
        let here = f64::from(self.counts.get(bin).copied().unwrap_or_default());
        -((f64::from(above) + 0.5 * here + 0.5) / all).min(1.0).log10()
    }

    /// Counts a number, at least 0 and finite.
    pub(super) fn observe(&mut self, number: f64) {
        if let Some(count) = self.counts.get_mut(bin(number)) {
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
    let bin = ((number / FIRST).ln() * BINS_PER_E_FOLD).min(95.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 95")]
    let bin = bin as usize;
    bin.min(BINS - 1)
}

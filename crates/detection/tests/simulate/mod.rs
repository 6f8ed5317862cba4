//! Chance for simulations, from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), and what
//! is drawn with it.
#![allow(dead_code, reason = "each test file uses its own part")]

use homeostat_detection::sequential::Tally;

/// A generator.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        // Neighbouring seeds must not begin beside each other in one sequence.
        Self(Self(seed).bits())
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 (inclusive) to 1 (exclusive).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Knuth's; means up to some hundreds.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        let (floor, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// Requests of which each fails by itself, or, with a `burst` above 1, so many at once.
    pub(crate) fn tally(&mut self, total: u64, share: f64, burst: u64) -> Tally {
        let bad = self.poisson(total as f64 * share / burst as f64) * burst;
        Tally { total, bad: bad.min(total) }
    }
}

/// The middle of the values, which are sorted by it.
pub(crate) fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Shows a measured number with `--nocapture`.
#[expect(
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "the numbers of a simulation are to be read"
)]
pub(crate) fn measured(text: std::fmt::Arguments<'_>) {
    println!("{text}");
}

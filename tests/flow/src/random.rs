//! Chance from a seed: the same seed, the same run.

/// xorshift64* (Vigna 2016); good enough to pick victims.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed, which must be printed where it is used.
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 up to, not including, `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        u32::try_from((self.next() >> 16) % u64::from(end.max(1))).unwrap_or(0)
    }

    /// True `percent` times in a hundred.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

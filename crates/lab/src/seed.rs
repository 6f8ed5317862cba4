//! Randomness from a seed, a cell and a life, and the few distributions the simulators draw from.
//!
//! What this does not do: take entropy from anywhere. Invariant: the same three arguments give the
//! same draws on every machine (ChaCha with 8 rounds, and distributions on `libm`).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Gamma, Poisson, StandardNormal, StandardUniform};
use sha2::{Digest, Sha256};

/// A source of draws.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The draws of one life of one cell under one seed.
    pub fn of(seed: u64, cell: &str, life: u64) -> Self {
        Self(ChaCha8Rng::from_seed(digest(seed, cell, life)))
    }

    /// From 0 (inclusive) to 1 (exclusive).
    pub fn uniform(&mut self) -> f64 {
        StandardUniform.sample(&mut self.0)
    }

    /// Mean 0, variance 1.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A whole number below `end`; 0 when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        ((self.uniform() * end as f64) as u64).min(end.saturating_sub(1))
    }

    /// How many of what happens `mean` times on average.
    pub fn count(&mut self, mean: f64) -> u64 {
        Poisson::new(mean).map_or(0, |poisson| poisson.sample(&mut self.0) as u64)
    }

    /// The same in bursts: the variance is `spread` (1 or more) times the mean, whatever the
    /// length of time it is counted over (negative binomial with a fixed scale).
    pub fn bursty(&mut self, mean: f64, spread: f64) -> u64 {
        let mean = if spread > 1.0 && mean > 0.0 {
            let scale = spread - 1.0;
            Gamma::new(mean / scale, scale).map_or(mean, |gamma| gamma.sample(&mut self.0))
        } else {
            mean
        };
        self.count(mean)
    }

    /// How long until what happens once in `mean` on average.
    pub fn wait(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.uniform())
    }
}

/// A name of a life that says nothing about it: 16 hexadecimal digits.
pub fn opaque(seed: u64, cell: &str, life: u64) -> String {
    let digest = digest(seed, cell, life);
    digest.iter().rev().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn digest(seed: u64, cell: &str, life: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(life.to_le_bytes());
    hash.update(cell.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_seed_cell_and_life() {
        let draw = |seed, cell, life| Random::of(seed, cell, life).uniform();
        assert_eq!(draw(1, "a", 2), draw(1, "a", 2));
        assert_ne!(draw(1, "a", 2), draw(2, "a", 2));
        assert_ne!(draw(1, "a", 2), draw(1, "b", 2));
        assert_ne!(draw(1, "a", 2), draw(1, "a", 3));
        assert_ne!(opaque(1, "a", 2), opaque(1, "a", 3));
    }

    #[test]
    fn the_first_draws_are_known() {
        let mut random = Random::of(0, "known", 0);
        let draws: Vec<u64> = (0..8).map(|_| random.count(5.0)).collect();
        assert_eq!(draws, [7, 5, 9, 4, 4, 6, 2, 6]);
        assert_eq!(opaque(0, "known", 0), "88ba1bdb21a38dbf");
    }

    #[test]
    fn bursts_have_the_spread_that_was_asked_for() {
        for spread in [1.0, 2.0, 5.0, 10.0] {
            let mut random = Random::of(7, "spread", 0);
            let draws: Vec<f64> = (0..200_000).map(|_| random.bursty(3.0, spread) as f64).collect();
            let mean = draws.iter().sum::<f64>() / 200_000.0;
            let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 200_000.0;
            assert!((mean - 3.0).abs() < 0.1, "mean {mean} at {spread}");
            assert!((variance / mean / spread - 1.0).abs() < 0.1, "{} at {spread}", variance / mean);
        }
    }
}

//! How often something fails by itself, and what follows from that.

use serde::{Deserialize, Serialize};

use super::{Settings, identity};

/// A test that is not known yet: half a failure in fifty runs.
const FLAKE: (f64, f64) = (0.5, 49.5);
/// No test and no pipeline is taken to be steadier: what is blocked at the first failure is never
/// found to be chance, so that a lower rate would only confirm itself.
const FLAKE_MIN: f64 = 0.01;
/// A run that fails as a whole: 1.72 %.
const WHOLE: (f64, f64) = (0.5, 28.57);
/// A commit that breaks the pipeline: 15 %.
const BROKEN: (f64, f64) = (1.5, 8.5);
/// What is worth so many times its cost is worth it beyond question; keeps the number finite.
pub(super) const WORTH_MAX: f64 = 1000.0;
/// Beyond so many, both counts are halved, so that what was long ago counts less.
const COUNT_MAX: u32 = 400;

/// How often, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Rate(u32, u32);

impl Rate {
    pub(super) fn count(&mut self, times: u32, of: u32) {
        self.0 = self.0.saturating_add(times);
        self.1 = self.1.saturating_add(of).max(self.0);
        while self.1 > COUNT_MAX {
            *self = Self(self.0 / 2, self.1 / 2);
        }
    }

    pub(super) fn flake_share(self) -> f64 {
        self.mean(FLAKE).max(FLAKE_MIN)
    }

    pub(super) fn whole_share(self) -> f64 {
        self.mean(WHOLE).max(FLAKE_MIN)
    }

    pub(super) fn broken_share(self) -> f64 {
        self.mean(BROKEN)
    }

    /// The mean of the Beta with this prior.
    fn mean(self, (for_it, against): (f64, f64)) -> f64 {
        (for_it + f64::from(self.0)) / (for_it + against + f64::from(self.1))
    }
}

/// A test that failed at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Test {
    pub(super) name: String,
    /// Failures by chance, and all runs that are understood.
    pub(super) rate: Rate,
}

impl Test {
    pub(super) fn new(name: String, passes: u32) -> Self {
        let mut rate = Rate::default();
        rate.count(0, passes);
        Self { name, rate }
    }

    pub(super) fn id(&self) -> u32 {
        identity(&self.name)
    }
}

/// The chance that `failures` in a row on one commit are the commit's: `π / (π + (1 − π)·fᵏ)`.
/// `broken` is the share of commits that break something, `flake` the rate of failures by chance,
/// both 0 to 1.
pub fn p_real(broken: f64, flake: f64, failures: i32) -> f64 {
    let chance = (1.0 - broken) * flake.powi(failures);
    if broken + chance > 0.0 { broken / (broken + chance) } else { 0.0 }
}

/// Whether another run is worth its cost: `chance·(1 − π)/π` above the cost of a run over that of
/// blocking a good commit. `chance` is that of all that failed, were the commit good.
pub fn retry_pays(broken: f64, chance: f64, settings: &Settings) -> bool {
    retry_worth(broken, chance, settings) > 1.0
}

/// What another run is worth in costs of a run, 0 to [`WORTH_MAX`]: the wrong verdict it saves if
/// all was chance, over its cost if it was not.
pub(super) fn retry_worth(broken: f64, chance: f64, settings: &Settings) -> f64 {
    let (saved, spent) = (chance * (1.0 - broken) * settings.block_cost, settings.retry_cost * broken);
    match saved > 0.0 {
        true if spent > 0.0 => (saved / spent).min(WORTH_MAX),
        true => WORTH_MAX,
        false => 0.0,
    }
}

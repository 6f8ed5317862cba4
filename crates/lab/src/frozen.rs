//! The frozen parameters: all of them, in one file, with its hash.
//!
//! Invariant: what is not in the file is not a parameter; unknown names are refused.

use std::collections::BTreeMap;

use homeostat_detection::judge::Settings;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::peers;
use crate::sim::counts::{Noise, World};
use crate::sim::demand::Demand;
use crate::sim::fleet::Fleet;
use crate::sim::latency::{Requests, Slowdown};
use crate::sim::repair::Service;
use crate::sim::week::Stream;

const TEXT: &str = include_str!("../frozen.toml");

/// Every parameter of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The judge's settings.
    pub judge: Settings,
    /// S1: what all worlds have in common.
    pub counts: Noise,
    /// S1: how much of it.
    pub counts_plan: CountsPlan,
    /// What must fail.
    pub controls: Controls,
    /// S1: the worlds, by name.
    pub worlds: BTreeMap<String, World>,
    /// S2: the world.
    pub latency: Requests,
    /// S2: how much of it.
    pub latency_plan: LivesPlan,
    /// S2: the faults, by name.
    pub slowdowns: BTreeMap<String, Slowdown>,
    /// S3: the stream.
    pub week: Stream,
    /// S3: how much of it.
    pub week_plan: WeekPlan,
    /// S5: the series.
    pub demand: Demand,
    /// S7: the fleet.
    pub fleet: Fleet,
    /// S7: how long a batch waits for what is late there.
    pub fleet_grace_ms: u64,
    /// S6: the service.
    pub repair: Service,
    /// S6: how much of it.
    pub repair_plan: RepairPlan,
    /// The peers on counts.
    pub peers: Vec<PeerPlan>,
    /// The peers on latencies.
    pub latency_peers: Vec<PeerPlan>,
}

/// S1: how much.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountsPlan {
    /// Variance over mean of the errors.
    pub spreads: Vec<f64>,
    /// The same for worlds in which the canary's share ramps.
    pub ramp_spreads: Vec<f64>,
    /// Healthy lives of a world and spread, a seed.
    pub healthy_lives_per_seed: u32,
    /// Lives with a fault, a seed.
    pub faulty_lives_per_seed: u32,
    /// Healthy lives that the peers look at as well, a seed.
    pub peer_lives_per_seed: u32,
}

/// The pair of cells in which what must fail is tried.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controls {
    /// Its world.
    pub world: String,
    /// Its variance over mean of the errors.
    pub spread: f64,
    /// What the faulty lives' errors are multiplied by.
    pub ratio: f64,
    /// Lives of each of the two, a seed.
    pub lives_per_seed: u32,
    /// When the canary falls silent, seconds after its start.
    pub silent_from_s: u32,
    /// When everything does.
    pub blind_from_s: u32,
}

/// How many lives of each cell, a seed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LivesPlan {
    /// Healthy ones.
    pub healthy_lives_per_seed: u32,
    /// With a fault.
    pub faulty_lives_per_seed: u32,
}

/// S3: how much. Times are seconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeekPlan {
    /// What the judge knows before.
    pub history_s: u32,
    /// A healthy life after it.
    pub life_s: u32,
    /// Variance over mean of the errors.
    pub spreads: Vec<f64>,
    /// What errors are multiplied by.
    pub ratios: Vec<f64>,
    /// When, after the history.
    pub onset_s: u32,
    /// A life that becomes worse.
    pub faulty_life_s: u32,
    /// Healthy lives of a spread, a seed.
    pub healthy_lives_per_seed: u32,
    /// Lives that become worse, a seed.
    pub faulty_lives_per_seed: u32,
}

/// S6: how much.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairPlan {
    /// Variance over mean of the errors.
    pub spreads: Vec<f64>,
    /// What errors were multiplied by before the attempt.
    pub ratios: Vec<f64>,
    /// A usual time that is short: how far the proof depends on how well the usual rate is known.
    pub short_usual_s: u32,
    /// Lives at the boundary, a seed.
    pub healthy_lives_per_seed: u32,
    /// Lives that are fixed, and that are not, a seed.
    pub faulty_lives_per_seed: u32,
}

/// A peer with two settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerPlan {
    /// Its name.
    pub name: String,
    /// As documented.
    pub default: peers::Setting,
    /// The best on the seeds for tuning.
    pub best: peers::Setting,
}

/// The file does not fit what the laboratory reads.
#[derive(Debug, thiserror::Error)]
#[error("frozen.toml: {0}")]
pub struct FrozenError(#[from] toml::de::Error);

impl Frozen {
    /// The parameters of this build.
    ///
    /// # Errors
    /// When the file does not fit.
    pub fn embedded() -> Result<Self, FrozenError> {
        Ok(toml::from_str(TEXT)?)
    }

    /// The file's SHA-256, in hexadecimal.
    pub fn hash() -> String {
        Sha256::digest(TEXT.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_and_its_settings_are_in_range() -> Result<(), FrozenError> {
        let frozen = Frozen::embedded()?;
        assert_eq!(frozen.judge.check(), Ok(()));
        assert!(frozen.worlds.contains_key("a") && frozen.worlds.contains_key("b"));
        assert_eq!(i64::from(frozen.counts.tick_s), peers::TICK_S);
        assert_eq!(i64::from(frozen.latency.tick_s), peers::TICK_S);
        Ok(())
    }

    #[test]
    fn the_hash_is_of_the_file() {
        assert_eq!(Frozen::hash().len(), 64);
    }
}

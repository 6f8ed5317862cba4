//! A load of which the cost of an observation can be measured, and the weight of a state.
//!
//! What this does not do: read a clock; whoever calls does.

use homeostat_detection::judge::Arm;

use crate::frozen::Frozen;
use crate::seed::Random;
use crate::sim::counts::{self, Fault, Tick};
use crate::sim::latency::{self, Slowdown};
use crate::system::Ours;

/// The world whose counts are judged.
const WORLD: &str = "b";

/// Ticks made beforehand, so that only judging is measured.
pub struct Load {
    ticks: Vec<Tick>,
}

/// Bytes of a stored state, the largest seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    /// With one metric of counts, both arms.
    pub counts: usize,
    /// With one metric of measurements, both arms.
    pub latency: usize,
}

impl Load {
    /// So many observations, or a few more.
    pub fn new(frozen: &Frozen, observations: u32) -> Self {
        let mut noise = frozen.counts.clone();
        noise.life_s = (observations / 2 + 1) * noise.tick_s;
        let mut random = Random::of(0, "cost", 0);
        let world = frozen.worlds.get(WORLD);
        let ticks = world.map(|world| counts::life(world, &noise, 1.0, Fault::NONE, &mut random));
        Self { ticks: ticks.unwrap_or_default() }
    }

    /// Judges all of it; how many observations that were.
    pub fn judge_counts(&self, frozen: &Frozen) -> u32 {
        let mut ours = Ours::new(&frozen.judge);
        let mut seen = 0;
        for tick in &self.ticks {
            seen += tell(&mut ours, tick, frozen);
        }
        seen
    }

    /// The weight of a state.
    pub fn bytes(&self, frozen: &Frozen) -> Bytes {
        let (mut ours, mut counts) = (Ours::new(&frozen.judge), 0);
        for (number, tick) in self.ticks.iter().enumerate() {
            tell(&mut ours, tick, frozen);
            if number % WEIGH_EVERY == 0 {
                counts = counts.max(ours.bytes());
            }
        }
        let (mut ours, mut latency) = (Ours::new(&frozen.judge), 0);
        let life = latency::Life::new(&frozen.latency, Slowdown::NONE, Random::of(0, "cost", 1));
        for (number, tick) in life.enumerate() {
            let end = tick.at_s + i64::from(frozen.latency.tick_s);
            ours.samples(Arm::Baseline, end, tick.baseline);
            if tick.at_s >= 0 {
                ours.samples(Arm::Canary, end, tick.canary);
            }
            if number % WEIGH_EVERY == 0 {
                latency = latency.max(ours.bytes());
            }
        }
        Bytes { counts, latency }
    }
}

/// A state is weighed once in so many ticks.
const WEIGH_EVERY: usize = 7;

fn tell(ours: &mut Ours, tick: &Tick, frozen: &Frozen) -> u32 {
    let end = tick.at_s + i64::from(frozen.counts.tick_s);
    ours.counts(Some(Arm::Baseline), end, tick.baseline);
    if tick.at_s < 0 {
        return 1;
    }
    ours.counts(Some(Arm::Canary), end, tick.canary);
    2
}

//! S1: requests and errors of a canary beside its live baseline.
//!
//! The level of errors wanders (a first-order autoregression of its logarithm, shared by both
//! arms), half of the lives have an incident that both arms share, and errors come in bursts that
//! each arm has for itself. A fault multiplies the canary's level and nothing else.

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use crate::seed::Random;

/// One arm's or both arms' world. Times are seconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Requests a second, both arms together.
    pub requests_per_s: f64,
    /// The canary's share of them, 0 to 1.
    pub canary_share: f64,
    /// The share of requests that fail when nothing is wrong, 0 to 1.
    pub error_share: f64,
    /// Whether the canary's share of traffic grows in steps to a half over its life.
    #[serde(default)]
    pub ramp: bool,
}

/// What all worlds have in common.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Seconds that one tick counts over.
    pub tick_s: u32,
    /// The baseline alone, before the canary.
    pub history_s: u32,
    /// The canary's life.
    pub life_s: u32,
    /// Standard deviation of the level's logarithm.
    pub level_sd: f64,
    /// Correlation of that logarithm from tick to tick.
    pub level_memory: f64,
    /// How many lives have a shared incident.
    pub incident_chance: f64,
    /// What it multiplies both arms' errors by.
    pub incident_times: f64,
    /// How long it lasts.
    pub incident_s: u32,
}

/// What is wrong with the canary.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What its errors are multiplied by; 1 is nothing.
    pub ratio: f64,
    /// From when on, seconds after the canary's start.
    #[serde(default)]
    pub onset_s: u32,
    /// Until when, when it recovers by itself.
    #[serde(default)]
    pub until_s: Option<u32>,
}

impl Fault {
    /// Nothing is wrong.
    pub const NONE: Self = Self { ratio: 1.0, onset_s: 0, until_s: None };

    fn ratio_at(self, at_s: i64) -> f64 {
        let on = at_s >= i64::from(self.onset_s) && self.until_s.is_none_or(|until| at_s < i64::from(until));
        if on { self.ratio } else { 1.0 }
    }
}

/// What both arms counted in one tick.
pub type Tick = super::Tick<Tally>;

/// One life, the baseline's history first.
pub fn life(world: &World, noise: &Noise, spread: f64, fault: Fault, random: &mut Random) -> Vec<Tick> {
    let tick = i64::from(noise.tick_s);
    let (from, to) = (-i64::from(noise.history_s) / tick, i64::from(noise.life_s) / tick);
    let incident = incident(noise, random);
    let mut level = noise.level_sd * random.normal();
    let step = noise.level_sd * libm::sqrt(1.0 - noise.level_memory * noise.level_memory);
    let mut ticks = Vec::new();
    for at_s in (from..to).map(|index| index * tick) {
        level = noise.level_memory * level + step * random.normal();
        let shared = world.error_share * libm::exp(level) * incident.times_at(at_s);
        let share = if at_s < 0 { 0.0 } else { share_at(world, noise, at_s) };
        let requests = world.requests_per_s * f64::from(noise.tick_s);
        let baseline = arm(requests * (1.0 - share), shared, spread, random);
        let canary = arm(requests * share, shared * fault.ratio_at(at_s), spread, random);
        ticks.push(Tick { at_s, baseline, canary });
    }
    ticks
}

/// The shares a ramping canary goes through, each for as long as the others.
const STEPS: [f64; 5] = [0.01, 0.05, 0.1, 0.25, 0.5];

fn share_at(world: &World, noise: &Noise, at_s: i64) -> f64 {
    if !world.ramp {
        return world.canary_share;
    }
    let step = at_s * STEPS.len() as i64 / i64::from(noise.life_s).max(1);
    STEPS.get(usize::try_from(step).unwrap_or(0)).copied().unwrap_or(world.canary_share)
}

fn arm(requests: f64, share: f64, spread: f64, random: &mut Random) -> Tally {
    let total = random.count(requests);
    let bad = random.bursty(total as f64 * share.min(1.0), spread);
    Tally { total, bad: bad.min(total) }
}

struct Incident {
    from_s: i64,
    until_s: i64,
    times: f64,
}

impl Incident {
    fn times_at(&self, at_s: i64) -> f64 {
        if (self.from_s..self.until_s).contains(&at_s) { self.times } else { 1.0 }
    }
}

fn incident(noise: &Noise, random: &mut Random) -> Incident {
    let happens = random.chance(noise.incident_chance);
    let from_s = random.below(u64::from(noise.life_s.saturating_sub(noise.incident_s)).max(1)) as i64;
    let until_s = if happens { from_s + i64::from(noise.incident_s) } else { from_s };
    Incident { from_s, until_s, times: noise.incident_times }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> Noise {
        Noise {
            tick_s: 5,
            history_s: 1200,
            life_s: 3600,
            level_sd: 0.0,
            level_memory: 0.97,
            incident_chance: 0.0,
            incident_times: 10.0,
            incident_s: 300,
        }
    }

    fn world(ramp: bool) -> World {
        World { requests_per_s: 100.0, canary_share: 0.1, error_share: 0.01, ramp }
    }

    fn share(ticks: &[Tick], from_s: i64, until_s: i64, arm: impl Fn(&Tick) -> Tally) -> f64 {
        let within = ticks.iter().filter(|tick| (from_s..until_s).contains(&tick.at_s));
        within.map(arm).fold(Tally::default(), Tally::plus).share()
    }

    #[test]
    fn a_fault_is_the_canarys_alone_and_lasts_as_long_as_it_should() {
        let fault = Fault { ratio: 5.0, onset_s: 1800, until_s: Some(2400) };
        let ticks = life(&world(false), &noise(), 1.0, fault, &mut Random::of(1, "test", 0));
        assert_eq!(ticks.len(), 240 + 720);
        let check = |from, until, expected: f64| {
            let seen = share(&ticks, from, until, |tick| tick.canary);
            assert!((seen / expected - 1.0).abs() < 0.25, "{seen} from {from}");
        };
        check(0, 1800, 0.01);
        check(1800, 2400, 0.05);
        check(2400, 3600, 0.01);
        assert!((share(&ticks, -1200, 3600, |tick| tick.baseline) - 0.01).abs() < 0.001);
    }

    #[test]
    fn the_canary_has_its_share_of_traffic_and_none_before_its_start() {
        let ticks = life(&world(true), &noise(), 1.0, Fault::NONE, &mut Random::of(1, "test", 0));
        assert!(ticks.iter().all(|tick| tick.at_s >= 0 || tick.canary.total == 0));
        let traffic = |from: i64, until: i64| {
            let within = ticks.iter().filter(|tick| (from..until).contains(&tick.at_s));
            let (canary, all) = within.fold((0, 0), |(canary, all), tick| {
                (canary + tick.canary.total, all + tick.canary.total + tick.baseline.total)
            });
            canary as f64 / all as f64
        };
        assert!((traffic(0, 720) - 0.01).abs() < 0.005);
        assert!((traffic(2880, 3600) - 0.5).abs() < 0.01);
    }

    #[test]
    fn an_incident_is_shared() {
        let noise = Noise { incident_chance: 1.0, ..noise() };
        let ticks = life(&world(false), &noise, 1.0, Fault::NONE, &mut Random::of(3, "test", 0));
        let worst = |arm: fn(&Tick) -> Tally| {
            (0..55).map(|part| share(&ticks, part * 60, part * 60 + 300, arm)).fold(0.0, f64::max)
        };
        assert!(worst(|tick| tick.baseline) > 0.05);
        assert!(worst(|tick| tick.canary) > 0.05);
    }
}

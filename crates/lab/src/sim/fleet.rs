//! S7: fifty services that call each other, and a few days of deployments, some of them bad.
//!
//! A bad canary fails some of its requests, or serves none at all; its callers see part of its
//! failures in both of their arms. Telemetry has gaps, comes twice, comes late and out of order, and
//! from clocks that differ.

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use super::counts::Tick;
use crate::seed::Random;

/// The fleet and what happens to it. Times are seconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// How many services.
    pub services: u32,
    /// How many deployments.
    pub deployments: u32,
    /// Over how long.
    pub over_s: u32,
    /// How many of them are bad.
    pub bad_share: f64,
    /// Of those, how many serve nothing.
    pub dead_share: f64,
    /// What the others' errors are multiplied by, one of these.
    pub ratios: Vec<f64>,
    /// Least and most requests a second of a service.
    pub requests_per_s: (f64, f64),
    /// Least and most share of errors.
    pub error_share: (f64, f64),
    /// Variance over mean of the errors, one of these.
    pub spreads: Vec<f64>,
    /// The canary's share of traffic, one of these.
    pub canary_shares: Vec<f64>,
    /// How much of a service's failures its callers see.
    pub passed_on: f64,
    /// Seconds that one tick counts over.
    pub tick_s: u32,
    /// The baseline alone, before the canary.
    pub history_s: u32,
    /// The canary's life.
    pub life_s: u32,
    /// How many deployments have a gap in all telemetry.
    pub gap_chance: f64,
    /// How long it is.
    pub gap_s: u32,
    /// How many observations come twice.
    pub twice_chance: f64,
    /// How many come after what was seen later.
    pub late_chance: f64,
    /// How far an arm's clock may be off, either way.
    pub skew_ms: u32,
}

/// A service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    requests_per_s: f64,
    error_share: f64,
    spread: f64,
    /// Those it calls.
    calls: Vec<usize>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    service: usize,
    at_s: i64,
    canary_share: f64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a deployment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Its errors are multiplied.
    Errors(f64),
    /// It serves nothing.
    Dead,
}

/// Services and deployments of one seed.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    services: Vec<Service>,
    /// In order of time.
    pub deployments: Vec<Deployment>,
}

/// A service calls at most this many others.
const CALLS_MAX: u64 = 3;

impl World {
    /// Draws a world.
    pub fn new(fleet: &Fleet, random: &mut Random) -> Self {
        let services: Vec<Service> =
            (0..fleet.services as usize).map(|index| service(fleet, index, random)).collect();
        let mut deployments: Vec<Deployment> =
            (0..fleet.deployments).map(|_| deployment(fleet, services.len(), random)).collect();
        deployments.sort_by_key(|deployment| (deployment.at_s, deployment.service));
        Self { services, deployments }
    }

    /// What both arms of a deployment's service counted, tick by tick, history first.
    pub fn ticks(&self, fleet: &Fleet, deployment: &Deployment, random: &mut Random) -> Vec<Tick> {
        let Some(service) = self.services.get(deployment.service) else { return Vec::new() };
        let tick = i64::from(fleet.tick_s);
        let (from, to) = (-i64::from(fleet.history_s) / tick, i64::from(fleet.life_s) / tick);
        let requests = service.requests_per_s * f64::from(fleet.tick_s);
        let arm = |requests: f64, share: f64, random: &mut Random| {
            let total = random.count(requests);
            let bad = random.bursty(total as f64 * share.min(1.0), service.spread);
            Tally { total, bad: bad.min(total) }
        };
        let mut ticks = Vec::new();
        for at_s in (from..to).map(|index| index * tick) {
            let share = service.error_share + self.passed_on(fleet, service, deployment.at_s + at_s);
            let canary = if at_s < 0 { 0.0 } else { deployment.canary_share };
            let (served, failing) = match deployment.fault {
                Fault::None => (canary, share),
                Fault::Errors(ratio) => (canary, share * ratio),
                Fault::Dead => (0.0, share),
            };
            let baseline = arm(requests * (1.0 - canary), share, random);
            ticks.push(Tick { at_s, baseline, canary: arm(requests * served, failing, random) });
        }
        ticks
    }

    /// Errors that a service sees of those it calls.
    fn passed_on(&self, fleet: &Fleet, service: &Service, at_s: i64) -> f64 {
        let from = self.deployments.partition_point(|other| other.at_s + i64::from(fleet.life_s) <= at_s);
        let under_way = self.deployments.iter().skip(from).take_while(|other| other.at_s <= at_s);
        let extra = under_way.filter(|other| service.calls.contains(&other.service)).map(|other| {
            let usual = self.services.get(other.service).map_or(0.0, |called| called.error_share);
            match other.fault {
                Fault::Errors(ratio) => other.canary_share * usual * (ratio - 1.0),
                // Nobody sends to what does not answer.
                Fault::None | Fault::Dead => 0.0,
            }
        });
        fleet.passed_on * extra.sum::<f64>()
    }
}

fn service(fleet: &Fleet, index: usize, random: &mut Random) -> Service {
    let mut between = |(low, high): (f64, f64)| low * libm::pow(high / low, random.uniform());
    let (requests_per_s, error_share) = (between(fleet.requests_per_s), between(fleet.error_share));
    let spread = one_of(&fleet.spreads, 1.0, random);
    let calls = if index == 0 { 0 } else { 1 + random.below(CALLS_MAX) };
    let calls = (0..calls).map(|_| random.below(index as u64) as usize).collect();
    Service { requests_per_s, error_share, spread, calls }
}

fn deployment(fleet: &Fleet, services: usize, random: &mut Random) -> Deployment {
    let service = random.below(services as u64) as usize;
    let at_s = random.below(u64::from(fleet.over_s)) as i64;
    let canary_share = one_of(&fleet.canary_shares, 0.1, random);
    let (bad, dead) = (random.chance(fleet.bad_share), random.chance(fleet.dead_share));
    let ratio = one_of(&fleet.ratios, 1.0, random);
    let fault = match (bad, dead) {
        (false, _) => Fault::None,
        (true, true) => Fault::Dead,
        (true, false) => Fault::Errors(ratio),
    };
    Deployment { service, at_s, canary_share, fault }
}

fn one_of(values: &[f64], otherwise: f64, random: &mut Random) -> f64 {
    values.get(random.below(values.len() as u64) as usize).copied().unwrap_or(otherwise)
}

/// What reaches the judge of one tick of an arm, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Whether it is of the canary.
    pub of_canary: bool,
    /// The sender's time stamp, milliseconds after the canary's start.
    pub stamp_ms: i64,
    /// When it arrives, the same.
    pub arrives_ms: i64,
    /// What was counted.
    pub tally: Tally,
}

/// How long what comes late is on its way.
const LATE_MS: i64 = 3_000;

/// The ticks as they reach the judge: with a gap, twice, late, out of order, off by the clocks.
pub fn told(fleet: &Fleet, ticks: &[Tick], random: &mut Random) -> Vec<Told> {
    let gap = random.chance(fleet.gap_chance);
    let gap_from = random.below(u64::from(fleet.life_s.saturating_sub(fleet.gap_s)).max(1)) as i64;
    let gap_to = if gap { gap_from + i64::from(fleet.gap_s) } else { gap_from };
    let skew = i64::from(fleet.skew_ms);
    let skews = [0, 1].map(|_| random.below(2 * fleet.skew_ms.max(1) as u64) as i64 - skew);
    let mut all = Vec::new();
    for tick in ticks.iter().filter(|tick| !(gap_from..gap_to).contains(&tick.at_s)) {
        for (of_canary, tally) in [(false, tick.baseline), (true, tick.canary)] {
            if of_canary && tally.total == 0 {
                continue;
            }
            let end_ms = (tick.at_s + i64::from(fleet.tick_s)) * 1000 - 1;
            let late = if random.chance(fleet.late_chance) { LATE_MS } else { 0 };
            let stamp_ms = end_ms + skews.get(usize::from(of_canary)).copied().unwrap_or(0);
            let told = Told { of_canary, stamp_ms, arrives_ms: end_ms + late, tally };
            all.push(told);
            if random.chance(fleet.twice_chance) {
                all.push(told);
            }
        }
    }
    all.sort_by_key(|told| told.arrives_ms);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frozen::{Frozen, FrozenError};

    #[test]
    fn a_tenth_is_bad_and_a_dead_canary_serves_nothing() -> Result<(), FrozenError> {
        let fleet = Frozen::embedded()?.fleet;
        let mut random = Random::of(1, "fleet", 0);
        let world = World::new(&fleet, &mut random);
        let bad = world.deployments.iter().filter(|deployment| deployment.fault != Fault::None).count();
        assert!((25..=80).contains(&bad), "{bad} of {}", world.deployments.len());
        let dead = world.deployments.iter().find(|deployment| deployment.fault == Fault::Dead);
        let ticks = dead.map(|dead| world.ticks(&fleet, dead, &mut random)).unwrap_or_default();
        assert!(!ticks.is_empty() && ticks.iter().all(|tick| tick.canary.total == 0));
        Ok(())
    }

    #[test]
    fn telemetry_comes_in_order_of_arrival_some_of_it_twice() -> Result<(), FrozenError> {
        let fleet = Frozen::embedded()?.fleet;
        let mut random = Random::of(2, "fleet", 0);
        let world = World::new(&fleet, &mut random);
        let ticks = world.ticks(&fleet, &world.deployments[0], &mut random);
        let told = told(&fleet, &ticks, &mut random);
        assert!(told.is_sorted_by_key(|told| told.arrives_ms));
        assert!(told.windows(2).any(|pair| pair[0] == pair[1]));
        assert!(!told.is_sorted_by_key(|told| told.stamp_ms));
        Ok(())
    }
}

//! Runs one cell under one seed: lives, those who look at them, lines.
//!
//! What this does not do: time, threads, files. Invariant: the lines depend on the parameters, the
//! cell and the seed alone, and not on what ran before.

mod control;
mod counts;
mod demand;
mod fleet;
mod latency;
mod repair;
mod week;

use crate::cell::{Cell, Kind};
use crate::frozen::{Frozen, PeerPlan};
use crate::peers::{Seen, Setting, TICK_S};
use crate::record::{Lines, Said};
use crate::seed::{Random, opaque};
use crate::sim::Tick;

/// The name of the system under test.
pub const OURS: &str = "homeostat";

/// One life of a cell: where its draws come from.
#[derive(Clone, Copy)]
struct Life<'a> {
    cell: &'a Cell,
    seed: u64,
    number: u64,
}

impl Life<'_> {
    fn name(self) -> String {
        opaque(self.seed, &self.cell.name, self.number)
    }

    fn random(self, part: &str) -> Random {
        Random::of(self.seed, &format!("{}/{part}", self.cell.name), self.number)
    }
}

/// What each peer says with each of its settings.
fn peers<S: Seen>(life: &str, plans: &[PeerPlan], ticks: &[Tick<S>], before: &[Tick<S>], lines: &mut Lines) {
    for plan in plans {
        let mut say = |system: &str, setting: &Setting| {
            if let Some(said) = peer(setting, ticks, before) {
                lines.decision(life, system, &said);
            }
        };
        say(&plan.name, &plan.default);
        say(&format!("{} best", plan.name), &plan.best);
    }
}

/// None when the rule is not for what is seen.
fn peer<S: Seen>(setting: &Setting, ticks: &[Tick<S>], before: &[Tick<S>]) -> Option<Said> {
    let mut peer = setting.start(before)?;
    let mut said = Said::default();
    if let Some(tick) = ticks.iter().find(|tick| peer.look(tick)) {
        said.call((tick.at_s + TICK_S) as f64);
    }
    Some(said)
}

/// All lives of one cell under one seed.
pub fn cell(cell: &Cell, seed: u64, frozen: &Frozen) -> Lines {
    let mut lines = Lines::default();
    for number in 0..u64::from(cell.lives_per_seed) {
        let life = Life { cell, seed, number };
        if cell.kind.has_label() {
            lines.label(&life.name(), &cell.name);
        }
        match &cell.kind {
            Kind::Counts { world, spread, fault } => {
                if let Some(world) = frozen.worlds.get(world) {
                    counts::life(
                        life,
                        &counts::Lived { world, spread: *spread, fault: *fault },
                        frozen,
                        &mut lines,
                    );
                }
            }
            Kind::Latency(slowdown) => latency::life(life, *slowdown, frozen, &mut lines),
            Kind::Week { spread, worse, life_s } => {
                let stream = week::Lived { spread: *spread, worse: *worse, life_s: *life_s };
                week::life(life, &stream, frozen, &mut lines);
            }
            Kind::Demand(family) => {
                // Long lines: every few seeds are enough.
                if seed.is_multiple_of(frozen.demand.every_seed.max(1)) {
                    demand::life(life, *family, frozen, &mut lines);
                }
            }
            Kind::Fleet => fleet::world(life, frozen, &mut lines),
            Kind::Repair(repair) => repair::life(life, *repair, frozen, &mut lines),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{Effort, all};
    use crate::frozen::FrozenError;

    #[test]
    fn a_cell_under_a_seed_gives_the_same_lines_again() -> Result<(), FrozenError> {
        let frozen = Frozen::embedded()?;
        let cells = all(&frozen, Effort::Quick);
        for name in ["s1/peers/b/5", "s1/faulty/b/1/x3", "s2/faulty/x1.5", "s6/fixed/x5"] {
            let found = cells.iter().find(|cell| cell.name == name);
            let lines = found
                .map(|found| (cell(found, 3, &frozen), cell(found, 3, &frozen), cell(found, 4, &frozen)));
            let Some((lines, again, other)) = lines else { panic!("no cell {name}") };
            assert_eq!(lines, again);
            assert_ne!(lines.labels, other.labels);
        }
        Ok(())
    }

    #[test]
    fn every_system_speaks_of_every_life() -> Result<(), FrozenError> {
        let frozen = Frozen::embedded()?;
        let cells = all(&frozen, Effort::Quick);
        let count = |name: &str| {
            let found = cells.iter().find(|cell| cell.name == name).map(|found| cell(found, 1, &frozen));
            found.map(|lines| (lines.labels.lines().count(), lines.decisions.lines().count()))
        };
        let with = |peers: &[PeerPlan]| Some((2, 2 * (1 + 2 * peers.len())));
        assert_eq!(count("s1/peers/a/1"), with(&frozen.peers));
        assert_eq!(count("s1/healthy/a/1"), Some((2, 2)));
        for name in ["s2/healthy", "s2/biased", "s2/faulty/tail3"] {
            assert_eq!(count(name), with(&frozen.latency_peers), "{name}");
        }
        Ok(())
    }
}

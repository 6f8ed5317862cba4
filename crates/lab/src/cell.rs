//! What is run: cells, each a kind of life with or without a fault, and each fault's healthy twin.
//!
//! What this does not do: run them. Invariant: every faulty cell names a twin that is run as well,
//! with the same systems.

use serde::Serialize;

use crate::frozen::Frozen;
use crate::sim::counts::Fault;
use crate::sim::demand::Family;
use crate::sim::latency::Slowdown;
use crate::sim::repair::Repair;
use crate::sim::week::Worse;

/// A kind of life.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its name, with slashes from the general to the particular.
    pub name: String,
    /// The cell that is like it but healthy; none for healthy ones.
    pub twin: Option<String>,
    /// When the fault begins, seconds after the start.
    pub onset_s: f64,
    /// How many lives, a seed.
    pub lives_per_seed: u32,
    /// How many weeks one life is, where alarms are counted by the week.
    pub weeks: Option<f64>,
    /// Who looks at it.
    pub who: Who,
    /// What is simulated.
    pub kind: Kind,
}

/// Who looks at a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The system under test.
    Ours,
    /// The peers too.
    Peers,
    /// What must fail too.
    Controls,
}

/// What is simulated.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// S1.
    Counts {
        /// The world's name.
        world: String,
        /// Variance over mean of the errors.
        spread: f64,
        /// What is wrong.
        fault: Fault,
    },
    /// S2.
    Latency(Slowdown),
    /// S3.
    Week {
        /// Variance over mean of the errors.
        spread: f64,
        /// What becomes wrong.
        worse: Option<Worse>,
        /// How long, after the history.
        life_s: u32,
    },
    /// S5.
    Demand(Family),
    /// S6.
    Repair(Repair),
    /// S7: all deployments of a fleet; their cells are [`FLEET_BAD`] and [`FLEET_GOOD`].
    Fleet,
}

impl Kind {
    /// Whether a life of it is one label; forecasts and fleets have their own.
    pub fn has_label(&self) -> bool {
        !matches!(self, Self::Demand(_) | Self::Fleet)
    }
}

/// Bad deployments of a fleet.
pub const FLEET_BAD: &str = "s7/bad";
/// Good ones.
pub const FLEET_GOOD: &str = "s7/good";

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// All of it.
    Whole,
    /// A little of everything, in seconds: does the laboratory work?
    Quick,
}

/// Lives of any cell, a seed, when quick; the controls need more to be told apart.
const QUICK_LIVES: u32 = 2;
const QUICK_CONTROL_LIVES: u32 = 40;
/// A quick healthy stream's length.
const QUICK_WEEK_S: u32 = 86_400;

/// The two cells that a fleet's deployments are in, as the scorer reads them.
pub const FLEET_CELLS: [Described<'static>; 2] = [
    Described { name: FLEET_BAD, twin: Some(FLEET_GOOD), onset_s: 0.0, lives: None, weeks: None },
    Described { name: FLEET_GOOD, twin: None, onset_s: 0.0, lives: None, weeks: None },
];

/// A cell as the scorer reads it.
#[derive(Debug, Serialize)]
pub struct Described<'a> {
    name: &'a str,
    twin: Option<&'a str>,
    onset_s: f64,
    /// None where the world says how many.
    lives: Option<u64>,
    weeks: Option<f64>,
}

impl Cell {
    /// For the scorer, when run with so many seeds.
    pub fn described(&self, seeds: u64) -> Described<'_> {
        Described {
            name: &self.name,
            twin: self.twin.as_deref(),
            onset_s: self.onset_s,
            lives: Some(seeds * u64::from(self.lives_per_seed)),
            weeks: self.weeks,
        }
    }

    fn counts(name: String, world: &str, spread: f64, fault: Fault) -> Self {
        let kind = Kind::Counts { world: world.to_owned(), spread, fault };
        let onset_s = f64::from(fault.onset_s);
        Self { name, twin: None, onset_s, lives_per_seed: 1, weeks: None, who: Who::Ours, kind }
    }

    fn with_twin(mut self, twin: String) -> Self {
        self.twin = Some(twin);
        self
    }

    fn lives(mut self, per_seed: u32) -> Self {
        self.lives_per_seed = per_seed;
        self
    }

    fn seen_by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }
}

/// Every cell of a run.
pub fn all(frozen: &Frozen, effort: Effort) -> Vec<Cell> {
    let mut cells = Vec::new();
    cells.extend(healthy_counts(frozen));
    cells.extend(faulty_counts(frozen));
    cells.extend(control_pair(frozen));
    cells.extend(latency(frozen));
    cells.extend(weeks(frozen));
    cells.extend(demands(frozen));
    cells.extend(repairs(frozen));
    cells.push(plain("s7/fleet".to_owned(), Kind::Fleet, 1));
    if effort == Effort::Quick {
        cells.iter_mut().for_each(shorten);
    }
    cells
}

fn shorten(cell: &mut Cell) {
    let lives = if cell.who == Who::Controls { QUICK_CONTROL_LIVES } else { QUICK_LIVES };
    cell.lives_per_seed = if cell.who == Who::Controls { lives } else { cell.lives_per_seed.min(lives) };
    if let Kind::Week { life_s, .. } = &mut cell.kind
        && cell.weeks.is_some()
    {
        *life_s = (*life_s).min(QUICK_WEEK_S);
        cell.weeks = Some(f64::from(*life_s) / WEEK_S);
    }
}

const WEEK_S: f64 = 604_800.0;

fn healthy_counts(frozen: &Frozen) -> Vec<Cell> {
    let mut cells = Vec::new();
    let plan = &frozen.counts_plan;
    for (world, of) in &frozen.worlds {
        for spread in if of.ramp { &plan.ramp_spreads } else { &plan.spreads } {
            let healthy =
                |part: &str| Cell::counts(format!("s1/{part}/{world}/{spread}"), world, *spread, Fault::NONE);
            cells.push(healthy("healthy").lives(plan.healthy_lives_per_seed));
            cells.push(healthy("peers").lives(plan.peer_lives_per_seed).seen_by(Who::Peers));
        }
    }
    cells
}

/// Which faults are tried in which world; late ones and ones that pass by themselves as well.
fn faulty_counts(frozen: &Frozen) -> Vec<Cell> {
    let plain = |ratio| Fault { ratio, ..Fault::NONE };
    let late = Fault { ratio: 3.0, onset_s: 1800, until_s: None };
    let passing = Fault { ratio: 5.0, onset_s: 600, until_s: Some(900) };
    let mut faults: Vec<(&str, f64, String, Fault)> = Vec::new();
    for spread in [1.0, 5.0] {
        for (world, ratios) in [("a", [2.0, 3.0, 5.0, 10.0]), ("b", [1.5, 2.0, 3.0, 5.0])] {
            faults.extend(ratios.map(|ratio| (world, spread, format!("x{ratio}"), plain(ratio))));
        }
    }
    faults.push(("c", 1.0, "x3".to_owned(), plain(3.0)));
    faults.push(("d", 1.0, "x1.5".to_owned(), plain(1.5)));
    faults.push(("ramp", 1.0, "x3".to_owned(), plain(3.0)));
    faults.push(("b", 1.0, "late-x3".to_owned(), late));
    faults.push(("b", 1.0, "passing-x5".to_owned(), passing));
    let cell = |(world, spread, name, fault): (&str, f64, String, Fault)| {
        Cell::counts(format!("s1/faulty/{world}/{spread}/{name}"), world, spread, fault)
            .with_twin(format!("s1/peers/{world}/{spread}"))
            .lives(frozen.counts_plan.faulty_lives_per_seed)
            .seen_by(Who::Peers)
    };
    faults.into_iter().map(cell).collect()
}

/// The names of the pair of cells for what must fail: faulty, healthy.
pub const CONTROL_PAIR: [&str; 2] = ["s1/control/faulty", "s1/control/healthy"];

fn control_pair(frozen: &Frozen) -> [Cell; 2] {
    let plan = &frozen.controls;
    let [faulty, healthy] = CONTROL_PAIR.map(str::to_owned);
    let fault = Fault { ratio: plan.ratio, ..Fault::NONE };
    let cell = |name, fault| {
        Cell::counts(name, &plan.world, plan.spread, fault).lives(plan.lives_per_seed).seen_by(Who::Controls)
    };
    [cell(faulty, fault).with_twin(healthy.clone()), cell(healthy, Fault::NONE)]
}

fn latency(frozen: &Frozen) -> Vec<Cell> {
    let plan = &frozen.latency_plan;
    let cell = |name: String, slowdown: Slowdown, lives_per_seed| {
        plain(name, Kind::Latency(slowdown), lives_per_seed).seen_by(Who::Peers)
    };
    let healthy = "s2/healthy".to_owned();
    let mut cells = vec![cell(healthy.clone(), Slowdown::NONE, plan.healthy_lives_per_seed)];
    for (name, slowdown) in &frozen.slowdowns {
        let faulty = cell(format!("s2/faulty/{name}"), *slowdown, plan.faulty_lives_per_seed);
        cells.push(faulty.with_twin(healthy.clone()));
    }
    // A bias of 3 % is a true difference: told, and not held against the target.
    let bias = Slowdown { bias_sd: 0.03, ..Slowdown::NONE };
    cells.push(cell("s2/biased".to_owned(), bias, plan.faulty_lives_per_seed));
    cells
}

fn weeks(frozen: &Frozen) -> Vec<Cell> {
    let plan = &frozen.week_plan;
    let healthy = |spread: &f64| Cell {
        name: format!("s3/healthy/{spread}"),
        twin: None,
        onset_s: 0.0,
        lives_per_seed: plan.healthy_lives_per_seed,
        weeks: Some(f64::from(plan.life_s) / WEEK_S),
        who: Who::Peers,
        kind: Kind::Week { spread: *spread, worse: None, life_s: plan.life_s },
    };
    let onset_s = f64::from(plan.onset_s);
    let faulty = |ratio: &f64| Cell {
        name: format!("s3/faulty/x{ratio}"),
        twin: Some("s3/healthy/1".to_owned()),
        onset_s,
        lives_per_seed: plan.faulty_lives_per_seed,
        weeks: None,
        who: Who::Peers,
        kind: Kind::Week {
            spread: 1.0,
            worse: Some(Worse { ratio: *ratio, onset_s }),
            life_s: plan.faulty_life_s,
        },
    };
    plan.spreads.iter().map(healthy).chain(plan.ratios.iter().map(faulty)).collect()
}

fn plain(name: String, kind: Kind, lives_per_seed: u32) -> Cell {
    Cell { name, twin: None, onset_s: 0.0, lives_per_seed, weeks: None, who: Who::Ours, kind }
}

fn demands(frozen: &Frozen) -> impl Iterator<Item = Cell> {
    let families = frozen.demand.families.iter();
    families.map(|family| plain(format!("s5/{}", family.name()), Kind::Demand(*family), 1))
}

/// A call is that it is fixed: true where it is, false at the boundary between the two rates and
/// where nothing was mended.
fn repairs(frozen: &Frozen) -> Vec<Cell> {
    let plan = &frozen.repair_plan;
    let cell =
        |name: String, repair: Repair, lives_per_seed| plain(name, Kind::Repair(repair), lives_per_seed);
    let mut cells = Vec::new();
    for spread in &plan.spreads {
        for was in &plan.ratios {
            let end = if *spread == 1.0 { format!("x{was}") } else { format!("x{was}-spread{spread}") };
            let repair = |is| Repair { was: *was, is, spread: *spread, usual_s: frozen.repair.usual_s };
            let boundary = format!("s6/boundary/{end}");
            let edge = repair(libm::sqrt(*was));
            cells.push(cell(boundary.clone(), edge, plan.healthy_lives_per_seed));
            let short = Repair { usual_s: plan.short_usual_s, ..edge };
            cells.push(cell(format!("s6/short-history/{end}"), short, plan.faulty_lives_per_seed));
            cells.push(cell(format!("s6/not-fixed/{end}"), repair(*was), plan.faulty_lives_per_seed));
            cells.push(
                cell(format!("s6/fixed/{end}"), repair(1.0), plan.faulty_lives_per_seed).with_twin(boundary),
            );
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frozen::FrozenError;

    #[test]
    fn every_fault_has_a_twin_that_is_run_with_the_same_systems() -> Result<(), FrozenError> {
        let cells = all(&Frozen::embedded()?, Effort::Whole);
        for cell in &cells {
            let Some(name) = &cell.twin else { continue };
            let twin = cells.iter().find(|other| other.name == *name);
            assert!(twin.is_some_and(|twin| twin.who == cell.who && twin.twin.is_none()), "{}", cell.name);
        }
        Ok(())
    }

    #[test]
    fn names_are_unique_and_quick_is_less() -> Result<(), FrozenError> {
        let frozen = Frozen::embedded()?;
        let (whole, quick) = (all(&frozen, Effort::Whole), all(&frozen, Effort::Quick));
        let names: std::collections::BTreeSet<_> = whole.iter().map(|cell| &cell.name).collect();
        assert_eq!(names.len(), whole.len());
        assert_eq!(whole.len(), quick.len());
        Ok(())
    }
}

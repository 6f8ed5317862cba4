//! What the scorer printed.

use std::collections::BTreeMap;

use serde::Deserialize;

/// All scores of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Scores {
    /// The SHA-256 of the frozen parameters.
    pub frozen: String,
    /// Every system in every cell.
    pub cells: Vec<Score>,
    /// From a family of series to each system's score.
    pub forecasts: BTreeMap<String, BTreeMap<String, Forecast>>,
    /// What must be shown.
    pub targets: Vec<Target>,
    /// What must fail.
    pub controls: Vec<Control>,
}

/// One system in one cell. Times are seconds after the fault's onset.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Score {
    /// The cell.
    pub cell: String,
    /// The system.
    pub system: String,
    /// How many lives.
    pub lives: u64,
    /// Calls in all of them.
    pub calls: u64,
    /// Lives that were called, and not before the onset.
    pub called: Share,
    /// Lives that were called before it.
    pub early: u64,
    /// Half of all lives were called within this.
    pub median_s: Option<f64>,
    /// 95 of 100.
    pub p95_s: Option<f64>,
    /// Lives that were called healthy at some time.
    pub healthy: Share,
    /// Where alarms are counted by the week.
    pub per_week: Option<Rate>,
    /// The healthy twin.
    pub twin: Option<Twin>,
}

/// A share with its exact 95 % interval.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Share {
    /// How many.
    pub hits: u64,
    /// Of how many.
    pub of: u64,
    /// The one over the other.
    pub share: f64,
    /// From and to.
    pub interval: (f64, f64),
}

/// A rate with its exact 95 % interval.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Rate {
    /// A week.
    pub rate: f64,
    /// From and to.
    pub interval: (f64, f64),
}

/// The same system in the healthy twin.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Twin {
    /// The twin.
    pub cell: String,
    /// Lives that were called there.
    pub called: Share,
}

/// One system's forecasts of one family.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Forecast {
    /// Mean absolute error over that of "as before".
    pub error: f64,
    /// How often the upper bound held.
    pub coverage: Option<f64>,
    /// How many steps.
    pub steps: u64,
}

/// What must be shown.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Target {
    /// Its number in the list of targets.
    pub number: String,
    /// What is claimed.
    pub claim: String,
    /// What must be reached at least; none where only the other counts.
    pub must: Option<f64>,
    /// What would be ahead of every peer.
    pub best: f64,
    /// The unit of all three.
    pub unit: String,
    /// What was found; none when not run, or never.
    pub value: Option<f64>,
    /// Whether it was reached.
    pub reached: Reached,
    /// How it was found.
    pub note: String,
}

/// Whether a target was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reached {
    /// Ahead of every peer.
    Best,
    /// What must be.
    Must,
    /// Not even that.
    Missed,
    /// Not run.
    Missing,
}

/// What must fail, or be the same.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Control {
    /// What was tried.
    pub name: String,
    /// Whether it came out as it must.
    pub sound: bool,
    /// How.
    pub text: String,
}

impl Scores {
    /// The score of a system in a cell.
    pub fn of(&self, cell: &str, system: &str) -> Option<&Score> {
        self.cells.iter().find(|score| score.cell == cell && score.system == system)
    }

    /// The systems that were scored in a cell: ours first, then by name.
    pub fn systems(&self, cell: &str) -> Vec<&str> {
        let mut systems: Vec<&str> =
            self.cells.iter().filter(|score| score.cell == cell).map(|score| score.system.as_str()).collect();
        systems.sort_by_key(|system| (*system != crate::run::OURS, *system));
        systems
    }

    /// The cells whose names begin so, in order.
    pub fn cells_of(&self, prefix: &str) -> Vec<&str> {
        let mut cells: Vec<&str> = self
            .cells
            .iter()
            .map(|score| score.cell.as_str())
            .filter(|cell| cell.starts_with(prefix))
            .collect();
        cells.sort_unstable();
        cells.dedup();
        cells
    }

    /// The controls that did not come out as they must.
    pub fn failed_controls(&self) -> Vec<&Control> {
        self.controls.iter().filter(|control| !control.sound).collect()
    }
}

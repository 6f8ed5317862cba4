//! What was told of one span of event time, before it is judged.
//!
//! Invariants: an observation told twice counts once, and the order of telling does not matter: an
//! observation is known by who told it (or by its time), metric and arm. What is kept is bounded.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::{Arm, What};
use crate::sequential::Tally;

/// Observations kept apart of one metric and arm in one batch, to know what was told twice; what
/// comes beyond it is refused. Whoever has more to tell in a few seconds adds it up first.
pub(super) const TOLD_MAX: usize = 256;

/// What a gauge's report stands for in requests, to tell whether silence says something.
const GAUGE_UNITS: u64 = 10;

/// Whose an observation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Lane {
    Alone,
    Baseline,
    Canary,
}

impl Lane {
    pub(super) fn of(arm: Option<Arm>) -> Self {
        match arm {
            None => Self::Alone,
            Some(Arm::Baseline) => Self::Baseline,
            Some(Arm::Canary) => Self::Canary,
        }
    }
}

/// One batch that is still open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Batch {
    /// Event time over the length of a batch.
    pub(super) index: u64,
    cells: Vec<Cell>,
}

/// What one arm of one stream told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cell {
    stream: u8,
    lane: Lane,
    /// By whom it was told, or when: milliseconds since the start of the batch.
    told: Vec<u32>,
    content: Content,
}

/// What was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Content {
    Counts(Tally),
    Values(Histogram),
    /// The last level by its time since the start of the batch.
    Level {
        at: u32,
        value: f64,
    },
}

/// Why an observation was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Twice,
    TooMany,
}

impl Batch {
    pub(super) fn new(index: u64) -> Self {
        Self { index, cells: Vec::new() }
    }

    /// Takes what was told, known as `known`.
    pub(super) fn take(
        &mut self,
        stream: u8,
        lane: Lane,
        known: u32,
        content: Content,
    ) -> Result<(), Refused> {
        let place = self.cells.binary_search_by_key(&(stream, lane), |cell| (cell.stream, cell.lane));
        let cell = match place {
            Ok(place) => self.cells.get_mut(place),
            Err(place) => {
                self.cells.insert(place, Cell { stream, lane, told: vec![known], content });
                return Ok(());
            }
        };
        cell.map_or(Err(Refused::TooMany), |cell| cell.take(known, content))
    }

    /// What an arm of a stream told, if anything.
    pub(super) fn content(&self, stream: u8, lane: Lane) -> Option<&Content> {
        let place = self.cells.binary_search_by_key(&(stream, lane), |cell| (cell.stream, cell.lane)).ok()?;
        self.cells.get(place).map(|cell| &cell.content)
    }

    /// How often each stream and arm told something: batches of one rhythm have one shape.
    pub(super) fn shape(&self) -> impl Iterator<Item = (u8, Lane, usize)> {
        self.cells.iter().map(|cell| (cell.stream, cell.lane, cell.told.len()))
    }
}

impl Cell {
    fn take(&mut self, known: u32, content: Content) -> Result<(), Refused> {
        let Err(place) = self.told.binary_search(&known) else { return Err(Refused::Twice) };
        if self.told.len() >= TOLD_MAX {
            return Err(Refused::TooMany);
        }
        self.told.insert(place, known);
        self.content.join(content);
        Ok(())
    }
}

impl Content {
    /// What was told at `at` milliseconds since the start of the batch; `None` for what tells nothing
    /// of the kind.
    pub(super) fn of(what: &What, at: u32) -> Option<Self> {
        match what {
            What::Bernoulli { bad, total, .. } => {
                Some(Self::Counts(Tally { total: *total, bad: (*bad).min(*total) }))
            }
            What::Sample { values, .. } => {
                let mut histogram = Histogram::default();
                values.iter().for_each(|value| histogram.add(*value));
                Some(Self::Values(histogram))
            }
            What::Gauge { value, .. } => value.is_finite().then_some(Self::Level { at, value: *value }),
            What::Event { .. } => None,
        }
    }

    /// How many requests it stands for; a report of nothing is one all the same.
    pub(super) fn units(&self) -> u64 {
        match self {
            Self::Counts(tally) => tally.total.max(1),
            Self::Values(values) => values.count().max(1),
            Self::Level { .. } => GAUGE_UNITS,
        }
    }

    fn join(&mut self, other: Self) {
        match (self, other) {
            (Self::Counts(kept), Self::Counts(tally)) => *kept = kept.plus(tally),
            (Self::Values(kept), Self::Values(values)) => kept.add_all(&values),
            (Self::Level { at, value }, Self::Level { at: later, value: level }) if later > *at => {
                (*at, *value) = (later, level);
            }
            // A stream has one kind; its rollout sees to that.
            _ => {}
        }
    }
}

//! The table of values, its bounds, and its stored form.

use std::collections::{BTreeMap, VecDeque};

use homeostat_schema::types::{PolicyContext, Remedy};
use serde::{Deserialize, Serialize};

use crate::prior::prior;

/// Contexts kept; environments × kinds × severities in use are a few dozen. Beyond it the context
/// with the fewest lessons makes room.
pub const CONTEXTS_MAX: usize = 256;
/// Remedies kept per context: the ten known ones and some playbooks. Beyond it the one with the
/// fewest lessons makes room.
pub const REMEDIES_MAX: usize = 32;
/// Attempts remembered so that a replayed lesson does not count twice. Replays come within a
/// batch or two of the first delivery; this is many times that.
pub const LESSONS_REMEMBERED_MAX: usize = 128;
/// Characters kept of a name that comes from outside.
const NAME_CHARS_MAX: usize = 128;
/// The stored form's version.
const SCHEMA: u32 = 1;

/// What was learned: expected reward and number of lessons by context and remedy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    version: u64,
    table: BTreeMap<Context, BTreeMap<String, Cell>>,
    learned: VecDeque<String>,
}

/// One line of the policy as shown and stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The environment.
    pub env: String,
    /// The finding kind's wire name.
    pub kind: String,
    /// The severity's wire name.
    pub severity: String,
    /// The remedy's wire name.
    pub remedy: String,
    /// Expected reward; finite, -1 to 1 without discount.
    pub value: f64,
    /// Lessons behind it.
    pub visits: u64,
}

/// The stored policy could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the JSON of any version.
    #[error("the stored policy is not readable")]
    Json(#[from] serde_json::Error),
    /// Written by a version this one does not know.
    #[error(
        "the stored policy has form {0}, this version reads form {SCHEMA}: run the version that wrote it"
    )]
    UnknownForm(u32),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Context {
    env: String,
    kind: String,
    severity: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    pub(crate) value: f64,
    pub(crate) visits: u64,
}

#[derive(Deserialize)]
struct Form {
    schema: u32,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    version: u64,
    rows: Vec<Row>,
    learned: VecDeque<String>,
}

impl Context {
    pub(crate) fn of(context: &PolicyContext) -> Self {
        Self {
            env: bounded(&context.env),
            kind: bounded(context.kind.name()),
            severity: context.severity.name().to_owned(),
        }
    }
}

impl Policy {
    /// Reads a stored policy; nothing stored is the policy that has learned nothing.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not a policy, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, DecodeError> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let form: Form = serde_json::from_slice(bytes)?;
        if form.schema != SCHEMA {
            return Err(DecodeError::UnknownForm(form.schema));
        }
        let stored: Stored = serde_json::from_slice(bytes)?;
        Ok(Self::from_stored(stored))
    }

    /// The stored form: JSON of at most about 3 MB at the hard bounds, a few KB as a rule.
    pub fn encode(&self) -> Vec<u8> {
        let stored = Stored {
            schema: SCHEMA,
            version: self.version,
            rows: self.rows(),
            learned: self.learned.clone(),
        };
        // Cannot fail: strings and finite numbers only, no maps with keys that are not strings. Were
        // it to, the empty bytes are refused by `decode`, not taken for an empty policy.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// How many lessons it has taken; rises by 1 with each.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Everything learned, in order of environment, kind, severity, remedy.
    pub fn rows(&self) -> Vec<Row> {
        let cells = |(context, cells): (&Context, &BTreeMap<String, Cell>)| {
            cells.iter().map(|(remedy, cell)| context.row(remedy, *cell)).collect::<Vec<_>>()
        };
        self.table.iter().flat_map(cells).collect()
    }

    /// The expected reward of a remedy in a context: learned, or the prior.
    pub fn value(&self, context: &PolicyContext, remedy: &Remedy) -> f64 {
        self.cell(context, remedy).value
    }

    pub(crate) fn cell(&self, context: &PolicyContext, remedy: &Remedy) -> Cell {
        let learned = self.table.get(&Context::of(context));
        let cell = learned.and_then(|cells| cells.get(&bounded(remedy.name())));
        cell.copied().unwrap_or_else(|| Cell { value: prior(&context.kind, remedy), visits: 0 })
    }

    /// Writes one cell and counts the lesson.
    pub(crate) fn write(&mut self, context: &PolicyContext, remedy: &Remedy, cell: Cell) {
        let key = Context::of(context);
        if !self.table.contains_key(&key) && self.table.len() >= CONTEXTS_MAX {
            self.forget_one_context();
        }
        let cells = self.table.entry(key).or_default();
        let remedy = bounded(remedy.name());
        if !cells.contains_key(&remedy) && cells.len() >= REMEDIES_MAX {
            forget_one_remedy(cells);
        }
        cells.insert(remedy, cell);
        self.version = self.version.saturating_add(1);
    }

    pub(crate) fn has_learned(&self, attempt: &str) -> bool {
        let attempt = bounded(attempt);
        self.learned.contains(&attempt)
    }

    pub(crate) fn remember(&mut self, attempt: &str) {
        while self.learned.len() >= LESSONS_REMEMBERED_MAX {
            self.learned.pop_front();
        }
        self.learned.push_back(bounded(attempt));
    }

    fn forget_one_context(&mut self) {
        let lessons = |cells: &BTreeMap<String, Cell>| cells.values().map(|cell| cell.visits).sum::<u64>();
        let least = self.table.iter().min_by_key(|(_, cells)| lessons(cells)).map(|(key, _)| key.clone());
        if let Some(least) = least {
            self.table.remove(&least);
        }
    }

    fn from_stored(stored: Stored) -> Self {
        let mut table: BTreeMap<Context, BTreeMap<String, Cell>> = BTreeMap::new();
        for row in stored.rows.into_iter().filter(|row| row.value.is_finite()) {
            let key = Context { env: row.env, kind: row.kind, severity: row.severity };
            let cell = Cell { value: row.value, visits: row.visits };
            table.entry(key).or_default().insert(row.remedy, cell);
        }
        Self { version: stored.version, table, learned: stored.learned }
    }
}

impl Context {
    fn row(&self, remedy: &str, cell: Cell) -> Row {
        Row {
            env: self.env.clone(),
            kind: self.kind.clone(),
            severity: self.severity.clone(),
            remedy: remedy.to_owned(),
            value: cell.value,
            visits: cell.visits,
        }
    }
}

fn forget_one_remedy(cells: &mut BTreeMap<String, Cell>) {
    let least = cells.iter().min_by_key(|(_, cell)| cell.visits).map(|(remedy, _)| remedy.clone());
    if let Some(least) = least {
        cells.remove(&least);
    }
}

fn bounded(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

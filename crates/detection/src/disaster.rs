//! Disasters: several findings at once across an environment that together mean something worse.
//!
//! A scenario names triggers, each a kind of finding in so many services. It opens when a majority
//! of its triggers is tripped by findings that are open and opened within the scenario's window of
//! each other; it names the playbook and the time in which the environment must be back. It closes
//! with hysteresis: when fewer than half of that majority are still tripped, for as long as the
//! scenario says. The recovery is measured from the first of the findings to the moment from which
//! it stayed calm, and held against the objective; an open one past its objective is *overdue*.
//!
//! What this does not do: run the playbook, or take silence for recovery. A finding is gone when it
//! is told so; [`Watch::close`] is the operator's word.
//!
//! Invariants: at most 48 findings, 4 KB; telling the same again or in another order changes
//! nothing; each opening, each delay beyond the objective and each recovery is told once.

use homeostat_schema::config::Trigger;
use serde::{Deserialize, Serialize};

use crate::{
    recent::digest,
    stored::{self, StoredError},
};

mod scenario;
mod text;

pub use scenario::Scenario;

/// The stored form's version.
const SCHEMA: u32 = 1;
/// Findings kept; one that is gone makes room first, then the one that opened first.
pub const FINDINGS_MAX: usize = 48;

/// A finding that opened or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'a> {
    /// The finding's kind.
    pub kind: &'a str,
    /// In which service.
    pub service: &'a str,
    /// When it opened, or was gone; milliseconds.
    pub at_ms: u64,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No disaster.
    Quiet,
    /// The scenario is on.
    Open,
    /// It is on for longer than its objective.
    Overdue,
}

/// What happened with this look; each is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It opened: start the playbook.
    Opened,
    /// The objective passed.
    Overdue,
    /// It is over.
    Recovered(Recovery),
}

/// A recovery, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// When the first of the findings opened, milliseconds.
    pub began_ms: u64,
    /// From when it stayed calm, milliseconds.
    pub recovered_ms: u64,
    /// The objective, milliseconds.
    pub objective_ms: u64,
}

impl Recovery {
    /// How long it took, milliseconds.
    pub fn took_ms(&self) -> u64 {
        self.recovered_ms.saturating_sub(self.began_ms)
    }

    /// Whether that was within the objective.
    pub fn is_met(&self) -> bool {
        self.took_ms() <= self.objective_ms
    }
}

/// How it stands, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// How it stands.
    pub verdict: Verdict,
    /// What happened with this look.
    pub change: Option<Change>,
    /// What the disaster is known by while it is open, and when it is over: the scenario and when
    /// it began.
    pub key: Option<String>,
    /// Triggers that are tripped: within the window while it is quiet, at all while it is open.
    pub tripped: usize,
    /// Of how many.
    pub triggers: usize,
    /// When the first of the findings opened, milliseconds; none while it is quiet.
    pub began_ms: Option<u64>,
    /// When to look again though nothing is told, milliseconds.
    pub recheck_at_ms: Option<u64>,
    /// In plain words.
    pub text: String,
}

/// Kind, service, when it opened last and was gone last; milliseconds, 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seen(u32, u32, u64, u64);

impl Seen {
    fn is_open(&self) -> bool {
        self.2 > self.3
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    began_ms: u64,
    /// From when it is calm enough.
    calm_ms: Option<u64>,
    overdue: bool,
}

/// The state of one scenario in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    schema: u32,
    seen: Vec<Seen>,
    open: Option<Open>,
    /// What the last one took.
    last: Option<Recovery>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { schema: SCHEMA, seen: Vec::new(), open: None, last: None }
    }
}

impl Watch {
    /// Reads a stored state; nothing stored is a scenario that never was.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, StoredError> {
        Ok(stored::decode("a disaster", SCHEMA, bytes)?.unwrap_or_default())
    }

    /// The stored form; at most 4 KB.
    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    /// A finding opened. Kinds and services that are none of the scenario's are passed over.
    pub fn opened(&mut self, told: &Told<'_>, scenario: &Scenario) {
        self.note(told, scenario, |seen| seen.2 = seen.2.max(told.at_ms));
    }

    /// A finding is gone.
    pub fn gone(&mut self, told: &Told<'_>, scenario: &Scenario) {
        self.note(told, scenario, |seen| seen.3 = seen.3.max(told.at_ms));
    }

    /// What the last disaster of this scenario took.
    pub fn last(&self) -> Option<Recovery> {
        self.last
    }

    /// An operator says that it is over. What is still open trips the scenario again only when it
    /// opens anew. None when there was nothing to close.
    pub fn close(&mut self, now_ms: u64, scenario: &Scenario) -> Option<Recovery> {
        let open = self.open.take()?;
        self.seen.iter_mut().for_each(|seen| seen.3 = seen.3.max(now_ms));
        let recovery = Recovery {
            began_ms: open.began_ms,
            recovered_ms: open.calm_ms.unwrap_or(now_ms),
            objective_ms: scenario.recovery_ms,
        };
        self.last = Some(recovery);
        Some(recovery)
    }

    /// How it stands at `now_ms`.
    pub fn judge(&mut self, now_ms: u64, scenario: &Scenario) -> Judged {
        let began_ms = self.open.as_ref().map(|open| open.began_ms);
        let change = match &self.open {
            None => self.open_if_tripped(scenario),
            Some(_) => self.go_on(now_ms, scenario),
        };
        let verdict = match &self.open {
            None => Verdict::Quiet,
            Some(open) if open.overdue => Verdict::Overdue,
            Some(_) => Verdict::Open,
        };
        let began_ms = self.open.as_ref().map(|open| open.began_ms).or(began_ms);
        let mut judged = Judged {
            verdict,
            change,
            key: began_ms.map(|began_ms| format!("disaster-{}-{began_ms}", scenario.name)),
            tripped: self.tripped(scenario, self.open.is_none()).len(),
            triggers: scenario.triggers.len(),
            began_ms,
            recheck_at_ms: self.recheck_at_ms(scenario),
            text: String::new(),
        };
        judged.text = text::of(&judged, now_ms, scenario);
        judged
    }

    fn open_if_tripped(&mut self, scenario: &Scenario) -> Option<Change> {
        let tripped = self.tripped(scenario, true);
        if tripped.len() < scenario.majority() {
            return None;
        }
        let began_ms = tripped.into_iter().min()?;
        self.open = Some(Open { began_ms, calm_ms: None, overdue: false });
        Some(Change::Opened)
    }

    fn go_on(&mut self, now_ms: u64, scenario: &Scenario) -> Option<Change> {
        let tripped = self.tripped(scenario, false).len();
        let calm = 2 * tripped < scenario.majority();
        // Calm since the last of the findings was gone.
        let gone_ms = self.seen.iter().map(|seen| seen.3).max().unwrap_or(now_ms);
        let open = self.open.as_mut()?;
        open.calm_ms =
            calm.then(|| open.calm_ms.unwrap_or(gone_ms.clamp(open.began_ms, now_ms.max(open.began_ms))));
        if open.calm_ms.is_some_and(|calm_ms| now_ms.saturating_sub(calm_ms) >= scenario.calm_ms) {
            return self.recovered(scenario);
        }
        let due = now_ms.saturating_sub(open.began_ms) > scenario.recovery_ms && open.calm_ms.is_none();
        if due && !open.overdue {
            open.overdue = true;
            return Some(Change::Overdue);
        }
        None
    }

    fn recovered(&mut self, scenario: &Scenario) -> Option<Change> {
        let open = self.open.take()?;
        let recovery = Recovery {
            began_ms: open.began_ms,
            recovered_ms: open.calm_ms?,
            objective_ms: scenario.recovery_ms,
        };
        self.last = Some(recovery);
        Some(Change::Recovered(recovery))
    }

    /// Of each tripped trigger, when the first of its findings opened.
    fn tripped(&self, scenario: &Scenario, within_window: bool) -> Vec<u64> {
        let newest_ms = self.seen.iter().filter(|seen| seen.is_open()).map(|seen| seen.2).max().unwrap_or(0);
        let oldest_ms = if within_window { newest_ms.saturating_sub(scenario.window_ms) } else { 0 };
        let counts = |seen: &&Seen| seen.is_open() && seen.2 >= oldest_ms;
        let mut tripped = Vec::new();
        for trigger in &scenario.triggers {
            let own = self.seen.iter().filter(counts).filter(|seen| matches(seen, trigger));
            let mut opened: Vec<u64> = own.map(|seen| seen.2).collect();
            opened.sort_unstable();
            let enough = usize::try_from(trigger.services_min.max(1)).unwrap_or(usize::MAX);
            tripped.extend(opened.get(enough - 1).and_then(|_| opened.first()).copied());
        }
        tripped
    }

    fn recheck_at_ms(&self, scenario: &Scenario) -> Option<u64> {
        let open = self.open.as_ref()?;
        match open.calm_ms {
            Some(calm_ms) => Some(calm_ms.saturating_add(scenario.calm_ms)),
            None if open.overdue => None,
            None => Some(open.began_ms.saturating_add(scenario.recovery_ms).saturating_add(1)),
        }
    }

    fn note(&mut self, told: &Told<'_>, scenario: &Scenario, change: impl FnOnce(&mut Seen)) {
        let (kind, service) = (folded(told.kind), folded(told.service));
        let mut seen = Seen(kind, service, 0, 0);
        if !scenario.triggers.iter().any(|trigger| matches(&seen, trigger)) {
            return;
        }
        if let Some(at) = self.seen.iter().position(|known| (known.0, known.1) == (kind, service)) {
            seen = self.seen.remove(at);
        }
        change(&mut seen);
        self.seen.push(seen);
        self.seen.sort_unstable_by_key(|seen| (seen.is_open(), seen.2, seen.3, seen.0, seen.1));
        let surplus = self.seen.len().saturating_sub(FINDINGS_MAX);
        self.seen.drain(..surplus);
    }
}

fn matches(seen: &Seen, trigger: &Trigger) -> bool {
    seen.0 == folded(&trigger.kind)
        && trigger.service.as_ref().is_none_or(|service| seen.1 == folded(service))
}

/// 32 bits tell the kinds and services of one environment apart: two of a thousand services
/// collide with a chance of 10^-4, and then count as one.
fn folded(name: &str) -> u32 {
    let digest = digest(&[name]);
    u32::try_from((digest ^ (digest >> 32)) & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

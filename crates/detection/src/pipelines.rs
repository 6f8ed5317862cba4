//! Whether a run that failed is flaky or broken, from what its pipeline did before.
//!
//! A pipeline is a name on a branch. Runs that are still remembered one by one ([`crate::run`]) are
//! weighed as they stand, so that the order in which a run's deliveries came does not matter; a run
//! that has to make room there is taken into the [`flake`] state of its pipeline for good.
//!
//! What this does not do: open or close a finding, or move the health score. It adds one reason to
//! the finding of a failed run: what another run is worth, which the planner reads as a number.
//!
//! Invariants: at most [`PIPELINES_MAX`] pipelines are kept; what forks, tests, late events and
//! events that may not be believed say changes none of them; a run taken twice counts once.

use homeostat_schema::types::Evidence;
use serde::{Deserialize, Serialize};

use crate::{
    flake::{Advice, Judged, Outcome, Pipeline, Rest, Run as FlakeRun, Settings, Taken, Verdict},
    number::{percent, times},
    recent::short_digest,
    run::{Ending, Failed, Run, Runs},
    score::evidence,
    stored::{self, Packed, StoredError},
};

/// Pipelines kept for a service, 1 KB each: a few workflows on the branch that counts. The one with
/// the fewest runs makes room, so that a stream of short-lived branches does not push that one out.
const PIPELINES_MAX: usize = 6;
/// A pipeline that was not heard of for so long makes room first: thirty days.
const STALE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// The version of a pipeline's stored form.
const FORM: u32 = 1;
/// A run is worth its cost above this.
const WORTH_MIN: f64 = 1.0;

/// What is known of a service's pipelines.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pipelines(Vec<Known>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known {
    /// Of name and branch.
    id: u64,
    seen_ms: u64,
    /// Runs taken in, all told.
    runs: u32,
    #[serde(with = "stored::text")]
    state: Pipeline,
}

impl Pipelines {
    /// Nothing was taken in yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a run in that is not remembered by itself any more.
    pub(crate) fn retire(&mut self, run: &Run, settings: &Settings) {
        let Some(id) = id(run) else { return };
        if run.endings().next().is_none() {
            return;
        }
        let known = self.0.iter().position(|known| known.id == id).map(|at| self.0.remove(at));
        let mut known = known.unwrap_or_else(|| Known::new(id));
        known.take(run, settings);
        self.make_room(known.seen_ms);
        self.0.push(known);
    }

    /// Room for one more.
    fn make_room(&mut self, now_ms: u64) {
        let is_kept = |known: &Known| now_ms.saturating_sub(known.seen_ms) <= STALE_MS;
        while self.0.len() >= PIPELINES_MAX {
            let places = self.0.iter().enumerate();
            let least = places.min_by_key(|(_, known)| (is_kept(known), known.runs, known.seen_ms));
            let Some((place, _)) = least else { return };
            self.0.remove(place);
        }
    }

    /// What another try of a run that failed is worth; `None` when nothing may be said of it.
    pub(crate) fn evidence(&self, runs: &Runs, failed: &Failed, settings: &Settings) -> Option<Evidence> {
        let run = runs.get(&failed.key)?;
        let id = id(run)?;
        let known = self.0.iter().find(|known| known.id == id).cloned();
        let mut known = known.unwrap_or_else(|| Known::new(id));
        let mut alike: Vec<&Run> = runs.iter().filter(|other| self::id(other) == Some(id)).collect();
        // The commit in question is held against the others, whatever was told late.
        alike.sort_by_key(|other| (other.commit() == run.commit(), other.order()));
        alike.into_iter().for_each(|other| known.take(other, settings));
        let judged = known.state.judge(&run.commit(), settings)?;
        Some(reason(&judged, known.runs, settings))
    }
}

impl Known {
    fn new(id: u64) -> Self {
        Self { id, seen_ms: 0, runs: 0, state: Pipeline::default() }
    }

    fn take(&mut self, run: &Run, settings: &Settings) {
        self.seen_ms = self.seen_ms.max(run.seen_ms());
        let commit = run.commit();
        for Ending { id, passed, tests } in run.endings() {
            let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
            let failed = Outcome::Failed { tests: &tests, rest: Rest::Unknown };
            let outcome = if passed { Outcome::Passed } else { failed };
            let taken = self.state.observe(&FlakeRun { commit: &commit, id: &id, outcome }, settings);
            self.runs = self.runs.saturating_add(u32::from(taken == Taken::Counted));
        }
    }
}

fn id(run: &Run) -> Option<u64> {
    let (title, branch) = run.pipeline()?;
    Some(match branch {
        Some(branch) => short_digest(&[title, branch]),
        None => short_digest(&[title]),
    })
}

/// Nothing of it is a name that somebody gave: numbers and our own words only.
fn reason(judged: &Judged, known: u32, settings: &Settings) -> Evidence {
    let text = format!(
        "{} of {} of this commit failed{}; {}",
        judged.failed,
        counted(judged.runs),
        tests(judged),
        conclusion(judged, known, settings)
    );
    Evidence {
        observed: judged.worth,
        bound: WORTH_MIN,
        unit: "{run}".to_owned(),
        samples: known.into(),
        ..evidence(Evidence::RERUN, &text)
    }
}

/// Which tests failed, in numbers: the first one is the one that is most likely the commit's.
fn tests(judged: &Judged) -> String {
    let Some(first) = judged.tests.first() else { return String::new() };
    let rate = percent(first.flake_rate);
    match judged.tests.len() {
        1 => format!(" in a test that fails by itself in {rate} of runs"),
        many => format!(" in {many} tests, of which one fails by itself in no more than {rate} of runs"),
    }
}

fn conclusion(judged: &Judged, known: u32, settings: &Settings) -> String {
    match (judged.verdict, judged.advice) {
        (Verdict::Flaky, _) => "as it passed too, it is flaky".to_owned(),
        (Verdict::Unsure, Advice::Ask) => "it was tried often enough, a person decides".to_owned(),
        (Verdict::Broken, _) if judged.worth == 0.0 => {
            format!(
                "that is so much oftener than on this branch before ({}) that it is not chance",
                times(judged.ln_e)
            )
        }
        _ => priced(judged, known, settings),
    }
}

fn priced(judged: &Judged, known: u32, settings: &Settings) -> String {
    let only = if judged.worth > WORTH_MIN { "" } else { "only " };
    format!(
        "by {} of this pipeline it is flaky with a chance of {}: another run, at {} of what a person's \
         look costs, is worth {only}{:.2} times its cost",
        counted(known),
        percent(1.0 - judged.p_real),
        percent(settings.retry_cost / settings.block_cost),
        judged.worth
    )
}

fn counted(runs: u32) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

impl Packed for Pipeline {
    fn packed(&self) -> Vec<u8> {
        stored::pack(FORM, self)
    }

    fn unpacked(bytes: &[u8]) -> Result<Self, StoredError> {
        stored::unpack("a pipeline", FORM, bytes)
    }
}

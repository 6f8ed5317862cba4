//! A pipeline run that failed.
//!
//! Opens when a run's newest state becomes failure, once per run and attempt. Closes when the
//! same run succeeds, at a higher attempt as a rule, or a newer run of the same name on the same
//! branch does. A run that failed makes a service doubtful, not bad: it says nothing about what is
//! running. It is forgotten after [`FAILED_RUN_COUNTS_MS`], because branches are abandoned.
//! Which of its attempts failed and passed is kept for [`crate::pipelines`], whatever the order in
//! which that was told.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_schema::failed_tests;
use homeostat_schema::types::{AssessmentRequest, Event};
use serde::{Deserialize, Serialize};

use crate::{
    deployment::GRACE_MS,
    progress::{Mark, Moved, Progress},
    score::{Part, Standing, evidence},
    text,
};

/// Runs remembered: enough that a run being healed is not pushed out by the workflows of a few
/// other pushes. The one not heard of for the longest goes first.
pub(crate) const RUNS_MAX: usize = 12;
/// Attempts of which the failed tests are kept.
const TESTED_MAX: u32 = 4;
/// How long a failed run makes the service doubtful: a day.
const FAILED_RUN_COUNTS_MS: u64 = 24 * 60 * 60 * 1000;
/// Events named as evidence, as the schema has it.
const EVIDENCE_EVENTS_MAX: usize = 8;

/// One run, from all deliveries about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    key: String,
    mark: Mark,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    title: Option<String>,
    fork: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Ended::is_nothing", default)]
    ended: Ended,
    /// The tests that failed, of each of the first attempts of which they are known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    tests: BTreeMap<u32, BTreeSet<u64>>,
}

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// A name of its own.
    pub(crate) id: String,
    pub(crate) passed: bool,
    /// What tells the tests apart that failed, as far as they are known.
    pub(crate) tests: Vec<String>,
}

/// Which attempts failed, and which passed: a bit for each of the first sixteen, the first lowest.
/// One that did both was mended within the attempt, and failed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Ended(u16, u16);

/// The runs of one service, by key.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Runs(Vec<Run>);

/// A run's attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) key: String,
    pub(crate) attempt: u32,
}

/// What came of a delivery.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The run and attempt of which a finding opens.
    pub(crate) failed: Option<Failed>,
    /// What had to make room.
    pub(crate) retired: Vec<Run>,
}

impl Runs {
    /// Takes a delivery.
    pub(crate) fn take(&mut self, event: &Event) -> Taken {
        let failed = self.take_state(event);
        Taken { failed, retired: self.make_room(event) }
    }

    fn take_state(&mut self, event: &Event) -> Option<Failed> {
        let mark = Mark::of(event)?;
        let key = text::subject(event.correlation.run.as_ref(), event);
        let before = self.get(&key).map(|run| (run.mark.attempt, run.mark.progress));
        let moved = self.deliver(&key, mark, event);
        let now = &self.get(&key)?.mark;
        let news = moved == Moved::Ahead && before != Some((now.attempt, Progress::Failure));
        let attempt = now.attempt;
        let failed = now.progress == Progress::Failure && news;
        failed.then_some(Failed { key, attempt })
    }

    /// Whether a newer state of the event's run is known.
    pub(crate) fn have_overtaken(&self, event: &Event) -> bool {
        let Some(mark) = Mark::of(event) else { return false };
        let known = self.get(&text::subject(event.correlation.run.as_ref(), event));
        known.is_some_and(|known| mark.is_before(&known.mark))
    }

    fn deliver(&mut self, key: &str, mark: Mark, event: &Event) -> Moved {
        match self.0.binary_search_by(|run| run.key.as_str().cmp(key)) {
            Ok(place) => self.0.get_mut(place).map_or(Moved::NotAtAll, |run| run.join(&mark, event)),
            Err(place) => {
                self.0.insert(place, Run::begin(key, mark, event));
                Moved::Ahead
            }
        }
    }

    fn make_room(&mut self, event: &Event) -> Vec<Run> {
        let mut retired = Vec::new();
        while self.0.len() > RUNS_MAX {
            let newcomer = text::subject(event.correlation.run.as_ref(), event);
            let others = self.0.iter().enumerate().filter(|(_, run)| run.key != newcomer);
            let oldest = others.min_by_key(|(_, run)| (run.mark.seen_ms, &run.key)).map(|(place, _)| place);
            let Some(oldest) = oldest else { break };
            retired.push(self.0.remove(oldest));
        }
        retired
    }

    /// All that are remembered.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.0.iter()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Run> {
        self.0.iter().find(|run| run.key == key)
    }

    /// Whether a run failed that nothing has mended since, forks' left out.
    pub(crate) fn any_failing(&self) -> bool {
        self.0.iter().any(|run| !run.fork && self.is_failing(run))
    }

    /// How the runs stand; `None` when none is known that counts.
    pub(crate) fn part(&self, now_ms: u64) -> Option<Part> {
        let recent = |run: &&Run| now_ms.saturating_sub(run.mark.seen_ms) <= FAILED_RUN_COUNTS_MS;
        let counted: Vec<&Run> = self.0.iter().filter(|run| !run.fork).filter(recent).collect();
        let failed: Vec<&Run> = counted.iter().copied().filter(|run| self.is_failing(run)).collect();
        if counted.is_empty() {
            return None;
        }
        let mut evidence =
            evidence("run", &format!("{} of {} recent runs failed", failed.len(), counted.len()));
        evidence.observed = failed.len() as f64;
        evidence.unit = "{run}".to_owned();
        evidence.samples = counted.len() as u64;
        evidence.events = failed.iter().take(EVIDENCE_EVENTS_MAX).map(|run| run.mark.event.clone()).collect();
        let standing = if failed.is_empty() { Standing::Fine } else { Standing::Doubtful };
        Some(Part { standing, evidence })
    }

    fn is_failing(&self, run: &Run) -> bool {
        let cured = |other: &Run| other.mark.progress == Progress::Success && other.follows(run);
        run.mark.progress == Progress::Failure && !self.0.iter().any(cured)
    }

    /// The run that failed, as the finding shows it.
    pub(crate) fn failed_part(&self, failed: &Failed) -> Option<Part> {
        self.get(&failed.key).map(Run::part)
    }

    /// How the run of the request did since then; `None` when nothing came in.
    pub(crate) fn part_since(&self, request: &AssessmentRequest) -> Option<Part> {
        let run = self.get(&text::key(request.correlation.run.as_ref()?))?;
        if run.is_beyond(request) {
            return Some(run.part());
        }
        let newer = self.0.iter().filter(|other| other.follows(run) && other.is_since(request.since));
        newer.max_by_key(|other| (other.mark.at_ms, &other.key)).map(Run::part)
    }
}

impl Run {
    fn begin(key: &str, mark: Mark, event: &Event) -> Self {
        let mut run = Self {
            key: key.to_owned(),
            mark,
            branch: text::optional(event.branch.as_ref()),
            title: text::optional(event.title.as_ref()),
            fork: event.trust.fork,
            commit: text::optional(event.commit.as_ref()),
            ended: Ended::of(event),
            tests: BTreeMap::new(),
        };
        run.take_tests(event);
        run
    }

    /// Which tests failed, where that may be believed.
    fn take_tests(&mut self, event: &Event) {
        let bit = Ended::of(event).0;
        let told = event.attributes.iter().find(|(name, _)| name == failed_tests::ATTRIBUTE);
        let tests = told.map(|(_, value)| failed_tests::read(value)).unwrap_or_default();
        if bit.trailing_zeros() < TESTED_MAX && !tests.is_empty() {
            let known = self.tests.entry(bit.trailing_zeros()).or_default();
            known.extend(tests);
            while known.len() > failed_tests::TESTS_MAX {
                known.pop_last();
            }
        }
    }

    fn join(&mut self, mark: &Mark, event: &Event) -> Moved {
        self.branch = self.branch.take().or_else(|| text::optional(event.branch.as_ref()));
        self.title = self.title.take().or_else(|| text::optional(event.title.as_ref()));
        self.fork |= event.trust.fork;
        self.commit = self.commit.take().or_else(|| text::optional(event.commit.as_ref()));
        self.ended.join(Ended::of(event));
        self.take_tests(event);
        self.mark.advance(mark)
    }

    /// A newer run of the same name on the same branch.
    fn follows(&self, other: &Self) -> bool {
        self.branch.is_some()
            && self.branch == other.branch
            && self.title == other.title
            && self.key != other.key
            && self.mark.at_ms > other.mark.at_ms
    }

    /// Whether it got beyond the attempt that the request is to verify the cure of.
    fn is_beyond(&self, request: &AssessmentRequest) -> bool {
        let succeeded = self.mark.progress == Progress::Success;
        match request.correlation.run_attempt {
            Some(failed) => self.mark.attempt > failed || (self.mark.attempt == failed && succeeded),
            None => succeeded || self.mark.seen_ms >= request.since,
        }
    }

    fn is_since(&self, since_ms: u64) -> bool {
        match self.mark.progress {
            Progress::Failure => self.mark.seen_ms >= since_ms,
            _ => self.mark.seen_ms >= since_ms.saturating_sub(GRACE_MS),
        }
    }

    /// Its pipeline: a name, and the branch if there is one. `None` for a fork's run, which may call
    /// itself and its branch what it likes, and for one without a name.
    pub(crate) fn pipeline(&self) -> Option<(&str, Option<&str>)> {
        let title = self.title.as_deref().filter(|_| !self.fork)?;
        Some((title, self.branch.as_deref()))
    }

    /// The commit it is of; without one, a run is only ever like itself.
    pub(crate) fn commit(&self) -> String {
        self.commit.clone().unwrap_or_else(|| format!("run:{}", self.key))
    }

    /// How its attempts ended, the first one first.
    pub(crate) fn endings(&self) -> impl Iterator<Item = Ending> {
        let Ended(failed, passed) = self.ended;
        (0..u16::BITS).flat_map(move |bit| {
            let has = |bits: u16| bits >> bit & 1 == 1;
            let tests = || self.tests.get(&bit).into_iter().flatten().map(|test| format!("{test:016x}"));
            let of = |passed: bool| {
                let how = if passed { '+' } else { '-' };
                let tests = if passed { Vec::new() } else { tests().collect() };
                Ending { id: format!("{}#{bit}{how}", self.key), passed, tests }
            };
            [has(failed).then(|| of(false)), has(passed).then(|| of(true))].into_iter().flatten()
        })
    }

    /// What the newest of several runs is found by.
    pub(crate) fn order(&self) -> (u64, &str) {
        (self.mark.at_ms, &self.key)
    }

    /// When it was last heard of, by our clock.
    pub(crate) fn seen_ms(&self) -> u64 {
        self.mark.seen_ms
    }

    fn part(&self) -> Part {
        let (standing, what) = match self.mark.progress {
            Progress::Success => (Standing::Fine, "succeeded"),
            Progress::Failure => (Standing::Bad, "failed"),
            progress if progress.is_under_way() => (Standing::Waiting, "is under way"),
            _ => (Standing::Waiting, "ended without a result"),
        };
        let name = self.title.as_deref().unwrap_or("the run");
        let mut evidence = evidence("run", &format!("{name}, attempt {}, {what}", self.mark.attempt));
        evidence.observed = if standing == Standing::Bad { 1.0 } else { 0.0 };
        evidence.unit = "{failure}".to_owned();
        evidence.samples = 1;
        evidence.events = vec![self.mark.event.clone()];
        Part { standing, evidence }
    }
}

impl Ended {
    /// What an event says that may be believed; nothing is learned from the rest.
    fn of(event: &Event) -> Self {
        let attempt = event.correlation.run_attempt.unwrap_or(1).max(1);
        let bit = 1_u16.checked_shl(attempt - 1).filter(|_| event.trust.signed && event.trust.fresh);
        match (Progress::of(&event.status), bit) {
            (Some(Progress::Failure), Some(bit)) => Self(bit, 0),
            (Some(Progress::Success), Some(bit)) => Self(0, bit),
            _ => Self::default(),
        }
    }

    fn join(&mut self, other: Self) {
        *self = Self(self.0 | other.0, self.1 | other.1);
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

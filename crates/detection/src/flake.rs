//! A build or a test failed: is it the commit, or is the test flaky? And is another try worth it?
//!
//! Three things are weighed for a commit, none of which needs the text of a log:
//!
//! * *each failing test*: with the flake rate `f` of the test (a Beta that starts at 1 %) and the
//!   share `π` of commits that break the pipeline (a Beta that starts at 15 %), after `k` failures on
//!   the same commit `P(real) = π / (π + (1 − π)·fᵏ)`. A test that failed and passed on one commit is
//!   flaky, and its rate learns from it;
//! * *runs that fail as a whole* (no test named, or more than four at once): the same with the rate
//!   at which whole runs fail by themselves (it starts at 1.72 %, the share of builds that are
//!   restarted: Durieux et al., MSR 2020; neither rate is ever taken to be below 1 %);
//! * *the commit's runs against the branch's history*: the e-process of
//!   [`crate::sequential::Mixture`], each run held against a quarter of the last 64 runs of other
//!   commits, so that no run of the history is used twice.
//!
//! The finding opens with the first failure. *Broken* when a further try costs more than it is
//! likely to save, or the e-value reaches `1/α`; *flaky* when a run of the same commit passed;
//! until then *unsure*, with the advice to try again while `f^k·(1 − π)/π` is above the cost of a
//! try over that of blocking a good commit, at most three times.
//!
//! What this does not do: tell why something fails, or tell two branches apart; the caller keeps a
//! state for each pipeline and branch.
//!
//! Invariants: at most 20 tests, 3 commits and 4 KB; a run told twice counts once; failures of a
//! commit that is broken teach neither flake rates nor the branch's history.

use serde::{Deserialize, Serialize};

use crate::{
    recent::{Recent, bounded_name, digest},
    stored::{self, StoredError},
};

mod commit;
mod rate;
mod run;
mod text;

use commit::Commit;
use rate::{Rate, Test, WORTH_MAX, retry_worth};
pub use rate::{p_real, retry_pays};
pub use run::{Outcome, Rest, Run, Taken};

/// The stored form's version.
const SCHEMA: u32 = 1;
/// Tests that failed at some time; the one that failed least recently goes.
pub const TESTS_MAX: usize = 20;
/// Commits with runs of late; the one with the oldest last run goes into the history.
pub const COMMITS_MAX: usize = 3;
/// Runs of a commit that are tried by themselves: the first, and three more.
pub const RUNS_MAX: u32 = 4;
/// Tests of one run beyond which the run failed as a whole.
pub const TESTS_OF_RUN_MAX: usize = 4;
/// Bytes kept of a test's name; a longer one keeps its beginning.
pub const TEST_BYTES_MAX: usize = 48;
/// Bytes kept of a commit.
pub const COMMIT_BYTES_MAX: usize = 40;

/// What a try and a wrong verdict cost, in any unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Another run.
    pub retry_cost: f64,
    /// A good commit that is blocked.
    pub block_cost: f64,
    /// The chance, 0 to 1, that the e-process calls a commit broken whose runs fail no more often
    /// than others.
    pub alpha: f64,
}

impl Default for Settings {
    /// A run costs 0.03, a blocked commit 0.6; one in fifty.
    fn default() -> Self {
        Self { retry_cost: 0.03, block_cost: 0.6, alpha: 0.02 }
    }
}

/// What is thought of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing failed.
    Passed,
    /// It failed and passed: what failed is flaky.
    Flaky,
    /// It failed, and that may be chance.
    Unsure,
    /// It failed, and that is the commit.
    Broken,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// Nothing.
    Nothing,
    /// Run it again.
    Retry,
    /// Keep the commit back.
    Block,
    /// It was tried often enough; a person decides.
    Ask,
}

/// A test that failed on the commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Failing {
    /// Its name, cut to 48 bytes.
    pub name: String,
    /// How often on this commit.
    pub failures: u32,
    /// How often it fails by itself, 0 to 1.
    pub flake_rate: f64,
    /// The chance that the commit broke it, 0 to 1; 0 once it passed on the same commit.
    pub p_real: f64,
}

/// What is thought of a commit, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What is thought of it.
    pub verdict: Verdict,
    /// What to do.
    pub advice: Advice,
    /// The chance that the commit is broken, from all that failed, 0 to 1.
    pub p_real: f64,
    /// The logarithm of the e-value of its runs against the branch's.
    pub ln_e: f64,
    /// Runs of it.
    pub runs: u32,
    /// Those that failed.
    pub failed: u32,
    /// What another run is worth, in costs of a run: above 1 exactly when it is flaky or the advice
    /// is to retry; 0 to 1000.
    pub worth: f64,
    /// The tests that failed, the likeliest real one first.
    pub tests: Vec<Failing>,
    /// In plain words.
    pub text: String,
}

/// The state of one pipeline on one branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    schema: u32,
    /// The last runs of commits that are done with, the newest in the lowest bit; set is failed.
    history: u64,
    history_length: u32,
    /// Commits that broke it, and all.
    broken: Rate,
    /// Runs that failed as a whole by themselves, and all.
    whole: Rate,
    /// The last one to have a run, last.
    commits: Vec<Commit>,
    /// The last one to fail, last.
    tests: Vec<Test>,
    recent: Recent,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            history: 0,
            history_length: 0,
            broken: Rate::default(),
            whole: Rate::default(),
            commits: Vec::new(),
            tests: Vec::new(),
            recent: Recent::default(),
        }
    }
}

impl Pipeline {
    /// Reads a stored state; nothing stored is a pipeline nobody heard of.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, StoredError> {
        Ok(stored::decode("a pipeline", SCHEMA, bytes)?.unwrap_or_default())
    }

    /// The stored form; at most 4 KB.
    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    /// Takes a run that ended.
    pub fn observe(&mut self, run: &Run<'_>, settings: &Settings) -> Taken {
        if !self.recent.is_new(run.id, 0) {
            return Taken::Duplicate;
        }
        let mut commit = self.take_commit(run.commit, settings);
        match run.outcome {
            Outcome::Passed => self.passed(&mut commit),
            Outcome::Failed { tests, rest } => self.failed(&mut commit, tests, rest),
        }
        commit.weigh(run.outcome == Outcome::Passed);
        self.commits.push(commit);
        Taken::Counted
    }

    /// What is thought of a commit; `None` for one without runs of late.
    pub fn judge(&self, commit: &str, settings: &Settings) -> Option<Judged> {
        let id = bounded_name(commit, COMMIT_BYTES_MAX);
        let commit = self.commits.iter().find(|known| known.id == id)?;
        let verdict = self.verdict(commit, settings);
        let mut tests: Vec<_> = commit.tests.iter().filter_map(|seen| self.failing(seen)).collect();
        tests.sort_by(|a, b| b.p_real.total_cmp(&a.p_real).then_with(|| a.name.cmp(&b.name)));
        let mut judged = Judged {
            verdict,
            advice: advice(verdict, commit),
            p_real: self.p_real_of(commit),
            ln_e: commit.ln_e(),
            runs: commit.runs(),
            failed: commit.failed,
            worth: self.worth(verdict, commit, settings),
            tests,
            text: String::new(),
        };
        judged.text = text::of(&judged, commit, self.broken.broken_share(), settings);
        Some(judged)
    }

    fn verdict(&self, commit: &Commit, settings: &Settings) -> Verdict {
        let pays = retry_pays(self.broken.broken_share(), self.chance_of_flakes(commit), settings);
        match (commit.failed > 0, commit.passed > 0) {
            (false, _) => Verdict::Passed,
            (true, true) => Verdict::Flaky,
            (true, false) if proven(commit, settings) || !pays => Verdict::Broken,
            (true, false) => Verdict::Unsure,
        }
    }

    /// See [`Judged::worth`].
    fn worth(&self, verdict: Verdict, commit: &Commit, settings: &Settings) -> f64 {
        let priced = || retry_worth(self.broken.broken_share(), self.chance_of_flakes(commit), settings);
        match verdict {
            Verdict::Passed => 0.0,
            Verdict::Flaky => WORTH_MAX,
            Verdict::Unsure if advice(verdict, commit) == Advice::Retry => priced(),
            Verdict::Unsure => 0.0,
            Verdict::Broken if proven(commit, settings) => 0.0,
            Verdict::Broken => priced(),
        }
    }

    /// The chance of all that failed and did not pass since, were the commit good.
    fn chance_of_flakes(&self, commit: &Commit) -> f64 {
        let tests = commit.tests.iter().filter(|seen| !seen.passed);
        let tests =
            tests.filter_map(|seen| Some(self.test(seen.test)?.rate.flake_share().powi(seen.failures())));
        tests.product::<f64>() * self.whole.whole_share().powi(commit.whole())
    }

    fn p_real_of(&self, commit: &Commit) -> f64 {
        if commit.failed == 0 || commit.passed > 0 {
            return 0.0;
        }
        p_real(self.broken.broken_share(), self.chance_of_flakes(commit), 1)
    }

    fn failing(&self, seen: &commit::Seen) -> Option<Failing> {
        let test = self.test(seen.test)?;
        let flake_rate = test.rate.flake_share();
        let real = p_real(self.broken.broken_share(), flake_rate, seen.failures());
        Some(Failing {
            name: test.name.clone(),
            failures: seen.failed,
            flake_rate,
            p_real: if seen.passed { 0.0 } else { real },
        })
    }

    fn test(&self, id: u32) -> Option<&Test> {
        self.tests.iter().find(|test| test.id() == id)
    }

    /// The commit, out of the list; the one with the oldest last run makes room for a new one.
    fn take_commit(&mut self, commit: &str, settings: &Settings) -> Commit {
        let id = bounded_name(commit, COMMIT_BYTES_MAX);
        if let Some(at) = self.commits.iter().position(|known| known.id == id) {
            return self.commits.remove(at);
        }
        while self.commits.len() >= COMMITS_MAX {
            let done = self.commits.remove(0);
            self.bury(&done, settings);
        }
        Commit::new(id, self.history, self.history_length)
    }

    /// A commit that is done with becomes part of the branch's history.
    fn bury(&mut self, commit: &Commit, settings: &Settings) {
        match self.verdict(commit, settings) {
            Verdict::Broken => return self.broken.count(1, 1),
            Verdict::Passed | Verdict::Flaky => self.broken.count(0, 1),
            Verdict::Unsure => {}
        }
        for (count, failed) in [(commit.failed, 1), (commit.passed, 0)] {
            for _ in 0..count.min(RUNS_MAX) {
                self.history = (self.history << 1) | failed;
                self.history_length = self.history_length.saturating_add(1).min(u64::BITS);
            }
        }
    }

    fn passed(&mut self, commit: &mut Commit) {
        // What failed on this commit before was chance.
        if commit.passed == 0 {
            self.whole.count(commit.failed_whole, commit.failed_whole);
        }
        self.whole.count(0, 1);
        self.tests.iter_mut().for_each(|test| test.rate.count(0, 1));
        for seen in commit.tests.iter_mut().filter(|seen| !seen.passed) {
            seen.passed = true;
            learn(&mut self.tests, seen.test, seen.failed);
        }
        commit.passed = commit.passed.saturating_add(1);
    }

    fn failed(&mut self, commit: &mut Commit, tests: &[&str], rest: Rest) {
        commit.failed = commit.failed.saturating_add(1);
        if tests.is_empty() || tests.len() > TESTS_OF_RUN_MAX {
            commit.failed_whole = commit.failed_whole.saturating_add(1);
            if commit.passed > 0 {
                self.whole.count(1, 1);
            }
            return;
        }
        let failed: Vec<u32> = tests.iter().map(|name| self.note(name, commit.passed)).collect();
        for id in &failed {
            let passed = commit.passed > 0;
            if commit.saw_fail(*id, passed) {
                learn(&mut self.tests, *id, 1);
            }
        }
        if rest == Rest::Passed {
            self.rest_passed(commit, &failed);
        }
    }

    fn rest_passed(&mut self, commit: &mut Commit, failed: &[u32]) {
        self.tests
            .iter_mut()
            .filter(|test| !failed.contains(&test.id()))
            .for_each(|test| test.rate.count(0, 1));
        for seen in commit.tests.iter_mut().filter(|seen| !seen.passed && !failed.contains(&seen.test)) {
            seen.passed = true;
            learn(&mut self.tests, seen.test, seen.failed);
        }
    }

    /// The test failed just now: it moves to the end of the list, or enters it with the passes it
    /// had on this commit.
    fn note(&mut self, name: &str, passes: u32) -> u32 {
        let id = identity(&bounded_name(name, TEST_BYTES_MAX));
        let known = self.tests.iter().position(|test| test.id() == id).map(|at| self.tests.remove(at));
        let test = known.unwrap_or_else(|| Test::new(bounded_name(name, TEST_BYTES_MAX), passes));
        self.tests.push(test);
        let surplus = self.tests.len().saturating_sub(TESTS_MAX);
        self.tests.drain(..surplus);
        id
    }
}

/// What follows from what is thought of a commit.
fn advice(verdict: Verdict, commit: &Commit) -> Advice {
    match verdict {
        Verdict::Passed | Verdict::Flaky => Advice::Nothing,
        Verdict::Broken => Advice::Block,
        Verdict::Unsure if commit.runs() < RUNS_MAX => Advice::Retry,
        Verdict::Unsure => Advice::Ask,
    }
}

/// Its runs fail so much oftener than the branch's that it is not chance.
fn proven(commit: &Commit, settings: &Settings) -> bool {
    commit.ln_e() >= -settings.alpha.clamp(1e-9, 1.0).ln()
}

/// So many failures of a test were chance.
fn learn(tests: &mut [Test], id: u32, failures: u32) {
    tests.iter_mut().filter(|test| test.id() == id).for_each(|test| test.rate.count(failures, failures));
}

/// 32 bits tell the twenty of a pipeline apart.
fn identity(name: &str) -> u32 {
    let digest = digest(&[name]);
    u32::try_from((digest ^ (digest >> 32)) & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

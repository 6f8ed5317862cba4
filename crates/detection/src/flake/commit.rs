//! What ran on one commit.

use serde::{Deserialize, Serialize};

use crate::sequential::{Arms, Direction, Mixture, Tally};

/// Tests kept of a commit, from all its runs; what is beyond them is left out of the product, which
/// makes the commit look better, not worse.
const TESTS_SEEN_MAX: usize = 6;
/// The history is shared out among so many runs.
const QUARTERS: u32 = 4;

/// A test that failed on the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    #[serde(rename = "i")]
    pub(super) test: u32,
    #[serde(rename = "f")]
    pub(super) failed: u32,
    #[serde(rename = "p")]
    pub(super) passed: bool,
}

impl Seen {
    pub(super) fn failures(&self) -> i32 {
        i32::try_from(self.failed).unwrap_or(i32::MAX)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) failed: u32,
    pub(super) passed: u32,
    /// Of the failed ones, those that failed as a whole.
    pub(super) failed_whole: u32,
    pub(super) tests: Vec<Seen>,
    /// All and failed runs of the branch for each run of the commit to be held against.
    quarters: [(u32, u32); QUARTERS as usize],
    evidence: Mixture,
}

impl Commit {
    pub(super) fn new(id: String, history: u64, length: u32) -> Self {
        let mut quarters = [(0, 0); QUARTERS as usize];
        let mut start = 0;
        for (quarter, kept) in (0..).zip(quarters.iter_mut()) {
            // As even as whole runs allow.
            let end = length * (quarter + 1) / QUARTERS;
            let bits = (start..end).filter(|bit| history.checked_shr(*bit).is_some_and(|rest| rest & 1 == 1));
            let failed = u32::try_from(bits.count()).unwrap_or(0);
            *kept = (end - start, failed);
            start = end;
        }
        let evidence = Mixture::new(Direction::Worse, 1.0);
        Self { id, failed: 0, passed: 0, failed_whole: 0, tests: Vec::new(), quarters, evidence }
    }

    pub(super) fn runs(&self) -> u32 {
        self.failed.saturating_add(self.passed)
    }

    pub(super) fn whole(&self) -> i32 {
        i32::try_from(self.failed_whole).unwrap_or(i32::MAX)
    }

    pub(super) fn ln_e(&self) -> f64 {
        self.evidence.ln_e()
    }

    /// The run that was counted last, against its quarter of the history.
    pub(super) fn weigh(&mut self, passed: bool) {
        let place = usize::try_from(self.runs().saturating_sub(1)).unwrap_or(usize::MAX);
        let Some((total, bad)) = self.quarters.get(place) else { return };
        let canary = Tally { total: 1, bad: u64::from(!passed) };
        let baseline = Tally { total: (*total).into(), bad: (*bad).into() };
        self.evidence.observe(Arms { canary, baseline }, 1.0);
    }

    /// A test failed; whether it is known to be chance, since it passed on this commit.
    pub(super) fn saw_fail(&mut self, test: u32, run_passed: bool) -> bool {
        if let Some(seen) = self.tests.iter_mut().find(|seen| seen.test == test) {
            seen.failed = seen.failed.saturating_add(1);
            return seen.passed;
        }
        if self.tests.len() < TESTS_SEEN_MAX {
            self.tests.push(Seen { test, failed: 1, passed: run_passed });
        }
        run_passed
    }
}

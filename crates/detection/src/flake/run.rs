//! What a pipeline is told.

/// What became of the tests that are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// They ran and passed.
    Passed,
    /// They did not run, as after the first failure or when the build broke, or nobody knows.
    Unknown,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// All went well.
    Passed,
    /// It failed.
    Failed {
        /// The tests that failed, as far as they are known.
        tests: &'a [&'a str],
        /// What became of the others.
        rest: Rest,
    },
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<'a> {
    /// Of which commit.
    pub commit: &'a str,
    /// The run and its attempt; what makes a duplicate.
    pub id: &'a str,
    /// How it ended.
    pub outcome: Outcome<'a>,
}

/// What became of what was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    Counted,
    /// It was taken before.
    Duplicate,
}

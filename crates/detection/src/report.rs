//! Counts as they are reported, and what becomes of a report.

use crate::sequential::Tally;

/// Requests and errors since the report before, by one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted<'a> {
    /// Who counted.
    pub source: &'a str,
    /// When, milliseconds; with `source` what makes a duplicate.
    pub at_ms: u64,
    /// What was counted.
    pub tally: Tally,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    Counted,
    /// It was taken before.
    Duplicate,
    /// What it belongs to is decided or forgotten: for a burn rate after three days; for an attempt to
    /// mend something, when its batch is closed, all is decided, or it is from before the attempt.
    Late,
    /// It is from a time to come: the sender's clock is wrong.
    Ahead,
}

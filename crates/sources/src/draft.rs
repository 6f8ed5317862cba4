//! What a sender said, before service and environment are known and trust is judged.
//!
//! What this does not do: resolve names, decide trust, or make ids.

use homeostat_schema::wire::flat;

/// One thing that happened, as its sender tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// In our words, with the sender's names.
    pub said: flat::Draft,
    /// The attempt of ours it echoes. No sender may claim this in the flat form.
    pub own_attempt: Option<String>,
    /// What it is a state of: two deliveries of one subject with the same attempt and status are
    /// one event, whatever their ids. `None` for what may be told twice and mean two, as a reading
    /// of a metric does.
    pub subject: Option<Subject>,
}

/// What a state is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The sender's lasting name for it, within the source: `workflow_run:123`.
    pub id: String,
    /// 1 for the first try.
    pub attempt: u32,
}

impl Draft {
    /// Of what was said, echoing nothing and a state of nothing in particular.
    pub fn of(said: flat::Draft) -> Self {
        Self { said, own_attempt: None, subject: None }
    }

    /// As a state of this subject, in this attempt (from 1).
    pub fn about(self, id: impl Into<String>, attempt: u32) -> Self {
        Self { subject: Some(Subject { id: id.into(), attempt }), ..self }
    }
}

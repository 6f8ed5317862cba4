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
}

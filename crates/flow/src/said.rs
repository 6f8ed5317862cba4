//! What a store says once a commit is done, for the log.
//!
//! What it does not do: change anything. A crash between the commit and its word loses the word.

use crate::name::{Shard, Stage};

/// Something that was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// A note of the step, as the step wrote it.
    Note(&'a str),
    /// Inputs became dead letters.
    Dead {
        /// Of which stage.
        stage: Stage,
        /// In which shard.
        shard: &'a Shard,
        /// Why.
        why: &'a str,
    },
}

/// Is told what was committed.
pub type Tell = fn(&Said<'_>);

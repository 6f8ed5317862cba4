//! The policy: which remedy to choose, and what its outcome teaches.
//!
//! Tabular Q-learning over environment × finding kind × severity, ε-greedy among the remedies the
//! guards allow. Every choice carries the exact chance it had, so that another policy can be
//! judged on the same history later.
//!
//! What this crate does not do: it does not know guards, cooldowns or targets (the caller passes
//! what is allowed), draws no randomness of its own (the caller passes a seed), and keeps no
//! history (the samples are the history).
//!
//! Invariants: values are finite and within ±[`VALUE_MAX`]; the table is bounded; the same
//! policy, context, allowed list and seed give the same choice; a lesson counts once.

mod choose;
mod learn;
mod prior;
mod random;
mod table;

pub use learn::VALUE_MAX;
pub use prior::prior;
pub use table::{CONTEXTS_MAX, DecodeError, LESSONS_REMEMBERED_MAX, Policy, REMEDIES_MAX, Row};

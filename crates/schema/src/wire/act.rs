//! What was done and what came of it: attempts, outcomes and lessons.

pub use crate::types::{AttemptResult, OutcomeKind};

use super::judge::Health;
use super::mirror::record;
use super::plan::{Choice, Remedy, Request};

record!(Exchange { request: Request, status: u16, took: u64 });

record!(Attempt {
    id: String,
    plan: String,
    incident: String,
    env: String,
    service: String,
    remedy: Remedy,
    attempt_result: AttemptResult,
    #[serde(default)]
    exchanges: Vec<Exchange>,
    detail: String,
    #[serde(with = "crate::time")]
    started_at: u64,
    #[serde(with = "crate::time")]
    ended_at: u64,
});

record!(Outcome {
    attempt: String,
    incident: String,
    kind: OutcomeKind,
    health: Health,
    reward: f64,
    text: String,
    #[serde(with = "crate::time")]
    at: u64,
});

record!(Sample {
    incident: String,
    attempt: String,
    choice: Choice,
    reward: f64,
    #[serde(with = "crate::time")]
    at: u64,
});

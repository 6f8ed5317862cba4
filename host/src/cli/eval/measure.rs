//! What an observation costs, and what a state weighs: measured while the laboratory runs.
//!
//! Does not: stand for a quiet machine; the report says that it was measured within the run.

use std::time::Instant;

use anyhow::Result;
use homeostat_lab::cost;
use homeostat_lab::frozen::Frozen;
use serde_json::{Value, json};

/// Rounds, of which the quickest counts: what else ran on the machine only makes one slower.
const ROUNDS: u32 = 5;
/// Observations of a round.
const OBSERVATIONS: u32 = 200_000;
const QUICK_OBSERVATIONS: u32 = 20_000;

/// Measures.
pub(super) fn measure(frozen: &Frozen, quick: bool) -> Result<Value> {
    let observations = if quick { QUICK_OBSERVATIONS } else { OBSERVATIONS };
    let load = cost::Load::new(frozen, observations);
    let mut counts_us = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let seen = load.judge_counts(frozen);
        let each = began.elapsed().as_secs_f64() * 1e6 / f64::from(seen.max(1));
        counts_us = counts_us.min(each);
    }
    let bytes = load.bytes(frozen);
    Ok(json!({"counts_us": counts_us, "counts_bytes": bytes.counts, "latency_bytes": bytes.latency}))
}

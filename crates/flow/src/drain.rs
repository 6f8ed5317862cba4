//! The drain of a stage of pure steps: fetch, step, commit, until nothing is left or it is time.
//!
//! What it does not do: it reads no clock of its own (the store's is enough to know when to
//! stop), and it makes no calls (see [`crate::calls`]).

use crate::batch::{self, Digested};
use crate::limits::Limits;
use crate::name::{Shard, Stage};
use crate::step::Step;
use crate::store::{Batch, Commit, Committed, Failure, Fetch, Fetched, Release, Ring, Store, StoreError};

/// Why a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ended {
    /// Nothing was left; the lease is given up.
    #[default]
    Idle,
    /// Another worker has the lease.
    Busy,
    /// Its bound was reached; if work is left, a bell was rung.
    Bounded,
    /// The lease was lost, or the batch was committed by another: whoever has it goes on.
    Lost,
}

/// What a drain did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Inputs committed.
    pub inputs: u64,
    /// Failures of inputs, each try counted.
    pub failed: u64,
    /// Inputs that became dead letters.
    pub dead: u64,
    /// Batches taken.
    pub batches: u32,
    /// Why it ended.
    pub ended: Ended,
}

impl Drained {
    pub(crate) fn ended(mut self, ended: Ended) -> Self {
        self.ended = ended;
        self
    }
}

/// Works off one stage's inbox in one shard. Safe to call at any time, from anywhere, any number
/// of times at once: the lease lets one through.
///
/// # Errors
/// [`StoreError`] when the store failed or refused; what was not committed is replayed after a tick.
pub async fn drain<S: Store, P: Step>(
    store: &S,
    step: &P,
    shard: &Shard,
    limits: &Limits,
) -> Result<Drained, StoreError> {
    let mut drained = Drained::default();
    let mut lease: Option<String> = None;
    let mut started_ms = None;
    for _ in 0..limits.batches {
        let batch = match store.fetch(&ask(step.stage(), shard, lease.as_deref(), limits)).await? {
            Fetched::Busy => {
                return Ok(drained.ended(if lease.is_some() { Ended::Lost } else { Ended::Busy }));
            }
            Fetched::Idle { dead } => {
                drained.dead += u64::from(dead);
                return Ok(drained.ended(Ended::Idle));
            }
            Fetched::Batch(batch) => batch,
        };
        drained.batches += 1;
        drained.dead += u64::from(batch.dead);
        let committed = match work(store, step, shard, limits, &batch, &mut drained).await {
            Ok(committed) => committed,
            Err(error) => return Err(hand_back(store, step.stage(), shard, &batch, error).await),
        };
        let Committed::Done { now_ms, .. } = committed else { return Ok(drained.ended(Ended::Lost)) };
        lease = Some(batch.token);
        if now_ms.saturating_sub(*started_ms.get_or_insert(batch.now_ms)) >= limits.drain_ms {
            break;
        }
    }
    stop(store, step.stage(), shard, lease.as_deref()).await?;
    Ok(drained.ended(Ended::Bounded))
}

fn ask<'a>(stage: Stage, shard: &'a Shard, token: Option<&'a str>, limits: &Limits) -> Fetch<'a> {
    Fetch { stage, shard, token, batch: limits.batch, lease_ms: limits.lease_ms, tries: limits.tries }
}

/// Steps through one batch and commits what came of it.
async fn work<S: Store, P: Step>(
    store: &S,
    step: &P,
    shard: &Shard,
    limits: &Limits,
    batch: &Batch,
    drained: &mut Drained,
) -> Result<Committed, StoreError> {
    let Digested { consumed, effects, error } = batch::digest(store, step, shard, batch).await?;
    let error = error.map(|error| error.to_string());
    let failed = error.as_deref().zip(batch.inputs.get(consumed)).map(|(error, input)| Failure {
        input,
        error,
        tries: limits.tries,
    });
    let commit = Commit {
        stage: step.stage(),
        shard,
        token: &batch.token,
        seq: batch.seq,
        lease_ms: limits.lease_ms,
        consumed: batch.inputs.get(..consumed).unwrap_or_default(),
        open: 0,
        effects: &effects,
        failed,
    };
    let committed = store.commit(&commit).await?;
    if let Committed::Done { dead, .. } = committed {
        drained.inputs += u64::try_from(consumed).unwrap_or(u64::MAX);
        drained.failed += u64::from(failed.is_some());
        drained.dead += u64::from(dead);
    }
    Ok(committed)
}

/// A bounded stop: gives the lease up and rings if work is left.
pub(crate) async fn stop<S: Store>(
    store: &S,
    stage: Stage,
    shard: &Shard,
    lease: Option<&str>,
) -> Result<(), StoreError> {
    if let Some(token) = lease {
        store.release(&Release { stage, shard, token, untried: None, ring: Ring::Now }).await?;
    }
    Ok(())
}

/// After the store failed: the inputs are not to blame, and the next tick tries again.
pub(crate) async fn hand_back<S: Store>(
    store: &S,
    stage: Stage,
    shard: &Shard,
    batch: &Batch,
    error: StoreError,
) -> StoreError {
    let lone = if batch.tries > 0 { batch.inputs.first() } else { None };
    let release = Release { stage, shard, token: &batch.token, untried: lone, ring: Ring::AtTick };
    // The first error says more; when this fails too, the lease runs out by itself.
    let _ = store.release(&release).await;
    error
}

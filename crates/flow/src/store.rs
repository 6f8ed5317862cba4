//! The port to where streams, state and leases live, at the level of whole operations.
//!
//! Every operation is atomic: it happens entirely or not at all. Two implementations keep the
//! same contract: [`crate::ScriptStore`] on Redis, [`crate::MemoryStore`] for simulation.

use std::collections::BTreeMap;

use crate::cell::Cell;
use crate::name::{Shard, Stage};
use crate::redis::RedisError;
use crate::step::{Effects, Input, State};

/// Why an operation did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Redis refused it or cannot be reached; whether it happened is not known.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// It was refused before its first write: a key of the wrong type, an unknown stage, a bad number.
    #[error("refused, nothing was written: {0}")]
    Refused(String),
    /// The answer was not one this version knows: server and program differ.
    #[error("unexpected answer to {operation}: {detail}")]
    Protocol {
        /// The operation asked for.
        operation: &'static str,
        /// What was odd.
        detail: String,
    },
}

impl StoreError {
    /// What to do where the server takes no writes at all, as [`RedisError::remedy`] says.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Redis(error) => error.remedy(),
            Self::Refused(_) | Self::Protocol { .. } => None,
        }
    }
}

/// An event from outside, for one inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingest<'a> {
    /// Whose inbox.
    pub stage: Stage,
    /// Which shard's.
    pub shard: &'a Shard,
    /// All the ids this event may come again under; any of them seen makes it a duplicate.
    pub ids: &'a [&'a str],
    /// The day the event belongs to, in days since the epoch; see [`crate::seen::day_of`].
    pub day: i64,
    /// The state fields its step will need.
    pub fields: &'a [String],
    /// Not parsed by the flow.
    pub payload: &'a [u8],
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// Appended under this stream id, and its ids are remembered.
    Accepted(String),
    /// Seen before; nothing was written.
    Duplicate,
    /// The inbox is at its bound; nothing was written. Answer 503.
    Full,
}

/// Asks for the next batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch<'a> {
    /// Whose inbox.
    pub stage: Stage,
    /// Which shard's.
    pub shard: &'a Shard,
    /// The lease held; `None` takes one.
    pub token: Option<&'a str>,
    /// Inputs at most.
    pub batch: u32,
    /// How long the lease lasts from now on, in milliseconds.
    pub lease_ms: u64,
    /// Tries an input has alone; beyond them it becomes a dead letter in this call.
    pub tries: u32,
}

/// What a fetch found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// Another worker has the lease.
    Busy,
    /// Nothing is left; lease and flag are given up.
    Idle {
        /// Inputs that became dead letters in this call.
        dead: u32,
    },
    /// Work, under a lease.
    Batch(Batch),
}

/// Inputs in order of time, and the state fields they name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The lease.
    pub token: String,
    /// The number its commit must carry.
    pub seq: u64,
    /// The store's clock, in milliseconds since the epoch.
    pub now_ms: u64,
    /// For a lone input, the how-manieth time it is handed out alone; 0 in company.
    pub tries: u32,
    /// Inputs that became dead letters in this call.
    pub dead: u32,
    /// At least one.
    pub inputs: Vec<Input>,
    /// Every field that an input names.
    pub state: State,
}

/// An input that could not be digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The first input after the consumed ones.
    pub input: &'a Input,
    /// Why; kept with the dead letter.
    pub error: &'a str,
    /// It is a dead letter when it was handed out alone this often; 0 makes it one at once.
    pub tries: u32,
}

/// The effects of the front part of a batch, committed at once or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit<'a> {
    /// Whose inbox.
    pub stage: Stage,
    /// Which shard's.
    pub shard: &'a Shard,
    /// The lease.
    pub token: &'a str,
    /// The batch's number.
    pub seq: u64,
    /// How long the lease lasts from now on, in milliseconds.
    pub lease_ms: u64,
    /// The inputs done with, from the front; the cursor moves over them. Empty for a mark.
    pub consumed: &'a [Input],
    /// Inputs that stay handed out: 1 for a mark, else 0.
    pub open: u32,
    /// What to write.
    pub effects: &'a Effects,
    /// The input after the consumed ones, when it could not be digested.
    pub failed: Option<Failure<'a>>,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Written; the lease is renewed.
    Done {
        /// The number of the next commit.
        seq: u64,
        /// The store's clock, in milliseconds since the epoch.
        now_ms: u64,
        /// Whether the failed input became a dead letter.
        dead: bool,
    },
    /// The lease is gone; nothing was written.
    Lost,
    /// This number was committed before; nothing was written.
    Stale,
}

/// Gives a lease up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release<'a> {
    /// Whose inbox.
    pub stage: Stage,
    /// Which shard's.
    pub shard: &'a Shard,
    /// The lease.
    pub token: &'a str,
    /// A lone input handed back untried: its try is not counted.
    pub untried: Option<&'a Input>,
    /// Whether work left behind rings at once.
    pub ring: Ring,
}

/// When a worker is called for work that is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// A bell rings: the drain merely reached its bound, or somebody waits for what was put out.
    Now,
    /// The next tick rings: something failed, and ringing at once would hammer it; or nobody waits,
    /// and what comes next to the same inbox rings anyway.
    AtTick,
}

/// What became of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// Work is left, and a bell was rung.
    Rung,
    /// No bell was rung.
    Quiet,
    /// The lease was gone already.
    Lost,
}

/// How far a stage of a shard is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The stage.
    pub stage: Stage,
    /// The shard.
    pub shard: Shard,
    /// Entries not consumed.
    pub unread: u64,
    /// Timers that are due.
    pub due: u64,
    /// Inputs handed out and not committed.
    pub open: u64,
    /// Age of the oldest unread entry, in milliseconds.
    pub oldest_ms: u64,
}

/// What a tick did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickReport {
    /// The bells it rang.
    pub rung: Vec<(Stage, Shard)>,
    /// Consumed entries it trimmed.
    pub trimmed: u64,
    /// What it saw on the way.
    pub lag: Vec<Lag>,
}

/// An input that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its own id, for replay.
    pub id: String,
    /// Whose inbox it was in.
    pub stage: String,
    /// Which shard's.
    pub shard: String,
    /// What it was, as its step saw it (without state).
    pub input: Input,
    /// The last error.
    pub error: String,
    /// When it was given up, in milliseconds since the epoch.
    pub at_ms: u64,
}

/// What became of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It is in its inbox again, and no longer a dead letter.
    Done,
    /// No such dead letter.
    Gone,
}

/// Where streams, state and leases live.
pub trait Store {
    /// The installation's shape.
    fn cell(&self) -> &Cell;

    /// Appends an event from outside unless it was seen, and rings.
    ///
    /// # Errors
    /// [`StoreError`] when nothing was written or it is not known whether.
    fn ingest(&self, event: &Ingest<'_>) -> impl Future<Output = Result<Ingested, StoreError>>;

    /// Takes or renews the lease and hands out what comes next.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation.
    fn fetch(&self, fetch: &Fetch<'_>) -> impl Future<Output = Result<Fetched, StoreError>>;

    /// Reads state fields; safe while the lease is held.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation.
    fn read_fields(
        &self,
        stage: Stage,
        shard: &Shard,
        fields: &[String],
    ) -> impl Future<Output = Result<State, StoreError>>;

    /// Commits the front part of a batch.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when something in it cannot be written; nothing was.
    fn commit(&self, commit: &Commit<'_>) -> impl Future<Output = Result<Committed, StoreError>>;

    /// Gives the lease up before the work has ended.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation.
    fn release(&self, release: &Release<'_>) -> impl Future<Output = Result<Released, StoreError>>;

    /// Rings a stage of a shard, regardless of the flag.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation.
    fn ring(&self, stage: Stage, shard: &Shard) -> impl Future<Output = Result<(), StoreError>>;

    /// Rings every stage and shard that has work and no worker, and trims what was consumed.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation; bells rung before it stay rung.
    fn tick(&self) -> impl Future<Output = Result<TickReport, StoreError>>;

    /// How far every stage of every shard is behind. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation.
    fn lag(&self) -> impl Future<Output = Result<Vec<Lag>, StoreError>>;

    /// The counters: `<what>:<stage>`, where what is `appended`, `committed`, `unfinished` (batches
    /// whose worker was lost), `lost` and `stale` (commits refused), `dead`, `replayed`, `duplicate`, `full`.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation.
    fn counters(&self) -> impl Future<Output = Result<BTreeMap<String, i64>, StoreError>>;

    /// Dead letters after the given id (`0-0` for the first), oldest first.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation.
    fn dead_letters(
        &self,
        after: &str,
        count: u32,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, StoreError>>;

    /// Puts a dead letter back into its inbox, at the end.
    ///
    /// # Errors
    /// [`StoreError`] as for every operation.
    fn replay(&self, letter: &DeadLetter) -> impl Future<Output = Result<Replayed, StoreError>>;
}

impl<S: Store> Store for &S {
    fn cell(&self) -> &Cell {
        (**self).cell()
    }
    async fn ingest(&self, event: &Ingest<'_>) -> Result<Ingested, StoreError> {
        (**self).ingest(event).await
    }
    async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, StoreError> {
        (**self).fetch(fetch).await
    }
    async fn read_fields(&self, stage: Stage, shard: &Shard, fields: &[String]) -> Result<State, StoreError> {
        (**self).read_fields(stage, shard, fields).await
    }
    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        (**self).commit(commit).await
    }
    async fn release(&self, release: &Release<'_>) -> Result<Released, StoreError> {
        (**self).release(release).await
    }
    async fn ring(&self, stage: Stage, shard: &Shard) -> Result<(), StoreError> {
        (**self).ring(stage, shard).await
    }
    async fn tick(&self) -> Result<TickReport, StoreError> {
        (**self).tick().await
    }
    async fn lag(&self) -> Result<Vec<Lag>, StoreError> {
        (**self).lag().await
    }
    async fn counters(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        (**self).counters().await
    }
    async fn dead_letters(&self, after: &str, count: u32) -> Result<Vec<DeadLetter>, StoreError> {
        (**self).dead_letters(after, count).await
    }
    async fn replay(&self, letter: &DeadLetter) -> Result<Replayed, StoreError> {
        (**self).replay(letter).await
    }
}

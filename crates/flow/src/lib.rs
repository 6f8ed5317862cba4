//! Streams are the truth, channels are doorbells: the lease, drain and commit loop.
//!
//! A stage works on the inbox of one shard under a lease. It fetches a batch, runs a pure
//! [`Step`] over each input, and commits state, outputs, timers, read models and cursor in one
//! script. A crash anywhere replays from the last commit.
//!
//! What this crate does not do: it knows nothing of events, findings or remedies; it opens no
//! connection and reads no clock. Redis (or its in-memory stand-in) is behind a port.
//!
//! Invariants: a commit number is used once; the cursor only grows and moves together with the
//! effects; nothing is left unread without a lease, a flag or a bell in flight, short of a crash.

mod batch;
pub mod calls;
pub mod cell;
mod check;
pub mod drain;
mod fields;
pub mod limits;
pub mod memory;

pub mod name;
pub mod probe;
pub mod redis;
pub mod said;
pub mod script;
pub mod seen;
pub mod step;
pub mod store;
pub mod views;
mod wire;

pub use calls::{Clock, drain_calls};
pub use cell::{Cell, CellError};
pub use drain::{Drained, Ended, drain};
pub use limits::{Bounds, Limits};
pub use memory::MemoryStore;

pub use name::{Shard, Stage};
pub use redis::{Redis, RedisError, Reply};
pub use said::Said;
pub use script::ScriptStore;
pub use step::{
    Action, CallOutcome, Context, Effects, Input, LookFirst, Opening, Output, State, Step, StepError, Timer,
    Verdict, Write,
};
pub use store::{
    Batch, Commit, Committed, DeadLetter, Failure, Fetch, Fetched, Ingest, Ingested, Lag, Release, Released,
    Replayed, Ring, Store, StoreError, TickReport,
};

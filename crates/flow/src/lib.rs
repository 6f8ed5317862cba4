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

pub mod name;
pub mod step;

pub use name::{Shard, Stage};
pub use step::{
    Action, CallOutcome, Context, Effects, Input, LookFirst, Opening, Output, State, Step, StepError, Timer, Verdict,
    Write,
};

//! The laboratory: is the judge right, how soon, and what do others' rules say to the same data?
//!
//! Seeded simulators (`sim`) make lives of services; the systems under test (`system`) and the
//! peers re-implemented from their published rules (`peers`) look at them; `run` writes what they
//! decided as JSON lines, and the truth as other lines. A scorer that is not in this crate, nor in
//! this language, holds the one against the other; `report` draws what it found.
//!
//! What this does not do: score, read files, or hold a parameter of a run anywhere but in
//! `frozen.toml`.
//!
//! Invariants: the same seed and cell give the same bytes; a line of decisions holds no truth, and
//! no system ever sees a line of truth.

pub mod cell;
pub mod cost;
pub mod frozen;
pub mod peers;
pub mod record;
pub mod report;
pub mod run;
pub mod seed;
pub mod sim;
pub mod system;

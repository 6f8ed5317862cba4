//! What the flow's tests share: stages that leave countable traces, and a redis-server of their own.
//!
//! What it does not do: no timing. A worker is killed by dropping its future at a named point,
//! and a dead worker's lease is ended by removing it, which stands for its running out.

pub mod contract;
pub mod fault;
pub mod interleave;
pub mod random;
pub mod stages;
pub mod world;

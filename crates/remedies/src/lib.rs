//! From a finding to a remedy and back: what to do, whether it may be done, how it is asked for,
//! and whether it helped.
//!
//! * [`planner`] is the state machine of one service's incident.
//! * [`guards`] are the rules that can hold an attempt back, one small pure function each.
//! * [`connector`] builds requests and reads replies, without carrying a byte itself.
//!
//! What this crate does not do: it sends nothing, reads no clock, draws no random number and holds
//! no secret; the shell adds those. It judges no health, that is `detection`'s.
//!
//! Invariants: at most one remedy of a service is in flight; no remedy is dispatched past a guard
//! that failed; every plan names the verdict of each guard it was held against; and no text from a
//! payload takes part in building a URL.

pub mod connector;
pub mod guards;
mod names;
pub mod planner;
#[cfg(test)]
mod testing;
mod text;

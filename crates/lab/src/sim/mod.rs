//! Simulators of what a service shows, one module each.
//!
//! What this does not do: judge. Invariant: every draw comes from the [`crate::seed::Random`] that
//! is passed in.

pub mod counts;
pub mod demand;
pub mod fleet;
pub mod latency;
pub mod repair;
pub mod week;

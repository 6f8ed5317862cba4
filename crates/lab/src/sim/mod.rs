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

/// What both arms showed in one tick: counts of errors, or latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick<S> {
    /// When it began, seconds after the canary's start; before it below 0.
    pub at_s: i64,
    /// The old version.
    pub baseline: S,
    /// The new version; nothing before its start.
    pub canary: S,
}

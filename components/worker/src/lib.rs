//! What the worker components share: a drain with its snapshots, and the same drain over HTTP.
//!
//! What this does not do: it knows no stage's rules; each shell names its own step.

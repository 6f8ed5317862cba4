//! What the worker components share: what a drain needs before it starts, and the same drain
//! over HTTP for platforms with no Redis trigger.
//!
//! What this does not do: it knows no stage's rules; each shell names its own step.
//!
//! Invariant: a drain opens its own connection and reads its own snapshots, so nothing of one
//! message is kept for the next.

mod desk;
mod publish;
mod route;

pub use desk::{Desk, WorkerError, endpoints, shard_of_bell, variable};
pub use publish::{publish_config, publish_health, publish_policy};
pub use route::{Answer, over_http, over_http_in};

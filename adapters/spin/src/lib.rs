//! The flow's ports over the Spin SDK, for the components: Redis, clocks, snapshots, outbound HTTP.
//!
//! What it does not do: it decides nothing, and holds nothing of one request for another; a kept
//! connection is all that outlives a call.

mod clock;
mod log;
mod outbound;
mod redis;
mod snapshots;

pub use clock::{SteadyClock, wall_clock_ms, within};
pub use log::write_line;
pub use outbound::{SendError, send};
pub use redis::{REPLY_MS_MAX, SpinRedis};
pub use snapshots::{SnapshotError, Snapshots, read};

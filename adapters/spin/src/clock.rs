//! The host's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use homeostat_flow::Clock;

/// Milliseconds since it was made; only goes forward.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock(Instant);

impl SteadyClock {
    /// Starts at zero.
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self::start()
    }
}

impl Clock for SteadyClock {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Milliseconds since the epoch by the wall clock: for the freshness of signatures and the time
/// an event was received. Steps take their time from the store.
pub fn wall_clock_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

//! The host's clocks.

use std::pin::pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::{Either, select};
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

/// What the work gives, or `None` when it takes longer than `timeout_ms`; it is dropped then. Work
/// that is done at once costs no timer.
pub async fn within<T>(timeout_ms: u64, work: impl Future<Output = T>) -> Option<T> {
    let work = pin!(work);
    let timeout = pin!(spin_sdk::time::sleep(Duration::from_millis(timeout_ms)));
    match select(work, timeout).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}

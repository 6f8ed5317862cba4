//! Time that only goes forward.

use std::time::Instant;

use homeostat_flow::Clock;

/// Milliseconds since it was made.
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

//! The clock, moved: what the guests read, what the flow's scripts read, and what runs out by it.
//!
//! Invariant: time goes forward only, and for everyone by the same amount.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use homeostat_flow::name::{Kind, clock_key, key};
use homeostat_flow::{Shard, Stage};
use homeostat_schema::config::Config;
use homeostat_stages::name::{COORDINATE, SHARDS_DEFAULT, STAGES, shards_of_stage};
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use wasmtime_wasi::clocks::HostWallClock;

use super::Faults;
use crate::factors::redis::{RedisTimeouts, client, connect};

/// The guests' wall clock: the real one, and an offset that clones share.
#[derive(Clone, Default)]
pub(crate) struct GuestClock {
    offset_ms: Arc<AtomicU64>,
}

impl GuestClock {
    fn offset(&self) -> Duration {
        Duration::from_millis(self.offset_ms.load(Ordering::SeqCst))
    }
}

impl HostWallClock for GuestClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.offset()
    }
}

impl Faults {
    /// How far the clock was moved.
    pub fn clock_offset(&self) -> Duration {
        self.0.clock.offset()
    }

    /// Moves the clock forward for the guests and for the flow on the Redis server at `redis_url`.
    /// Leases and bells run out as they would in that time.
    ///
    /// # Errors
    /// When Redis does not answer; the guests' clock was moved then, the flow's perhaps not.
    pub async fn advance(&self, redis_url: &str, by: Duration) -> Result<(), RedisError> {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let offset_ms = self.0.clock.offset_ms.fetch_add(by_ms, Ordering::SeqCst) + by_ms;
        let mut server = connect(&client(redis_url)?, RedisTimeouts::default()).await?;
        redis::cmd("SET").arg(clock_key()).arg(offset_ms).exec_async(&mut server).await?;
        for stage in STAGES {
            for shard in shards_of_stage(stage, SHARDS_DEFAULT).into_iter().chain(environments(stage)) {
                age(&mut server, &key(Kind::Lease, stage, &shard), by_ms).await?;
                age(&mut server, &key(Kind::Bell, stage, &shard), by_ms).await?;
            }
        }
        Ok(())
    }
}

/// The shards of the environments that every configuration has.
fn environments(stage: Stage) -> Vec<Shard> {
    let built_in = Config::default().environments.into_keys();
    if stage == COORDINATE { built_in.map(|env| Shard::environment(&env)).collect() } else { Vec::new() }
}

/// Takes `by_ms` from what is left of a key's life.
async fn age(server: &mut MultiplexedConnection, key: &str, by_ms: u64) -> Result<(), RedisError> {
    let left_ms: i64 = redis::cmd("PTTL").arg(key).query_async(server).await?;
    // Negative: it is not there, or lives for ever.
    let Ok(left_ms) = u64::try_from(left_ms) else { return Ok(()) };
    match left_ms.saturating_sub(by_ms) {
        0 => redis::cmd("DEL").arg(key).exec_async(server).await,
        left_ms => redis::cmd("PEXPIRE").arg(key).arg(left_ms).exec_async(server).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guests_clock_is_the_real_one_and_the_offset() {
        let clock = GuestClock::default();
        let real = clock.now();
        clock.offset_ms.store(3_600_000, Ordering::SeqCst);
        let moved = clock.now() - real;
        assert!((Duration::from_secs(3600)..Duration::from_secs(3660)).contains(&moved), "{moved:?}");
    }
}

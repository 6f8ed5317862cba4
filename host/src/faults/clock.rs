//! The clocks, moved: what the guests read, what the flow's scripts read, and what runs out by them.
//!
//! Invariant: a move is the same for everyone. The wall clock can be set back, as a time server does
//! it; the steady clock only goes forward, as it does on a real machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use homeostat_flow::name::{Kind, clock_key, key, shards_key};
use homeostat_flow::{Shard, Stage};
use homeostat_stages::name::{SHARDS_DEFAULT, STAGES, shards_of_stage};
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};

use super::Faults;
use crate::factors::redis::{RedisTimeouts, client, connect};

/// The guests' clocks: the real ones, and offsets that clones share.
#[derive(Clone)]
pub(crate) struct GuestClock {
    started: Instant,
    /// Of the wall clock, milliseconds.
    offset_ms: Arc<AtomicI64>,
    /// Of the steady clock, milliseconds: all the way forward.
    ahead_ms: Arc<AtomicU64>,
}

impl Default for GuestClock {
    fn default() -> Self {
        Self { started: Instant::now(), offset_ms: Arc::default(), ahead_ms: Arc::default() }
    }
}

impl GuestClock {
    fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::SeqCst)
    }

    /// Moves the wall clock, and says by how much it is off now.
    fn shift(&self, by_ms: i64) -> i64 {
        if let Ok(forward_ms) = u64::try_from(by_ms) {
            self.ahead_ms.fetch_add(forward_ms, Ordering::SeqCst);
        }
        self.offset_ms.fetch_add(by_ms, Ordering::SeqCst) + by_ms
    }
}

impl HostWallClock for GuestClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let offset = Duration::from_millis(self.offset_ms().unsigned_abs());
        if self.offset_ms() < 0 { real.saturating_sub(offset) } else { real + offset }
    }
}

impl HostMonotonicClock for GuestClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        let ahead = Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst));
        u64::try_from((self.started.elapsed() + ahead).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Faults {
    /// How far the wall clock was moved, milliseconds; below zero when it is behind the real one.
    pub fn clock_offset_ms(&self) -> i64 {
        self.0.clock.offset_ms()
    }

    /// Moves the clocks forward for the guests and for the flow on the Redis server at `redis_url`.
    /// Leases and bells run out as they would in that time.
    ///
    /// # Errors
    /// When Redis does not answer; the guests' clocks were moved then, the flow's perhaps not.
    pub async fn advance(&self, redis_url: &str, by: Duration) -> Result<(), RedisError> {
        self.shift(redis_url, i64::try_from(by.as_millis()).unwrap_or(i64::MAX)).await
    }

    /// Sets the wall clock back for the guests, the flow and Redis itself: leases and bells last
    /// longer by so much.
    ///
    /// # Errors
    /// As [`Faults::advance`].
    pub async fn set_back(&self, redis_url: &str, by: Duration) -> Result<(), RedisError> {
        self.shift(redis_url, -i64::try_from(by.as_millis()).unwrap_or(i64::MAX)).await
    }

    async fn shift(&self, redis_url: &str, by_ms: i64) -> Result<(), RedisError> {
        let offset_ms = self.0.clock.shift(by_ms);
        let mut server = connect(&client(redis_url)?, RedisTimeouts::default()).await?;
        redis::cmd("SET").arg(clock_key()).arg(offset_ms).exec_async(&mut server).await?;
        let written: Vec<String> = redis::cmd("SMEMBERS").arg(shards_key()).query_async(&mut server).await?;
        let written: Vec<Shard> = written.iter().filter_map(|name| Shard::parse(name)).collect();
        for stage in STAGES {
            for shard in shards(stage, &written) {
                age(&mut server, &key(Kind::Lease, stage, &shard), by_ms).await?;
                age(&mut server, &key(Kind::Bell, stage, &shard), by_ms).await?;
            }
        }
        Ok(())
    }
}

/// Those a stage always has, and those that were ever written to.
fn shards(stage: Stage, written: &[Shard]) -> Vec<Shard> {
    let mut shards = shards_of_stage(stage, SHARDS_DEFAULT);
    shards.extend(written.iter().filter(|shard| !shards.contains(shard)).cloned().collect::<Vec<_>>());
    shards
}

/// Takes `by_ms` from what is left of a key's life, or adds to it when that is below zero.
async fn age(server: &mut MultiplexedConnection, key: &str, by_ms: i64) -> Result<(), RedisError> {
    let left_ms: i64 = redis::cmd("PTTL").arg(key).query_async(server).await?;
    // It is not there, or lives for ever.
    if left_ms < 0 {
        return Ok(());
    }
    match left_ms.saturating_sub(by_ms) {
        ..=0 => redis::cmd("DEL").arg(key).exec_async(server).await,
        left_ms => redis::cmd("PEXPIRE").arg(key).arg(left_ms).exec_async(server).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// Shifts both clocks; how far each went, less the moment the test takes.
    fn moved(by_ms: i64) -> (i64, u64) {
        let clock = GuestClock::default();
        let (wall, steady) = (HostWallClock::now(&clock), HostMonotonicClock::now(&clock));
        assert_eq!(clock.shift(by_ms), by_ms);
        let ms = |since: Duration| i64::try_from(since.as_millis()).unwrap();
        let wall_ms = ms(HostWallClock::now(&clock)) - ms(wall);
        let steady_ms = (HostMonotonicClock::now(&clock) - steady) / 1_000_000;
        (wall_ms, steady_ms)
    }

    #[test]
    fn both_clocks_go_forward_and_only_the_wall_clock_goes_back() {
        let minute_ms = 60_000;
        let (wall_ms, steady_ms) = moved(HOUR_MS);
        assert!((HOUR_MS..HOUR_MS + minute_ms).contains(&wall_ms), "{wall_ms}");
        assert!((3_600_000..3_660_000).contains(&steady_ms), "{steady_ms}");
        let (wall_ms, steady_ms) = moved(-HOUR_MS);
        assert!((-HOUR_MS..-HOUR_MS + minute_ms).contains(&wall_ms), "{wall_ms}");
        assert!((0..60_000).contains(&steady_ms), "{steady_ms}");
    }
}

//! The tick: what Spin lacks, a call every few seconds.
//!
//! Purpose: run a closure that the composition gives (it rings every stage that has work), so that
//! a lost doorbell costs a few seconds and no more.
//! Does not: know what a tick does, or make up for ticks missed.
//! Invariant: ticks never overlap; one that fails or hangs is logged, at most once a minute, and the
//! next one comes.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::MissedTickBehavior;

use crate::away::Away;
use crate::stop::Stop;
use crate::telemetry::{TickFailed, TickTimedOut, emit};

/// The time between ticks.
pub const TICK_PERIOD: Duration = Duration::from_secs(2);

/// How long one tick may take.
const TICK_TIMEOUT: Duration = Duration::from_secs(30);

/// The one server that is ticked.
const REDIS: &str = "redis";

/// One tick against the Redis server at the given address (`redis://host:port`).
pub type Ticker = Arc<dyn Fn(String) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// Ticks until told to stop; the tick in hand is finished first.
pub async fn run(ticker: Ticker, redis_url: String, mut stop: Stop) {
    let mut interval = tokio::time::interval(TICK_PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Ticks fail together for as long as Redis is away.
    let away = Away::default();
    let is_due = || away.is_due(REDIS, REDIS);
    loop {
        tokio::select! {
            () = stop.wait() => return,
            _ = interval.tick() => {}
        }
        match tokio::time::timeout(TICK_TIMEOUT, ticker(redis_url.clone())).await {
            Ok(Ok(())) => {
                let _back = away.is_back(REDIS, REDIS);
            }
            Ok(Err(error)) if is_due() => emit(TickFailed { error: &error }),
            Err(_) if is_due() => emit(TickTimedOut { after: TICK_TIMEOUT }),
            _ => {}
        }
    }
}

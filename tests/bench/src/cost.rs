//! What a drain costs: processor time of the worker and of Redis, and how long scripts hold Redis.
//!
//! Processor time says more than the rate when other work shares the machine.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use homeostat_adapter_native::NativeRedis;
use homeostat_flow::Redis;
use homeostat_testkit::redis::RedisServer;

use crate::machine::processor_s;
use crate::report::Section;

/// Shares of the scripts, in words and as Redis names them. One half are fetches, the other longer
/// commits: three quarters stands for the commit in the middle.
const SHARES: [(&str, &str); 3] =
    [("half", "p50"), ("three quarters", "p75"), ("all but a thousandth", "p99.9")];

/// A measurement that has begun.
pub(crate) struct Meter {
    redis: NativeRedis,
    /// The worker's process and Redis's, with what each had used at the start.
    used: [(u32, f64); 2],
}

/// What it came to.
pub(crate) struct Cost {
    worker_s: f64,
    redis_s: f64,
    /// Calls of scripts.
    calls: f64,
    /// How long one script held Redis, microseconds, in the order of [`SHARES`].
    script_us: [f64; 3],
}

impl Meter {
    pub(crate) async fn start(server: &RedisServer, worker: u32) -> Result<Self> {
        let redis = NativeRedis::new(&server.url())?;
        let shares: &[&[u8]] = &[b"SET", b"latency-tracking-info-percentiles", b"50 75 99.9"];
        redis.command("CONFIG", shares).await?;
        redis.command("CONFIG", &[b"RESETSTAT"]).await?;
        let pids = [worker, server.id().context("Redis runs")?];
        Ok(Self { redis, used: [(pids[0], used_s(pids[0])?), (pids[1], used_s(pids[1])?)] })
    }

    pub(crate) async fn stop(self) -> Result<Cost> {
        let [worker, redis] = self.used;
        let (worker_s, redis_s) = (used_s(worker.0)? - worker.1, used_s(redis.0)? - redis.1);
        let calls = figures(&self.redis, "commandstats", "cmdstat_evalsha:").await?;
        let times = figures(&self.redis, "latencystats", "latency_percentiles_usec_evalsha:").await?;
        let script_us = SHARES.map(|(_, name)| times.get(name).copied().unwrap_or_default());
        let calls = calls.get("calls").copied().unwrap_or_default();
        Ok(Cost { worker_s, redis_s, calls, script_us })
    }
}

impl Cost {
    pub(crate) fn report(&self, section: &mut Section, what: &str, events: usize) {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let each = events.max(1) as f64;
        section.number(format!("{what}: worker's processor time an event"), self.worker_s * 1e6 / each, "us");
        section.number(format!("{what}: Redis's processor time an event"), self.redis_s * 1e6 / each, "us");
        section.number(format!("{what}: events a script"), each / self.calls.max(1.0), "events");
        for ((name, _), us) in SHARES.into_iter().zip(self.script_us) {
            section.number(format!("{what}: {name} of the scripts hold Redis at most"), us / 1000.0, "ms");
        }
    }
}

fn used_s(pid: u32) -> Result<f64> {
    processor_s(pid).with_context(|| format!("process {pid} runs"))
}

/// The `name=number` pairs of one line of Redis's INFO.
async fn figures(redis: &NativeRedis, section: &str, line: &str) -> Result<BTreeMap<String, f64>> {
    let reply = redis.command("INFO", &[section.as_bytes()]).await?;
    let text = reply.first().map(homeostat_flow::Reply::text).unwrap_or_default();
    let pairs = text.lines().find_map(|one| one.strip_prefix(line)).unwrap_or_default();
    Ok(pairs
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect())
}

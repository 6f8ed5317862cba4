//! Requests per second through wasm, against a native server that does the same on the same Redis.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use homeostat_testkit::port::free_port;
use homeostat_testkit::redis::{Durability, RedisServer};
use homeostat_testkit::server::eventually;
use http::StatusCode;
use http_body::Body;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::app::{self, Bench, SECRET, Served, Stages, stamp_status};
use crate::load::{self, Outcome, Prepared};
use crate::report::{Section, Target, percentile};
use crate::{machine, native};

/// Kept connections: enough to keep a server busy, as many as GitHub opens on a busy day.
const CONNECTIONS: usize = 16;
/// Requests of one round: some hundred megabytes of bodies, and all rounds together far
/// below what the inboxes take.
const REQUESTS: u64 = 12_000;
/// Rounds of each server, in turn, so that both see the same machine.
const ROUNDS: u64 = 3;
/// Requests that are not counted: instances and connections come up.
const WARM_UP: u64 = 1_000;
/// A round that takes longer ends here.
const ROUND_MAX: Duration = Duration::from_secs(20);
/// How long the native server may take to listen.
const LISTEN_MAX: Duration = Duration::from_secs(10);
/// The processor of the server, that of Redis and the load, and both.
const SERVER: &str = "0";
const LOAD: &str = "1";
const BOTH: &str = "0-1";
/// The share of native throughput that wasm should reach.
const RATIO_MIN: f64 = 0.5;

pub(crate) async fn measure(bench: &Bench) -> Result<Section> {
    let mut section = Section::new("ingest");
    // The load is this process; Redis is started by it and stays beside it.
    bench.bind(Some(std::process::id()), LOAD)?;
    let bytes = webhooks(bench, 1, 0)?.first().and_then(|one| one.body().size_hint().exact()).unwrap_or(0);
    section.circumstance(format!(
        "deployment_status webhooks of {bytes} bytes ({}), {CONNECTIONS} kept connections, {ROUNDS} rounds \
         of {REQUESTS} requests each in turn, doorbells heard by nobody, the same Redis",
        bench.payloads()
    ));
    for (durability, name) in [(Durability::Memory, "no persistence"), (Durability::Always, "fsync always")] {
        against_each_other(bench, &mut section, durability, name).await?;
    }
    bench.bind(Some(std::process::id()), BOTH)?;
    Ok(section)
}

struct Native {
    child: Child,
    authority: String,
}

struct Side {
    name: &'static str,
    authority: String,
    pid: Option<u32>,
    rates: Vec<f64>,
    times_ms: Vec<f64>,
    processor_s: f64,
    answered: usize,
}

async fn against_each_other(
    bench: &Bench,
    section: &mut Section,
    durability: Durability,
    name: &str,
) -> Result<()> {
    let redis = RedisServer::start_with(durability)?;
    let config = app::config(app::SERVICES);
    // Started on their processor, the servers take as many threads as it is worth: one.
    bench.bind(Some(std::process::id()), SERVER)?;
    let wasm = bench.serve(Stages::None, &config, &redis.url(), Default::default()).await?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("homeostat.toml"), &config)?;
    let native = native_server(&redis.url(), &folder.path().join("homeostat.toml")).await?;
    let mut sides = [side_of(&wasm), Side::new("native", native.authority.clone(), native.child.id())];
    let mut serial = 1;
    bench.bind(Some(std::process::id()), LOAD)?;
    for side in &mut sides {
        let warm_up = webhooks(bench, WARM_UP, serial)?;
        serial += WARM_UP;
        load::run(&side.authority, warm_up, CONNECTIONS, ROUND_MAX, StatusCode::ACCEPTED).await?;
    }
    for _ in 0..ROUNDS {
        for side in &mut sides {
            let prepared = webhooks(bench, REQUESTS, serial)?;
            serial += REQUESTS;
            side.round(prepared).await?;
        }
    }
    report(section, name, &mut sides);
    Ok(())
}

fn webhooks(bench: &Bench, count: u64, first: u64) -> Result<Vec<Prepared>> {
    let one = |serial| bench.webhook("deployment_status", serial, |payload| stamp_status(payload, serial));
    (first..first + count).map(one).collect()
}

fn side_of(served: &Served) -> Side {
    let authority = served.app.url().trim_start_matches("http://").to_owned();
    Side::new("wasm", authority, served.app.id())
}

async fn native_server(redis: &str, config: &std::path::Path) -> Result<Native> {
    let port = free_port()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("native-server").arg("--port").arg(port.to_string()).arg("--redis").arg(redis);
    command.arg("--config").arg(config).env(native::SECRET, SECRET);
    let child = command.stdin(Stdio::null()).kill_on_drop(true).spawn()?;
    let authority = format!("127.0.0.1:{port}");
    let listening = eventually(LISTEN_MAX, async || TcpStream::connect(&authority).await.ok()).await;
    listening.context("the native server does not listen")?;
    Ok(Native { child, authority })
}

impl Side {
    fn new(name: &'static str, authority: String, pid: Option<u32>) -> Self {
        Self { name, authority, pid, rates: vec![], times_ms: vec![], processor_s: 0.0, answered: 0 }
    }

    async fn round(&mut self, prepared: Vec<Prepared>) -> Result<()> {
        let used = || self.pid.and_then(machine::processor_s).unwrap_or_default();
        let before = used();
        let outcome: Outcome =
            load::run(&self.authority, prepared, CONNECTIONS, ROUND_MAX, StatusCode::ACCEPTED).await?;
        self.processor_s += used() - before;
        self.answered += outcome.answered;
        self.rates.push(outcome.per_second());
        self.times_ms.extend(outcome.times_ms);
        Ok(())
    }

    fn median_rate(&mut self) -> f64 {
        self.rates.sort_by(f64::total_cmp);
        percentile(&self.rates, 0.5).unwrap_or_default()
    }
}

fn report(section: &mut Section, durability: &str, sides: &mut [Side; 2]) {
    let [wasm, native] = sides.each_mut().map(|side| side.median_rate());
    for (side, rate) in sides.iter_mut().zip([wasm, native]) {
        side.times_ms.sort_by(f64::total_cmp);
        let name = side.name;
        section.number(format!("{name}, {durability}: median of the rounds"), rate, "requests/s");
        for (share, label) in [(0.5, "p50"), (0.99, "p99")] {
            let value = percentile(&side.times_ms, share).unwrap_or_default();
            section.number(format!("{name}, {durability}: {label}"), value, "ms");
        }
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let each_us = side.processor_s * 1e6 / side.answered.max(1) as f64;
        section.number(format!("{name}, {durability}: processor time a request"), each_us, "us");
    }
    let what = format!("wasm to native, {durability}");
    section.aimed(what, wasm / native, "of native", Target::AtLeast(RATIO_MIN));
}

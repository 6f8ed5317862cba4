//! Webhooks of all sources at a steady rate, with duplicates and forgeries among them: how long
//! answers take, and whether the counts at the end are exact.
//!
//! An answer's time is counted from the moment its request was due, not from when a connection was
//! free, so that a stall is not hidden by the requests that waited for it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use homeostat_adapter_native::NativeRedis;
use homeostat_flow::name::counters_key;
use homeostat_flow::{Redis, Reply};
use homeostat_testkit::now_ms;
use homeostat_testkit::redis::{Durability, RedisServer};
use homeostat_testkit::senders::{self, Signer};
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::app::{self, Bench, SERVICES, Stages};
use crate::load::{Connection, Prepared};
use crate::report::{Section, Target, percentile};

/// Webhooks a second.
const RATE: u64 = 1_000;
/// Seconds of it.
const SECONDS: u64 = 60;
/// One of so many is sent a second time, and one of so many is forged: 5 % each.
const EACH: u64 = 20;
/// A second sending comes this much later than the first, so that the first was answered.
const AGAIN_AFTER: u64 = 200;
/// Kept connections: more than are in use at once unless the app falls behind.
const CONNECTIONS: usize = 64;
/// What the slowest hundredth should stay below, milliseconds.
const P99_MS: f64 = 50.0;
/// What a request should be answered, and what it should lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    New,
    Again,
    Forged,
}

struct Planned {
    kind: Kind,
    request: Prepared,
}

/// One answer.
struct Answered {
    kind: Kind,
    status: StatusCode,
    ms: f64,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Section> {
    let mut section = Section::new("mixed");
    let planned = plan()?;
    let bytes: usize = planned.iter().map(|one| size(&one.request)).sum();
    section.circumstance(format!(
        "{RATE} webhooks a second for {SECONDS} s, of {} sources in turn, {} bytes on average; one in {EACH} sent \
         twice, one in {EACH} forged; {CONNECTIONS} kept connections; all stages, {SERVICES} services; fsync always; \
         nothing pinned: host, Redis and sender share all processors",
        senders::SOURCES.len(),
        bytes / planned.len().max(1),
    ));
    let redis = RedisServer::start_with(Durability::Always)?;
    let config = app::config(SERVICES);
    let served = bench.serve(Stages::All, &config, &redis.url(), senders::variables()).await?;
    let authority = served.app.url().trim_start_matches("http://").to_owned();
    let answers = send_all(&authority, planned).await?;
    report(&mut section, &answers);
    exact(&mut section, &answers, &redis.url()).await?;
    Ok(section)
}

fn size(request: &Prepared) -> usize {
    use http_body::Body;
    request.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default()
}

/// All requests, made before the first is sent: signing is not what is measured.
fn plan() -> Result<Vec<Planned>> {
    let mut planned: Vec<Planned> = Vec::new();
    for serial in 0..RATE * SECONDS {
        let kind = match serial % EACH {
            3 if serial > AGAIN_AFTER => Kind::Again,
            7 => Kind::Forged,
            _ => Kind::New,
        };
        let request = match kind {
            // The one that far back was new: the step is a multiple of the cycle, and one on.
            Kind::Again => earlier(&planned, serial)?,
            Kind::New | Kind::Forged => made(serial, kind)?,
        };
        planned.push(Planned { kind, request });
    }
    Ok(planned)
}

fn earlier(planned: &[Planned], serial: u64) -> Result<Prepared> {
    let at = usize::try_from(serial - AGAIN_AFTER + 1)?;
    let first = planned.get(at).filter(|one| one.kind == Kind::New).context("a new one that far back")?;
    Ok(first.request.clone())
}

fn made(serial: u64, kind: Kind) -> Result<Prepared> {
    let name = usize::try_from(serial).ok().and_then(|at| senders::SOURCES.get(at % senders::SOURCES.len()));
    let name = *name.context("a source")?;
    let signer = if kind == Kind::Forged { Signer::Forger } else { Signer::Sender };
    let sent = senders::delivery(name, serial, now_ms(), signer);
    let sent = sent.with_context(|| format!("no delivery of {name}"))?;
    let mut request = Request::post(sent.path).header("host", "localhost");
    for (name, value) in &sent.headers {
        request = request.header(name, value);
    }
    Ok(request.body(Full::new(sent.body.into()))?)
}

async fn send_all(authority: &str, planned: Vec<Planned>) -> Result<Vec<Answered>> {
    let (give, mut free) = mpsc::channel(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        give.send(Connection::open(authority).await?).await?;
    }
    let began = Instant::now();
    let mut sending = JoinSet::new();
    for (serial, one) in (0_u64..).zip(planned) {
        let due = began + Duration::from_micros(serial * 1_000_000 / RATE);
        tokio::time::sleep_until(due).await;
        let connection = free.recv().await.context("a connection")?;
        sending.spawn(send(connection, one, due, give.clone()));
    }
    sending.join_all().await.into_iter().collect()
}

async fn send(
    mut connection: Connection,
    one: Planned,
    due: Instant,
    give: mpsc::Sender<Connection>,
) -> Result<Answered> {
    let status = connection.send(one.request).await?;
    let ms = due.elapsed().as_secs_f64() * 1000.0;
    // The channel is as long as there are connections.
    let _ = give.send(connection).await;
    Ok(Answered { kind: one.kind, status, ms })
}

fn report(section: &mut Section, answers: &[Answered]) {
    let mut times: Vec<f64> = answers.iter().map(|one| one.ms).collect();
    times.sort_by(f64::total_cmp);
    for (share, label) in [(0.5, "p50"), (0.9, "p90")] {
        section.number(label, percentile(&times, share).unwrap_or_default(), "ms");
    }
    section.aimed("p99", percentile(&times, 0.99).unwrap_or_default(), "ms", Target::Below(P99_MS));
    section.number(format!("slowest of {}", times.len()), times.last().copied().unwrap_or_default(), "ms");
}

/// Holds answers and the store's own counts against what was sent.
async fn exact(section: &mut Section, answers: &[Answered], redis: &str) -> Result<()> {
    let mut told: BTreeMap<(Kind, u16), u64> = BTreeMap::new();
    for one in answers {
        *told.entry((one.kind, one.status.as_u16())).or_default() += 1;
    }
    let count = |kind, status| told.get(&(kind, status)).copied().unwrap_or_default();
    let sent = |kind| answers.iter().filter(|one| one.kind == kind).count() as u64;
    ensure!(count(Kind::New, 202) == sent(Kind::New), "not every new one was accepted: {told:?}");
    ensure!(
        count(Kind::Again, 202) == sent(Kind::Again),
        "not every second sending was answered 202: {told:?}"
    );
    ensure!(count(Kind::Forged, 401) == sent(Kind::Forged), "not every forgery was refused: {told:?}");
    let stored = counter(redis, "appended:detect").await?;
    ensure!(stored == sent(Kind::New), "{stored} events stored of {} new deliveries", sent(Kind::New));
    let text = format!(
        "counts exact: {stored} events stored once, {} second sendings known, {} forgeries refused",
        sent(Kind::Again),
        sent(Kind::Forged)
    );
    section.circumstance(text);
    Ok(())
}

async fn counter(redis: &str, name: &str) -> Result<u64> {
    let redis = NativeRedis::new(redis)?;
    let reply = redis.command("HGET", &[counters_key().as_bytes(), name.as_bytes()]).await?;
    let text = reply.first().map(Reply::text).with_context(|| format!("no counter {name}"))?;
    Ok(text.parse()?)
}

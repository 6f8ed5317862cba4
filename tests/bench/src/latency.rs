//! Time from a webhook's arrival to the remedy's request at its target, under a steady rate.
//!
//! Sender and target are this one process, so that both moments are read from the same monotonic
//! clock: the first just before the webhook is written to a kept connection, the second when the
//! target has read the remedy's request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use homeostat_testkit::redis::{Durability, RedisServer};
use homeostat_testkit::server::{Answer, Received, Server, StandIn, eventually};
use homeostat_testkit::{now_ms, rfc3339};
use http::StatusCode;
use http_body::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app::{self, Bench, SERVICES, Stages, service, stamp_status};
use crate::load::{Connection, Prepared};
use crate::report::{Section, Target, percentile};

/// Events a second.
const RATE: u64 = 100;
/// Seconds of it.
const SECONDS: u64 = 30;
/// Every so many events, one is a failed run of a service that had none: ten remedies a second.
const EACH: u64 = 10;
/// Kept connections of the sender: more than are ever in use at once.
const CONNECTIONS: usize = 32;
/// Remedies that are not counted: the first of everything.
const WARM_UP: usize = 5;
/// After the last event.
const SETTLE_MAX: Duration = Duration::from_secs(20);
/// What the slowest hundredth should stay below, milliseconds.
const P99_MS: f64 = 50.0;

/// A GitHub that runs failed jobs again, and notes when it was first asked to, by repository.
#[derive(Default)]
struct RerunsRuns {
    asked: Mutex<BTreeMap<String, Instant>>,
}

impl StandIn for RerunsRuns {
    fn answer(&self, request: &Received) -> Answer {
        if request.method != "POST" {
            return Answer::json(200, &json!({"run_attempt": 1}));
        }
        let name = request.parts().get(2).map(|name| (*name).to_owned()).unwrap_or_default();
        self.lock().entry(name).or_insert_with(Instant::now);
        Answer::json(201, &json!({}))
    }
}

impl RerunsRuns {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn measure(bench: &Bench) -> Result<Section> {
    let mut section = Section::new("latency");
    let remedies = RATE * SECONDS / EACH;
    let bytes = |prepared: Prepared| prepared.body().size_hint().exact().unwrap_or(0);
    section.circumstance(format!(
        "{RATE} GitHub webhooks a second for {SECONDS} s ({}; {} bytes), on {CONNECTIONS} kept connections, \
         every {EACH}th a failed run ({} bytes) that is run again: {remedies} remedies, {SERVICES} further \
         services with calm events; fsync always; nothing pinned: host, Redis, sender and target share all \
         processors",
        bench.payloads(),
        bytes(calm(bench, 1)?),
        bytes(failing(bench, 1, &service(SERVICES))?),
    ));
    let github = Arc::new(RerunsRuns::default());
    let server = Server::start(github.clone()).await?;
    let redis = RedisServer::start_with(Durability::Always)?;
    let variables = [("github_api_origin", server.origin()), ("github_token", "a-token".to_owned())];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let config = app::config(SERVICES + remedies);
    let served = bench.serve(Stages::All, &config, &redis.url(), variables).await?;
    let authority = served.app.url().trim_start_matches("http://").to_owned();
    let sent = send_all(bench, &authority, remedies).await?;
    let all = eventually(SETTLE_MAX, async || (github.lock().len() >= sent.len()).then_some(())).await;
    let asked = github.lock().clone();
    if all.is_none() {
        section.circumstance(format!("{} of {remedies} remedies never left", sent.len() - asked.len()));
    }
    report(&mut section, &sent, &asked)?;
    Ok(section)
}

/// Sends everything at its time; when each failed run was sent, by the service's name.
async fn send_all(bench: &Bench, authority: &str, remedies: u64) -> Result<BTreeMap<String, Instant>> {
    let (give, mut free) = mpsc::channel(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        give.send(Connection::open(authority).await?).await?;
    }
    let mut beat = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    let mut sending = JoinSet::new();
    for serial in 0..remedies * EACH {
        let failed = (serial % EACH == 0).then(|| service(SERVICES + serial / EACH));
        let prepared = match &failed {
            Some(name) => failing(bench, serial, name)?,
            None => calm(bench, serial)?,
        };
        beat.tick().await;
        let connection = free.recv().await.context("a connection")?;
        sending.spawn(send(connection, prepared, failed, give.clone()));
    }
    let mut sent = BTreeMap::new();
    for one in sending.join_all().await {
        sent.extend(one?);
    }
    Ok(sent)
}

fn calm(bench: &Bench, serial: u64) -> Result<Prepared> {
    bench.webhook("deployment_status", serial, |payload| stamp_status(payload, serial))
}

fn failing(bench: &Bench, serial: u64, name: &str) -> Result<Prepared> {
    bench.webhook("workflow_run", serial, |payload| fail(payload, serial, name))
}

async fn send(
    mut connection: Connection,
    prepared: Prepared,
    failed: Option<String>,
    give: mpsc::Sender<Connection>,
) -> Result<Option<(String, Instant)>> {
    let at = Instant::now();
    let status = connection.send(prepared).await?;
    ensure!(status == StatusCode::ACCEPTED, "answered with {status}");
    // The channel is as long as there are connections.
    let _ = give.send(connection).await;
    Ok(failed.map(|name| (name, at)))
}

fn fail(payload: &mut Value, serial: u64, name: &str) {
    let now = rfc3339(now_ms());
    let repository = json!({"id": serial + 1, "full_name": format!("acme/{name}")});
    payload["action"] = "completed".into();
    payload["repository"]["id"] = repository["id"].clone();
    payload["repository"]["full_name"] = repository["full_name"].clone();
    let run = &mut payload["workflow_run"];
    run["id"] = (serial + 1).into();
    run["run_attempt"] = 1.into();
    run["status"] = "completed".into();
    run["conclusion"] = "failure".into();
    run["event"] = "push".into();
    run["pull_requests"] = json!([]);
    run["head_repository"] = repository;
    run["run_started_at"] = now.clone().into();
    run["updated_at"] = now.into();
}

fn report(
    section: &mut Section,
    sent: &BTreeMap<String, Instant>,
    asked: &BTreeMap<String, Instant>,
) -> Result<()> {
    let mut by_time: Vec<_> = sent.iter().filter_map(|(name, at)| Some((*at, *asked.get(name)?))).collect();
    by_time.sort();
    let counted = by_time.get(WARM_UP..).unwrap_or_default();
    ensure!(!counted.is_empty(), "no remedy's request came");
    let mut times: Vec<f64> =
        counted.iter().map(|(sent, asked)| asked.duration_since(*sent).as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let at = |share| percentile(&times, share).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    section.number("remedies counted", times.len() as f64, "");
    section.number("p50", at(0.5), "ms");
    section.number("p90", at(0.9), "ms");
    section.aimed("p99", at(0.99), "ms", Target::Below(P99_MS));
    section.number("slowest", at(1.0), "ms");
    Ok(())
}

//! A real Prometheus that is asked for the numbers of two arms: each step comes once, what could not
//! be asked is told as a failed scrape, and the numbers go on when it is back.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{STEP_WITHIN, Stage, text};
use homeostat_testkit::company::{CHECKOUT, CONFIG};
use homeostat_testkit::port::free_port;
use homeostat_testkit::server::{Answer, Received, Server, StandIn, eventually};
use homeostat_testkit::{http, now_ms};
use serde_json::Value;
use tempfile::TempDir;

const STEP_S: u32 = 5;
/// Requests a second of each arm, and those of them that fail.
const BASELINE: (u32, u32) = (90, 0);
const CANARY: (u32, u32) = (10, 2);
/// When the exporter began to count, seconds since the epoch.
const SINCE_S: u64 = 1_700_000_000;
/// Milliseconds.
const CANARY_LATENCY: u32 = 80;
/// Beyond it a float was not rounded but another number counted.
const ROUNDED: f64 = 1e-6;

/// A service that counts evenly: what it says is as of the last whole second, and names that time,
/// so that a scrape that is late changes nothing.
struct Exporter;

impl StandIn for Exporter {
    fn answer(&self, _: &Received) -> Answer {
        let seconds = now_ms() / 1000;
        let line =
            |name: &str, labels: &str, value: u64| format!("{name}{{{labels}}} {value} {}\n", seconds * 1000);
        let mut body = line("latency_ms", "arm=\"canary\"", u64::from(CANARY_LATENCY));
        for (arm, (all, failed)) in [("stable", BASELINE), ("canary", CANARY)] {
            let count = |code: u16, a_second: u32| {
                let labels = format!("arm=\"{arm}\",code=\"{code}\"");
                line("requests_total", &labels, u64::from(a_second) * (seconds - SINCE_S))
            };
            body += &count(200, all - failed);
            // Nothing is said of what never happened, as counters usually do.
            body += &if failed > 0 { count(500, failed) } else { String::new() };
        }
        Answer::text(200, &body)
    }
}

/// A real Prometheus on a port and data of its own; it ends with this.
struct Prometheus {
    child: Option<Child>,
    port: u16,
    data: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Prometheus {
    /// One that scrapes this exporter twice a second.
    fn install(exporter: &str) -> Result<Self> {
        let (data, port) = (tempfile::tempdir()?, free_port()?);
        let target = exporter.trim_start_matches("http://");
        let config = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms }}\n\
             scrape_configs: [{{ job_name: checkout, static_configs: [{{ targets: [\"{target}\"] }}] }}]\n"
        );
        std::fs::write(data.path().join("prometheus.yml"), config)?;
        Ok(Self { child: None, port, data })
    }

    fn start(&mut self) -> Result<()> {
        let folder = self.data.path();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{}", self.port))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("could not start prometheus; Debian: apt-get install prometheus")?;
        self.child = Some(child);
        Ok(())
    }

    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // Nothing is left to do when it is gone already.
        let _ = child.kill().and_then(|()| child.wait());
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until it has seen all that the first look asks for: a step that ended up to seven
    /// seconds ago, and what was counted in the six seconds up to there; one sample a second.
    async fn has_counted(&self) -> Result<()> {
        let query = format!("{}/api/v1/query?query=count_over_time(latency_ms[30s])", self.origin());
        let counted = async || {
            let found = http::json(&http::get(&query).await.ok()?);
            let value = found.pointer("/data/result/0/value/1")?.as_str()?.parse::<f64>().ok()?;
            (value >= 15.0).then_some(())
        };
        eventually(STEP_WITHIN, counted).await.context("Prometheus did not scrape the exporter")
    }
}

fn pull() -> String {
    let of = |which: &str| format!("sum by (arm) (increase(requests_total{which}[6s])) * 5 / 6");
    format!(
        "\n[[pull]]\nid = \"checkout\"\nservice = \"{CHECKOUT}\"\nenv = \"dev\"\nevery_s = 5\nbaseline = \"stable\"\n\
         requests = '{}'\nerrors = '{}'\nlatency_ms = 'avg by (arm) (latency_ms)'\nup = 'min(up{{job=\"checkout\"}})'\n",
        of(""),
        of("{code=~\"5..\"}"),
    )
}

async fn apply(stage: &Stage) -> Result<()> {
    let token = format!("Bearer {}", stage.land.secrets().api);
    let headers = [("authorization", token.as_str()), ("content-type", "application/toml")];
    let body = format!("{CONFIG}{}", pull());
    let answer = stage.send("PUT", "/api/v1/config", &headers, body.as_bytes()).await?;
    ensure!(answer.status() == 200, "the configuration was refused: {}", text(&answer));
    Ok(())
}

/// What came from Prometheus, in the order of its steps.
async fn observed(stage: &Stage) -> Vec<Value> {
    let page = stage.api.get("/api/v1/events?source=prometheus&limit=100").await;
    let mut items = page["items"].as_array().cloned().unwrap_or_default();
    items.sort_by_key(|event| event["occurred_at"].as_str().unwrap_or_default().to_owned());
    items
}

fn signal(event: &Value, name: &str) -> Option<f64> {
    event["signals"].as_array()?.iter().find(|signal| signal["name"] == name)?["value"].as_f64()
}

fn is_failed(event: &Value) -> bool {
    event["attributes"]["scrape"] == "failed"
}

/// Whether it has the numbers of a whole step of its arm.
fn is_whole(event: &Value) -> bool {
    let canary = event["attributes"]["arm"] == "canary";
    let (all, failed) = if canary { CANARY } else { BASELINE };
    let is = |name: &str, expected: Option<f64>| match (signal(event, name), expected) {
        (Some(value), Some(expected)) => (value - expected).abs() < ROUNDED,
        (value, expected) => value == expected,
    };
    let numbers =
        is("requests", Some(f64::from(all * STEP_S))) && is("errors", Some(f64::from(failed * STEP_S)));
    numbers && is("latency-ms", canary.then(|| f64::from(CANARY_LATENCY)))
}

/// Waits until so many whole steps of both arms were observed after `since`.
async fn whole_steps(stage: &Stage, since: &str, many: usize) -> Result<Vec<Value>> {
    let seen = async || {
        let events = observed(stage).await;
        let of = |arm: &str| {
            let whole = events.iter().filter(|event| event["attributes"]["arm"] == arm && is_whole(event));
            whole.filter(|event| event["occurred_at"].as_str().is_some_and(|at| at > since)).count()
        };
        (of("baseline") >= many && of("canary") >= many).then_some(events)
    };
    let seen = eventually(STEP_WITHIN, seen).await;
    match seen {
        Some(events) => Ok(events),
        None => {
            let found = stage.api.get("/api/v1/reconcilers").await;
            anyhow::bail!("not {many} whole steps after {since:?}: {found}, {:#?}", observed(stage).await)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_is_asked_for_both_arms_and_its_absence_is_no_zero() -> Result<()> {
    let exporter = Server::start(Arc::new(Exporter)).await?;
    let mut prometheus = Prometheus::install(&exporter.origin())?;
    prometheus.start()?;
    let variables = BTreeMap::from([("prometheus_origin".to_owned(), prometheus.origin())]);
    let stage = Stage::set_for_sources("", variables).await?;
    prometheus.has_counted().await?;

    apply(&stage).await?;
    let events = whole_steps(&stage, "", 2).await?;
    let wrong: Vec<_> = events.iter().filter(|event| !is_whole(event)).collect();
    ensure!(wrong.is_empty(), "other numbers than were counted: {wrong:#?}");
    let first = events.first().context("nothing was observed")?;
    ensure!(
        first["kind"] == "observation" && first["service"] == CHECKOUT && first["env"] == "dev",
        "{first}"
    );
    ensure!(first["trust"]["signed"] == true && first["trust"]["fresh"] == true, "{first}");

    prometheus.stop();
    let failed = async || observed(&stage).await.into_iter().find(is_failed);
    let failed = eventually(STEP_WITHIN, failed).await.context("nobody told that Prometheus is gone")?;
    ensure!(failed["signals"].as_array().is_none_or(Vec::is_empty), "numbers of nobody: {failed}");
    let found = stage.api.get("/api/v1/reconcilers").await;
    ensure!(found["pull/checkout"]["problem"].is_string(), "{found}");

    prometheus.start()?;
    let gone = failed["occurred_at"].as_str().context("no time")?;
    whole_steps(&stage, gone, 2).await?;
    each_step_came_once(&observed(&stage).await)?;
    let well = |found: &Value| found["pull/checkout"]["problem"].is_null();
    let found = stage.api.until("/api/v1/reconcilers", STEP_WITHIN, well).await;
    found.context("the pull still has a problem")?;
    stage.is_sound().await
}

/// No step of an arm was told twice, and none has more than was counted in it.
fn each_step_came_once(events: &[Value]) -> Result<()> {
    let mut told = BTreeSet::new();
    for event in events {
        let arm = event["attributes"]["arm"].as_str().unwrap_or("failed");
        let step = (event["occurred_at"].to_string(), arm.to_owned());
        ensure!(told.insert(step), "told twice: {event}");
        if !is_failed(event) {
            let (all, _) = if arm == "canary" { CANARY } else { BASELINE };
            let requests = signal(event, "requests").context("no requests")?;
            ensure!(requests <= f64::from(all * STEP_S) + ROUNDED, "more than was counted: {event}");
        }
    }
    Ok(())
}

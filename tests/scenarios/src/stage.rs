//! The app at work in this process, and all around it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use homeostat::app::{App, Options, Running};
use homeostat::compose;
use homeostat::faults::{Calls, Faults, Rule, Strike, When};
use homeostat_adapter_native::Ticker;
use homeostat_flow::Redis;
use homeostat_flow::name::dead_key;
use homeostat_testkit::alertmanager::Alertmanager;
use homeostat_testkit::landscape::{Landscape, Secrets, Service, workspace_root};
use homeostat_testkit::payloads::Payloads;
use homeostat_testkit::redis::{Durability, RedisServer};
use homeostat_testkit::sink::Sink;
use homeostat_testkit::world::Behaviour;
use serde_json::Value;
use tempfile::TempDir;

use crate::scenario::{Expect, Scenario, ToldBy};
use crate::scripts;
use crate::step::Delay;
use crate::timeline::Timeline;

/// The environment of every scenario, and GitHub's name of it.
pub(crate) const ENV: &str = "stage";
const GITHUB_ENV: &str = "staging";

/// The company's services.
const SERVICES: [&str; 2] = ["shop", "checkout"];

/// The company's releases; the first one runs when a scenario begins.
pub(crate) const RELEASES: [(&str, &str); 3] = [
    ("first", "1111111eadbeef00c0ffee5eed0123456789abcd"),
    ("good", "600d1dea0b0b5f2f6e8b3c1d9a7e4f5061728394"),
    ("bad", "badc0ffee1e5d4c3b2a190817263544536271809"),
];

/// How long the stand-ins take for a run or a deployment: long enough to be caught at it.
const PACE: Duration = Duration::from_millis(100);

/// The sink in a scenario's configuration, and the keys of that named `team`.
const SINK: &str = "http://sink";
const SINK_KEYS: &str = "team=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Longer than any lease.
const LEASE: Duration = Duration::from_secs(16);

/// What the log may not say; of an instance that a fault killed it says something else.
const ALARMS: [&str; 2] = ["panicked at", "wasm trap"];

/// Keeps what the app logs.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Everything so far.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a component made as many calls as it took to be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Enough,
    Fewer,
}

/// Everything a scenario plays on.
pub(crate) struct Stage {
    pub(crate) land: Landscape,
    pub(crate) sink: Sink,
    pub(crate) alertmanager: Alertmanager,
    pub(crate) app: Running,
    pub(crate) faults: Faults,
    pub(crate) redis: RedisServer,
    pub(crate) flow: Ticker,
    /// The component that is held.
    pub(crate) held: Option<String>,
    /// The delay that has not passed yet.
    pub(crate) delay: Option<Delay>,
    pub(crate) told_by: ToldBy,
    /// Webhooks sent so far.
    pub(crate) deliveries: usize,
    /// GitHub's run of each service.
    pub(crate) runs: BTreeMap<String, u64>,
    /// Deployments told of so far.
    pub(crate) deployments: usize,
    pub(crate) timeline: Timeline,
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn set(scenario: &Scenario, cache: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let land = found().await?;
        let (sink, alertmanager) = (Sink::start().await?, Alertmanager::start().await?);
        let redis = RedisServer::start_with(Durability::Always)?;
        let config = folder.path().join("homeostat.toml");
        std::fs::write(&config, scenario.config.replace(SINK, &sink.server.origin()))?;
        let flow = Ticker::new(&redis.url(), compose::cell())?;
        scripts::load(flow.store().redis()).await?;
        let faults = Faults::default();
        let mut variables = land.variables();
        let more = [
            ("internal_token", land.secrets().api.clone()),
            ("sink_origin", sink.server.origin()),
            ("sink_secrets", SINK_KEYS.to_owned()),
            ("alertmanager_origin", alertmanager.server.origin()),
        ];
        variables.extend(more.map(|(name, value)| (name.to_owned(), value)));
        let app = App::start(Options {
            state_dir: Some(folder.path().join("state")),
            cache_dir: Some(cache.to_owned()),
            redis: Some(redis.url()),
            variables,
            config: Some(config),
            on_ready: compose::composition().on_ready,
            faults: Some(faults.clone()),
            ..Options::new(workspace_root().join("spin.toml"))
        })
        .await?;
        Ok(Self {
            land,
            sink,
            alertmanager,
            app,
            faults,
            redis,
            flow,
            held: None,
            delay: None,
            told_by: scenario.told_by,
            deliveries: 0,
            runs: BTreeMap::new(),
            deployments: 0,
            timeline: Timeline::new(&scenario.about),
            folder,
        })
    }

    /// Plays every step; each ends when nothing moves any more.
    pub(crate) async fn play(&mut self, scenario: &Scenario) -> Result<()> {
        for (line, step) in &scenario.steps {
            self.timeline.step(line);
            self.perform(step).await.with_context(|| format!("step `{line}`"))?;
            self.settle().await.with_context(|| format!("after step `{line}`"))?;
            self.pass_delay().await.with_context(|| format!("the delay in step `{line}`"))?;
            self.tell_news().await?;
        }
        Ok(())
    }

    /// As [`Stage::play`], where a component is killed at its nth call: what it held is free again
    /// once its lease ran out.
    pub(crate) async fn play_killed(
        &mut self,
        scenario: &Scenario,
        component: &str,
        nth: usize,
    ) -> Result<Made> {
        self.faults.arm(Rule::call(component, Calls::Changes, Strike::Kill(When::Before), nth));
        for (line, step) in &scenario.steps {
            let waiting = self.faults.waiting();
            self.perform(step).await.with_context(|| format!("step `{line}`"))?;
            self.settle().await.with_context(|| format!("after step `{line}`"))?;
            if self.faults.waiting() < waiting {
                self.advance(LEASE).await?;
                self.settle().await.with_context(|| format!("after the lease, in step `{line}`"))?;
            }
        }
        let made = if self.faults.waiting() == 0 { Made::Enough } else { Made::Fewer };
        self.faults.disarm();
        Ok(made)
    }

    /// What must hold at the end.
    pub(crate) async fn check(&self, expect: &Expect, log: &Log) -> Result<()> {
        ensure!(self.faults.waiting() == 0, "{} fault(s) never struck", self.faults.waiting());
        ensure!(self.faults.held() == 0, "something is still held");
        let changes = self.changes();
        ensure!(
            changes == expect.changes,
            "targets were asked for {changes} changes, not {}",
            expect.changes
        );
        let dead = self.flow.store().redis().command("XLEN", &[dead_key().as_bytes()]).await?;
        let dead = dead.first().and_then(homeostat_flow::Reply::number).unwrap_or_default();
        ensure!(usize::try_from(dead) == Ok(expect.dead_letters), "{dead} dead letters");
        let log = log.text();
        for alarm in ALARMS {
            ensure!(!log.contains(alarm), "the log says `{alarm}`:\n{log}");
        }
        let secret = self.land.secrets().all().into_iter().find(|secret| log.contains(secret));
        ensure!(secret.is_none(), "a secret is in the log");
        Ok(())
    }

    pub(crate) fn told(&self) -> String {
        self.timeline.text()
    }

    /// Stops the app and takes everything down.
    pub(crate) async fn strike(self) {
        self.faults.release();
        self.app.shutdown().await;
        drop((self.redis, self.folder));
    }

    /// How often Homeostat asked a target to change something.
    fn changes(&self) -> usize {
        let (kubernetes, github) = (&self.land.kubernetes.server, &self.land.github.server);
        kubernetes.count("PATCH", "/deployments/")
            + github.count("POST", "/deployments")
            + github.count("POST", "/rerun-failed-jobs")
    }

    /// The clock as moved, milliseconds since the epoch.
    pub(crate) fn now_ms(&self) -> u64 {
        homeostat_testkit::now_ms().saturating_add_signed(self.faults.clock_offset_ms())
    }

    /// Sends a request to the app with the API token; status and body.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.ask_with(method, path, body, &[]).await
    }

    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        more: &[(&str, &str)],
    ) -> Result<(u16, Value)> {
        let token = format!("Bearer {}", self.land.secrets().api);
        let mut headers = vec![("authorization", token.as_str()), ("content-type", "application/json")];
        headers.extend(more);
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        self.send(method, path, &headers, body).await
    }

    /// Sends any request to the app.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<(u16, Value)> {
        let url = format!("http://{}{path}", self.app.http_addr);
        let request = homeostat_testkit::http::request(method, &url, headers, body)?;
        let answer = homeostat_testkit::http::send(request).await?;
        Ok((answer.status().as_u16(), homeostat_testkit::http::json(&answer)))
    }
}

/// GitHub's name of a service's repository.
pub(crate) fn repository(service: &str) -> String {
    format!("acme/{service}")
}

/// The commit of a release.
pub(crate) fn commit(release: &str) -> Result<&'static str> {
    let known = RELEASES.iter().find(|(name, _)| *name == release);
    known.map(|(_, commit)| *commit).with_context(|| format!("there is no release `{release}`"))
}

/// Its webhooks go nowhere: what Homeostat hears of is what the steps send.
async fn found() -> Result<Landscape> {
    let secrets = Secrets::from_seed(homeostat_testkit::now_ms());
    let land = Landscape::start(Payloads::bare(), secrets, PACE).await?;
    for name in SERVICES {
        land.add_service(service(name));
    }
    land.world.behaves(commit("bad")?, Behaviour::Failing);
    Ok(land)
}

pub(crate) fn service(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        repository: repository(name),
        env: ENV.to_owned(),
        github_env: GITHUB_ENV.to_owned(),
        commits: RELEASES.iter().map(|(_, commit)| (*commit).to_owned()).collect(),
    }
}

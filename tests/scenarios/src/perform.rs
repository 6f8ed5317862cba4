//! What each step does.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use homeostat_flow::{Redis, Reply, Stage as FlowStage};
use homeostat_stages::name::STAGES;
use homeostat_testkit::github::{Conclusion, NewRun};
use homeostat_testkit::server::eventually;
use homeostat_testkit::world::Behaviour;
use serde_json::{Value, json};

use crate::scripts;
use crate::settle::component_of;
use crate::stage::{ENV, Stage, commit, repository, service};
use crate::step::{Fate, Mood, Step};

/// Many times what anything takes on a quiet machine.
const WITHIN: Duration = Duration::from_secs(30);

/// Behind each measurement: so many that a rate just above the threshold is no chance.
const REQUESTS: u32 = 10_000;

/// Each event of a step bears a time of its own.
const APART_MS: u64 = 1;

/// For how long an alert fires whose webhook was lost.
const FIRING_MS: u64 = 120_000;

/// Digits of a commit.
const COMMIT_DIGITS: usize = 40;

impl Stage {
    pub(crate) async fn perform(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Deploy(service, release) => self.deploy(service, release).await,
            Step::Deployment { status, service, release } => {
                self.tell_deployment(service, release, status).await
            }
            Step::Look(service, times) => self.look(service, *times).await,
            Step::Measure { service, latency_ms, errors_percent, times } => {
                self.measure(service, *latency_ms, *errors_percent, *times).await
            }
            Step::Run(service) => self.run(service, commit("good")?, Fate::Flaky).await,
            Step::Push { service, commit, fate } => self.run(service, &whole(commit), *fate).await,
            Step::ReportRun(service) => self.report_run(service).await,
            Step::Becomes(release, mood) => self.becomes(release, *mood),
            Step::Runs(service, release) => self.runs(service, release).await,
            Step::Advance(by) => self.advance(*by).await,
            Step::Tick => self.tick().await,
            Step::Word(verb, service) => self.word(verb, service, 202).await,
            Step::WordRefused(verb, service) => self.word(verb, service, 409).await,
            Step::KillSwitch(on) => self.kill_switch(*on).await,
            Step::RestartRedis => self.restart_redis().await,
            Step::FloodForged(many) => self.flood_forged(*many).await,
            Step::FloodDuplicates(many, service, release) => {
                self.flood_duplicates(*many, service, release).await
            }
            Step::Learned(times) => self.learned(*times).await,
            Step::ClockBack(by) => Ok(self.faults.set_back(&self.redis.url(), *by).await?),
            Step::Alert(name, service) => {
                let since_ms = self.now_ms().saturating_sub(FIRING_MS);
                self.alertmanager.fires(name, ENV, service, since_ms);
                Ok(())
            }
            Step::Arrived(many, source) => self.arrived(*many, source).await,
            Step::Drain(stage) => self.drain(stage).await,
            Step::Fault(rule) => {
                self.faults.arm(rule.clone());
                Ok(())
            }
            Step::Hold(component, rule) => {
                self.held = Some(component.clone());
                self.faults.arm(rule.clone());
                Ok(())
            }
            Step::Release => self.release().await,
            Step::Delay(delay) => {
                self.held = Some(delay.component.clone());
                self.faults.arm(delay.rule.clone());
                self.delay = Some(delay.clone());
                Ok(())
            }
        }
    }

    async fn deploy(&mut self, name: &str, release: &str) -> Result<()> {
        let place = service(name);
        self.land.kubernetes.hand().set_image(&place.deployment(), &place.image(commit(release)?));
        self.tell_deployment(name, release, "success").await
    }

    async fn tell_deployment(&mut self, service: &str, release: &str, status: &str) -> Result<()> {
        self.deployments += 1;
        let event = self.deployment(service, release, status)?;
        self.tell(vec![event]).await
    }

    fn deployment(&self, service: &str, release: &str, status: &str) -> Result<Value> {
        Ok(json!({
            "event": "deployment", "env": ENV, "service": service, "status": status,
            "commit": commit(release)?, "deployment": format!("d{}", self.deployments),
            "timestamp": homeostat_testkit::rfc3339_millis(self.now_ms()),
        }))
    }

    async fn look(&mut self, service: &str, times: usize) -> Result<()> {
        let looks = self.moments(times).into_iter().map(|at_ms| {
            let event = self.land.world.observation(ENV, service, at_ms);
            event.context("nothing runs there")
        });
        let looks = looks.collect::<Result<_>>()?;
        self.tell(looks).await
    }

    async fn measure(
        &mut self,
        service: &str,
        latency_ms: u32,
        errors_percent: u32,
        times: usize,
    ) -> Result<()> {
        let measured = self.moments(times).into_iter().map(|at_ms| {
            json!({
                "event": "observation", "env": ENV, "service": service,
                "version": self.land.world.running(ENV, service),
                "timestamp": homeostat_testkit::rfc3339_millis(at_ms),
                "latency_ms": latency_ms, "error_rate": f64::from(errors_percent) / 100.0,
                "requests": REQUESTS,
            })
        });
        let measured = measured.collect();
        self.tell(measured).await
    }

    /// So many times up to now: of what is told to happen in the future, the app believes that it happens
    /// now, and what happened at one time has no order.
    fn moments(&self, times: usize) -> Vec<u64> {
        let now_ms = self.now_ms();
        let mut moments: Vec<u64> = (0..times).zip(0..).map(|(_, n)| now_ms - APART_MS * n).collect();
        moments.reverse();
        moments
    }

    async fn run(&mut self, service: &str, sha: &str, fate: Fate) -> Result<()> {
        let plan = match fate {
            Fate::Flaky => vec![Conclusion::Failure, Conclusion::Success],
            Fate::Broken => vec![Conclusion::Failure],
        };
        let run = NewRun { name: "CI".to_owned(), sha: sha.to_owned(), plan, origin: Default::default() };
        let id = self.land.github.start_run(&repository(service), run).context("no such repository")?;
        self.runs.insert(service.to_owned(), id);
        self.report_run(service).await
    }

    /// Waits for the run's end and tells of it.
    async fn report_run(&mut self, service: &str) -> Result<()> {
        let id = *self.runs.get(service).context("it has no run")?;
        let run = eventually(WITHIN, async || {
            self.land.github.run(&repository(service), id).filter(|run| run.conclusion.is_some())
        });
        let run = run.await.context("the run does not end")?;
        let status = if run.conclusion == Some(Conclusion::Success) { "success" } else { "failure" };
        self.tell(vec![json!({
            "event": "run", "env": ENV, "service": service, "status": status, "title": "CI",
            "commit": run.sha, "branch": "main", "run": id.to_string(), "run_attempt": run.attempt,
            "timestamp": homeostat_testkit::rfc3339_millis(self.now_ms()),
        })])
        .await
    }

    fn becomes(&self, release: &str, mood: Mood) -> Result<()> {
        let behaviour = match mood {
            Mood::Healthy => Behaviour::Healthy,
            Mood::Failing => Behaviour::Failing,
            Mood::Slow => Behaviour::Slow,
        };
        self.land.world.behaves(commit(release)?, behaviour);
        Ok(())
    }

    async fn runs(&self, service: &str, release: &str) -> Result<()> {
        let commit = commit(release)?;
        let running = || self.land.world.running(ENV, service);
        let there = eventually(WITHIN, async || (running().as_deref() == Some(commit)).then_some(())).await;
        there.with_context(|| format!("{:?} runs there", running()))
    }

    pub(crate) async fn advance(&self, by: Duration) -> Result<()> {
        self.faults.advance(&self.redis.url(), by).await?;
        self.tick().await
    }

    async fn tick(&self) -> Result<()> {
        self.flow.tick().await?;
        Ok(())
    }

    async fn word(&mut self, verb: &str, service: &str, expected: u16) -> Result<()> {
        let (_, list) =
            self.ask("GET", &format!("/api/v1/incidents?service={service}"), &Value::Null).await?;
        let id = list["items"][0]["id"].as_str().context("it has no incident")?.to_owned();
        let said = json!({"who": "ann", "why": "I looked"});
        let (status, answer) = self.ask("POST", &format!("/api/v1/incidents/{id}/{verb}"), &said).await?;
        ensure!(status == expected, "{status} {answer}");
        Ok(())
    }

    async fn kill_switch(&self, on: bool) -> Result<()> {
        let (_, mut config) = self.ask("GET", "/api/v1/config", &Value::Null).await?;
        config["kill_switch"] = json!(on);
        let (status, answer) = self.ask("PUT", "/api/v1/config", &config).await?;
        ensure!(status == 200, "{status} {answer}");
        Ok(())
    }

    /// Kills it, starts it on what it had on disk, and waits until the app hears it again.
    async fn restart_redis(&mut self) -> Result<()> {
        self.redis.restart()?;
        self.hears_again().await?;
        scripts::load(self.flow.store().redis()).await
    }

    async fn hears_again(&self) -> Result<()> {
        let heard = eventually(WITHIN, async || self.is_heard().await.then_some(())).await;
        heard.context("the app does not hear Redis again")
    }

    async fn is_heard(&self) -> bool {
        // A trigger that waits for a held handler looks up when that ends.
        let is_free = |stage: &&FlowStage| self.held.as_deref() != Some(component_of(stage.as_str()));
        for stage in STAGES.iter().filter(|stage| is_free(stage)) {
            let channel = stage.channel();
            let reply = self.flow.store().redis().command("PUBSUB", &[b"NUMSUB", channel.as_bytes()]).await;
            let heard = reply.ok().and_then(|reply| reply.get(1).and_then(Reply::number)).unwrap_or(0);
            if heard == 0 {
                return false;
            }
        }
        self.ask("GET", "/ready", &Value::Null).await.is_ok_and(|(status, _)| status == 200)
    }

    async fn flood_forged(&mut self, many: usize) -> Result<()> {
        let before = self.keys().await?;
        for n in 0..many {
            let delivery = format!("00000000-0000-4000-8000-{n:012x}");
            let signature = format!("sha256={n:064x}");
            let headers = [
                ("content-type", "application/json"),
                ("x-github-event", "deployment_status"),
                ("x-github-delivery", delivery.as_str()),
                ("x-hub-signature-256", signature.as_str()),
            ];
            let body = format!(r#"{{"deployment_status":{{"state":"failure"}},"n":{n}}}"#);
            let (status, answer) = self.send("POST", "/webhooks/github", &headers, body.into_bytes()).await?;
            ensure!(status == 401, "{status} {answer}");
        }
        let after = self.keys().await?;
        ensure!(before == after, "Redis grew from {before} to {after} keys");
        self.timeline.says(&format!("{many} times 401, and nothing is kept"));
        Ok(())
    }

    async fn keys(&self) -> Result<i64> {
        let reply = self.flow.store().redis().command("DBSIZE", &[]).await?;
        reply.first().and_then(Reply::number).context("DBSIZE gives a number")
    }

    async fn flood_duplicates(&mut self, many: usize, service: &str, release: &str) -> Result<()> {
        self.deployments += 1;
        let event = self.deployment(service, release, "failure")?;
        let mut accepted = 0;
        for _ in 0..many {
            let key = [("idempotency-key", "the-same")];
            let (status, answer) = self.ask_with("POST", "/api/v1/events", &event, &key).await?;
            ensure!(status == 202, "{status} {answer}");
            accepted += answer["accepted"].as_array().map_or(0, Vec::len);
        }
        let duplicates = many - accepted;
        self.timeline.says(&format!("{accepted} accepted, {duplicates} told that it is a duplicate"));
        Ok(())
    }

    async fn learned(&self, times: u64) -> Result<()> {
        let lessons = self.lessons().await?;
        ensure!(lessons == times, "it learned {lessons} times");
        Ok(())
    }

    pub(crate) async fn lessons(&self) -> Result<u64> {
        let (_, policy) = self.ask("GET", "/api/v1/policy", &Value::Null).await?;
        let rows = policy["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(rows.iter().filter_map(|row| row["visits"].as_u64()).sum())
    }

    async fn arrived(&self, many: usize, source: &str) -> Result<()> {
        let (_, list) =
            self.ask("GET", &format!("/api/v1/events?source={source}&limit=200"), &Value::Null).await?;
        ensure!(list["items"].as_array().is_some_and(|items| items.len() == many), "{list}");
        Ok(())
    }

    async fn drain(&self, stage: &str) -> Result<()> {
        if !STAGES.iter().any(|known| known.as_str() == stage) {
            bail!("there is no stage `{stage}`");
        }
        let (status, answer) = self.ask("POST", &format!("/internal/drain/{stage}"), &Value::Null).await?;
        ensure!(status == 200, "{status} {answer}");
        Ok(())
    }

    /// What was held goes on.
    pub(crate) async fn release(&mut self) -> Result<()> {
        let held = eventually(WITHIN, async || (self.faults.held() > 0).then_some(())).await;
        held.context("nothing is held")?;
        self.faults.release();
        self.held = None;
        let free = eventually(WITHIN, async || (self.faults.held() == 0).then_some(())).await;
        free.context("it is still held")?;
        self.hears_again().await
    }
}

/// A commit made of its name, so that the timeline shows the name: `c1` is `c1c1c1…`.
fn whole(commit: &str) -> String {
    commit.chars().cycle().take(COMMIT_DIGITS).collect()
}

//! Four releases beside their predecessors: a worse one is taken back, an equal one is promoted,
//! one that nobody sees any more is left alone, and so is one whose errors come in bursts.
//!
//! The pipeline that rolls them out tells Homeostat what it deploys and what both versions answer,
//! and asks the gate before it promotes. What it tells is of the last ten minutes, told at once:
//! the judge goes by the time of what happened, not of what it hears.

use std::time::Duration;

use homeostat_schema::wire::Plot;
use homeostat_testkit::company::{ENV, GOOD};
use homeostat_testkit::kubernetes::Name;
use homeostat_testkit::{http, now_ms, rfc3339_millis};
use serde_json::{Value, json};

use super::narrator::Narrator;
use super::report::Report;
use super::scene::Scene;
use super::story::{STEP_WITHIN, follow, is_whole};
use crate::cli::plot;

/// Goes out beside the release that works.
const NEXT: &str = "5ca1ab1e0b0b5f2f6e8b3c1d9a7e4f5061728394";
/// A report comes so often; also the judge's batch.
const EVERY_MS: u64 = 5_000;
/// When the release that works went out, when the next one, by how long ago.
const GOOD_OUT_MS: u64 = 600_000;
const NEXT_OUT_MS: u64 = 240_000;
/// Requests of a report, by version; one in a hundred fails.
const OLD: u64 = 45_000;
const NEW: u64 = 5_000;
/// How far the errors of one report are from their mean: as coins fall, and eight at a time.
const CALM: [i64; 8] = [12, -25, 3, 19, -8, -14, 22, -9];
const BURSTS: [i64; 8] = [64, -80, 8, 72, -56, -40, 80, -48];
/// While a remedy is verified, a report of the old version comes so often.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A release on its way.
struct Rollout {
    service: &'static str,
    offs: [i64; 8],
    /// Failed requests of the new version in a report, on average.
    new_bad: u64,
}

const WORSE: Rollout = Rollout { service: "search", offs: CALM, new_bad: 75 };
const EQUAL: Rollout = Rollout { service: "cart", offs: CALM, new_bad: 50 };
const UNSEEN: Rollout = Rollout { service: "mail", offs: CALM, new_bad: 50 };
const BURSTY: Rollout = Rollout { service: "feed", offs: BURSTS, new_bad: 50 };

/// What Homeostat has to know of the four services, beside the company's configuration.
pub(super) fn config() -> String {
    let services = [WORSE, EQUAL, UNSEEN, BURSTY].map(|rollout| {
        let name = rollout.service;
        format!(
            "\n[[service]]\nname = \"{name}\"\n[service.kubernetes.{ENV}]\nnamespace = \"{name}\"\n\
             deployment = \"{name}\"\n"
        )
    });
    services.concat()
}

/// Plays the four.
pub(super) async fn play(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    worse(scene, narrator, report).await;
    equal(scene, narrator, report).await;
    unseen(scene, narrator, report).await;
    bursty(scene, narrator, report).await;
}

async fn worse(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    narrator.heading("A canary with half as many errors again");
    WORSE.roll_out(scene, narrator).await;
    let reports = WORSE.reports_of_the_old_version(scene);
    let healed = follow(scene, narrator, WORSE.service).await;
    reports.abort();
    report.check(narrator, "it was found, planned for, acted upon and verified", is_whole(healed.as_ref()));
    let running = scene.land.world.running(ENV, WORSE.service);
    report.check(narrator, "it was rolled back", running.as_deref() == Some(GOOD));
    let gate = WORSE.gate(scene, "bad").await;
    report.check(narrator, "the gate says bad: nobody promotes it", gate.is_some());
    let found = healed.as_ref().and_then(|incident| {
        let mut facts = incident["timeline"].as_array()?.iter().map(|item| &item["fact"]["finding"]);
        facts.find(|finding| finding["plot"].is_object())
    });
    report.check(narrator, "the incident shows how the evidence grew", found.is_some());
    draw(narrator, found);
    report.incident(healed);
}

async fn equal(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    narrator.heading("A canary as good as the version before");
    EQUAL.roll_out(scene, narrator).await;
    let asked = format!("/api/v1/gate/{ENV}/{}?require=healthy&commit={NEXT}", EQUAL.service);
    narrator.step(&format!("the pipeline asks GET {asked}"));
    let healthy = |gate: &Value| gate["verdict"] == "healthy";
    let gate = scene.api.until(&asked, STEP_WITHIN, healthy).await;
    explain(narrator, gate.as_ref());
    report.check(narrator, "the gate says healthy", gate.is_some());
    let stable = EQUAL.stable();
    if gate.is_some() {
        narrator.step("the pipeline promotes it");
        scene.land.kubernetes.hand().set_image(&stable, &EQUAL.image(NEXT));
    }
    let running = scene.land.world.running(ENV, &stable.name);
    report.check(narrator, "the new release takes all traffic", running.as_deref() == Some(NEXT));
    left_alone(scene, narrator, report, &EQUAL).await;
}

async fn unseen(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    narrator.heading("A canary in the dark");
    UNSEEN.roll_out(scene, narrator).await;
    narrator.step("Prometheus is out: the pipeline's scrape fails");
    let failed = json!({
        "kind": "observation", "env": ENV, "service": UNSEEN.service,
        "occurred_at": rfc3339_millis(now_ms()), "attributes": {"scrape": "failed"},
    });
    tell(scene, &[failed]).await;
    let gate = UNSEEN.gate(scene, "blind").await;
    explain(narrator, gate.as_ref());
    report.check(narrator, "it is called blind", gate.is_some());
    let running = scene.land.world.running(ENV, UNSEEN.service);
    report.check(narrator, "nothing is rolled back", running.as_deref() == Some(NEXT));
    let patches = UNSEEN.patches(scene);
    report.check(narrator, "and nothing else is done to it", patches == 0);
}

async fn bursty(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    narrator.heading("A canary whose errors come in bursts, as they did before");
    BURSTY.roll_out(scene, narrator).await;
    let gate = BURSTY.gate(scene, "healthy").await;
    explain(narrator, gate.as_ref());
    report.check(narrator, "bursts are not taken for a regression", gate.is_some());
    left_alone(scene, narrator, report, &BURSTY).await;
}

async fn left_alone(scene: &Scene, narrator: &mut Narrator, report: &mut Report, rollout: &Rollout) {
    let incident = scene.api.incident(rollout.service).await;
    report.check(narrator, "nobody opened an incident over it", incident.is_none());
    let running = scene.land.world.running(ENV, rollout.service);
    let alone = running.as_deref() == Some(NEXT) && rollout.patches(scene) == 0;
    report.check(narrator, "it was left alone", alone);
}

impl Rollout {
    /// The release that works runs for six minutes, and the next one beside it for four.
    async fn roll_out(&self, scene: &Scene, narrator: &mut Narrator) {
        let (canary, stable) = (self.canary(), self.stable());
        for (name, service) in [(&canary, self.service), (&stable, stable.name.as_str())] {
            scene.land.kubernetes.add_deployment(name, ENV, service, &self.image(GOOD));
        }
        narrator.step(&format!(
            "a pipeline rolls out {} of {} beside {}; one request in ten goes to it",
            super::story::short(NEXT),
            self.service,
            super::story::short(GOOD)
        ));
        scene.land.kubernetes.hand().set_image(&canary, &self.image(NEXT));
        let (requests, failed) = (OLD / EVERY_MS * 1000, OLD / 100);
        narrator.step(&format!(
            "it reports {requests} requests a second of the old version, {failed} of {OLD} fail; of the \
             new one {} of {NEW}",
            self.new_bad
        ));
        tell(scene, &self.history(now_ms())).await;
    }

    fn history(&self, now_ms: u64) -> Vec<Value> {
        let (good_ms, next_ms) = (now_ms - GOOD_OUT_MS, now_ms - NEXT_OUT_MS);
        let mut events = vec![self.deployed(GOOD, good_ms)];
        let mut at_ms = good_ms + EVERY_MS;
        for turn in 0.. {
            if at_ms >= now_ms {
                break;
            }
            if (at_ms..at_ms + EVERY_MS).contains(&next_ms) {
                events.push(self.deployed(NEXT, next_ms));
            }
            if at_ms > next_ms {
                events.push(self.seen("canary", self.new_bad, NEW, self.off(turn + 3) / 3, at_ms));
            }
            events.push(self.seen("baseline", OLD / 100, OLD, self.off(turn), at_ms));
            at_ms += EVERY_MS;
        }
        events
    }

    fn off(&self, turn: usize) -> i64 {
        self.offs.get(turn % self.offs.len()).copied().unwrap_or_default()
    }

    fn deployed(&self, commit: &str, at_ms: u64) -> Value {
        json!({
            "event": "deployment", "status": "success", "env": ENV, "service": self.service,
            "commit": commit, "deployment": format!("{}-{commit}", self.service),
            "timestamp": rfc3339_millis(at_ms),
        })
    }

    fn seen(&self, arm: &str, bad: u64, requests: u64, off: i64, at_ms: u64) -> Value {
        seen(self.service, arm, bad.saturating_add_signed(off), requests, at_ms)
    }

    /// The old version goes on reporting, once a second, until it is aborted.
    fn reports_of_the_old_version(&self, scene: &Scene) -> tokio::task::JoinHandle<()> {
        let (url, authorization) = address(scene);
        let service = self.service;
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(REPORT_EVERY);
            loop {
                beat.tick().await;
                let event = seen(service, "baseline", 90, 9_000, now_ms());
                // An app that is busy misses this report; the next one is a moment away.
                let _ = http::post_json(&url, &[("authorization", &authorization)], &event).await;
            }
        })
    }

    /// What the gate answers once it has this verdict.
    async fn gate(&self, scene: &Scene, verdict: &str) -> Option<Value> {
        let path = format!("/api/v1/gate/{ENV}/{}", self.service);
        scene.api.until(&path, STEP_WITHIN, |gate| gate["verdict"] == verdict).await
    }

    fn patches(&self, scene: &Scene) -> usize {
        scene.land.kubernetes.server.count("PATCH", &format!("/deployments/{}", self.service))
    }

    /// Where the new release runs at first.
    fn canary(&self) -> Name {
        Name::new(self.service, self.service)
    }

    /// Where it runs once it is promoted.
    fn stable(&self) -> Name {
        Name::new(self.service, &format!("{}-stable", self.service))
    }

    fn image(&self, commit: &str) -> String {
        format!("registry.example/{}:{commit}", self.service)
    }
}

/// What one version answered in the time of a report.
fn seen(service: &str, arm: &str, bad: u64, requests: u64, at_ms: u64) -> Value {
    json!({
        "kind": "observation", "env": ENV, "service": service, "occurred_at": rfc3339_millis(at_ms),
        "signals": [
            {"name": "requests", "value": requests, "unit": "{request}", "samples": 1},
            {"name": "errors", "value": bad, "unit": "{request}", "samples": 1},
        ],
        "attributes": {"arm": arm},
    })
}

async fn tell(scene: &Scene, events: &[Value]) {
    let (url, authorization) = address(scene);
    let all = Value::from(events.to_vec());
    // What did not arrive is missed by the checks.
    let _ = http::post_json(&url, &[("authorization", &authorization)], &all).await;
}

fn address(scene: &Scene) -> (String, String) {
    (format!("{}/api/v1/events", scene.app.url()), format!("Bearer {}", scene.land.secrets().api))
}

/// Tells what the gate said, and draws it.
fn explain(narrator: &mut Narrator, gate: Option<&Value>) {
    let Some(gate) = gate else { return };
    narrator.homeostat(gate["text"].as_str().unwrap_or("?"));
    draw(narrator, Some(gate));
}

fn draw(narrator: &mut Narrator, explained: Option<&Value>) {
    let plot = explained.and_then(|found| serde_json::from_value::<Plot>(found["plot"].clone()).ok());
    for line in plot.iter().flat_map(plot::lines) {
        narrator.line(&format!("                    {line}"));
    }
}

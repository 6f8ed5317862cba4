//! The story: a good deployment, a bad one, a failing pipeline, and canaries.

use std::time::Duration;

use homeostat_testkit::api::{goes, timeline};
use homeostat_testkit::company::{
    BAD, CHECKOUT, CHECKOUT_REPOSITORY, ENV, GITHUB_ENV, GOOD, SHOP, SHOP_REPOSITORY, flaky_run,
};
use homeostat_testkit::github::Conclusion;
use homeostat_testkit::landscape::Probe;
use serde_json::Value;

use super::canaries;
use super::narrator::Narrator;
use super::report::Report;
use super::scene::Scene;

/// How often the probe looks at the shop.
const PROBE_EVERY: Duration = Duration::from_millis(300);
/// For one step of the story: many times what it takes on a quiet machine.
pub(super) const STEP_WITHIN: Duration = Duration::from_secs(40);
/// For an incident from its finding to its end, with its looks and their growing waits.
const HEAL_WITHIN: Duration = Duration::from_secs(90);

/// What every healed incident went through.
const WHOLE_LOOP: [&str; 4] = ["finding", "plan", "attempt", "outcome"];

/// Plays all acts and says what was seen.
pub(super) async fn tell(scene: &Scene, narrator: &mut Narrator) -> Report {
    let mut report = Report::default();
    let probe = good_deployment(scene, narrator, &mut report).await;
    bad_deployment(scene, narrator, &mut report).await;
    failing_pipeline(scene, narrator, &mut report).await;
    canaries::play(scene, narrator, &mut report).await;
    learned(scene, narrator, &mut report).await;
    drop(probe);
    report
}

async fn good_deployment(scene: &Scene, narrator: &mut Narrator, report: &mut Report) -> Probe {
    narrator.heading("A good deployment");
    narrator.step(&format!("GitHub deploys {} of {SHOP_REPOSITORY} to {GITHUB_ENV}", short(GOOD)));
    scene.land.github.deploy(SHOP_REPOSITORY, GITHUB_ENV, GOOD);
    let probe = scene.land.probe(scene.app.url(), ENV, SHOP, PROBE_EVERY);
    narrator.step("a probe looks at the shop three times a second and sends what it sees");
    let path = format!("/api/v1/services/{ENV}/{SHOP}");
    let healthy = |service: &Value| service["commit"] == GOOD && verdict(service) == "healthy";
    let seen = scene.api.until(&path, STEP_WITHIN, healthy).await;
    if let Some(service) = &seen {
        narrator.homeostat(&format!("{SHOP} in {ENV} is {}, score {}", verdict(service), score(service)));
    }
    report.check(narrator, "the good release is known to be healthy", seen.is_some());
    report.check(narrator, "nobody opened an incident over it", scene.api.incident(SHOP).await.is_none());
    redelivery(scene, narrator, report).await;
    probe
}

/// The same webhook once more, as the button on GitHub's page sends it.
async fn redelivery(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    let Some(first) = scene.land.github.courier().deliveries().into_iter().next() else {
        return report.check(narrator, "GitHub sent webhooks", false);
    };
    narrator.step("GitHub redelivers a webhook that was taken before");
    let again = scene.land.github.courier().redeliver(&first.id).await;
    let known = again.is_some_and(|again| again.answer["duplicate"] == true);
    report.check(narrator, "it is recognised as a duplicate", known);
}

async fn bad_deployment(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    narrator.heading("A bad deployment");
    narrator.step(&format!(
        "GitHub deploys {} of {SHOP_REPOSITORY}; a third of its answers are errors",
        short(BAD)
    ));
    scene.land.github.deploy(SHOP_REPOSITORY, GITHUB_ENV, BAD);
    let healed = follow(scene, narrator, SHOP).await;
    report.check(narrator, "it was found, planned for, acted upon and verified", is_whole(healed.as_ref()));
    let running = scene.land.world.running(ENV, SHOP);
    report.check(
        narrator,
        &format!("the good release {} runs again", short(GOOD)),
        running.as_deref() == Some(GOOD),
    );
    let patches = scene.land.kubernetes.server.count("PATCH", "/deployments/");
    let deployments = scene.land.github.server.count("POST", "/deployments");
    report.check(narrator, "one remedy was carried out, once", patches + deployments == 1);
    report.incident(healed);
}

async fn failing_pipeline(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    narrator.heading("A failing pipeline");
    narrator.step(&format!("a run of {CHECKOUT_REPOSITORY} is going to fail, as flaky tests do"));
    let id = scene.land.github.start_run(CHECKOUT_REPOSITORY, flaky_run());
    let healed = follow(scene, narrator, CHECKOUT).await;
    report.check(narrator, "it was found, planned for, acted upon and verified", is_whole(healed.as_ref()));
    let run = id.and_then(|id| scene.land.github.run(CHECKOUT_REPOSITORY, id));
    let second = run.is_some_and(|run| run.attempt == 2 && run.conclusion == Some(Conclusion::Success));
    report.check(narrator, "the second attempt of the run succeeded", second);
    let reruns = scene.land.github.server.count("POST", "/rerun-failed-jobs");
    report.check(narrator, "its failed jobs were run again once", reruns == 1);
    report.incident(healed);
}

async fn learned(scene: &Scene, narrator: &mut Narrator, report: &mut Report) {
    narrator.heading("What was learned");
    let visited = |policy: &Value| visits(policy).len() >= 2;
    let policy = scene.api.until("/api/v1/policy", STEP_WITHIN, visited).await;
    for line in policy.as_ref().map(visits).unwrap_or_default() {
        narrator.homeostat(&line);
    }
    report.check(narrator, "the policy learned from both outcomes", policy.is_some());
    report.policy(policy);
}

/// Tells every line of the service's incident as it comes, until it is resolved.
pub(super) async fn follow(scene: &Scene, narrator: &mut Narrator, service: &str) -> Option<Value> {
    let mut told = 0;
    let each = |incident: &Value| {
        let items = timeline(incident);
        for item in items.iter().skip(told) {
            narrator.homeostat(&format!("{:<8} {}", item.kind, item.text));
        }
        told = told.max(items.len());
    };
    scene.api.watch(service, HEAL_WITHIN, each, |incident| incident["state"] == "resolved").await
}

pub(super) fn is_whole(incident: Option<&Value>) -> bool {
    incident.is_some_and(|incident| goes(incident, &WHOLE_LOOP))
}

/// One line for each thing learned.
fn visits(policy: &Value) -> Vec<String> {
    let rows = policy["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let learned = rows.iter().filter(|row| row["visits"].as_u64().unwrap_or(0) > 0);
    learned
        .map(|row| {
            let word = |name: &str| row[name].as_str().unwrap_or("?").to_owned();
            let value = row["value"].as_f64().unwrap_or(0.0);
            format!(
                "{} in {} ({}): {} is worth {value:.2}",
                word("kind"),
                word("env"),
                word("severity"),
                word("remedy")
            )
        })
        .collect()
}

fn verdict(service: &Value) -> &str {
    service["health"]["verdict"].as_str().unwrap_or_default()
}

fn score(service: &Value) -> String {
    service["health"]["score"].as_f64().map_or_else(|| "?".to_owned(), |score| format!("{score:.0}"))
}

pub(super) fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

//! The loop from a webhook to a lesson, on the running app.

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{HEAL_WITHIN, STEP_WITHIN, Stage};
use homeostat_testkit::api::{goes, timeline};
use homeostat_testkit::company::{
    BAD, BROKEN, CHECKOUT, CHECKOUT_REPOSITORY, ENV, GITHUB_ENV, GOOD, SHOP, SHOP_REPOSITORY, flaky_run,
    hopeless_run,
};
use homeostat_testkit::github::{Conclusion, NewRun, Origin};
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::runtime::embedded_host_only;
use homeostat_testkit::server::eventually;
use serde_json::Value;
use std::time::Duration;

const PROBE_EVERY: Duration = Duration::from_millis(300);
const WHOLE_LOOP: [&str; 4] = ["finding", "plan", "attempt", "outcome"];

#[tokio::test(flavor = "multi_thread")]
async fn bad_releases_and_failing_runs_are_healed_once_and_learned_from() -> Result<()> {
    let stage = Stage::set().await?;
    let probe = stage.land.probe(stage.app.url(), ENV, SHOP, PROBE_EVERY);
    a_good_release_is_known_and_opens_nothing(&stage).await?;
    a_redelivered_webhook_is_a_duplicate(&stage).await?;
    a_bad_release_is_rolled_back_once(&stage).await?;
    drop(probe);
    a_failing_run_is_run_again_once(&stage).await?;
    the_policy_learned_and_gives_its_samples(&stage).await?;
    the_log_tells_of_the_loop(&stage).await?;
    stage.is_sound().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_healed_by_rolling_back_is_redeployed_or_handed_to_a_person() -> Result<()> {
    let stage = Stage::set().await?;
    a_release_that_does_not_come_up_is_replaced_by_the_last_good_one(&stage).await?;
    a_run_that_keeps_failing_is_handed_to_a_person(&stage).await?;
    a_run_for_a_fork_is_never_acted_upon(&stage).await?;
    a_word_is_in_the_log_without_its_reason(&stage).await?;
    stage.is_sound().await
}

async fn the_log_tells_of_the_loop(stage: &Stage) -> Result<()> {
    if embedded_host_only(&workspace_root(), "under Spin each component has a log of its own")? {
        return Ok(());
    }
    for _ in 0..3 {
        let forged = stage.github_hook_signed("push", "forged", Some("sha256=00"), b"{}").await?;
        ensure!(forged.status() == 401, "a forgery: {}", forged.status());
    }
    let env = format!("env=\"{ENV}\"");
    for line in [
        vec!["event=\"config_applied\" component=\"api\"", "version=1", "kill_switch=false"],
        vec!["event=\"finding_opened\" component=\"detector\"", &env, "kind=\""],
        vec!["event=\"plan_made\" component=\"planner\"", &env, "remedy=\"rollback\""],
        vec!["event=\"attempt_begun\" component=\"healer\"", &env, "remedy=\"rollback\""],
        vec!["event=\"attempt_ended\" component=\"healer\"", "remedy=\"rollback\"", "result=\"done\""],
        vec!["event=\"incident_changed\" component=\"planner\"", "state=\"resolved\""],
        vec!["event=\"delivery_refused\" component=\"webhook-ingest\"", "source=\"github\""],
    ] {
        is_logged(stage, &line).await?;
    }
    Ok(())
}

/// Some line of the log has all of these.
async fn is_logged(stage: &Stage, parts: &[&str]) -> Result<()> {
    let found = async || {
        stage.app.log().lines().any(|line| parts.iter().all(|part| line.contains(part))).then_some(())
    };
    eventually(STEP_WITHIN, found).await.with_context(|| format!("{parts:?}; {}", stage.app.log_end()))
}

async fn a_word_is_in_the_log_without_its_reason(stage: &Stage) -> Result<()> {
    if embedded_host_only(&workspace_root(), "under Spin each component has a log of its own")? {
        return Ok(());
    }
    let escalated = |list: &Value| escalated(list).is_some();
    let list = stage.api.until("/api/v1/incidents", STEP_WITHIN, escalated).await;
    let list = list.context("no incident is a person's")?;
    let id = self::escalated(&list).unwrap_or_default();
    let token = format!("Bearer {}", stage.land.secrets().api);
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let body = br#"{"who":"ann\u001b[31m","why":"a-reason-of-hers"}"#;
    let path = format!("/api/v1/incidents/{id}/resolve");
    let answer = stage.send("POST", &path, &headers, body).await?;
    ensure!(answer.status() == 202, "{}: {}", answer.status(), homeostat_e2e::text(&answer));
    is_logged(stage, &["event=\"word_given\" component=\"api\"", "verb=\"resolve\"", "who=\"ann", id])
        .await?;
    let log = stage.app.log();
    ensure!(!log.contains("a-reason-of-hers"), "the reason is in the log");
    ensure!(!log.contains('\u{1b}'), "a control character is in the log");
    Ok(())
}

fn escalated(list: &Value) -> Option<&str> {
    let mut items = list["items"].as_array()?.iter();
    items.find(|item| item["state"] == "escalated")?["id"].as_str()
}

async fn a_release_that_does_not_come_up_is_replaced_by_the_last_good_one(stage: &Stage) -> Result<()> {
    stage.land.github.deploy(CHECKOUT_REPOSITORY, GITHUB_ENV, GOOD);
    let path = format!("/api/v1/services/{ENV}/{CHECKOUT}");
    let known = stage.api.until(&path, STEP_WITHIN, |service| service["commit"] == GOOD).await;
    known.context("the good release is not known")?;
    let by_hand = stage.land.github.deployments(CHECKOUT_REPOSITORY).len() + 1;
    stage.land.github.deploy(CHECKOUT_REPOSITORY, GITHUB_ENV, BROKEN);
    let healed = stage.api.resolved(CHECKOUT, HEAL_WITHIN).await;
    let healed = healed.with_context(|| format!("not healed; {}", stage.app.log_end()))?;
    ensure!(goes(&healed, &WHOLE_LOOP), "the timeline: {:?}", timeline(&healed));
    let all = stage.land.github.deployments(CHECKOUT_REPOSITORY);
    let ours: Vec<_> = all.iter().skip(by_hand).map(|one| (one.sha.as_str(), one.state())).collect();
    ensure!(ours == [(GOOD, "success")], "deployments of our own: {ours:?}");
    ensure!(stage.land.github.server.count("POST", "/deployments") == 1, "deployed more than once");
    Ok(())
}

async fn a_run_that_keeps_failing_is_handed_to_a_person(stage: &Stage) -> Result<()> {
    let run = stage.land.github.start_run(SHOP_REPOSITORY, hopeless_run()).context("no such repository")?;
    let escalated = |incident: &Value| incident["state"] == "escalated";
    let handed = stage.api.watch(SHOP, HEAL_WITHIN, |_| {}, escalated).await;
    handed.with_context(|| format!("not handed to a person; {}", stage.app.log_end()))?;
    let told = async || Some(stage.land.slack.messages()).filter(|messages| !messages.is_empty());
    let told = eventually(STEP_WITHIN, told).await.context("nobody was told on Slack")?;
    ensure!(told.len() == 1 && told[0].to_string().contains(SHOP), "{told:?}");
    let run = stage.land.github.run(SHOP_REPOSITORY, run).context("the run is gone")?;
    ensure!(run.attempt == 2, "run {} times", run.attempt);
    Ok(())
}

async fn a_run_for_a_fork_is_never_acted_upon(stage: &Stage) -> Result<()> {
    let before = stage.land.github.server.count("POST", "/rerun-failed-jobs");
    let fork = NewRun { origin: Origin::Fork, ..hopeless_run() };
    let run =
        stage.land.github.start_run(CHECKOUT_REPOSITORY, fork).context("no such repository")?.to_string();
    let seen = |list: &Value| {
        let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().any(|event| event["correlation"]["run"] == run && event["status"] == "failure")
    };
    let path = "/api/v1/events?service=checkout";
    let listed =
        stage.api.until(path, STEP_WITHIN, seen).await.context("the run's failure is not recorded")?;
    ensure!(listed.to_string().contains("\"fork\":true"), "it is not known to be a fork's");
    // Whatever follows from it has a deterministic end: a person is told.
    let told = async || (stage.land.slack.messages().len() > 1).then_some(());
    eventually(STEP_WITHIN, told).await.context("nobody was told of the fork's run")?;
    ensure!(
        stage.land.github.server.count("POST", "/rerun-failed-jobs") == before,
        "a fork's run was run again"
    );
    Ok(())
}

async fn a_good_release_is_known_and_opens_nothing(stage: &Stage) -> Result<()> {
    stage.land.github.deploy(SHOP_REPOSITORY, GITHUB_ENV, GOOD);
    let healthy = |service: &Value| service["commit"] == GOOD && service["health"]["verdict"] == "healthy";
    let seen = stage.api.until(&format!("/api/v1/services/{ENV}/{SHOP}"), STEP_WITHIN, healthy).await;
    seen.with_context(|| format!("the good release is not healthy; {}", stage.app.log_end()))?;
    ensure!(stage.api.incident(SHOP).await.is_none(), "an incident was opened over a good release");
    Ok(())
}

async fn a_redelivered_webhook_is_a_duplicate(stage: &Stage) -> Result<()> {
    let first = stage.land.github.courier().deliveries().into_iter().next().context("no webhook was sent")?;
    ensure!(first.status == Some(202), "the first delivery: {:?} {}", first.status, first.answer);
    let again = stage.land.github.courier().redeliver(&first.id).await.context("no such delivery")?;
    ensure!(
        again.status == Some(202) && again.answer["duplicate"] == true,
        "{:?} {}",
        again.status,
        again.answer
    );
    ensure!(again.answer["accepted"] == serde_json::json!([]), "{}", again.answer);
    Ok(())
}

async fn a_bad_release_is_rolled_back_once(stage: &Stage) -> Result<()> {
    stage.land.github.deploy(SHOP_REPOSITORY, GITHUB_ENV, BAD);
    let healed = stage.api.resolved(SHOP, HEAL_WITHIN).await;
    let healed = healed.with_context(|| format!("not healed; {}", stage.app.log_end()))?;
    ensure!(goes(&healed, &WHOLE_LOOP), "the timeline: {:?}", timeline(&healed));
    ensure!(stage.land.world.running(ENV, SHOP).as_deref() == Some(GOOD), "the good release does not run");
    let patches = stage.land.kubernetes.server.count("PATCH", "/deployments/shop");
    let deployments = stage.land.github.server.count("POST", "/deployments");
    ensure!(patches + deployments == 1, "{patches} patches and {deployments} deployments");
    ensure!(!stage.has_secret(&healed.to_string()), "a secret is in the incident");
    Ok(())
}

async fn a_failing_run_is_run_again_once(stage: &Stage) -> Result<()> {
    let run = stage.land.github.start_run(CHECKOUT_REPOSITORY, flaky_run()).context("no such repository")?;
    let healed = stage.api.resolved(CHECKOUT, HEAL_WITHIN).await;
    let healed = healed.with_context(|| format!("not healed; {}", stage.app.log_end()))?;
    ensure!(goes(&healed, &WHOLE_LOOP), "the timeline: {:?}", timeline(&healed));
    let run = stage.land.github.run(CHECKOUT_REPOSITORY, run).context("the run is gone")?;
    ensure!((run.attempt, run.conclusion) == (2, Some(Conclusion::Success)), "{run:?}");
    ensure!(stage.land.github.server.count("POST", "/rerun-failed-jobs") == 1, "run again more than once");
    Ok(())
}

async fn the_policy_learned_and_gives_its_samples(stage: &Stage) -> Result<()> {
    let learned = |policy: &Value| {
        let rows = policy["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter(|row| row["visits"] == 1 && row["env"] == ENV).count() == 2
    };
    let policy = stage.api.until("/api/v1/policy", STEP_WITHIN, learned).await;
    policy.context("the policy did not learn from both outcomes")?;
    let token = format!("Bearer {}", stage.land.secrets().api);
    let answer = stage.send("GET", "/api/v1/policy/samples", &[("authorization", &token)], b"").await?;
    let samples: Vec<Value> =
        homeostat_e2e::text(&answer).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    ensure!(samples.len() == 2, "{samples:?}");
    for sample in &samples {
        let propensity = sample["choice"]["propensity"].as_f64().unwrap_or(0.0);
        ensure!(propensity > 0.0 && sample["reward"] == 1.0, "{sample}");
    }
    Ok(())
}

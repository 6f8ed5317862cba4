//! Redis or the key-value store goes away, or hangs, and comes back: senders are told so, and nothing
//! acknowledged is lost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{STEP_WITHIN, Stage, json, text};
use homeostat_testkit::redis::RedisServer;
use homeostat_testkit::server::eventually;
use serde_json::{Value, json as value};

/// Of the push, in its header.
const DELIVERY: &str = "11111111-0000-4000-8000-000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_down_senders_are_asked_to_retry_and_what_was_acknowledged_stays() -> Result<()> {
    let mut stage = Stage::set().await?;
    let before = accepted(&stage, "before").await?.context("not accepted while all is well")?;

    stage.redis.kill()?;
    if stage.outlives_redis() {
        senders_are_asked_to_retry(&stage, "redis").await?;
    }
    stage.redis.restart()?;
    stage.follow_redis().await?;
    let after = eventually(STEP_WITHIN, async || accepted(&stage, "after").await.ok().flatten()).await;
    let after =
        after.with_context(|| format!("not accepted after Redis came back; {}", stage.app.log_end()))?;
    for id in [before, after] {
        let seen = stage.api.until("/api/v1/events", STEP_WITHIN, |list| has(list, &id)).await;
        seen.with_context(|| format!("event {id} did not get through; {}", stage.app.log_end()))?;
    }
    stage.is_sound().await
}

/// A command's 5 s, the connection's where it is tried anew, and a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(14);

/// `/ready` waits less, as its askers do.
const READY_WITHIN: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_hangs_senders_are_asked_to_retry_and_nothing_happens_twice() -> Result<()> {
    let stage = Stage::set().await?;
    let before = accepted(&stage, "before").await?.context("not accepted while all is well")?;

    stage.redis.pause()?;
    let asked = Instant::now();
    let ready = stage.send("GET", "/ready", &[], b"").await?;
    ensure!(asked.elapsed() < READY_WITHIN, "/ready took {:?}: {}", asked.elapsed(), text(&ready));
    let asked = Instant::now();
    senders_are_asked_to_retry(&stage, "redis").await?;
    ensure!(asked.elapsed() < 2 * ANSWERED_WITHIN + READY_WITHIN, "it took {:?}", asked.elapsed());

    stage.redis.resume()?;
    // As its sender would: whether it was taken in the first time or not, it counts once.
    let again = async || {
        let answer = stage.github_hook("push", DELIVERY, &push()).await.ok()?;
        (answer.status() == 202).then_some(())
    };
    eventually(STEP_WITHIN, again).await.context("not accepted after Redis went on")?;
    let after = accepted(&stage, "after").await?.context("not accepted after Redis went on")?;
    for id in [before, after] {
        let seen = stage.api.until("/api/v1/events", STEP_WITHIN, |list| has(list, &id)).await;
        seen.with_context(|| format!("event {id} did not get through; {}", stage.app.log_end()))?;
    }
    let list = stage.api.until("/api/v1/events", STEP_WITHIN, |list| of_github(list) > 0).await;
    let list = list.context("the delivery did not get through")?;
    ensure!(of_github(&list) == 1, "a delivery counts {} times", of_github(&list));
    stage.is_sound().await
}

fn of_github(list: &Value) -> usize {
    list["items"].as_array().map_or(0, |items| items.iter().filter(|item| item["source"] == "github").count())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_key_value_store_is_down_senders_are_asked_to_retry() -> Result<()> {
    let mut store = RedisServer::start()?;
    let config = format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{}\"\n", store.url());
    let stage = Stage::set_with(Some(&config)).await?;
    accepted(&stage, "before").await?.context("not accepted while all is well")?;

    store.kill()?;
    // The configuration as it was a moment ago still serves.
    let refused = async || (stage.submit(&event("late")).await.ok()?.status() == 503).then_some(());
    eventually(STEP_WITHIN, refused).await.context("accepted without its configuration")?;
    senders_are_asked_to_retry(&stage, "key_value").await?;

    store.restart()?;
    let after = eventually(STEP_WITHIN, async || accepted(&stage, "after").await.ok().flatten()).await;
    let after = after.with_context(|| format!("not accepted after it came back; {}", stage.app.log_end()))?;
    let seen = stage.api.until("/api/v1/events", STEP_WITHIN, |list| has(list, &after)).await;
    seen.with_context(|| format!("event {after} did not get through; {}", stage.app.log_end()))?;
    stage.is_sound().await
}

async fn senders_are_asked_to_retry(stage: &Stage, down: &str) -> Result<()> {
    for (path, answer) in [
        ("api", stage.submit(&event("during")).await?),
        ("webhook", stage.github_hook("push", DELIVERY, &push()).await?),
    ] {
        ensure!(answer.status() == 503, "{path}: {} {}", answer.status(), text(&answer));
        ensure!(answer.headers().contains_key("retry-after"), "{path}: no Retry-After");
        ensure!(!stage.has_secret(&text(&answer)), "{path}: a secret is in the answer");
    }
    let ready = stage.send("GET", "/ready", &[], b"").await?;
    ensure!(ready.status() == 503 && json(&ready)[down] == false, "{}: {}", ready.status(), text(&ready));
    ensure!(stage.send("GET", "/health", &[], b"").await?.status() == 200, "/health depends on {down}");
    Ok(())
}

/// The event's id when it was accepted.
async fn accepted(stage: &Stage, title: &str) -> Result<Option<String>> {
    let answer = stage.submit(&event(title)).await?;
    Ok(json(&answer)["accepted"][0].as_str().map(str::to_owned))
}

fn event(title: &str) -> Vec<u8> {
    value!({"event": "deployment", "env": "dev", "service": "shop", "status": "success", "title": title})
        .to_string()
        .into_bytes()
}

fn push() -> Vec<u8> {
    value!({"ref": "refs/heads/main", "before": "0", "after": "600d", "commits": [], "pusher": {"name": "o"},
        "repository": {"id": 1, "full_name": "acme/shop"}, "sender": {"login": "octocat"}})
    .to_string()
    .into_bytes()
}

fn has(list: &Value, id: &str) -> bool {
    list["items"].as_array().is_some_and(|items| items.iter().any(|item| item["id"] == *id))
}

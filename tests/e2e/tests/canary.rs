//! New versions beside old ones, on the running app: a worse one is taken back, an equal one is
//! not, however bursty its errors are, and missing telemetry is blind.
//!
//! Traffic is heavy, so that what takes minutes at a hundred requests a second takes batches here.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{HEAL_WITHIN, STEP_WITHIN, Stage, text};
use homeostat_testkit::api::{goes, timeline};
use homeostat_testkit::company::{
    BAD, CHECKOUT, CHECKOUT_REPOSITORY, ENV, GITHUB_ENV, GOOD, SHOP, SHOP_REPOSITORY,
};
use homeostat_testkit::{now_ms, rfc3339_millis};
use serde_json::{Value, json};

/// The judge's batch.
const BATCH_MS: u64 = 5_000;
/// What the old version is known by when the new one comes: two minutes and a half.
const HISTORY_BATCHES: u64 = 30;
/// Requests of a batch, by arm; one in a hundred fails.
const OLD: u64 = 45_000;
const NEW: u64 = 5_000;
/// How far the errors of one batch are from their mean: as coins fall, and eight at a time.
const CALM: [i64; 8] = [12, -25, 3, 19, -8, -14, 22, -9];
const BURSTS: [i64; 8] = [64, -80, 8, 72, -56, -40, 80, -48];

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

fn about(mean: u64, off: i64) -> u64 {
    mean.saturating_add_signed(off)
}

/// What both services report of one batch: shop's new version fails half as often again.
fn batch(number: u64, at_ms: u64) -> [Value; 4] {
    let turn = |offs: [i64; 8], by: u64| offs[((number + by) % 8) as usize];
    [
        seen(SHOP, "baseline", about(450, turn(CALM, 0)), OLD, at_ms),
        seen(SHOP, "canary", about(75, turn(CALM, 3) / 3), NEW, at_ms),
        seen(CHECKOUT, "baseline", about(450, turn(BURSTS, 1)), OLD, at_ms),
        seen(CHECKOUT, "canary", about(50, turn(BURSTS, 5) / 3), NEW, at_ms),
    ]
}

async fn submit(stage: &Stage, events: &[Value]) -> Result<()> {
    let answer = stage.submit(Value::from(events.to_vec()).to_string().as_bytes()).await?;
    ensure!(answer.status() == 202, "{}", text(&answer));
    Ok(())
}

async fn deploy(stage: &Stage, release: &str) -> Result<()> {
    for (service, repository) in [(SHOP, SHOP_REPOSITORY), (CHECKOUT, CHECKOUT_REPOSITORY)] {
        stage.land.github.deploy(repository, GITHUB_ENV, release).context("no such repository")?;
        let path = format!("/api/v1/services/{ENV}/{service}");
        let out = |service: &Value| service["commit"] == release;
        stage.api.until(&path, STEP_WITHIN, out).await.with_context(|| format!("{service} is not out"))?;
    }
    Ok(())
}

async fn history(stage: &Stage) -> Result<()> {
    let now = now_ms();
    let old = (0..HISTORY_BATCHES).flat_map(|number| {
        let at_ms = now - (HISTORY_BATCHES - number) * BATCH_MS;
        let [shop, _, checkout, _] = batch(number, at_ms);
        [shop, checkout]
    });
    submit(stage, &old.collect::<Vec<_>>()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worse_canary_is_taken_back_an_equal_one_is_not_and_lost_telemetry_is_blind() -> Result<()> {
    let stage = Stage::set().await?;
    deploy(&stage, GOOD).await?;
    history(&stage).await?;
    deploy(&stage, BAD).await?;
    let healed = rolled_out_until_healed(&stage).await?;
    ensure!(goes(&healed, &["finding", "plan", "attempt", "outcome"]), "{:?}", timeline(&healed));
    let why = healed.to_string();
    ensure!(why.contains("canary bad"), "not explained: {why}");
    ensure!(stage.land.world.running(ENV, SHOP).as_deref() == Some(GOOD), "the good release does not run");
    ensure!(stage.land.kubernetes.server.count("PATCH", "/deployments/shop") == 1, "not rolled back once");
    ensure!(stage.api.incident(CHECKOUT).await.is_none(), "an equal canary was found bad");
    telemetry_is_lost(&stage).await?;
    ensure!(stage.land.github.server.count("POST", "/deployments") == 0, "something was deployed");
    stage.is_sound().await
}

/// Reports batch after batch; shop's new version is gone once the old release runs.
async fn rolled_out_until_healed(stage: &Stage) -> Result<Value> {
    let deadline = tokio::time::Instant::now() + HEAL_WITHIN + Duration::from_millis(12 * BATCH_MS);
    let mut beat = tokio::time::interval(Duration::from_millis(BATCH_MS));
    for number in 0.. {
        beat.tick().await;
        let mut events = batch(number, now_ms()).to_vec();
        if stage.land.world.running(ENV, SHOP).as_deref() == Some(GOOD) {
            events.remove(1);
        }
        submit(stage, &events).await?;
        match stage.api.incident(SHOP).await {
            Some(incident) if incident["state"] == "resolved" => return Ok(incident),
            incident if tokio::time::Instant::now() > deadline => {
                anyhow::bail!("not healed: {incident:?}; {}", stage.app.log_end());
            }
            _ => {}
        }
    }
    anyhow::bail!("numbers do not end")
}

async fn telemetry_is_lost(stage: &Stage) -> Result<()> {
    // One that fails may be chance; nothing may happen later than it is told.
    for _ in 0..2 {
        let failed = json!({
            "kind": "observation", "env": ENV, "service": CHECKOUT, "occurred_at": rfc3339_millis(now_ms()),
            "attributes": {"scrape": "failed"},
        });
        submit(stage, &[failed]).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let blind = |service: &Value| service["health"]["verdict"] == "blind";
    let path = format!("/api/v1/services/{ENV}/{CHECKOUT}");
    let seen = stage.api.until(&path, STEP_WITHIN, blind).await;
    seen.with_context(|| format!("not blind; {}", stage.app.log_end())).map(drop)
}

//! Deliveries of all sources at once, some twice and some forged, while Redis is killed and comes
//! back: what was answered with 2xx is there, once, and nothing else is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use homeostat_e2e::{STEP_WITHIN, Stage, json, text};
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::runtime::embedded_host_only;
use homeostat_testkit::senders::{self, Sent, Signer};
use homeostat_testkit::server::eventually;
use homeostat_testkit::{http, now_ms};
use tokio::task::JoinSet;

/// Deliveries of each source.
const OF_EACH: u64 = 20;
/// Senders at once.
const SENDERS: u64 = 16;
/// How often a sender that was told to come back does so: for as long as Redis may be away.
const TRIES_MAX: u32 = 400;
/// Between two tries.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// The longest page of the API.
const PAGE: usize = 100;

/// What the senders saw, all of them together.
#[derive(Default)]
struct Seen {
    accepted: AtomicU64,
    told_to_retry: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_is_taken_once_while_redis_is_killed_and_comes_back() -> Result<()> {
    if embedded_host_only(&workspace_root(), "Spin's app ends with its Redis")? {
        return Ok(());
    }
    let mut stage = Stage::set_for_sources("", senders::variables()).await?;
    let seen = Arc::new(Seen::default());
    let mut sending = JoinSet::new();
    for sender in 0..SENDERS {
        sending.spawn(send_share(stage.app.url().to_owned(), sender, seen.clone()));
    }
    let some = total() / 4;
    let begun =
        eventually(STEP_WITHIN, async || (seen.accepted.load(Ordering::Relaxed) >= some).then_some(()));
    begun.await.with_context(|| format!("too little was accepted; {}", stage.app.log_end()))?;
    stage.redis.kill()?;
    let told =
        eventually(STEP_WITHIN, async || (seen.told_to_retry.load(Ordering::Relaxed) > 0).then_some(()));
    told.await.context("no sender was told to come back")?;
    stage.redis.restart()?;

    let mut ids = BTreeSet::new();
    while let Some(share) = sending.join_next().await {
        for id in share?? {
            ensure!(ids.insert(id.clone()), "the event {id} was accepted twice");
        }
    }
    let stored = all_events(&stage).await?;
    ensure!(stored.len() as u64 == total(), "{} events of {} deliveries", stored.len(), total());
    ensure!(ids.is_subset(&stored), "acknowledged and lost: {:?}", ids.difference(&stored).next());
    stage.is_sound().await
}

/// Deliveries that should each be there once.
fn total() -> u64 {
    OF_EACH * senders::SOURCES.len() as u64
}

/// Every so many deliveries, each first of all twice or forged: the ids that were accepted.
async fn send_share(base: String, sender: u64, seen: Arc<Seen>) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for serial in (sender..total()).step_by(usize::try_from(SENDERS)?) {
        let at = usize::try_from(serial)? % senders::SOURCES.len();
        let source = senders::SOURCES.get(at).context("a source")?;
        let of = |signer| {
            senders::delivery(source, serial, now_ms(), signer).with_context(|| format!("none of {source}"))
        };
        if serial % 7 == 0 {
            refused(&base, &of(Signer::Forger)?).await?;
        }
        let sent = of(Signer::Sender)?;
        ids.extend(taken(&base, &sent, &seen).await?);
        if serial % 5 == 0 {
            let again = taken(&base, &sent, &seen).await?;
            ensure!(again.is_empty(), "{source}: sent twice and accepted twice: {again:?}");
        }
    }
    Ok(ids)
}

/// Sends until it is answered with 2xx, as a sender that repeats does; the ids that were accepted.
async fn taken(base: &str, sent: &Sent, seen: &Seen) -> Result<Vec<String>> {
    for _ in 0..TRIES_MAX {
        let answer = post(base, sent).await?;
        match answer.status().as_u16() {
            202 => {
                seen.accepted.fetch_add(1, Ordering::Relaxed);
                let told = json(&answer);
                ensure!(told.get("ignored").is_none(), "{}: {}", sent.path, text(&answer));
                let ids = told["accepted"].as_array().cloned().unwrap_or_default();
                return Ok(ids.iter().filter_map(|id| id.as_str()).map(str::to_owned).collect());
            }
            503 => {
                ensure!(answer.headers().contains_key("retry-after"), "{}: no Retry-After", sent.path);
                seen.told_to_retry.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
            other => bail!("{}: answered with {other}: {}", sent.path, text(&answer)),
        }
    }
    bail!("{}: told to come back {TRIES_MAX} times", sent.path)
}

async fn refused(base: &str, sent: &Sent) -> Result<()> {
    let answer = post(base, sent).await?;
    ensure!(answer.status() == 401, "{}: a forgery was answered with {}", sent.path, answer.status());
    ensure!(answer.body().is_empty(), "{}: a refusal says something", sent.path);
    Ok(())
}

async fn post(base: &str, sent: &Sent) -> Result<homeostat_e2e::Response<Vec<u8>>> {
    let headers: Vec<_> = sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = http::request("POST", &format!("{base}{}", sent.path), &headers, sent.body.clone())?;
    Ok(http::send(request).await?)
}

/// The ids of all events, once all are through.
async fn all_events(stage: &Stage) -> Result<BTreeSet<String>> {
    let full = eventually(STEP_WITHIN, async || {
        let ids = listed(stage).await;
        (ids.len() as u64 >= total()).then_some(ids)
    });
    full.await.with_context(|| format!("not all events got through; {}", stage.app.log_end()))
}

async fn listed(stage: &Stage) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut cursor = String::new();
    // Bounded by what was sent: a page that brings nothing new ends it.
    loop {
        let page = stage.api.get(&format!("/api/v1/events?limit={PAGE}{cursor}")).await;
        let before = ids.len();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        ids.extend(items.iter().filter_map(|item| item["id"].as_str()).map(str::to_owned));
        match page["next"].as_str() {
            Some(next) if ids.len() > before => cursor = format!("&cursor={next}"),
            _ => return ids,
        }
    }
}

//! A source that sends more than it may is told to come back; the others notice nothing, and what
//! says that an alert is over is taken however much comes with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{Response, Stage, text};
use homeostat_testkit::senders::{self, Sent, Signer};
use homeostat_testkit::{http, now_ms};
use tokio::task::JoinSet;

/// The flooded source may send this many a second.
const CONFIG: &str = "\n[[source]]\nname = \"alertmanager\"\ndeliveries_per_s = 5\n";
/// Who floods, at once.
const FLOODERS: u64 = 8;
/// Deliveries of the other source, and ends of alerts, while the flood lasts.
const CALM: u64 = 60;
/// No delivery of a calm source waits longer: half of the ten seconds that GitHub waits, on a
/// machine that may be busy with other tests.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Flood {
    over: AtomicBool,
    taken: AtomicU64,
    shed: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_source_is_shed_and_delays_neither_others_nor_ends_of_alerts() -> Result<()> {
    let stage = Stage::set_for_sources(CONFIG, senders::variables()).await?;
    let flood = Arc::new(Flood::default());
    let mut flooding = JoinSet::new();
    for flooder in 0..FLOODERS {
        flooding.spawn(send_on(stage.app.url().to_owned(), flooder, flood.clone()));
    }
    let calm = stay_calm(&stage).await;
    flood.over.store(true, Ordering::Relaxed);
    for one in flooding.join_all().await {
        one?;
    }
    calm?;
    let (taken, shed) = (flood.taken.load(Ordering::Relaxed), flood.shed.load(Ordering::Relaxed));
    ensure!(taken > 0 && shed > taken, "{taken} were taken and {shed} shed: that was no flood");
    stage.is_sound().await
}

/// Fires alerts until told to stop; bounded by the test's own length.
async fn send_on(base: String, flooder: u64, flood: Arc<Flood>) -> Result<()> {
    let mut serial = (flooder + 1) * 1_000_000;
    while !flood.over.load(Ordering::Relaxed) {
        serial += 1;
        let sent =
            senders::delivery("alertmanager", serial, now_ms(), Signer::Sender).context("a delivery")?;
        let answer = post(&base, &sent).await?;
        match answer.status().as_u16() {
            202 => flood.taken.fetch_add(1, Ordering::Relaxed),
            503 if answer.headers().contains_key("retry-after") => flood.shed.fetch_add(1, Ordering::Relaxed),
            other => anyhow::bail!("a flood is answered with {other}: {}", text(&answer)),
        };
    }
    Ok(())
}

async fn stay_calm(stage: &Stage) -> Result<()> {
    for serial in 0..CALM {
        let sent = senders::delivery("github", serial, now_ms(), Signer::Sender).context("a delivery")?;
        let asked = Instant::now();
        let answer = post(stage.app.url(), &sent).await?;
        ensure!(answer.status() == 202, "GitHub was answered with {}: {}", answer.status(), text(&answer));
        ensure!(asked.elapsed() < ANSWERED_WITHIN, "GitHub waited {:?}", asked.elapsed());
        let answer = post(stage.app.url(), &resolved(serial)?).await?;
        ensure!(answer.status() == 202, "the end of an alert was answered with {}", answer.status());
    }
    Ok(())
}

/// The end of an alert. Alertmanager signs nothing, so the body may be changed.
fn resolved(serial: u64) -> Result<Sent> {
    let sent = senders::delivery("alertmanager", serial, now_ms(), Signer::Sender).context("a delivery")?;
    let body = String::from_utf8(sent.body)?.replace("firing", "resolved");
    Ok(Sent {
        body: body.replace("0001-01-01T00:00:00Z", &homeostat_testkit::rfc3339(now_ms())).into(),
        ..sent
    })
}

async fn post(base: &str, sent: &Sent) -> Result<Response<Vec<u8>>> {
    let headers: Vec<_> = sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = http::request("POST", &format!("{base}{}", sent.path), &headers, sent.body.clone())?;
    Ok(http::send(request).await?)
}

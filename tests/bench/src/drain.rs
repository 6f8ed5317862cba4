//! Events per second that one detector works off, in batches, alone: natively and through wasm.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use homeostat_adapter_native::NativeRedis;
use homeostat_api::intake::submit;
use homeostat_flow::{Cell, Ended, Limits, Redis, ScriptStore, Shard, Store, drain};
use homeostat_schema::config::Config;
use homeostat_sources::normalise::{Admitted, normalise};
use homeostat_sources::{Delivery, Item, Normalised, Source};
use homeostat_stages::Detect;
use homeostat_stages::entry::for_event;
use homeostat_stages::name::{DETECT, SHARDS_DEFAULT, STAGES, shard_of_service};
use homeostat_stages::snapshot::Versioned;
use homeostat_testkit::redis::{Durability, RedisServer};
use homeostat_testkit::{now_ms, rfc3339_millis};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::{self, Bench, Stages};
use crate::cost::{Cost, Meter};
use crate::report::{Section, Target, percentile};

/// Events in the inbox, all of one shard; an inbox takes 100,000.
const EVENTS: usize = 60_000;
/// Services they are about.
const SERVICES: usize = 20;
/// How many the sources make of one body.
const ITEMS: usize = 1_000;
/// Fills at once.
const FILLERS: usize = 8;
/// How often the counters are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// An inbox that is not empty by then stays so.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// Doorbells in the wasm run cost what they cost; what one detector should reach.
const PER_SECOND_MIN: f64 = 20_000.0;

type NativeStore = ScriptStore<NativeRedis>;

/// One inbox, worked off.
struct Worked {
    events: usize,
    took: Duration,
    cost: Cost,
}

impl Worked {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn per_second(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }
}

pub(crate) async fn measure(bench: &Bench) -> Result<Section> {
    let mut section = Section::new("drain");
    section.circumstance(format!(
        "{EVENTS} healthy observations of {SERVICES} services in one shard's inbox, {} bytes each there, \
         batches of {}, one worker with one connection, nothing pinned",
        entry_bytes()?,
        Limits::STEPS.batch
    ));
    for (durability, name) in [(Durability::Memory, "no persistence"), (Durability::Always, "fsync always")] {
        let what = format!("native, {name}");
        let native = natively(durability).await.context("natively")?;
        section.number(what.clone(), native.per_second(), "events/s");
        native.cost.report(&mut section, &what, native.events);
        let what = format!("wasm on the embedded host, {name}");
        let wasm = through_wasm(bench, durability).await.context("through wasm")?;
        section.aimed(what.clone(), wasm.per_second(), "events/s", Target::AtLeast(PER_SECOND_MIN));
        wasm.cost.report(&mut section, &what, wasm.events);
    }
    Ok(section)
}

/// The services by their own names.
fn config_text(names: &[String]) -> String {
    let services: Vec<_> = names.iter().map(|name| format!("[[service]]\nname = \"{name}\"\n")).collect();
    app::config(0) + &services.concat()
}

fn config() -> Result<Config> {
    Ok(Config::from_toml(&config_text(&names()), "homeostat.toml")?)
}

fn store(redis: &RedisServer) -> Result<NativeStore> {
    Ok(ScriptStore::new(NativeRedis::new(&redis.url())?, Cell::new(SHARDS_DEFAULT, &STAGES)))
}

async fn natively(durability: Durability) -> Result<Worked> {
    let redis = RedisServer::start_with(durability)?;
    fill(&redis, durability).await?;
    let store = store(&redis)?;
    let step = Detect::new(Versioned { version: 1, config: config()? });
    let meter = Meter::start(&redis, std::process::id()).await?;
    let started = Instant::now();
    let mut done = 0;
    loop {
        let drained = drain(&store, &step, &Shard::service(0), &Limits::STEPS).await?;
        done += drained.inputs;
        if drained.ended != Ended::Bounded {
            break;
        }
    }
    ensure!(usize::try_from(done)? == EVENTS, "{done} of {EVENTS} events were worked off");
    Ok(Worked { events: EVENTS, took: started.elapsed(), cost: meter.stop().await? })
}

async fn through_wasm(bench: &Bench, durability: Durability) -> Result<Worked> {
    let redis = RedisServer::start_with(durability)?;
    fill(&redis, durability).await?;
    let store = store(&redis)?;
    // The host's first tick rings; what was worked off before it was ready is not counted.
    let served =
        bench.serve(Stages::DetectOnly, &config_text(&names()), &redis.url(), Default::default()).await?;
    let meter = Meter::start(&redis, served.app.id().context("the host runs")?).await?;
    let first = (committed(&store).await?, Instant::now());
    store.ring(DETECT, &Shard::service(0)).await?;
    let mut steps = Vec::new();
    let mut last = first;
    while last.0 < EVENTS {
        ensure!(first.1.elapsed() < DRAIN_MAX, "{} of {EVENTS} events; {}", last.0, served.app.log_end());
        tokio::time::sleep(LOOK_EVERY).await;
        let now = (committed(&store).await?, Instant::now());
        if now.0 > last.0 {
            steps.push(now.1.duration_since(last.1).as_secs_f64() * 1000.0);
            last = now;
        }
    }
    steps.sort_by(f64::total_cmp);
    let longest = percentile(&steps, 1.0).unwrap_or_default();
    eprintln!("      {} events counted; longest pause {longest:.0} ms", EVENTS - first.0);
    let (events, took) = (EVENTS - first.0, last.1.duration_since(first.1));
    Ok(Worked { events, took, cost: meter.stop().await? })
}

async fn committed(store: &NativeStore) -> Result<usize> {
    let counters = store.counters().await?;
    Ok(usize::try_from(counters.get("committed:detect").copied().unwrap_or_default())?)
}

/// Puts the events into the inbox, as the sources and the ingest script make them; Redis waits for
/// the disk only afterwards.
async fn fill(redis: &RedisServer, durability: Durability) -> Result<()> {
    let control = NativeRedis::new(&redis.url())?;
    let sync = async |when: &str| {
        let args: [&[u8]; 3] = [b"SET", b"appendfsync", when.as_bytes()];
        control.command("CONFIG", &args).await
    };
    sync("no").await?;
    let names = names();
    let mut fillers = JoinSet::new();
    for filler in 0..FILLERS {
        let (store, names) = (store(redis)?, names.clone());
        let bodies = (0..EVENTS / ITEMS).filter(move |body| body % FILLERS == filler);
        fillers.spawn(async move {
            let config = config()?;
            for body in bodies {
                submit(&store, &items(&names, &config, body)?).await?;
            }
            anyhow::Ok(())
        });
    }
    for filled in fillers.join_all().await {
        filled?;
    }
    if durability == Durability::Always {
        sync("always").await?;
    }
    Ok(())
}

/// Names of services in the first shard.
fn names() -> Vec<String> {
    let first = Shard::service(0);
    let all = (0..).map(app::service).filter(|name| shard_of_service(name, SHARDS_DEFAULT) == first);
    all.take(SERVICES).collect()
}

/// An event's entry in the inbox.
fn entry_bytes() -> Result<usize> {
    let items = items(&names(), &config()?, 1)?;
    let first = items.first().context("an event")?;
    Ok(for_event(&first.event, SHARDS_DEFAULT).payload.len())
}

/// The events of one body.
fn items(names: &[String], config: &Config, body: usize) -> Result<Vec<Item>> {
    let now = now_ms();
    let one = |at: usize| {
        json!({
            "event": "observation",
            "id": format!("bench-{body}-{at}"),
            "env": "stage",
            "service": names.get(at % SERVICES),
            "timestamp": rfc3339_millis(now),
            "latency_ms": 40 + at % 5,
            "error_rate": 0.001,
            "requests": 500,
        })
    };
    let text = Value::from((0..ITEMS).map(one).collect::<Vec<_>>()).to_string();
    let delivery = Delivery {
        source: Source::GENERIC.into(),
        admitted: Admitted::Verified,
        headers: &HeaderMap::new(),
        body: text.as_bytes(),
        received_at_ms: now,
        seed: u128::try_from(body)?.to_le_bytes()[..10].try_into()?,
    };
    match normalise(&delivery, config) {
        Normalised::Items(items) => Ok(items),
        _ => anyhow::bail!("the sources do not take the bench's events"),
    }
}

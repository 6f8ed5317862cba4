//! Deliveries that became events, kept for a while so that they can be read again once a rule or
//! a reader was mended.
//!
//! What this does not do: keep anything without a key; keep what was stored before, what a plug-in
//! reads, or what came by the API.
//!
//! Invariants: a delivery is kept only after its events are stored, and that it cannot be kept
//! fails no delivery; at most [`KEPT`] of at most [`SEALED_MAX`] bytes each are kept, 128 MB; what
//! is replayed passes the same guards against duplicates as when it came.

use homeostat_flow::name::{counters_key, view_key};
use homeostat_flow::{Redis, Reply, ScriptStore};
use homeostat_sources::ingest::Outcome;
use homeostat_sources::{Admitted, Delivery, Instance, Normalised, Proof, Share, normalise};
use http::StatusCode;
use serde::Serialize;

use crate::answer::{Answer, Problem, json};
use crate::configuration;
use crate::dead::conflict;
use crate::intake::submit;
use crate::letters::{Keeper, SEALED_MAX};
use crate::port::Snapshots;
use crate::serve::World;

/// The ring of events whose delivery is kept.
const RING: &str = "kept-deliveries";

/// What the keys of kept deliveries begin with, as read models.
const DELIVERIES: &str = "delivery:";

/// Deliveries that stay, the newest: some hours of a busy installation.
pub(crate) const KEPT: &str = "2000";

/// Longest id of an event taken, bytes: a UUID has 36.
const ID_MAX: usize = 64;

/// Says of a kept delivery that it was let in by dev mode, in the place of its digest.
const UNSIGNED: &[u8] = b"dev-mode";

/// See the file.
pub(crate) const KEEP: &str = include_str!("keep.lua");

/// A delivery as it is kept: what is needed to know it again, and its sealed form.
struct Kept {
    source: String,
    admitted: Admitted,
    sealed: Vec<u8>,
}

/// What became of a delivery that was read again.
#[derive(Serialize)]
struct Again<'a> {
    /// The ids of events that are new.
    accepted: Vec<&'a str>,
    /// How many of its events had been stored before.
    duplicates: usize,
    /// Why parts of it are no event.
    ignored: Vec<&'a str>,
}

/// Keeps a delivery under the first of its events that is new. Without a key, and when nothing is
/// new, this asks nothing of Redis. A failure is told and counted.
pub(crate) async fn keep<R: Redis>(
    redis: &R,
    keeper: &Keeper,
    delivery: &Delivery<'_>,
    outcomes: &[Outcome],
) {
    let new = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Accepted { id } => Some(id),
        Outcome::Duplicate | Outcome::Ignored { .. } => None,
    });
    let Some(id) = new.filter(|_| keeper.keeps()) else { return };
    if let Err(why) = put(redis, keeper, delivery, id).await {
        let source = delivery.source.name();
        keeper.say(&format!("a delivery of {source} was stored and not kept for replay: {why}"));
        let counter = format!("delivery-not-kept:{source}");
        let counters = counters_key();
        let args: [&[u8]; 3] = [counters.as_bytes(), counter.as_bytes(), b"1"];
        let _counted = redis.command("HINCRBY", &args).await.is_ok();
    }
}

async fn put<R: Redis>(redis: &R, keeper: &Keeper, delivery: &Delivery<'_>, id: &str) -> Result<(), String> {
    let sealed = keeper.sealed(delivery);
    let sealed = sealed.ok_or_else(|| format!("it has more than {SEALED_MAX} bytes compressed"))?;
    let (ring, prefix) = (view_key(RING), view_key(DELIVERIES));
    let (life, came) = (keeper.life_ms.to_string(), delivery.received_at_ms.to_string());
    let kept = written(delivery, &sealed);
    let args: [&[u8]; 9] = [
        KEEP.as_bytes(),
        b"1",
        ring.as_bytes(),
        id.as_bytes(),
        &kept,
        life.as_bytes(),
        came.as_bytes(),
        KEPT.as_bytes(),
        prefix.as_bytes(),
    ];
    redis.command("EVAL", &args).await.map(drop).map_err(|error| error.to_string())
}

/// A line with the instance, a line with the digest its body is known by, the sealed form.
fn written(delivery: &Delivery<'_>, sealed: &[u8]) -> Vec<u8> {
    let known = match delivery.admitted {
        Admitted::Proven(Proof { body: Some(digest), .. }) => hex::encode(digest).into_bytes(),
        Admitted::Proven(_) | Admitted::Verified => Vec::new(),
        Admitted::DevMode => UNSIGNED.to_vec(),
    };
    [delivery.source.name().as_bytes(), b"\n", &known, b"\n", sealed].concat()
}

/// Reads what [`written`] made.
fn read(kept: &[u8]) -> Option<Kept> {
    let mut parts = kept.splitn(3, |byte| *byte == b'\n');
    let (source, known, sealed) = (parts.next()?, parts.next()?, parts.next()?);
    let admitted = match known {
        b"" => Admitted::Verified,
        UNSIGNED => Admitted::DevMode,
        digest => {
            let digest = hex::decode(digest).ok()?.try_into().ok()?;
            Admitted::Proven(Proof { key: 1, body: Some(digest) })
        }
    };
    Some(Kept { source: String::from_utf8(source.to_vec()).ok()?, admitted, sealed: sealed.to_vec() })
}

/// Reads the delivery kept under this event again, with the configuration and the readers of
/// today, and stores what is new. It counts as received now and stays kept.
pub(crate) async fn replay<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    id: &str,
) -> Result<Answer, Problem> {
    let key = world.body_key.as_ref();
    let key = key.ok_or_else(|| conflict("without the variable body_key no delivery is kept".to_owned()))?;
    let redis = world.store.redis();
    let kept = find(redis, id).await?;
    let opened = key.open(&kept.source, &kept.sealed).map_err(|why| conflict(why.to_string()))?;
    let config = configuration::current(redis, world.snapshots).await?.config;
    let gone = || conflict(format!("no source instance is named {} any more", kept.source));
    let delivery = Delivery {
        source: Instance::of(&config, &kept.source).ok_or_else(gone)?,
        admitted: kept.admitted,
        headers: &opened.headers,
        body: &opened.body,
        received_at_ms: world.now_ms,
        seed: world.seed,
    };
    let outcomes = store_again(world.store, normalise(&delivery, &config)).await?;
    Ok(json(StatusCode::ACCEPTED, &Again::of(&outcomes)))
}

async fn find<R: Redis>(redis: &R, id: &str) -> Result<Kept, Problem> {
    let plain = id.len() <= ID_MAX && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain {
        return Err(Problem::not_found());
    }
    let key = view_key(&format!("{DELIVERIES}{id}"));
    let reply = redis.command("GET", &[key.as_bytes()]).await?;
    let none = || {
        Problem::not_found().saying(
            "no delivery is kept under this event: it was not kept, its time is over, or it is kept \
             under the first event that came with it",
        )
    };
    let kept = reply.into_iter().next().and_then(Reply::into_bytes).ok_or_else(none)?;
    read(&kept).ok_or_else(|| conflict("it was kept by another version".to_owned()))
}

async fn store_again<R: Redis>(
    store: &ScriptStore<R>,
    normalised: Normalised,
) -> Result<Vec<Outcome>, Problem> {
    match normalised {
        Normalised::Items(items) => Ok(submit(store, &items).await?),
        Normalised::Ignored(why) => Ok(vec![Outcome::Ignored { why }]),
        Normalised::NotUnderstood(why) => Err(conflict(format!("it is not understood any more: {why}"))),
        Normalised::Batch(shares) => {
            let mut outcomes = Vec::with_capacity(shares.len());
            for share in shares {
                match share {
                    Share::Item(item) => outcomes.extend(submit(store, std::slice::from_ref(&*item)).await?),
                    Share::Ignored(why) => outcomes.push(Outcome::Ignored { why }),
                    Share::NotUnderstood(why) => outcomes.push(Outcome::Ignored { why: why.to_string() }),
                }
            }
            Ok(outcomes)
        }
    }
}

impl<'a> Again<'a> {
    fn of(outcomes: &'a [Outcome]) -> Self {
        let mut again = Self { accepted: Vec::new(), duplicates: 0, ignored: Vec::new() };
        for outcome in outcomes {
            match outcome {
                Outcome::Accepted { id } => again.accepted.push(id),
                Outcome::Duplicate => again.duplicates += 1,
                Outcome::Ignored { why } => again.ignored.push(why),
            }
        }
        again
    }
}

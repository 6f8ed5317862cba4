//! Dead letters: what was given up, of the ingest and of the stages, shown and replayed.
//!
//! What this does not do: replay by itself. Why something was given up is mended first.
//!
//! Invariants: a delivery is replayed through the same reading, guards against duplicates and
//! store as when it came, and counts as received now, so that nothing old is acted upon; a letter
//! is taken up only when its delivery is stored.

use homeostat_flow::{DeadLetter, Redis, Replayed, ScriptStore, Store};
use homeostat_schema::time;
use homeostat_sources::ingest::{self};
use homeostat_sources::{Admitted, Delivery, Instance, Normalised, normalise};
use http::StatusCode;
use serde::Serialize;

use crate::answer::{Answer, Problem, json};
use crate::configuration;
use crate::intake::submit;
use crate::letters::{self, Letter};
use crate::port::Snapshots;
use crate::query::Query;
use crate::serve::World;

/// What ids of the ingest's letters begin with.
const OF_INGEST: &str = "ingest-";
/// What ids of the stages' letters begin with.
const OF_STAGE: &str = "stage-";
/// Letters of the stages looked through for one, oldest first; more are not kept.
const STAGE_MAX: u32 = 1_000;
/// Bytes of a body shown: enough to see what a sender changed.
const SHOWN_MAX: usize = 32 * 1024;

/// One letter, in a list.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Item {
    /// A delivery that was verified and not understood.
    Ingest {
        id: String,
        #[serde(flatten)]
        letter: Letter,
    },
    /// An input that a stage could not digest.
    Stage { id: String, stage: String, shard: String, at: String, why: String, fields: Vec<String> },
}

#[derive(Serialize)]
struct Page {
    items: Vec<Item>,
    /// Always null: the newest are all that is listed.
    next: Option<String>,
}

/// One letter, whole.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    item: Item,
    /// Headers that may be kept, in the order of their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<(String, String)>>,
    /// The beginning of the delivery, or the input; absent when it was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Why it cannot be shown and replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Lists letters, the newest first.
pub(crate) async fn list<R: Redis>(store: &ScriptStore<R>, query: Option<&str>) -> Result<Answer, Problem> {
    let query = Query::parse(query, &["kind", "limit"])?;
    let limit = query.limit(100, 500)?;
    let wanted = |kind: &str| query.get("kind").is_none_or(|only| only == kind);
    let mut items = Vec::new();
    if wanted("ingest") {
        let newest = letters::newest(store.redis(), limit).await?;
        items.extend(newest.into_iter().map(|(id, letter)| of_ingest(&id, letter)));
    }
    if wanted("stage") {
        let letters = store.dead_letters("0-0", STAGE_MAX).await?;
        let newest = letters.iter().rev().take(usize::try_from(limit).unwrap_or(usize::MAX));
        items.extend(newest.map(of_stage));
    }
    Ok(json(StatusCode::OK, &Page { items, next: None }))
}

/// Shows one letter with what was kept.
pub(crate) async fn show<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    id: &str,
) -> Result<Answer, Problem> {
    let whole = match kind_of(id)? {
        Kind::Stage(id) => {
            let letter = stage_letter(world.store, id).await?;
            let body = Some(shown(&letter.input.payload));
            Whole { item: of_stage(&letter), headers: None, body, note: None }
        }
        Kind::Ingest(id) => {
            let letter = ingest_letter(world.store.redis(), id).await?;
            let opened = opened(world, id, &letter).await;
            let item = of_ingest(id, letter);
            match opened {
                Ok(opened) => {
                    let texts = opened.headers.iter().filter_map(|(name, value)| {
                        Some((name.to_string(), value.to_str().ok()?.to_owned()))
                    });
                    Whole {
                        item,
                        headers: Some(texts.collect()),
                        body: Some(shown(&opened.body)),
                        note: None,
                    }
                }
                Err(problem) => Whole { item, headers: None, body: None, note: Some(problem.to_string()) },
            }
        }
    };
    Ok(json(StatusCode::OK, &whole))
}

/// Puts one letter's content on its way again.
pub(crate) async fn replay<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    id: &str,
) -> Result<Answer, Problem> {
    match kind_of(id)? {
        Kind::Stage(id) => {
            let letter = stage_letter(world.store, id).await?;
            match world.store.replay(&letter).await? {
                Replayed::Done => Ok(ingest::answer(&[ingest::Outcome::Accepted { id: letter.input.id }])),
                _ => Err(Problem::not_found()),
            }
        }
        Kind::Ingest(id) => replay_delivery(world, id).await,
    }
}

async fn replay_delivery<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    id: &str,
) -> Result<Answer, Problem> {
    let redis = world.store.redis();
    let letter = ingest_letter(redis, id).await?;
    let opened = opened(world, id, &letter).await?;
    let config = configuration::current(redis, world.snapshots).await?.config;
    let gone = || conflict(format!("no source instance is named {} any more", letter.source));
    let source = Instance::of(&config, &letter.source).ok_or_else(gone)?;
    let delivery = Delivery {
        source,
        admitted: Admitted::Verified,
        headers: &opened.headers,
        body: &opened.body,
        received_at_ms: world.now_ms,
        seed: world.seed,
    };
    let answer = match normalise(&delivery, &config) {
        Normalised::Items(items) => ingest::answer(&submit(world.store, &items).await?),
        Normalised::Ignored(why) => ingest::ignored(&why),
        Normalised::NotUnderstood(why) => return Err(conflict(format!("still not understood: {why}"))),
        Normalised::Batch(_) => return Err(conflict("a part of it is still not understood".to_owned())),
    };
    letters::take_up(redis, id).await?;
    Ok(answer)
}

enum Kind<'a> {
    Ingest(&'a str),
    Stage(&'a str),
}

/// An id is a stream's, behind the kind of the letter.
fn kind_of(id: &str) -> Result<Kind<'_>, Problem> {
    let plain = |id: &&str| {
        let digits =
            |part: &str| !part.is_empty() && part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
        id.split_once('-').is_some_and(|(ms, n)| digits(ms) && digits(n))
    };
    let ingest = id.strip_prefix(OF_INGEST).filter(plain).map(Kind::Ingest);
    ingest.or(id.strip_prefix(OF_STAGE).filter(plain).map(Kind::Stage)).ok_or_else(Problem::not_found)
}

async fn ingest_letter<R: Redis>(redis: &R, id: &str) -> Result<Letter, Problem> {
    letters::one(redis, id).await?.ok_or_else(Problem::not_found)
}

async fn stage_letter<R: Redis>(store: &ScriptStore<R>, id: &str) -> Result<DeadLetter, Problem> {
    let letters = store.dead_letters("0-0", STAGE_MAX).await?;
    letters.into_iter().find(|letter| letter.id == id).ok_or_else(Problem::not_found)
}

async fn opened<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    id: &str,
    letter: &Letter,
) -> Result<homeostat_sources::sealed::Opened, Problem> {
    let key = world.body_key.as_ref();
    let key = key.ok_or_else(|| conflict("without the variable body_key no delivery is kept".to_owned()))?;
    let kept = letters::kept(world.store.redis(), id).await?;
    let kept = kept.ok_or_else(|| conflict("the delivery was not kept, or its time is over".to_owned()))?;
    key.open(&letter.source, &kept).map_err(|why| conflict(why.to_string()))
}

fn of_ingest(id: &str, letter: Letter) -> Item {
    Item::Ingest { id: format!("{OF_INGEST}{id}"), letter }
}

fn of_stage(letter: &DeadLetter) -> Item {
    Item::Stage {
        id: format!("{OF_STAGE}{}", letter.id),
        stage: letter.stage.clone(),
        shard: letter.shard.clone(),
        at: time::display(letter.at_ms),
        why: letter.error.clone(),
        fields: letter.input.fields.clone(),
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..SHOWN_MAX).unwrap_or(bytes)).into_owned()
}

/// 409: it cannot be replayed as things are.
pub(crate) fn conflict(why: String) -> Problem {
    Problem::new(StatusCode::CONFLICT).saying(why)
}

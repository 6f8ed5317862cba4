//! What goes out and what is asked: deliveries that were given up, and what reconcilers found.

use std::collections::BTreeMap;

use homeostat_flow::seen::day_of;
use homeostat_flow::{Ingest, Ingested, Output, Redis, ScriptStore, Store, views};
use homeostat_stages::emit::{self, UNDELIVERED, Undelivered};
use homeostat_stages::reconcile::{self, RECONCILERS};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::answer::{Answer, Problem, json};
use crate::listing::{self, List, Pick};
use crate::port::Snapshots;
use crate::query::Query;
use crate::serve::World;

const LIST: List = List { ranking: UNDELIVERED, key_of: key_of_member };

/// Members are `<sink>/<id>`; a sink's name has no slash.
fn key_of_member(member: &str) -> String {
    let (sink, id) = member.split_once('/').unwrap_or((member, ""));
    emit::undelivered_key(sink, id)
}

/// Lists deliveries that were given up, newest first.
pub(crate) async fn undelivered<R: Redis>(
    store: &ScriptStore<R>,
    query: Option<&str>,
) -> Result<Answer, Problem> {
    let query = Query::parse(query, &["sink", "limit", "cursor"])?;
    let matches = |one: &Undelivered| query.get("sink").is_none_or(|sink| sink == one.sink);
    let pick = Pick { cursor: query.cursor()?, limit: query.limit(100, 500)?, matches };
    listing::page::<R, Undelivered>(store.redis(), &LIST, pick).await
}

#[derive(Serialize)]
struct Resent<'a> {
    sink: &'a str,
    id: &'a str,
}

/// Has a delivery that was given up sent again, with its tries from the first.
pub(crate) async fn resend<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    sink: &str,
    id: &str,
) -> Result<Answer, Problem> {
    let known = views::value(world.store.redis(), &emit::undelivered_key(sink, id)).await?;
    if known.is_none() {
        return Err(Problem::not_found().saying("no such delivery was given up, or it is long ago"));
    }
    // Asked twice at once, the second finds nothing given up and does nothing.
    let asked = homeostat_schema::id::timed(world.now_ms, world.seed);
    let output = emit::send_again(sink, id);
    pass_on(world, &output, &format!("resend:{sink}/{id}:{asked}")).await?;
    Ok(json(StatusCode::ACCEPTED, &Resent { sink, id }))
}

/// What each reconciler last found, by its id.
pub(crate) async fn reconcilers<R: Redis>(store: &ScriptStore<R>) -> Result<Answer, Problem> {
    let found = views::hash(store.redis(), RECONCILERS).await?;
    let read = |json: Vec<u8>| serde_json::from_slice::<Value>(&json).ok();
    let found: BTreeMap<String, Value> =
        found.into_iter().filter_map(|(id, json)| Some((id, read(json)?))).collect();
    Ok(json(StatusCode::OK, &found))
}

/// Has the reconcilers' timers set by the configuration that was just applied.
pub(crate) async fn configured<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    version: u64,
) -> Result<(), Problem> {
    let (output, dedupe) = reconcile::configured(version);
    pass_on(world, &output, &dedupe).await
}

async fn pass_on<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    output: &Output,
    dedupe: &str,
) -> Result<(), Problem> {
    let ingest = Ingest {
        stage: output.stage,
        shard: &output.shard,
        ids: &[dedupe],
        day: day_of(world.now_ms),
        fields: &output.fields,
        payload: &output.payload,
    };
    match world.store.ingest(&ingest).await? {
        Ingested::Accepted(_) | Ingested::Duplicate => Ok(()),
        Ingested::Full => Err(Problem::unavailable("too much is waiting already")),
    }
}

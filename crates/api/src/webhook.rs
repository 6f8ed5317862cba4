//! A webhook that was let in, up to its answer.

use std::borrow::Cow;

use homeostat_flow::name::{counters_key, view_key};
use homeostat_flow::{Redis, ScriptStore};
use homeostat_schema::config::Config;
use homeostat_schema::time;
use homeostat_sources::ingest::{self, Outcome};
use homeostat_sources::{Delivery, Normalised, NotUnderstood, normalise};
use serde::Serialize;

use crate::answer::{Answer, Problem};
use crate::intake::submit;

/// The read model of deliveries that were verified and not understood: a stream.
pub const NOT_UNDERSTOOD: &str = "not-understood";

/// About how many of them stay.
pub(crate) const KEPT: &str = "1000";

/// Bytes kept of each body: enough to see what a sender changed, not enough to fill Redis.
const BODY_KEPT: usize = 32 * 1024;

/// Reads a delivery, stores its events, and answers.
///
/// # Errors
/// [`Problem`] when a store is down or full: nothing may be acknowledged. What was stored before
/// is safe to send again.
pub async fn take<R: Redis>(
    store: &ScriptStore<R>,
    config: &Config,
    delivery: &Delivery<'_>,
) -> Result<Answer, Problem> {
    match normalise(delivery, config) {
        Normalised::Items(items) => Ok(ingest::answer(&submit(store, &items).await?)),
        Normalised::Ignored(why) => Ok(ingest::ignored(&why)),
        Normalised::NotUnderstood(why) => {
            bury(store.redis(), delivery, &why).await?;
            Ok(ingest::answer(&[Outcome::Ignored { why: why.to_string() }]))
        }
    }
}

/// A dead letter of the ingest: no stage can replay it, a person may learn from it.
#[derive(Serialize)]
struct Letter<'a> {
    source: &'a str,
    received_at: String,
    why: String,
    /// The event's name by its unsigned header.
    event: Option<&'a str>,
    body_bytes: usize,
    /// The beginning.
    body: Cow<'a, str>,
}

/// The letter about a delivery.
pub(crate) fn letter(delivery: &Delivery<'_>, why: &NotUnderstood) -> Result<Vec<u8>, Problem> {
    let letter = Letter {
        source: delivery.source.name(),
        received_at: time::display(delivery.received_at_ms),
        why: why.to_string(),
        event: delivery.headers.get("x-github-event").and_then(|name| name.to_str().ok()),
        body_bytes: delivery.body.len(),
        body: String::from_utf8_lossy(delivery.body.get(..BODY_KEPT).unwrap_or(delivery.body)),
    };
    serde_json::to_vec(&letter).map_err(|_| Problem::internal("the letter has no JSON form"))
}

/// Puts a delivery that cannot be read among the dead letters, and counts it.
pub(crate) async fn bury<R: Redis>(
    redis: &R,
    delivery: &Delivery<'_>,
    why: &NotUnderstood,
) -> Result<(), Problem> {
    let letter = letter(delivery, why)?;
    let key = view_key(NOT_UNDERSTOOD);
    let args: [&[u8]; 7] = [key.as_bytes(), b"MAXLEN", b"~", KEPT.as_bytes(), b"*", b"d", &letter];
    redis.command("XADD", &args).await?;
    let counter = format!("not-understood:{}", delivery.source.name());
    redis.command("HINCRBY", &[counters_key().as_bytes(), counter.as_bytes(), b"1"]).await?;
    Ok(())
}

//! Dead letters of the ingest: deliveries that were verified and not understood.
//!
//! A letter says what it is about and never what was in it; the delivery itself is kept beside it,
//! encrypted, when there is a key, for as long as `[retention]` says.
//!
//! Invariant: at most [`KEPT`] letters with at most [`SEALED_MAX`] bytes each are kept, 64 MB.

use homeostat_flow::Redis;
use homeostat_flow::Reply;
use homeostat_flow::name::{counters_key, view_key};
use homeostat_schema::time;
use homeostat_sources::sealed::{BodyKey, NONCE_LEN};
use homeostat_sources::{Delivery, NotUnderstood};
use homeostat_stages::log::{self, DeadLetter, Text};
use serde::{Deserialize, Serialize};

use crate::answer::Problem;

/// The read model of deliveries that were verified and not understood: a stream.
pub const NOT_UNDERSTOOD: &str = "not-understood";

/// What the keys of kept deliveries begin with, as read models.
const BODIES: &str = "body:";

/// Letters that stay.
pub(crate) const KEPT: &str = "1000";

/// Bytes of one kept delivery, compressed: GitHub's largest of the common ones have 20 kB.
pub const SEALED_MAX: usize = 64 * 1024;

/// Longest letter read, bytes: its fields are short.
const LETTER_MAX: usize = 16 * 1024;

/// See the file.
pub(crate) const BURY: &str = include_str!("bury.lua");

/// What deliveries are kept with. The default keeps none.
#[derive(Clone, Default)]
pub struct Keeper {
    /// The key, when there is one.
    pub key: Option<BodyKey>,
    /// For how long, milliseconds; 0 keeps none.
    pub life_ms: u64,
    /// Random, new for each request: one request seals one delivery only.
    pub nonce: [u8; NONCE_LEN],
    /// Is told what could not be kept, and what became a dead letter.
    pub log: Option<fn(&str)>,
}

/// What is said of a delivery that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The instance it came to.
    pub source: String,
    /// RFC 3339.
    pub received_at: String,
    /// Why it was not understood.
    pub why: String,
    /// The event's name by its unsigned header.
    #[serde(default)]
    pub event: Option<String>,
    /// Its length as it came.
    pub body_bytes: usize,
}

/// The letter about a delivery.
pub(crate) fn letter(delivery: &Delivery<'_>, why: &NotUnderstood) -> Result<Vec<u8>, Problem> {
    let letter = Letter {
        source: delivery.source.name().to_owned(),
        received_at: time::display(delivery.received_at_ms),
        why: why.to_string(),
        event: event_of(delivery),
        body_bytes: delivery.body.len(),
    };
    serde_json::to_vec(&letter).map_err(|_| Problem::internal("the letter has no JSON form"))
}

/// Puts a delivery that cannot be read among the dead letters, and counts it.
pub(crate) async fn bury<R: Redis>(
    redis: &R,
    keeper: &Keeper,
    delivery: &Delivery<'_>,
    why: &NotUnderstood,
) -> Result<(), Problem> {
    let counter = format!("not-understood:{}", delivery.source.name());
    lay(redis, keeper, delivery, why, &counter).await?;
    let (source, why) = (delivery.source.name(), why.to_string());
    keeper.say(&log::line(&DeadLetter { kind: Text("delivery"), source: Text(source), why: Text(&why) }));
    Ok(())
}

/// Puts a delivery among the dead letters under this counter; the letter's id.
pub(crate) async fn lay<R: Redis>(
    redis: &R,
    keeper: &Keeper,
    delivery: &Delivery<'_>,
    why: &NotUnderstood,
    counter: &str,
) -> Result<String, Problem> {
    let letter = letter(delivery, why)?;
    let sealed = keeper.sealed(delivery).unwrap_or_default();
    let (life, prefix) = (keeper.life_ms.to_string(), view_key(BODIES));
    let (letters, counters) = (view_key(NOT_UNDERSTOOD), counters_key());
    let args: [&[u8]; 10] = [
        BURY.as_bytes(),
        b"2",
        letters.as_bytes(),
        counters.as_bytes(),
        &letter,
        &sealed,
        life.as_bytes(),
        KEPT.as_bytes(),
        prefix.as_bytes(),
        counter.as_bytes(),
    ];
    let reply = redis.command("EVAL", &args).await?;
    let id = reply.first().map(Reply::text).filter(|id| !id.is_empty());
    id.ok_or_else(|| Problem::internal("the script that keeps a delivery gave no id"))
}

/// The newest letters, with their ids.
pub(crate) async fn newest<R: Redis>(redis: &R, count: u32) -> Result<Vec<(String, Letter)>, Problem> {
    let (key, count) = (view_key(NOT_UNDERSTOOD), count.to_string());
    let args: [&[u8]; 5] = [key.as_bytes(), b"+", b"-", b"COUNT", count.as_bytes()];
    Ok(read(redis.command("XREVRANGE", &args).await?))
}

/// One letter.
pub(crate) async fn one<R: Redis>(redis: &R, id: &str) -> Result<Option<Letter>, Problem> {
    let key = view_key(NOT_UNDERSTOOD);
    let found = redis.command("XRANGE", &[key.as_bytes(), id.as_bytes(), id.as_bytes()]).await?;
    Ok(read(found).into_iter().next().map(|(_, letter)| letter))
}

/// The delivery a letter is about, when it was kept and its time is not over.
pub(crate) async fn kept<R: Redis>(redis: &R, id: &str) -> Result<Option<Vec<u8>>, Problem> {
    let reply = redis.command("GET", &[body_key(id).as_bytes()]).await?;
    Ok(reply.into_iter().next().and_then(Reply::into_bytes))
}

/// Takes a letter up again, and what was kept with it.
pub(crate) async fn take_up<R: Redis>(redis: &R, id: &str) -> Result<(), Problem> {
    redis.command("XDEL", &[view_key(NOT_UNDERSTOOD).as_bytes(), id.as_bytes()]).await?;
    redis.command("DEL", &[body_key(id).as_bytes()]).await?;
    Ok(())
}

impl Keeper {
    /// Keeps with this key, for as long as the configuration says.
    pub fn new(key: Option<BodyKey>, life_ms: u64, nonce: [u8; NONCE_LEN]) -> Self {
        Self { key, life_ms, nonce, log: None }
    }

    /// The same, telling what could not be kept, and what became a dead letter.
    #[must_use]
    pub fn telling(mut self, log: fn(&str)) -> Self {
        self.log = Some(log);
        self
    }

    /// Whether it keeps anything.
    pub(crate) fn keeps(&self) -> bool {
        self.key.is_some() && self.life_ms > 0
    }

    pub(crate) fn say(&self, what: &str) {
        if let Some(log) = self.log {
            log(what);
        }
    }

    /// The delivery, sealed; `None` when nothing is kept or it is too long.
    pub(crate) fn sealed(&self, delivery: &Delivery<'_>) -> Option<Vec<u8>> {
        let key = self.key.as_ref().filter(|_| self.keeps())?;
        let sealed = key.seal(delivery.source.name(), delivery.headers, delivery.body, self.nonce)?;
        (sealed.len() <= SEALED_MAX).then_some(sealed)
    }
}

fn body_key(id: &str) -> String {
    view_key(&format!("{BODIES}{id}"))
}

/// Senders name the event in a header of theirs.
fn event_of(delivery: &Delivery<'_>) -> Option<String> {
    let names = ["x-github-event", "x-gitlab-event", "x-event-key", "x-buildkite-event", "ce-type"];
    let value = names.iter().find_map(|name| delivery.headers.get(*name))?.to_str().ok()?;
    Some(value.chars().take(128).collect())
}

/// A reply of XRANGE is flattened: id, field, value, id, ….
fn read(reply: Vec<Reply>) -> Vec<(String, Letter)> {
    let texts: Vec<Vec<u8>> = reply.into_iter().filter_map(Reply::into_bytes).collect();
    let entries = texts.chunks_exact(3).filter_map(|entry| match entry {
        [id, _, letter] if letter.len() <= LETTER_MAX => {
            let letter = serde_json::from_slice(letter).ok()?;
            Some((String::from_utf8_lossy(id).into_owned(), letter))
        }
        _ => None,
    });
    entries.collect()
}

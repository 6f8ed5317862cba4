//! A webhook that a plug-in reads, up to its answer.
//!
//! A plug-in that traps ends the instance it runs in, and with it whoever asked. So the proven
//! delivery is laid among the dead letters first, then the plug-in is asked, then the events are
//! stored, and only then is the letter taken up again. Whatever ends the instance in between
//! leaves the letter where a person finds it.
//!
//! What this does not do: call the plug-in (that is passed in), or ask again by itself. A sender
//! that sends again has its delivery read again, [`TRIES_MAX`] times within [`WINDOW_MS`].
//!
//! Invariant: a proven delivery is at every moment in its sender's hands, among the dead letters,
//! or stored as events.

use homeostat_flow::name::{PREFIX, counters_key};
use homeostat_flow::{Redis, Reply, ScriptStore};
use homeostat_schema::config::Config;
use homeostat_schema::plug_in::{Delivery as Question, Reading};
use homeostat_sources::ingest::{self, Outcome};
use homeostat_sources::plug_in::{self, Said};
use homeostat_sources::{Delivery, NotUnderstood};
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Problem};
use crate::intake::submit;
use crate::letters::{self, Keeper};

/// How often the same body is shown to a plug-in that gives no answer. Once more than a hiccup
/// needs; a sender's schedule of retries must not run a looping plug-in for days.
pub const TRIES_MAX: u32 = 3;

/// For how long those tries are remembered, milliseconds: after it, or after any answer, the body
/// is new again, so that a mended plug-in is asked.
pub const WINDOW_MS: u64 = 60 * 60 * 1000;

/// See the file.
const TRIES: &str = include_str!("tries.lua");

/// What a letter says as long as the plug-in has not answered.
const UNANSWERED: &str = "the plug-in gave no answer: it failed, or took more than its time or memory";

/// Keeps a delivery, asks the plug-in, stores what it says, and answers.
///
/// # Errors
/// [`Problem`] when a store is down or full: nothing may be acknowledged. The letter stays, and
/// what was stored before is safe to send again.
pub async fn take<R: Redis>(
    store: &ScriptStore<R>,
    config: &Config,
    keeper: &Keeper,
    delivery: &Delivery<'_>,
    ask: impl FnOnce(&Question) -> Result<Reading, String>,
) -> Result<Answer, Problem> {
    let tries = tries_key(delivery);
    let Some(letter) = lay_down(store.redis(), keeper, delivery, &tries).await? else {
        return Ok(ignored(format!("the plug-in gave no answer {TRIES_MAX} times")));
    };
    let answer = match plug_in::normalise(delivery, ask(&plug_in::question(delivery)), config) {
        Ok(Said::Items(items)) => ingest::answer(&submit(store, &items).await?),
        Ok(Said::Ignored(why)) => ingest::ignored(&why),
        Err(why) => {
            letters::bury(store.redis(), keeper, delivery, &why).await?;
            ignored("the plug-in could not read it; it is among the dead letters".to_owned())
        }
    };
    answered(store.redis(), delivery, &tries, &letter).await?;
    Ok(answer)
}

fn ignored(why: String) -> Answer {
    ingest::answer(&[Outcome::Ignored { why }])
}

/// The tries of this body from this source.
fn tries_key(delivery: &Delivery<'_>) -> String {
    let digest = Sha256::digest(delivery.body);
    format!("{PREFIX}plug-in:{}:{}", delivery.source.name(), hex::encode(digest))
}

/// Keeps the delivery, once for all tries of its body; the letter's id, or `None` when the plug-in
/// is not to be asked again.
async fn lay_down<R: Redis>(
    redis: &R,
    keeper: &Keeper,
    delivery: &Delivery<'_>,
    tries: &str,
) -> Result<Option<String>, Problem> {
    let (tries_max, window_ms) = (TRIES_MAX.to_string(), WINDOW_MS.to_string());
    let (counters, asked) = (counters_key(), counter("asked", delivery));
    let args: [&[u8]; 7] = [
        TRIES.as_bytes(),
        b"2",
        tries.as_bytes(),
        counters.as_bytes(),
        tries_max.as_bytes(),
        window_ms.as_bytes(),
        asked.as_bytes(),
    ];
    let reply = redis.command("EVAL", &args).await?;
    let (word, letter) = (reply.first().map(Reply::text), reply.get(1).map(Reply::text).unwrap_or_default());
    if word.as_deref() != Some("ask") {
        return Ok(None);
    }
    if !letter.is_empty() {
        return Ok(Some(letter));
    }
    let kept = counter("kept", delivery);
    let letter = letters::lay(redis, keeper, delivery, &NotUnderstood::new(UNANSWERED), &kept).await?;
    redis.command("HSET", &[tries.as_bytes(), b"letter", letter.as_bytes()]).await?;
    Ok(Some(letter))
}

/// Removes the letter: its delivery was answered for.
async fn answered<R: Redis>(
    redis: &R,
    delivery: &Delivery<'_>,
    tries: &str,
    letter: &str,
) -> Result<(), Problem> {
    // In this order: a letter too many does no harm, tries without their letter would.
    redis.command("DEL", &[tries.as_bytes()]).await?;
    letters::take_up(redis, letter).await?;
    let answered = counter("answered", delivery);
    redis.command("HINCRBY", &[counters_key().as_bytes(), answered.as_bytes(), b"1"]).await?;
    Ok(())
}

fn counter(what: &str, delivery: &Delivery<'_>) -> String {
    format!("plug-in-{what}:{}", delivery.source.name())
}

#[cfg(test)]
mod tests;

//! A webhook's way in, up to its proof: what the components that take webhooks share.
//!
//! What this does not do: read what a delivery says.
//!
//! Invariant: a body is never read beyond its source's cap and never parsed before it is proven.

use std::sync::Arc;

use std::sync::{Mutex, PoisonError};

use homeostat_adapter_spin::write_line;
use homeostat_api::body::ReadError;
use homeostat_api::letters::Keeper;
use homeostat_api::{Problem, configuration};
use homeostat_flow::name::{PREFIX, counters_key};
use homeostat_flow::{Redis, Reply};
use homeostat_schema::config::{self, Config};
use homeostat_sources::gate::{FORGER_BODY_MAX, Gate, Pace};
use homeostat_sources::ingest::{self, Answer};
use homeostat_sources::{Admitted, Claim, Delivery, Instance, Source};
use homeostat_stages::log::{self, DeliveryRefused, Text};
use homeostat_stages::snapshot::Versioned;
use http::HeaderMap;
use spin_sdk::http::Request;

use crate::{
    Announced, FrontError, FrontStore, Shelf, body_key, dev_mode, nonce, now_ms, receive, secrets, seed,
    store, tell_unavailable,
};

/// A delivery that was let in, whole.
pub struct LetIn {
    recent: Arc<Versioned>,
    source: Source,
    settings: Option<config::Source>,
    admitted: Admitted,
    headers: HeaderMap,
    body: Vec<u8>,
    received_at_ms: u64,
    seed: [u8; 10],
    keeper: Keeper,
    pace: Pace,
}

impl LetIn {
    /// The configuration in force when it came.
    pub fn config(&self) -> &Config {
        &self.recent.config
    }

    /// What it is kept with.
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Whether its source sends as slowly as it is to.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// As its readers take it.
    pub fn delivery(&self) -> Delivery<'_> {
        Delivery {
            source: Instance::set(self.source, self.settings.as_ref()),
            admitted: self.admitted,
            headers: &self.headers,
            body: &self.body,
            received_at_ms: self.received_at_ms,
            seed: self.seed,
        }
    }
}

/// Why a delivery was not taken.
pub enum Refusal {
    /// It is told so.
    Answer(Box<Answer>),
    /// Something of ours is not as it must be: the sender may try again.
    Failed(String),
}

impl From<Box<Answer>> for Refusal {
    fn from(answer: Box<Answer>) -> Self {
        Self::Answer(answer)
    }
}

impl From<FrontError> for Refusal {
    fn from(error: FrontError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem.to_string())
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooLong => Self::Answer(Box::new(ingest::too_long())),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Reads a request to a webhook's route and proves it.
///
/// # Errors
/// [`Refusal`].
pub async fn let_in(request: Request) -> Result<LetIn, Refusal> {
    let received_at_ms = now_ms();
    let (parts, incoming) = request.into_parts();
    let recent = configuration::recent(store().await?.redis(), &Shelf).await?;
    let instance = ingest::route(&parts.method, parts.uri.path(), &recent.config)?;
    let origin = ingest::origin(&parts.headers);
    let tried = gate(|gate| gate.knock(&origin, received_at_ms));
    let body_max = match tried {
        Pace::Within => instance.body_max(),
        Pace::Over => instance.body_max().min(FORGER_BODY_MAX),
    };
    let announced = match ingest::length_allowed(&parts.headers, body_max) {
        true => Announced::Allowed,
        false => Announced::TooLong,
    };
    let secrets = secrets(&instance.secret_variable()).await?;
    let dev_mode = dev_mode().await?;
    let body = match receive(incoming, announced, body_max).await {
        Err(ReadError::TooLong) if tried == Pace::Over => {
            gate(|gate| gate.shed(instance.name()));
            tell_counts(received_at_ms).await;
            return Err(Refusal::Answer(Box::new(ingest::unavailable())));
        }
        read => read?,
    };
    let claim = Claim { headers: &parts.headers, body: &body, now_ms: now_ms() };
    let admitted = ingest::admit(instance, &claim, &secrets, dev_mode);
    judge(instance, &admitted, &origin, received_at_ms);
    tell_counts(received_at_ms).await;
    let admitted = admitted?;
    let pace = pace(instance, received_at_ms).await;
    let (source, settings) = (instance.source(), instance.settings().cloned());
    let (headers, seed) = (parts.headers, seed()?);
    let keeper = keeper(&recent.config).await?;
    Ok(LetIn { recent, source, settings, admitted, headers, body, received_at_ms, seed, keeper, pace })
}

/// What deliveries are kept with; without a key it costs nothing.
async fn keeper(config: &Config) -> Result<Keeper, FrontError> {
    let life_ms = config.retention.bodies_ms();
    match body_key().await? {
        Some(key) if life_ms > 0 => Ok(Keeper::new(Some(key), life_ms, nonce()?).telling(write_line)),
        _ => Ok(Keeper::default().telling(write_line)),
    }
}

/// What this instance remembers from request to request.
static GATE: Mutex<Option<Gate>> = Mutex::new(None);

/// Locked only between awaits; instances have one thread.
fn gate<T>(ask: impl FnOnce(&mut Gate) -> T) -> T {
    let mut kept = GATE.lock().unwrap_or_else(PoisonError::into_inner);
    ask(kept.get_or_insert_with(Gate::default))
}

/// Remembers what was proven or refused.
fn judge(instance: Instance<'_>, admitted: &Result<Admitted, Box<Answer>>, origin: &str, now_ms: u64) {
    let name = instance.name();
    gate(|gate| match admitted {
        Ok(Admitted::Proven(proof)) => gate.proven(name, proof.key, origin, now_ms),
        Ok(_) => {}
        Err(_) => gate.refused(name, origin, now_ms),
    });
}

/// Seconds over which a source's deliveries are counted: what a sender's retries pile up.
const PACE_S: u64 = 4;

/// Whether a source sends as slowly as its configuration wants. Counted in Redis, as instances of
/// this component come and go, and only for a source that is bounded. What cannot be counted is
/// within: without Redis nothing is stored anyway.
async fn pace(instance: Instance<'_>, now_ms: u64) -> Pace {
    let Some(rate) = instance.deliveries_per_s() else { return Pace::Within };
    let Ok(store) = store().await else { return Pace::Within };
    let window = now_ms / (PACE_S * 1000);
    let key = format!("{PREFIX}pace:{}:{window}", instance.name());
    let counted = store.redis().command("INCR", &[key.as_bytes()]).await;
    let count = counted.ok().and_then(|reply| reply.first().and_then(Reply::number)).unwrap_or_default();
    if count == 1 {
        let life = (2 * PACE_S).to_string();
        let _ends = store.redis().command("EXPIRE", &[key.as_bytes(), life.as_bytes()]).await.is_ok();
    }
    let most = u64::from(rate).saturating_mul(PACE_S);
    if u64::try_from(count).unwrap_or_default() <= most {
        return Pace::Within;
    }
    gate(|gate| gate.shed(instance.name()));
    Pace::Over
}

/// Why deliveries are refused, by how their counter's name begins.
const REFUSALS: [(&str, &str); 2] =
    [("refused:", "its proof is missing or wrong"), ("shed:", "its sender sends more than it may")];

/// Time between two lines about the refused of one source, milliseconds, over all instances: a flood
/// of forgeries must not fill a disk.
const REFUSED_EVERY_MS: &str = "1000";

/// See the file.
const REFUSED_DUE: &str = include_str!("refused.lua");

/// Says that deliveries were refused, `total` of this counter by now; those left out are in the count
/// of the next line.
async fn tell_refused(store: &FrontStore, counter: &str, total: i64) {
    let of = |(prefix, why): &(&str, &'static str)| Some((counter.strip_prefix(prefix)?, *why));
    let Some((source, why)) = REFUSALS.iter().find_map(of) else { return };
    let (key, text) = (counters_key(), total.to_string());
    let args: [&[u8]; 6] = [
        REFUSED_DUE.as_bytes(),
        b"1",
        key.as_bytes(),
        counter.as_bytes(),
        text.as_bytes(),
        REFUSED_EVERY_MS.as_bytes(),
    ];
    let Ok(before) = store.redis().command("EVAL", &args).await else { return };
    let Some(before) = before.first().filter(|reply| **reply != Reply::Nil) else { return };
    let before = before.number().unwrap_or_default();
    let number = |value: i64| u64::try_from(value).unwrap_or_default();
    let (count, total) = (number(total.saturating_sub(before)), number(total));
    write_line(&log::line(&DeliveryRefused { source: Text(source), why: Text(why), count, total }));
}

/// Adds the counts to the store's, about once a second. A count that is lost is nobody's loss.
async fn tell_counts(now_ms: u64) {
    let due = gate(|gate| gate.due(now_ms));
    if due.is_empty() {
        return;
    }
    let Ok(store) = store().await else { return };
    let key = counters_key();
    for (name, count) in due {
        let count = count.to_string();
        let args: [&[u8]; 3] = [key.as_bytes(), name.as_bytes(), count.as_bytes()];
        let counted = store.redis().command("HINCRBY", &args).await;
        if let Some(total) = counted.ok().and_then(|reply| reply.first().and_then(Reply::number)) {
            tell_refused(store, &name, total).await;
        }
    }
}

/// What the sender is told. What went wrong on our side goes to the component's log; no header and
/// no body is in it.
pub fn told(taken: Result<Answer, Refusal>) -> Answer {
    match taken {
        Ok(answer) => answer,
        Err(Refusal::Answer(answer)) => *answer,
        Err(Refusal::Failed(why)) => {
            tell_unavailable(&why);
            ingest::unavailable()
        }
    }
}

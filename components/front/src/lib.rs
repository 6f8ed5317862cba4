//! What the components that answer HTTP share: the kept store, the snapshots, variables, bodies.
//!
//! What this does not do: decide anything; `homeostat-sources` and `homeostat-api` do.
//!
//! Invariant: an instance answers many requests, several at once, so nothing of a request
//! outlives it; kept are the store's connection, replaced after it broke, and, for a moment,
//! variables and the configuration.

mod kept;
pub mod webhook;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use homeostat_adapter_spin::{SpinRedis, wall_clock_ms, within, write_line};
use homeostat_api::body::{self, ReadError};
use homeostat_api::{Answer, Snapshots, SnapshotsDown};
use homeostat_flow::{Cell, Said, ScriptStore};
use homeostat_schema::secret::SecretList;
use homeostat_sources::ingest::DevMode;
use homeostat_sources::sealed::{BodyKey, NONCE_LEN, NoKey};
use homeostat_stages::log::{self, Text, Unavailable};
use homeostat_stages::name::{SHARDS_DEFAULT, STAGES};
use homeostat_stages::snapshot::{CONFIG_SNAPSHOT, Versioned};
use spin_sdk::http::{FullBody, Response};
use spin_sdk::variables;

/// The store over Redis through Spin.
pub type FrontStore = ScriptStore<SpinRedis>;

static STORE: OnceLock<FrontStore> = OnceLock::new();

/// The same store for who asks whether we are ready.
static PROBED: OnceLock<FrontStore> = OnceLock::new();

/// How long connecting, and then each reply, may take when we are asked whether we are ready,
/// milliseconds: probers give up after a second or two.
const PROBE_REPLY_MS_MAX: u64 = 900;

/// What a request cannot be answered without.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// A variable the manifest should give is not there.
    #[error("the variable `{0}` cannot be read: spin.toml must give it to this component")]
    Variable(String),
    /// The variable `body_key` holds no key.
    #[error("the variable body_key: {0}")]
    Key(#[from] NoKey),
    /// No randomness for ids.
    #[error("the host gives no random bytes")]
    Random,
}

/// The store, made once per instance.
///
/// # Errors
/// [`FrontError::Variable`] when `redis_url` is not given.
pub async fn store() -> Result<&'static FrontStore, FrontError> {
    if let Some(store) = STORE.get() {
        return Ok(store);
    }
    let redis = SpinRedis::new(&*variable("redis_url").await?);
    Ok(STORE.get_or_init(|| over(redis)))
}

/// The store over a connection of its own, with less patience: for the answer whether we are ready.
///
/// # Errors
/// [`FrontError::Variable`] when `redis_url` is not given.
pub async fn probed_store() -> Result<&'static FrontStore, FrontError> {
    if let Some(store) = PROBED.get() {
        return Ok(store);
    }
    let redis = SpinRedis::new(&*variable("redis_url").await?).waiting(PROBE_REPLY_MS_MAX);
    Ok(PROBED.get_or_init(|| over(redis)))
}

fn over(redis: SpinRedis) -> FrontStore {
    let tell = |said: &Said<'_>| write_line(&log::said(said));
    ScriptStore::new(redis, Cell::new(SHARDS_DEFAULT, &STAGES)).telling(tell)
}

/// How often an instance says that it answers with 503, milliseconds: each of a flood of requests
/// would else write a line.
const UNAVAILABLE_EVERY_MS: u64 = 10_000;

/// Requests since the last line, and when that was.
static UNAVAILABLE: Mutex<(u64, Option<Instant>)> = Mutex::new((0, None));

/// Says that a request is answered with 503, and why.
pub fn tell_unavailable(why: &str) {
    let mut unsaid = UNAVAILABLE.lock().unwrap_or_else(PoisonError::into_inner);
    unsaid.0 += 1;
    if unsaid.1.is_some_and(|at| at.elapsed() < Duration::from_millis(UNAVAILABLE_EVERY_MS)) {
        return;
    }
    let (count, _) = std::mem::replace(&mut *unsaid, (0, Some(Instant::now())));
    write_line(&log::line(&Unavailable { why: Text(why), count }));
}

/// A variable's value, as it was a moment ago at most.
///
/// # Errors
/// [`FrontError::Variable`] when this component is not given it.
pub async fn variable(name: &str) -> Result<Arc<str>, FrontError> {
    if let Some(value) = kept::variable(name) {
        return Ok(value);
    }
    let missing = |_| FrontError::Variable(name.to_owned());
    let value: Arc<str> = variables::get(name).await.map_err(missing)?.into();
    kept::keep_variable(name, value.clone());
    Ok(value)
}

/// The secrets in a variable.
///
/// # Errors
/// [`FrontError::Variable`] when this component is not given it.
pub async fn secrets(name: &str) -> Result<SecretList, FrontError> {
    Ok(SecretList::parse(&variable(name).await?))
}

/// Whether dev mode is on.
///
/// # Errors
/// [`FrontError::Variable`] when this component is not given `dev_mode`.
pub async fn dev_mode() -> Result<DevMode, FrontError> {
    Ok(DevMode::parse(&variable("dev_mode").await?))
}

/// Milliseconds since the epoch by the wall clock.
pub fn now_ms() -> u64 {
    wall_clock_ms()
}

/// Random bytes, new for each request.
///
/// # Errors
/// [`FrontError::Random`] when the host gives none.
pub fn seed() -> Result<[u8; 10], FrontError> {
    let mut seed = [0; 10];
    getrandom::fill(&mut seed).map_err(|_| FrontError::Random)?;
    Ok(seed)
}

/// Random bytes for a kept delivery.
///
/// # Errors
/// [`FrontError::Random`] when the host gives none.
pub fn nonce() -> Result<[u8; NONCE_LEN], FrontError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| FrontError::Random)?;
    Ok(nonce)
}

/// The key that deliveries are kept with, from the variable `body_key`; none when it is empty.
///
/// # Errors
/// [`FrontError::Variable`] when this component is not given it, [`FrontError::Key`] when it holds
/// something else: keeping nothing because of a slip would be noticed too late.
pub async fn body_key() -> Result<Option<BodyKey>, FrontError> {
    Ok(BodyKey::parse(&variable("body_key").await?)?)
}

/// How long a sender may take to send a body, milliseconds: 25 MB at 10 Mbit/s, and under the
/// host's time for a request.
const BODY_MS_MAX: u64 = 20_000;

/// How long a body that is too long is taken off the wire, milliseconds: a sender that is cut off
/// in mid-write does not read why, and one that sends nothing is not waited for.
const DISCARD_MS_MAX: u64 = 2_000;

/// Whether a body's announced length is within its cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// As far as is known.
    Allowed,
    /// It need not be read.
    TooLong,
}

/// Reads a body of at most `max` bytes, in a bounded time.
///
/// # Errors
/// [`ReadError`].
pub async fn receive<B>(mut incoming: B, announced: Announced, max: usize) -> Result<Vec<u8>, ReadError>
where
    B: http_body::Body + Unpin,
{
    let read = match announced {
        Announced::TooLong => Err(ReadError::TooLong),
        Announced::Allowed => {
            within(BODY_MS_MAX, body::read(&mut incoming, max)).await.unwrap_or(Err(ReadError::Slow))
        }
    };
    if read == Err(ReadError::TooLong) {
        // Whether it all came off the wire or time ran out makes no difference to the answer.
        let _all_or_late = within(DISCARD_MS_MAX, body::discard(&mut incoming)).await;
    }
    read
}

/// An answer as the SDK sends it.
pub fn send(answer: Answer) -> Response<FullBody<Bytes>> {
    answer.map(|body| FullBody::new(Bytes::from(body)))
}

/// The snapshots in the key-value store.
pub struct Shelf;

impl Snapshots for Shelf {
    async fn config(&self) -> Result<Option<Versioned>, SnapshotsDown> {
        Ok(read_config().await?.map(|config| Versioned::clone(&config)))
    }

    async fn recent_config(&self) -> Result<Option<Arc<Versioned>>, SnapshotsDown> {
        match kept::config() {
            Some(config) => Ok(Some(config)),
            None => read_config().await,
        }
    }

    async fn publish(&self, config: &Versioned) -> Result<(), SnapshotsDown> {
        let snapshots = homeostat_adapter_spin::Snapshots::open().await.map_err(down)?;
        let published = snapshots.put(CONFIG_SNAPSHOT, config).await.map_err(down);
        kept::forget_config();
        published
    }
}

async fn read_config() -> Result<Option<Arc<Versioned>>, SnapshotsDown> {
    let snapshots = homeostat_adapter_spin::Snapshots::open().await.map_err(down)?;
    let Some(bytes) = snapshots.bytes(CONFIG_SNAPSHOT).await.map_err(down)? else { return Ok(None) };
    if let Some(config) = kept::config_of(&bytes) {
        return Ok(Some(config));
    }
    let config: Arc<Versioned> =
        Arc::new(homeostat_adapter_spin::read(CONFIG_SNAPSHOT, &bytes).map_err(down)?);
    kept::keep_config(bytes, config.clone());
    Ok(Some(config))
}

fn down(error: homeostat_adapter_spin::SnapshotError) -> SnapshotsDown {
    SnapshotsDown(error.to_string())
}

//! The configuration: read, applied whole, versioned.
//!
//! Redis holds the truth, changed by one script that compares the version first; the key-value
//! store holds a copy for everyone to read, published after.
//!
//! Invariant: what was not validated is never stored, and what is stored but cannot be read is
//! never replaced by a default: that could loosen a guard.

use std::sync::Arc;

use homeostat_flow::{Redis, RedisError, Reply};
use homeostat_schema::config::Config;
use homeostat_sources::Admitted;
use homeostat_stages::log::{self, ConfigApplied, Text};
use homeostat_stages::snapshot::{CONFIG_KEY, Versioned, read_config};
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::answer::{Answer, Problem, json, with};
use crate::outside;
use crate::port::Snapshots;
use crate::serve::World;

/// Compares the version, stores the next one. KEYS: the hash. ARGV: the version expected or
/// nothing, the configuration as JSON. Gives `done`, `differs` or `broken`, and the version.
const APPLY: &str = include_str!("apply.lua");

/// The configuration in force: as published, else as stored (and then published), else the
/// built-in one.
///
/// # Errors
/// 503 when a store does not answer; 500 when what is stored cannot be read.
pub async fn current<R: Redis, S: Snapshots>(redis: &R, snapshots: &S) -> Result<Versioned, Problem> {
    if let Some(published) = snapshots.config().await.map_err(down)? {
        return Ok(published);
    }
    let stored = stored(redis).await?;
    if stored.version > 0 {
        snapshots.publish(&stored).await.map_err(down)?;
    }
    Ok(stored)
}

/// As [`current`], but what was published a moment ago may not be seen yet, as
/// [`Snapshots::recent_config`] says.
///
/// # Errors
/// As [`current`].
pub async fn recent<R: Redis, S: Snapshots>(redis: &R, snapshots: &S) -> Result<Arc<Versioned>, Problem> {
    match snapshots.recent_config().await.map_err(down)? {
        Some(published) => Ok(published),
        None => current(redis, snapshots).await.map(Arc::new),
    }
}

/// The configuration as stored in Redis.
///
/// # Errors
/// 503 when Redis does not answer; 500 when what is stored cannot be read.
pub async fn stored<R: Redis>(redis: &R) -> Result<Versioned, Problem> {
    let args: [&[u8]; 3] = [CONFIG_KEY.as_bytes(), b"version", b"json"];
    let values = match redis.command("HMGET", &args).await {
        // A kept connection may have broken since.
        Err(RedisError::Unavailable(_)) => redis.command("HMGET", &args).await?,
        other => other?,
    };
    let mut values = values.into_iter().map(Reply::into_bytes);
    let (version, json) = (values.next().flatten(), values.next().flatten());
    read_config(version.as_deref(), json.as_deref()).map_err(|error| Problem::internal(error.to_string()))
}

/// Answers with the configuration, its version as `ETag`.
pub(crate) async fn show<R: Redis>(redis: &R) -> Result<Answer, Problem> {
    let stored = stored(redis).await?;
    Ok(with(json(StatusCode::OK, &stored.config), ETAG, &format!("\"{}\"", stored.version)))
}

#[derive(Serialize)]
struct Applied {
    version: u64,
    /// Whether readers of the key-value store see it already; else they do with the next tick.
    published: bool,
}

/// Applies a configuration: JSON or TOML, validated whole.
pub(crate) async fn apply<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    who: Admitted,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Answer, Problem> {
    let expected = if_match(headers)?;
    let config = read(headers, body)?;
    let asks = !config.reconcilers.is_empty() || !config.pulls.is_empty();
    let version = store(world.store.redis(), &config, expected).await?;
    let (who, kill_switch) = (Text(who_of(who)), config.kill_switch);
    world.store.say(&log::line(&ConfigApplied { version, who, kill_switch }));
    // Stored is stored: a copy that cannot be published now is published by a tick.
    let published = world.snapshots.publish(&Versioned { version, config }).await.is_ok();
    if asks {
        outside::configured(world, version).await?;
    }
    Ok(with(json(StatusCode::OK, &Applied { version, published }), ETAG, &format!("\"{version}\"")))
}

/// Tokens have no names.
fn who_of(admitted: Admitted) -> &'static str {
    match admitted {
        Admitted::DevMode => "anyone, in dev mode",
        Admitted::Verified | Admitted::Proven(_) => "the API token",
    }
}

/// Publishes the stored configuration when the copy is another.
pub(crate) async fn republish<R: Redis, S: Snapshots>(redis: &R, snapshots: &S) -> Result<(), Problem> {
    let stored = stored(redis).await?;
    let published = snapshots.config().await.map_err(down)?;
    let same = published.map_or(0, |published| published.version) == stored.version;
    if same { Ok(()) } else { snapshots.publish(&stored).await.map_err(down) }
}

async fn store<R: Redis>(redis: &R, config: &Config, expected: Option<u64>) -> Result<u64, Problem> {
    let json =
        serde_json::to_vec(config).map_err(|_| Problem::internal("the configuration has no JSON form"))?;
    let expected = expected.map(|version| version.to_string()).unwrap_or_default();
    let args: [&[u8]; 5] = [APPLY.as_bytes(), b"1", CONFIG_KEY.as_bytes(), expected.as_bytes(), &json];
    let reply = redis.command("EVAL", &args).await?;
    let version = reply.get(1).and_then(Reply::number).and_then(|number| u64::try_from(number).ok());
    match (reply.first().map(Reply::text).as_deref(), version) {
        (Some("done"), Some(version)) => Ok(version),
        (Some("differs"), Some(version)) => {
            Err(Problem::new(StatusCode::PRECONDITION_FAILED).about("if-match").saying(format!(
                "the configuration is at version {version}; read it and apply your change to that"
            )))
        }
        _ => Err(Problem::internal("the stored configuration has no valid version")),
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Config, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let read = match essence.as_str() {
        "application/json" => Config::from_json(body, "body"),
        "application/toml" | "text/toml" | "text/x-toml" => {
            let text = std::str::from_utf8(body).map_err(|_| Problem::bad("body", "not UTF-8"))?;
            Config::from_toml(text, "homeostat.toml")
        }
        _ => {
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).about("content-type");
            return Err(problem.saying("application/json or application/toml is expected"));
        }
    };
    read.map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY).saying(error.to_string()))
}

/// The version the caller changes: `"3"`; `*` and nothing are any.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version =
        text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|text| text.parse().ok());
    version
        .map(Some)
        .ok_or_else(|| Problem::bad("if-match", "the version in quotes, as ETag gives it, is expected"))
}

fn down(error: crate::port::SnapshotsDown) -> Problem {
    Problem::unavailable(error.to_string())
}

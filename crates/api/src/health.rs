//! Is it there, can it work, and how durable is what it acknowledges.

use std::collections::BTreeMap;

use homeostat_flow::name::cell_key;
use homeostat_flow::probe::takes_writes;
use homeostat_flow::{Redis, Reply, ScriptStore, Store};
use homeostat_sources::ingest::DevMode;
use http::StatusCode;
use serde::Serialize;

use crate::answer::{Answer, json};
use crate::port::Snapshots;
use crate::serve::World;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    dev_mode: bool,
}

/// 200 as long as the process answers.
pub(crate) fn health(dev_mode: DevMode) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    json(StatusCode::OK, &Health { status: "ok", version, dev_mode: dev_mode == DevMode::On })
}

/// Whether it can work, and what an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Readiness {
    pub(crate) ready: bool,
    /// What stands in the way; empty when ready.
    pub(crate) problems: Vec<String>,
    /// What works and may still surprise.
    pub(crate) warnings: Vec<String>,
    redis: bool,
    key_value: bool,
    /// `appendonly`, `appendfsync`, `maxmemory-policy`, as far as Redis tells.
    durability: BTreeMap<String, String>,
    pub(crate) config_version: Option<u64>,
    dev_mode: bool,
}

/// 200 when Redis answers and takes writes, the key-value store answers and the installation fits,
/// else 503.
pub(crate) async fn ready<R: Redis, S: Snapshots>(world: &World<'_, R, S>) -> Answer {
    let readiness = look(world).await;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &readiness)
}

pub(crate) async fn look<R: Redis, S: Snapshots>(world: &World<'_, R, S>) -> Readiness {
    let mut problems = Vec::new();
    let redis = world.store.redis();
    let reached = redis.command("PING", &[]).await;
    if let Err(error) = &reached {
        problems.push(error.to_string());
    }
    let published = world.snapshots.config().await;
    if let Err(error) = &published {
        problems.push(error.to_string());
    }
    let mut told = None;
    if reached.is_ok() {
        problems.extend(takes_writes(redis).await.err().map(|error| error.to_string()));
        problems.extend(misfit(world.store).await);
        told = Some(durability(redis).await);
    }
    Readiness {
        ready: problems.is_empty(),
        warnings: warnings(told.as_ref(), world.dev_mode),
        redis: reached.is_ok(),
        key_value: published.is_ok(),
        durability: told.unwrap_or_default(),
        config_version: published.ok().map(|config| config.map_or(0, |config| config.version)),
        dev_mode: world.dev_mode == DevMode::On,
        problems,
    }
}

/// Whether the installation was set up with another number of shards.
async fn misfit<R: Redis>(store: &ScriptStore<R>) -> Option<String> {
    let reply = store.redis().command("HGET", &[cell_key().as_bytes(), b"shards"]).await.ok()?;
    let stored = reply.first().and_then(Reply::number)?;
    let configured = i64::from(store.cell().shards());
    (stored != configured)
        .then(|| format!("this installation has {stored} shards, but this version expects {configured}"))
}

/// What Redis tells of itself; a managed Redis may tell nothing.
async fn durability<R: Redis>(redis: &R) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    for name in ["appendonly", "appendfsync", "maxmemory-policy"] {
        // Refused by many managed servers: then it is simply not known.
        let Ok(reply) = redis.command("CONFIG", &[b"GET", name.as_bytes()]).await else { continue };
        if let Some(value) = reply.get(1) {
            told.insert(name.to_owned(), value.text());
        }
    }
    told
}

/// What may surprise; of Redis only when it was reached.
fn warnings(durability: Option<&BTreeMap<String, String>>, dev_mode: DevMode) -> Vec<String> {
    let mut warnings = Vec::new();
    if dev_mode == DevMode::On {
        warnings.push("dev mode is on: this machine needs no token and no signature".to_owned());
    }
    let Some(durability) = durability else { return warnings };
    let told = |name: &str| durability.get(name).map(String::as_str);
    match (told("appendonly"), told("appendfsync")) {
        (Some("no"), _) => warnings.push("Redis keeps nothing over a restart: set appendonly yes".to_owned()),
        (_, Some("no" | "everysec")) => {
            warnings.push("a power cut loses the last second or two: set appendfsync always".to_owned());
        }
        (None, None) => warnings.push("Redis does not tell how durable it is".to_owned()),
        _ => {}
    }
    if told("maxmemory-policy").is_some_and(|policy| policy != "noeviction") {
        warnings.push("Redis may drop keys when memory is short: set maxmemory-policy noeviction".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_surprise_is_said() {
        let check = |pairs: &[(&str, &str)], dev_mode: DevMode, expected: &[&str]| {
            let told = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let warnings = warnings(Some(&told), dev_mode);
            assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
            for (warning, part) in warnings.iter().zip(expected) {
                assert!(warning.contains(part), "{warning}");
            }
        };
        let safe = [("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")];
        assert!(warnings(None, DevMode::Off).is_empty());
        check(&safe, DevMode::Off, &[]);
        check(&safe, DevMode::On, &["dev mode"]);
        check(&[("appendonly", "no"), ("appendfsync", "always")], DevMode::Off, &["restart"]);
        check(&[("appendonly", "yes"), ("appendfsync", "everysec")], DevMode::Off, &["power cut"]);
        check(&[], DevMode::Off, &["does not tell"]);
        check(&[("appendonly", "yes"), ("maxmemory-policy", "allkeys-lru")], DevMode::Off, &["drop keys"]);
    }
}

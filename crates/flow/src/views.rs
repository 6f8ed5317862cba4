//! Reading what commits wrote for the API, and plain values such as the configuration.
//!
//! What it does not do: it never writes a key that a commit writes.

use std::collections::BTreeMap;

use crate::name::view_key;
use crate::redis::{Redis, RedisError, Reply};

/// The value of a plain key, by its full name.
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn get<R: Redis>(redis: &R, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
    let reply = redis.command("GET", &[key.as_bytes()]).await?;
    Ok(reply.into_iter().next().and_then(Reply::into_bytes))
}

/// Sets a plain key, by its full name.
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn put<R: Redis>(redis: &R, key: &str, value: &[u8]) -> Result<(), RedisError> {
    redis.command("SET", &[key.as_bytes(), value]).await.map(drop)
}

/// A read model written with [`crate::Write::Set`].
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn value<R: Redis>(redis: &R, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
    get(redis, &view_key(key)).await
}

/// Several read models at once, in the order asked for.
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn values<R: Redis>(redis: &R, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, RedisError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = keys.iter().map(|key| view_key(key)).collect();
    let args: Vec<_> = keys.iter().map(String::as_bytes).collect();
    Ok(redis.command("MGET", &args).await?.into_iter().map(Reply::into_bytes).collect())
}

/// A hash written with [`crate::Write::HashSet`] or [`crate::Write::Add`].
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn hash<R: Redis>(redis: &R, key: &str) -> Result<BTreeMap<String, Vec<u8>>, RedisError> {
    let reply = redis.command("HGETALL", &[view_key(key).as_bytes()]).await?;
    let mut values = reply.into_iter();
    let mut hash = BTreeMap::new();
    while let (Some(field), Some(value)) = (values.next(), values.next()) {
        hash.insert(field.text(), value.into_bytes().unwrap_or_default());
    }
    Ok(hash)
}

/// One field of a hash.
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn hash_field<R: Redis>(redis: &R, key: &str, field: &str) -> Result<Option<Vec<u8>>, RedisError> {
    let reply = redis.command("HGET", &[view_key(key).as_bytes(), field.as_bytes()]).await?;
    Ok(reply.into_iter().next().and_then(Reply::into_bytes))
}

/// Members written with [`crate::Write::Rank`], highest score first, from `below` (exclusive) down.
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn ranking<R: Redis>(
    redis: &R,
    key: &str,
    below: Option<u64>,
    count: u32,
) -> Result<Vec<(String, u64)>, RedisError> {
    let (key, count) = (view_key(key), count.to_string());
    let top = below.map_or_else(|| "+inf".to_owned(), |score| format!("({score}"));
    let args: [&[u8]; 7] =
        [key.as_bytes(), top.as_bytes(), b"-inf", b"WITHSCORES", b"LIMIT", b"0", count.as_bytes()];
    let mut values = redis.command("ZREVRANGEBYSCORE", &args).await?.into_iter();
    let mut members = Vec::new();
    while let (Some(member), Some(score)) = (values.next(), values.next()) {
        members.push((member.text(), score_of(&score)));
    }
    Ok(members)
}

/// A score as Redis writes one: whole numbers plain or, from 10^17 on, with an exponent.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "scores are whole and below 2^53")]
fn score_of(reply: &Reply) -> u64 {
    let text = reply.text();
    text.parse().unwrap_or_else(|_| text.parse::<f64>().map_or(0, |score| score.max(0.0) as u64))
}

/// Entries written with [`crate::Write::Append`], newest first, from before the id `before` down.
/// Each with its id.
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn newest<R: Redis>(
    redis: &R,
    key: &str,
    before: Option<&str>,
    count: u32,
) -> Result<Vec<(String, Vec<u8>)>, RedisError> {
    let end = before.map_or_else(|| "+".to_owned(), |id| format!("({id}"));
    entries(redis, "XREVRANGE", [&view_key(key), &end, "-"], count).await
}

/// Entries written with [`crate::Write::Append`], oldest first, after the id `after`.
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn oldest<R: Redis>(
    redis: &R,
    key: &str,
    after: Option<&str>,
    count: u32,
) -> Result<Vec<(String, Vec<u8>)>, RedisError> {
    let start = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
    entries(redis, "XRANGE", [&view_key(key), &start, "+"], count).await
}

async fn entries<R: Redis>(
    redis: &R,
    command: &str,
    range: [&str; 3],
    count: u32,
) -> Result<Vec<(String, Vec<u8>)>, RedisError> {
    let count = count.to_string();
    let args: [&[u8]; 5] =
        [range[0].as_bytes(), range[1].as_bytes(), range[2].as_bytes(), b"COUNT", count.as_bytes()];
    let mut values = redis.command(command, &args).await?.into_iter();
    let mut entries = Vec::new();
    // Flattened: id, `d`, payload, and so on; a commit writes exactly one field.
    while let (Some(id), Some(_), Some(payload)) = (values.next(), values.next(), values.next()) {
        entries.push((id.text(), payload.into_bytes().unwrap_or_default()));
    }
    Ok(entries)
}

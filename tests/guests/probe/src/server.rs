//! Outbound Redis.

use std::fmt::Debug;

use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

use crate::http::shown;

/// Far more than one packet or one buffer.
const BIG_VALUE_BYTES: usize = 8 << 20;

/// Everything one does with a server.
pub(crate) async fn usual(address: &str) -> String {
    let server = match Connection::open(address).await {
        Ok(server) => server,
        Err(error) => return format!("open: error {error:?}"),
    };
    let nested = execute(&server, "EVAL", &["return {1, {'a', false}, {}}", "0"]).await;
    let nothing = execute(&server, "GET", &["probe:none"]).await;
    let bad = execute(&server, "NOSUCH", &[]).await.is_err();
    [
        format!("set: {}", shown(server.set("probe:a", b"1").await)),
        format!("get: {}", shown(server.get("probe:a").await)),
        format!("incr: {}", shown(server.incr("probe:a").await)),
        format!("del: {}", shown(server.del(["probe:a", "probe:none", "probe:s"]).await)),
        format!("get nothing: {}", shown(server.get("probe:a").await)),
        format!("sadd: {}", shown(server.sadd("probe:s", ["x", "x"]).await)),
        format!("smembers: {}", shown(server.smembers("probe:s").await)),
        format!("srem: {}", shown(server.srem("probe:s", ["x"]).await)),
        format!("nested: {}", shown(nested)),
        format!("nil: {}", shown(nothing)),
        format!("unknown command fails: {bad}"),
    ]
    .join("\n")
}

/// What a server refuses, one call a line.
pub(crate) async fn refused(address: &str) -> String {
    let server = match Connection::open(address).await {
        Ok(server) => server,
        Err(error) => return format!("open: error {error:?}"),
    };
    let ready = [server.set("probe:text", b"abc").await, server.sadd("probe:set", ["x"]).await.map(|_| ())];
    [
        format!("ready: {}", ready.iter().all(Result::is_ok)),
        format!("incr text: {}", failed(server.incr("probe:text").await, "not an integer")),
        format!("incr set: {}", failed(server.incr("probe:set").await, "WRONGTYPE")),
        format!("get set: {}", failed(server.get("probe:set").await, "WRONGTYPE")),
        format!("sadd to text: {}", failed(server.sadd("probe:text", ["x"]).await, "WRONGTYPE")),
        format!("smembers of text: {}", failed(server.smembers("probe:text").await, "WRONGTYPE")),
        format!("srem from text: {}", failed(server.srem("probe:text", ["x"]).await, "WRONGTYPE")),
        format!("del of none: {}", failed(server.del::<&str>([]).await, "wrong number of arguments")),
        format!("too few words: {}", failed(execute(&server, "GET", &[]).await, "wrong number of arguments")),
        format!(
            "too many words: {}",
            failed(execute(&server, "GET", &["a", "b"]).await, "wrong number of arguments")
        ),
        format!(
            "error in a script: {}",
            failed(
                execute(&server, "EVAL", &["return {1, redis.error_reply('OWN words')}", "0"]).await,
                "OWN"
            )
        ),
    ]
    .join("\n")
}

/// What fits: publishing, nothing among something, big and empty values, kinds of replies.
pub(crate) async fn replies(address: &str) -> String {
    let server = match Connection::open(address).await {
        Ok(server) => server,
        Err(error) => return format!("open: error {error:?}"),
    };
    let big = vec![7; BIG_VALUE_BYTES];
    let integer = [RedisParameter::Binary(b"probe:n".to_vec()), RedisParameter::Int64(-7)];
    [
        format!("publish: {}", shown(server.publish("probe:channel", b"word").await)),
        format!("publish to nobody: {}", shown(server.publish("probe:nobody", b"word").await)),
        format!("set empty: {}", shown(server.set("probe:e", b"").await)),
        format!("mget: {}", shown(execute(&server, "MGET", &["probe:e", "probe:none", "probe:e"]).await)),
        format!("set integer: {}", shown(server.execute("SET", integer).await)),
        format!("get integer: {}", shown(server.get("probe:n").await)),
        format!("set big: {}", shown(server.set("probe:big", &big).await)),
        format!("big is whole: {}", shown(server.get("probe:big").await.map(|got| got == Some(big)))),
        format!("smembers of nothing: {}", shown(server.smembers("probe:none").await)),
    ]
    .join("\n")
}

/// Replies that only the newer protocol has; the address asks for it.
pub(crate) async fn newer(address: &str) -> String {
    let server = match Connection::open(address).await {
        Ok(server) => server,
        Err(error) => return format!("open: error {error:?}"),
    };
    let script = |returned: &str| format!("redis.setresp(3); return {returned}");
    [
        format!("double: {}", shown(execute(&server, "EVAL", &[&script("{double=3.5}"), "0"]).await)),
        format!("true: {}", shown(execute(&server, "EVAL", &[&script("true"), "0"]).await)),
        format!("false: {}", shown(execute(&server, "EVAL", &[&script("false"), "0"]).await)),
        format!(
            "big number: {}",
            shown(execute(&server, "EVAL", &[&script("{big_number='12345678901234567890'}"), "0"]).await)
        ),
        format!("set: {}", shown(execute(&server, "EVAL", &[&script("{set={x=true}}"), "0"]).await)),
        format!("map: {}", failed(execute(&server, "EVAL", &[&script("{map={x=1}}"), "0"]).await, "")),
    ]
    .join("\n")
}

/// What is left of a connection that the server ended.
pub(crate) async fn lost(address: &str) -> String {
    let server = match Connection::open(address).await {
        Ok(server) => server,
        Err(error) => return format!("open: error {error:?}"),
    };
    let mut lines = vec![
        format!("set: {}", shown(server.set("probe:lost", b"1").await)),
        // Every connection, this one too, once it has its answer.
        format!(
            "kill: {}",
            execute(&server, "CLIENT", &["KILL", "TYPE", "normal", "SKIPME", "no"]).await.is_ok()
        ),
        format!("get: {}", failed(server.get("probe:lost").await, "")),
        format!("get again: {}", failed(server.get("probe:lost").await, "")),
    ];
    lines.push(match Connection::open(address).await {
        Ok(server) => format!("get anew: {}", shown(server.get("probe:lost").await)),
        Err(error) => format!("open anew: error {error:?}"),
    });
    lines.join("\n")
}

/// The state of a connection, seen from it and from another.
pub(crate) async fn own_state(address: &str) -> String {
    let (here, there) = match (Connection::open(address).await, Connection::open(address).await) {
        (Ok(here), Ok(there)) => (here, there),
        (here, there) => return format!("open: {:?} {:?}", here.err(), there.err()),
    };
    [
        format!("set: {}", shown(here.set("probe:place", b"first").await)),
        format!("select: {}", shown(execute(&here, "SELECT", &["1"]).await)),
        format!("get here: {}", shown(here.get("probe:place").await)),
        format!("get there: {}", shown(there.get("probe:place").await)),
    ]
    .join("\n")
}

/// `ADDRESS KEY`: the length of a key's value, by each of the two ways to ask for it.
pub(crate) async fn length(argument: &str) -> String {
    let (address, key) = argument.split_once(' ').unwrap_or((argument, ""));
    let server = match Connection::open(address).await {
        Ok(server) => server,
        Err(error) => return format!("open: error {error:?}"),
    };
    let got = server.get(key).await.map(|value| value.map(|value| value.len()));
    let executed = execute(&server, "GET", &[key]).await.map(|values| values.len());
    format!("get: {}\nexecute: {}", shown(got), shown(executed))
}

async fn execute(server: &Connection, command: &str, words: &[&str]) -> Result<Vec<RedisResult>, Error> {
    let words = words.iter().map(|word| RedisParameter::Binary(word.as_bytes().to_vec()));
    server.execute(command, words.collect::<Vec<_>>()).await
}

/// The kind of an error, and its text where that says more than `words`.
fn failed<T: Debug>(result: Result<T, Error>, words: &str) -> String {
    match result {
        Err(Error::Other(text)) if text.contains(words) => "other".to_owned(),
        result => shown(result),
    }
}

//! What each path tries.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{Either, select};
use http_body_util::BodyExt;
use spin_sdk::http::{self, BoxBody, FullBody, HeaderMap, Request, StatusCode, box_body};
use spin_sdk::key_value::Store;
use spin_sdk::redis::{Connection, RedisParameter};
use spin_sdk::{time, variables};

static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Bytes asked for at a time by the path that eats memory.
const MEMORY_STEP: usize = 16 << 20;

type Answer = (StatusCode, HeaderMap, BoxBody);

/// Answers one request.
pub(crate) async fn answer(request: Request) -> Answer {
    let path = request.uri().path().to_owned();
    let argument = request.headers().get("x-argument").and_then(|value| value.to_str().ok());
    let argument = argument.unwrap_or_default().to_owned();
    match path.trim_start_matches('/').split('/').next().unwrap_or_default() {
        "echo" => (StatusCode::OK, HeaderMap::new(), box_body(request.into_body())),
        "panic" => panic!("asked to panic"),
        "loop" => spin_forever(),
        "memory" => text(eat_memory()),
        "sleep" => {
            time::sleep(Duration::from_millis(argument.parse().unwrap_or(0))).await;
            text("slept".to_owned())
        }
        "count" => text((REQUESTS.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
        "print" => {
            print_lines();
            text("printed".to_owned())
        }
        "request" => text(describe(&request)),
        "variable" => text(shown(variables::get(&argument).await)),
        "file" => text(shown(std::fs::read_to_string(&argument).map_err(|error| error.kind()))),
        "socket" => text(shown(std::net::TcpStream::connect(&argument).map_err(|error| error.kind()))),
        "environment" => text(shown(std::env::var(&argument))),
        "kv" => text(key_value(&argument).await),
        "redis" => text(redis(&argument).await),
        "kept" => text(kept(&argument).await),
        "http" => text(outbound(&argument).await),
        "impatient" => text(impatient(&argument).await),
        _ => text(path),
    }
}

fn text(body: String) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-length", body.len().into());
    let body = FullBody::new(body.into());
    (StatusCode::OK, headers, box_body(body))
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the host turns them into log lines")]
fn print_lines() {
    println!("a line for stdout");
    eprintln!("a line for stderr");
}

fn shown<T: Debug, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("ok {value:?}"),
        Err(error) => format!("error {error:?}"),
    }
}

fn spin_forever() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn eat_memory() -> String {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(std::hint::black_box(vec![1; MEMORY_STEP]));
    }
}

fn describe(request: &Request) -> String {
    let mut lines = vec![format!("uri: {}", request.uri())];
    for (name, value) in request.headers() {
        lines.push(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    lines.join("\n")
}

async fn key_value(label: &str) -> String {
    let store = match Store::open(label).await {
        Ok(store) => store,
        Err(error) => return format!("open: error {error:?}"),
    };
    let mut lines = vec![
        format!("set: {}", shown(store.set("probe/a", b"1").await)),
        format!("get: {}", shown(store.get("probe/a").await)),
        format!("get nothing: {}", shown(store.get("probe/none").await)),
        format!("exists: {}", shown(store.exists("probe/a").await)),
    ];
    let keys = store.get_keys().await.collect().await.map(|mut keys| {
        keys.retain(|key| key.starts_with("probe/"));
        keys
    });
    lines.push(format!("keys: {}", shown(keys)));
    lines.push(format!("delete: {}", shown(store.delete("probe/a").await)));
    lines.push(format!("exists after: {}", shown(store.exists("probe/a").await)));
    lines.join("\n")
}

/// A key of the default store, written by anyone.
async fn kept(key: &str) -> String {
    match Store::open("default").await {
        Ok(store) => shown(store.get(key).await),
        Err(error) => format!("open: error {error:?}"),
    }
}

async fn redis(address: &str) -> String {
    let server = match Connection::open(address).await {
        Ok(server) => server,
        Err(error) => return format!("open: error {error:?}"),
    };
    let nested = "return {1, {'a', false}, {}}";
    let nested = server.execute("EVAL", [nested.into_argument(), RedisParameter::Int64(0)]).await;
    let nothing = server.execute("GET", ["probe:none".into_argument()]).await;
    let bad = server.execute("NOSUCH", []).await.is_err();
    [
        format!("set: {}", shown(server.set("probe:a", b"1").await)),
        format!("get: {}", shown(server.get("probe:a").await)),
        format!("incr: {}", shown(server.incr("probe:a").await)),
        format!("del: {}", shown(server.del(["probe:a", "probe:none", "probe:s"]).await)),
        format!("get nothing: {}", shown(server.get("probe:a").await)),
        format!("sadd: {}", shown(server.sadd("probe:s", ["x", "x"]).await)),
        format!("smembers: {}", shown(server.smembers("probe:s").await)),
        format!("wrong type: {}", shown(server.get("probe:s").await)),
        format!("srem: {}", shown(server.srem("probe:s", ["x"]).await)),
        format!("nested: {}", shown(nested)),
        format!("nil: {}", shown(nothing)),
        format!("unknown command fails: {bad}"),
    ]
    .join("\n")
}

trait IntoArgument {
    fn into_argument(self) -> RedisParameter;
}

impl IntoArgument for &str {
    fn into_argument(self) -> RedisParameter {
        RedisParameter::Binary(self.as_bytes().to_vec())
    }
}

async fn outbound(url: &str) -> String {
    match http::get(url).await {
        Ok(response) => {
            let status = response.status();
            let length = response.into_body().collect().await.map(|body| body.to_bytes().len());
            format!("{} {}", status.as_u16(), shown(length))
        }
        Err(error) => format!("error {error:?}"),
    }
}

/// Gives the target a moment, and drops the request then.
async fn impatient(url: &str) -> String {
    const PATIENCE: Duration = Duration::from_millis(200);
    let answered = pin!(outbound(url));
    match select(answered, pin!(time::sleep(PATIENCE))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => "gave up".to_owned(),
    }
}

//! What each path tries.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spin_sdk::http::{BoxBody, Error, FullBody, HeaderMap, Request, StatusCode, box_body};
use spin_sdk::wasip3::http::types::ErrorCode;
use spin_sdk::{time, variables};

use crate::{bodies, outbound, server, store};

static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Requests that wait in this instance.
static WAITING: AtomicU64 = AtomicU64::new(0);

/// How often, and after which time, it is looked whether enough others wait.
const GATHERING_TURNS: usize = 500;
const GATHERING_TURN: Duration = Duration::from_millis(10);

/// Bytes asked for at a time by the path that eats memory.
const MEMORY_STEP: usize = 16 << 20;

/// Status, headers, body.
pub(crate) type Answer = (StatusCode, HeaderMap, BoxBody);

/// Answers one request.
pub(crate) async fn answer(request: Request) -> Result<Answer, Error> {
    let path = request.uri().path().to_owned();
    let argument = request.headers().get("x-argument").and_then(|value| value.to_str().ok());
    let argument = argument.unwrap_or_default().to_owned();
    Ok(match path.trim_start_matches('/').split('/').next().unwrap_or_default() {
        "echo" => (StatusCode::OK, HeaderMap::new(), box_body(request.into_body())),
        "panic" => panic!("asked to panic"),
        "fail" => return Err(Error::other("asked to fail")),
        "code" => return Err(ErrorCode::LoopDetected.into()),
        "wait" => {
            wait(Duration::from_millis(argument.parse().unwrap_or(0))).await;
            text("waited".to_owned())
        }
        "panic-among" => text(panic_among(&argument).await),
        "unmeasured" => bodies::unmeasured(),
        "empty" => bodies::empty(&argument),
        "parts" => bodies::parts(&argument),
        "cut" => bodies::cut(&argument),
        "hold" => bodies::hold(&argument),
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
        "kv" => text(store::usual(&argument).await),
        "kv-edges" => text(store::edges(&argument).await),
        "kv-length" => text(store::length(&argument).await),
        "kept" => text(store::kept(&argument).await),
        "redis" => text(server::usual(&argument).await),
        "redis-refused" => text(server::refused(&argument).await),
        "redis-replies" => text(server::replies(&argument).await),
        "redis-newer" => text(server::newer(&argument).await),
        "redis-lost" => text(server::lost(&argument).await),
        "redis-state" => text(server::own_state(&argument).await),
        "redis-length" => text(server::length(&argument).await),
        "http" => text(outbound::get(&argument).await),
        "http-limited" => text(outbound::limited(&argument).await),
        "http-paused" => text(outbound::paused(&argument).await),
        "upload" => text(outbound::upload(&argument).await),
        "impatient" => text(outbound::impatient(&argument).await),
        _ => text(path),
    })
}

/// Waits, and is counted while it does.
pub(crate) async fn wait(time: Duration) {
    WAITING.fetch_add(1, Ordering::Relaxed);
    time::sleep(time).await;
    WAITING.fetch_sub(1, Ordering::Relaxed);
}

/// Panics once at least so many others wait in this instance; else says how many do.
async fn panic_among(least: &str) -> String {
    let least = least.parse().unwrap_or(0);
    for _ in 0..GATHERING_TURNS {
        let waiting = WAITING.load(Ordering::Relaxed);
        assert!(waiting < least, "asked to panic among {waiting}");
        time::sleep(GATHERING_TURN).await;
    }
    format!("{} waiting", WAITING.load(Ordering::Relaxed))
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

/// A result in words.
pub(crate) fn shown<T: Debug, E: Debug>(result: Result<T, E>) -> String {
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

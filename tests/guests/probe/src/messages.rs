//! What each message tries.
//!
//! A message is words: what to do, and a list on the server `redis_url` to write to, so that a test
//! sees what happened and in which order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spin_sdk::key_value::Store;
use spin_sdk::redis::{Connection, RedisParameter};
use spin_sdk::{redis_subscriber, time, variables};

static MESSAGES: AtomicU64 = AtomicU64::new(0);

#[redis_subscriber]
async fn hear(message: Vec<u8>) -> Result<(), String> {
    let message = String::from_utf8_lossy(&message).into_owned();
    let nth = MESSAGES.fetch_add(1, Ordering::Relaxed) + 1;
    let mut words = message.split(' ');
    let (task, list) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match task {
        "panic" => panic!("asked to panic"),
        "fail" => Err("asked to fail".to_owned()),
        // Shows that the instance is fresh: every message is its first.
        "count" => push(list, &nth.to_string()).await,
        "push" => push(list, &message).await,
        // Shows that both triggers of a component have the same store.
        "keep" => {
            keep(words.next().unwrap_or_default()).await?;
            push(list, "kept").await
        }
        // Shows that messages are handled one at a time: begin and end are never interleaved.
        "slow" => {
            push(list, "begin").await?;
            time::sleep(Duration::from_millis(50)).await;
            push(list, "end").await
        }
        other => Err(format!("unknown task {other}")),
    }
}

async fn push(list: &str, value: &str) -> Result<(), String> {
    let address = variables::get("redis_url").await.map_err(|error| format!("{error:?}"))?;
    let server = Connection::open(address).await.map_err(|error| format!("{error:?}"))?;
    let argument = |text: &str| RedisParameter::Binary(text.as_bytes().to_vec());
    let pushed = server.execute("RPUSH", [argument(list), argument(value)]).await;
    pushed.map(|_| ()).map_err(|error| format!("{error:?}"))
}

async fn keep(key: &str) -> Result<(), String> {
    let store = Store::open("default").await.map_err(|error| format!("{error:?}"))?;
    store.set(key, b"1").await.map_err(|error| format!("{error:?}"))
}

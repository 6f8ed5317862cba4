//! Outbound Redis beyond the usual.
//!
//! `spin:crates/factor-outbound-redis/src/host.rs`. Whatever the server or the connection says
//! against a command is `other`, also where the interface has `type-error`. Of the text only that
//! the server's own words are in it is asserted: the rest is the client library's.

use anyhow::{Context, Result};
use homeostat_conformance::{Application, HTTP, PATIENCE, Say};
use homeostat_testkit::port::free_port;
use homeostat_testkit::server::eventually;
use redis::AsyncCommands;

/// A byte more than the host takes of a reply.
const TOO_LARGE: isize = (128 << 20) + 1;

async fn start() -> Result<Application> {
    let grants = "allowed_outbound_hosts = [\"{{ redis_url }}\"]";
    Application::start(&Say { triggers: HTTP, grants, ..Say::default() }).await
}

#[tokio::test]
async fn what_the_server_refuses_is_other_with_the_servers_words() -> Result<()> {
    let app = start().await?;
    let expected = "ready: true\nincr text: other\nincr set: other\n\
                    get set: other\nsadd to text: other\n\
                    smembers of text: other\nsrem from text: other\n\
                    del of none: other\ntoo few words: other\ntoo many words: other\n\
                    error in a script: other";
    assert_eq!(app.body("/redis-refused", &app.redis_url()).await?, expected);
    Ok(())
}

#[tokio::test]
async fn nothing_among_something_big_values_and_integers_come_as_they_are() -> Result<()> {
    let app = start().await?;
    let expected = "publish: ok ()\npublish to nobody: ok ()\nset empty: ok ()\n\
                    mget: ok [RedisResult::Binary([]), RedisResult::Nil, RedisResult::Binary([])]\n\
                    set integer: ok [RedisResult::Status(\"OK\")]\nget integer: ok Some([45, 55])\n\
                    set big: ok ()\nbig is whole: ok true\nsmembers of nothing: ok []";
    assert_eq!(app.body("/redis-replies", &app.redis_url()).await?, expected);
    Ok(())
}

#[tokio::test]
async fn what_is_published_is_heard() -> Result<()> {
    let app = start().await?;
    let client = redis::Client::open(app.redis_url())?;
    let mut ear = client.get_async_pubsub().await?;
    ear.subscribe("probe:channel").await?;
    app.body("/redis-replies", &app.redis_url()).await?;
    let heard = async {
        let mut messages = std::pin::pin!(ear.on_message());
        futures::StreamExt::next(&mut messages).await
    };
    let heard = tokio::time::timeout(PATIENCE, heard).await?.context("a message")?;
    assert_eq!(heard.get_payload_bytes(), b"word");
    Ok(())
}

#[tokio::test]
async fn replies_of_the_newer_protocol_are_turned_into_the_older_kinds_or_refused() -> Result<()> {
    let app = start().await?;
    let expected = "double: ok [RedisResult::Binary([51, 46, 53])]\ntrue: ok [RedisResult::Int64(1)]\n\
                    false: ok [RedisResult::Int64(0)]\n\
                    big number: ok [RedisResult::Binary([49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 49, \
                    50, 51, 52, 53, 54, 55, 56, 57, 48])]\n\
                    set: ok [RedisResult::Binary([120])]\nmap: other";
    let address = format!("{}/?protocol=resp3", app.redis_url());
    assert_eq!(app.body("/redis-newer", &address).await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_was_lost_stays_lost_and_a_new_one_is_made() -> Result<()> {
    let app = start().await?;
    let expected = "set: ok ()\nkill: true\nget: other\nget again: other\nget anew: ok Some([49])";
    assert_eq!(app.body("/redis-lost", &app.redis_url()).await?, expected);
    Ok(())
}

#[tokio::test]
async fn what_a_connection_selects_is_its_own() -> Result<()> {
    let app = start().await?;
    let expected = "set: ok ()\nselect: ok [RedisResult::Status(\"OK\")]\nget here: ok None\n\
                    get there: ok Some([102, 105, 114, 115, 116])";
    assert_eq!(app.body("/redis-state", &app.redis_url()).await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_other_and_found_again_when_it_is() -> Result<()> {
    let nobody = format!("redis://127.0.0.1:{}", free_port()?);
    let grants = format!("allowed_outbound_hosts = [\"{{{{ redis_url }}}}\", \"{nobody}\"]");
    let mut app = Application::start(&Say { triggers: HTTP, grants: &grants, ..Say::default() }).await?;
    let seen = app.body("/redis", &nobody).await?;
    assert!(seen.starts_with("open: error Error::Other("), "{seen}");
    let address = app.redis_url();
    assert!(app.body("/redis-state", &address).await?.starts_with("set: ok"));
    app.redis().kill()?;
    let seen = app.body("/redis", &address).await?;
    assert!(seen.starts_with("open: error Error::Other("), "{seen}");
    app.redis().restart()?;
    let mut seen = String::new();
    let back = eventually(PATIENCE, async || {
        seen = app.body("/redis-state", &address).await.unwrap_or_else(|error| format!("{error:#}"));
        seen.starts_with("set: ok").then_some(())
    });
    back.await.context("the server that came back is not used").context(seen)
}

#[tokio::test]
async fn a_reply_larger_than_what_the_host_buffers_is_other() -> Result<()> {
    let app = start().await?;
    let mut server = app.heard_on(&[]).await?;
    let _: i64 = server.setrange("probe:large", TOO_LARGE - 1, "x").await?;
    let seen = app.body("/redis-length", &format!("{} probe:large", app.redis_url())).await?;
    let errors: Vec<bool> = seen.lines().map(|line| line.contains(": error Error::Other(")).collect();
    assert_eq!(errors, [true, true], "{seen}");
    Ok(())
}

//! The HTTP trigger with a real component: limits, failures and stopping. What Spin does as well
//! is tried in `tests/conformance`.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{HTTP, PATIENCE, Say, Scene, body, get};

fn scene() -> Result<Scene> {
    Scene::new(&Say { triggers: HTTP, ..Say::default() })
}

/// Sends raw bytes and reads until the answer holds `until`.
async fn raw(stream: &mut TcpStream, send: &str, until: &str) -> Result<String> {
    stream.write_all(send.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&answer).contains(until) {
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, read).await.context("no answer")??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn no_route_is_an_empty_404_and_no_host_a_400() -> Result<()> {
    let triggers = "[[trigger.http]]\nroute = \"/count\"\ncomponent = \"probe\"\n";
    let scene = Scene::new(&Say { triggers, ..Say::default() })?;
    let running = scene.start().await?;
    assert_eq!(get(&running, "/nowhere", "").await?, (404, String::new()));
    assert_eq!(get(&running, "/.well-known/spin/health", "").await?, (200, "OK".to_owned()));
    let mut stream = TcpStream::connect(running.http_addr).await?;
    let answer = raw(&mut stream, "GET /count HTTP/1.1\r\n\r\n", "\r\n\r\n").await?;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    running.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_panic_and_a_memory_hog_are_an_empty_500_and_the_next_request_is_served() -> Result<()> {
    let scene = scene()?;
    let running = scene.start().await?;
    for path in ["/panic", "/memory"] {
        assert_eq!(get(&running, path, "").await?, (500, String::new()), "{path}");
        assert_eq!(body(&running, "/count", "").await?, "1", "a fresh instance after {path}");
    }
    running.shutdown().await;
    Ok(())
}

/// Under Spin a body of unknown length ends as if it were whole.
#[tokio::test]
async fn a_body_of_unknown_length_whose_component_panics_is_seen_to_be_cut_off() -> Result<()> {
    let scene = scene()?;
    let running = scene.start().await?;
    let mut stream = TcpStream::connect(running.http_addr).await?;
    let answer = raw(&mut stream, "GET /parts HTTP/1.1\r\nhost: h\r\n\r\n", "0\r\n\r\n").await?;
    assert!(answer.ends_with("5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"), "a whole one: {answer}");
    let answer = raw(&mut stream, "GET /cut HTTP/1.1\r\nhost: h\r\n\r\n", "0\r\n\r\n").await?;
    assert!(answer.ends_with("\r\n\r\n5\r\nfirst\r\n"), "no end of the chunks: {answer}");
    assert_eq!(body(&running, "/count", "").await?, "1", "a fresh instance");
    running.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn guest_code_that_never_ends_is_stopped_and_holds_up_nobody() -> Result<()> {
    let mut scene = scene()?;
    scene.options.request_timeout = Duration::from_secs(1);
    let running = scene.start().await?;
    let looping = get(&running, "/loop", "");
    let others = async {
        for _ in 0..20 {
            body(&running, "/count", "").await?;
        }
        anyhow::Ok(())
    };
    let (looping, others) = tokio::join!(looping, others);
    assert_eq!(looping?, (500, String::new()));
    others?;
    assert_eq!(get(&running, "/sleep", "60000").await?, (500, String::new()), "waiting is bounded as well");
    running.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn stopping_lets_a_request_in_flight_finish() -> Result<()> {
    let scene = scene()?;
    let running = scene.start().await?;
    body(&running, "/count", "").await?;
    let address = running.http_addr;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /sleep HTTP/1.1\r\nhost: h\r\nx-argument: 700\r\n\r\n").await?;
    // Another request on another connection, accepted later, shows that the first was.
    body(&running, "/count", "").await?;
    let (answer, ()) = tokio::join!(raw(&mut stream, "", "slept"), running.shutdown());
    assert!(answer?.ends_with("slept"));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    Ok(())
}

#[tokio::test]
async fn many_requests_at_once_are_all_served() -> Result<()> {
    const CLIENTS: usize = 300;
    let scene = scene()?;
    let running = scene.start().await?;
    let all = futures::future::join_all((0..CLIENTS).map(|_| body(&running, "/sleep", "50"))).await;
    for answer in all {
        assert_eq!(answer?, "slept");
    }
    running.shutdown().await;
    Ok(())
}

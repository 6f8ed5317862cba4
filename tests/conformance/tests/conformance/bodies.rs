//! Response bodies on the wire: how their length is told, and what is seen of one that is cut off.
//!
//! Spin hands the guest's headers and body to hyper as they are, so what is asserted here is hyper's
//! doing for a body of known or unknown length (`spin:crates/trigger-http/src/server.rs`).
//!
//! Not asserted: the end of a body of unknown length whose guest fails. By the source of
//! wasmtime-wasi-http 48 Spin ends it as if it were whole; the embedded host cuts it off
//! (`host/tests`).

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};

use crate::instances::{mark, marked_serves};
use crate::wire::whole;

async fn start() -> Result<Application> {
    Application::start(&Say { triggers: HTTP, ..Say::default() }).await
}

fn has(head: &str, line: &str) -> bool {
    head.lines().any(|one| one == line)
}

#[tokio::test]
async fn a_body_is_chunked_unless_the_component_tells_its_length() -> Result<()> {
    let app = start().await?;
    let (head, body) = whole(&app, "GET", "/unmeasured", "").await?;
    assert!(has(&head, "transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
    assert_eq!(body.to_lowercase(), "a\r\nunmeasured\r\n0\r\n\r\n");
    let (head, body) = whole(&app, "GET", "/parts", "").await?;
    assert!(has(&head, "transfer-encoding: chunked"), "{head}");
    assert_eq!(body, "5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n");
    let (head, body) = whole(&app, "GET", "/parts", "11").await?;
    assert!(has(&head, "content-length: 11") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, "firstsecond");
    Ok(())
}

#[tokio::test]
async fn head_and_statuses_without_a_body_have_none() -> Result<()> {
    let app = start().await?;
    let (head, body) = whole(&app, "HEAD", "/parts", "11").await?;
    assert!(has(&head, "http/1.1 200 ok") && has(&head, "content-length: 11"), "{head}");
    assert_eq!(body, "");
    for status in ["204", "304"] {
        let (head, body) = whole(&app, "GET", "/empty", status).await?;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
        assert_eq!(body, "", "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_whose_component_panics_in_the_middle_is_seen_to_be_cut_off() -> Result<()> {
    let app = start().await?;
    let (head, body) = whole(&app, "GET", "/cut", "11").await?;
    assert!(has(&head, "http/1.1 200 ok") && has(&head, "content-length: 11"), "{head}");
    assert_eq!(body, "first", "what came before the panic, and then the end of the connection");
    assert_eq!(app.body("/count", "").await?, "1", "a fresh instance serves");
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_told_is_cut_off_and_costs_nobody_else() -> Result<()> {
    let app = start().await?;
    mark(&app).await?;
    let (_, body) = whole(&app, "GET", "/parts", "20").await?;
    // Shorter than told: the connection ends early, with the last part or before it.
    assert!("firstsecond".starts_with(&body) && body.starts_with("first"), "{body}");
    let (_, body) = whole(&app, "GET", "/parts", "7").await?;
    assert_eq!(body, "first", "longer than told: the part that does not fit is not sent");
    assert!(marked_serves(&app).await?, "its instance is gone");
    Ok(())
}

//! Outbound HTTP: where it may go, time limits, bodies.
//!
//! `spin:crates/factor-outbound-http/src/wasi.rs`. The limit for the first byte bounds connecting as
//! well; the one between bytes counts while the component waits for them.
//!
//! Not asserted: the limits where the component sets none. Spin has 600 s for each; the embedded
//! host bounds a call to less (host/README.md).

use std::time::Duration;

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};
use homeostat_testkit::port::free_port;

use crate::target::{HEAD, Step, Target, Unreachable};

const REDIRECT: &[Step] =
    &[Step::Send("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 3\r\n\r\nabc")];
const SILENCE: &[Step] = &[];
const STALL: &[Step] = &[Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nfirst")];
const CHUNKS: &[Step] = &[
    Step::Send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"),
    Step::Pause(Duration::from_millis(50)),
    Step::Send("6\r\nsecond\r\n0\r\n\r\n"),
];
const UNTIL_CLOSED: &[Step] = &[Step::Send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfirst"), Step::Close];
const CUT: &[Step] = &[Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nfirst"), Step::Close];
const CHUNKS_CUT: &[Step] =
    &[Step::Send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"), Step::Close];
/// The second part comes while the component that pauses waits for it again.
const LATE: &[Step] = &[
    Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nfirst"),
    Step::Pause(Duration::from_millis(1800)),
    Step::Send("second"),
];
const TAKEN: &[Step] = &[Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")];

async fn start(granted: &str) -> Result<Application> {
    let grants = format!("allowed_outbound_hosts = [\"{granted}\"]");
    Application::start(&Say { triggers: HTTP, grants: &grants, ..Say::default() }).await
}

#[tokio::test]
async fn outbound_http_goes_where_it_is_granted_and_follows_no_redirect() -> Result<()> {
    let target = Target::start(HEAD, REDIRECT).await?;
    let app = start(&target.url()).await?;
    assert_eq!(app.body("/http", &target.url()).await?, "302 ok 3");
    for denied in [format!("https://{}/", target.address), "http://127.0.0.1:1/".to_owned()] {
        let seen = app.body("/http", &denied).await?;
        assert!(seen.contains("HttpRequestDenied"), "{denied}: {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn a_component_gives_up_a_target_that_never_answers_and_serves_on() -> Result<()> {
    let target = Target::start(HEAD, SILENCE).await?;
    let app = start(&target.url()).await?;
    assert_eq!(app.body("/impatient", &target.url()).await?, "gave up");
    assert_eq!(app.body("/count", "").await?, "1");
    Ok(())
}

/// What `limits` (to connect, to the first byte, between bytes; milliseconds) make of `url`.
async fn limited(app: &Application, url: &str, limits: &str) -> Result<String> {
    app.body("/http-limited", &format!("{url} {limits}")).await
}

#[tokio::test]
async fn a_target_that_stalls_meets_the_limits_that_the_component_set() -> Result<()> {
    let (silent, stalling) = (Target::start(HEAD, SILENCE).await?, Target::start(HEAD, STALL).await?);
    let app = start("http://127.0.0.1:*").await?;
    let seen = limited(&app, &silent.url(), "- 300 -").await?;
    assert!(seen.starts_with("error ") && seen.ends_with("ConnectionReadTimeout"), "{seen}");
    let seen = limited(&app, &stalling.url(), "- - 300").await?;
    assert!(seen.starts_with("200 error ") && seen.contains("ConnectionReadTimeout"), "{seen}");
    Ok(())
}

#[tokio::test]
async fn connecting_is_bounded_by_its_own_limit_and_by_that_of_the_first_byte() -> Result<()> {
    let unreachable = Unreachable::start().await?;
    let app = start("http://127.0.0.1:*").await?;
    let url = format!("http://{}/", unreachable.address);
    let seen = limited(&app, &url, "300 - -").await?;
    assert!(seen.ends_with("ConnectionTimeout"), "{seen}");
    let seen = limited(&app, &url, "- 300 -").await?;
    assert!(seen.ends_with("ConnectionReadTimeout"), "{seen}");
    let seen = limited(&app, &format!("http://127.0.0.1:{}/", free_port()?), "- - -").await?;
    assert!(seen.ends_with("ConnectionRefused"), "{seen}");
    Ok(())
}

#[tokio::test]
async fn the_time_a_component_leaves_a_body_unread_does_not_count() -> Result<()> {
    let target = Target::start(HEAD, LATE).await?;
    let app = start(&target.url()).await?;
    let seen = app.body("/http-paused", &format!("{} - - 1000", target.url())).await?;
    assert_eq!(seen, "Some(true) ok 6");
    Ok(())
}

#[tokio::test]
async fn answers_come_whole_however_their_end_is_told_and_a_cut_one_is_an_error() -> Result<()> {
    let app = start("http://127.0.0.1:*").await?;
    for (steps, expected) in [(CHUNKS, "200 ok 11"), (UNTIL_CLOSED, "200 ok 5")] {
        let target = Target::start(HEAD, steps).await?;
        assert_eq!(app.body("/http", &target.url()).await?, expected);
    }
    for steps in [CUT, CHUNKS_CUT] {
        let target = Target::start(HEAD, steps).await?;
        let seen = app.body("/http", &target.url()).await?;
        assert!(seen.starts_with("200 error "), "{seen}");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_body_goes_in_chunks_unless_the_component_tells_its_length() -> Result<()> {
    let mut target = Target::start("second", TAKEN).await?;
    let app = start(&target.url()).await?;
    assert_eq!(app.body("/upload", &format!("{} -", target.url())).await?, "200 ok 0");
    let request = target.request().await?;
    let (head, body) = request.split_once(HEAD).unwrap_or_default();
    let has = |line: &str| head.lines().any(|one| one == line);
    assert!(has("transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
    assert!(has("post / http/1.1") && has(&format!("host: {}", target.address)), "{head}");
    assert!(body.starts_with("5\r\nfirst\r\n6\r\nsecond"), "{body:?}");
    assert_eq!(app.body("/upload", &format!("{} 11", target.url())).await?, "200 ok 0");
    let request = target.request().await?;
    assert!(request.contains("content-length: 11\r\n") && !request.contains("chunked"), "{request}");
    assert!(request.ends_with("\r\n\r\nfirstsecond"), "{request}");
    Ok(())
}

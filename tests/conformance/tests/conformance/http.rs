//! Routes, headers, bodies.

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};
use tokio::net::TcpStream;

use crate::wire::raw;

fn route(path: &str) -> String {
    format!("[[trigger.http]]\nroute = \"{path}\"\ncomponent = \"probe\"\n")
}

#[tokio::test]
async fn an_exact_route_beats_a_named_segment_and_a_longer_prefix_beats_a_shorter() -> Result<()> {
    let routes = ["/...", "/request", "/request/...", "/request/deep/...", "/request/exact"];
    let named = route("/request/:id/end");
    let triggers = routes.map(route).concat() + &named;
    let app = Application::start(&Say { triggers: &triggers, ..Say::default() }).await?;
    let check = async |path: &str, expected: &str| {
        let seen = app.body(path, "").await?;
        let line = format!("spin-raw-component-route: {expected}");
        assert!(seen.lines().any(|one| one == line), "{path}: no `{line}` in:\n{seen}");
        anyhow::Ok(())
    };
    check("/request", "/request").await?;
    check("/request/exact", "/request/exact").await?;
    check("/request/other", "/request/...").await?;
    check("/request/exact/more", "/request/...").await?;
    check("/request/7/end", "/request/:id/end").await?;
    check("/request/deep", "/request/deep/...").await?;
    check("/request/deep/er", "/request/deep/...").await?;
    // What only the shortest prefix fits: the probe shows the path.
    assert_eq!(app.body("/elsewhere", "").await?, "/elsewhere");
    Ok(())
}

#[tokio::test]
async fn the_component_sees_spin_headers_and_no_forged_ones() -> Result<()> {
    let triggers = route("/request/:id/...");
    let app = Application::start(&Say { triggers: &triggers, ..Say::default() }).await?;
    let forged = [("spin-client-addr", "forged"), ("spin-path-info", "forged")];
    let path = "/request/7/a/b?q=1";
    let answer = app.send("GET", path, &forged, Vec::new()).await?;
    let seen = String::from_utf8_lossy(answer.body()).into_owned();
    let url = app.at(path);
    let expected = [
        format!("uri: {url}"),
        format!("spin-full-url: {url}"),
        "spin-path-info: /a/b".to_owned(),
        "spin-matched-route: /request/:id/...".to_owned(),
        "spin-raw-component-route: /request/:id/...".to_owned(),
        "spin-component-route: /request/:id".to_owned(),
        "spin-base-path: /".to_owned(),
        "spin-path-match-id: 7".to_owned(),
        "spin-client-addr: 127.0.0.1:".to_owned(),
    ];
    for line in expected {
        assert!(seen.contains(&line), "no `{line}` in:\n{seen}");
    }
    assert!(!seen.contains("forged"), "{seen}");
    Ok(())
}

#[tokio::test]
async fn no_route_is_an_empty_404_and_health_is_answered_by_the_runtime() -> Result<()> {
    let triggers = route("/count");
    let app = Application::start(&Say { triggers: &triggers, ..Say::default() }).await?;
    assert_eq!(app.get("/nowhere", "").await?, (404, String::new()));
    assert_eq!(app.get("/count/more", "").await?, (404, String::new()));
    assert_eq!(app.get("/.well-known/spin/health", "").await?, (200, "OK".to_owned()));
    Ok(())
}

#[tokio::test]
async fn bodies_pass_whole_in_chunks_and_with_their_length() -> Result<()> {
    const BIG: usize = 8 << 20;
    let app = Application::start(&Say { triggers: HTTP, ..Say::default() }).await?;
    chunks_pass_as_they_come(&app).await?;
    let echoed = app.send("POST", "/echo", &[], vec![b'x'; BIG]).await?;
    assert!(
        echoed.body().len() == BIG && echoed.body().iter().all(|byte| *byte == b'x'),
        "{} bytes came back of {BIG}",
        echoed.body().len()
    );
    let fixed = app.send("GET", "/path", &[], Vec::new()).await?;
    let header = |name: &str| fixed.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!((header("content-length"), header("transfer-encoding")), (Some("5"), None));
    Ok(())
}

/// The first part comes back while the second has not been sent.
async fn chunks_pass_as_they_come(app: &Application) -> Result<()> {
    let mut stream = TcpStream::connect(app.authority()).await?;
    let head = "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
    let (answer, _) = raw(&mut stream, head, "first").await?;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("first"), "{answer}");
    let (rest, _) = raw(&mut stream, "6\r\nsecond\r\n0\r\n\r\n", "0\r\n\r\n").await?;
    assert!(rest.contains("second"), "{rest}");
    Ok(())
}

//! What a component may reach, and what it is told when it may not.

use std::net::SocketAddr;

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_granted_store_works_and_any_other_is_denied() -> Result<()> {
    let grants = "key_value_stores = [\"default\"]";
    let app = Application::start(&Say { triggers: HTTP, grants, ..Say::default() }).await?;
    let expected = "set: ok ()\nget: ok Some([49])\nget nothing: ok None\nexists: ok true\n\
                    keys: ok [\"probe/a\"]\ndelete: ok ()\nexists after: ok false";
    assert_eq!(app.body("/kv", "default").await?, expected);
    assert_eq!(app.body("/kv", "other").await?, "open: error Error::AccessDenied");
    let bare = Application::start(&Say { triggers: HTTP, ..Say::default() }).await?;
    assert_eq!(bare.body("/kv", "default").await?, "open: error Error::AccessDenied");
    Ok(())
}

#[tokio::test]
async fn a_component_sees_its_own_variables_and_environment_only() -> Result<()> {
    let app = Application::start(&Say {
        triggers: HTTP,
        application: "place = { default = \"here\" }\nhidden = { default = \"x\" }",
        variables: "greeting = \"hello {{ place }}\"",
        grants: "environment = { LANG = \"C\" }",
        given: &[("place", "there")],
    })
    .await?;
    assert_eq!(app.body("/variable", "greeting").await?, "ok \"hello there\"");
    assert_eq!(app.body("/variable", "hidden").await?, "error Error::Undefined(\"hidden\")");
    assert_eq!(app.body("/variable", "Bad-Name").await?, "error Error::InvalidName(\"Bad-Name\")");
    assert_eq!(app.body("/environment", "LANG").await?, "ok \"C\"");
    assert_eq!(app.body("/environment", "PATH").await?, "error NotPresent");
    Ok(())
}

#[tokio::test]
async fn redis_answers_come_flattened_and_other_servers_are_denied() -> Result<()> {
    let grants = "allowed_outbound_hosts = [\"{{ redis_url }}\"]";
    let app = Application::start(&Say { triggers: HTTP, grants, ..Say::default() }).await?;
    let expected = "set: ok ()\nget: ok Some([49])\nincr: ok 2\ndel: ok 1\nget nothing: ok None\n\
                    sadd: ok 1\nsmembers: ok [\"x\"]\nwrong type: error Error::TypeError\nsrem: ok 1\n\
                    nested: ok [RedisResult::Int64(1), RedisResult::Binary([97]), RedisResult::Nil]\n\
                    nil: ok [RedisResult::Nil]\nunknown command fails: true";
    assert_eq!(app.body("/redis", &app.redis_url()).await?, expected);
    for denied in ["redis://127.0.0.1:1", "redis://localhost:6379", "nonsense"] {
        assert_eq!(app.body("/redis", denied).await?, "open: error Error::InvalidAddress", "{denied}");
    }
    Ok(())
}

/// What a target does with a request.
#[derive(Clone, Copy)]
enum Target {
    /// Sends it on to another address.
    Redirects,
    /// Reads it and never answers.
    Silent,
}

async fn listen(target: Target) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let Ok(_) = stream.read(&mut request).await else { continue };
            if let Target::Redirects = target {
                let answer = format!(
                    "HTTP/1.1 302 Found\r\nlocation: http://{address}/x\r\ncontent-length: 3\r\n\r\nabc"
                );
                // The client sees for itself when it got nothing.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            kept.push(stream);
        }
    });
    Ok(address)
}

#[tokio::test]
async fn outbound_http_goes_where_it_is_granted_and_follows_no_redirect() -> Result<()> {
    let address = listen(Target::Redirects).await?;
    let grants = format!("allowed_outbound_hosts = [\"http://{address}\"]");
    let app = Application::start(&Say { triggers: HTTP, grants: &grants, ..Say::default() }).await?;
    assert_eq!(app.body("/http", &format!("http://{address}/")).await?, "302 ok 3");
    for denied in [format!("https://{address}/"), "http://127.0.0.1:1/".to_owned()] {
        let seen = app.body("/http", &denied).await?;
        assert!(seen.contains("HttpRequestDenied"), "{denied}: {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn a_component_gives_up_a_target_that_never_answers_and_serves_on() -> Result<()> {
    let address = listen(Target::Silent).await?;
    let grants = format!("allowed_outbound_hosts = [\"http://{address}\"]");
    let app = Application::start(&Say { triggers: HTTP, grants: &grants, ..Say::default() }).await?;
    assert_eq!(app.body("/impatient", &format!("http://{address}/")).await?, "gave up");
    assert_eq!(app.body("/count", "").await?, "1");
    Ok(())
}

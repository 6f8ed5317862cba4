//! What a component may reach, and what it is told when it may not.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{HTTP, Say, Scene, body, get};

const REDIS_URL: &str = "redis_url = { default = \"redis://127.0.0.1:6379\" }";

#[tokio::test]
async fn a_granted_store_works_and_any_other_is_denied() -> Result<()> {
    let grants = "key_value_stores = [\"default\"]";
    let scene = Scene::new(&Say { triggers: HTTP, grants, ..Say::default() })?;
    let running = scene.start().await?;
    check_store(&body(&running, "/kv", "default").await?);
    assert_eq!(body(&running, "/kv", "other").await?, "open: error Error::AccessDenied");
    running.shutdown().await;
    let bare = Scene::new(&Say { triggers: HTTP, ..Say::default() })?;
    let running = bare.start().await?;
    assert_eq!(body(&running, "/kv", "default").await?, "open: error Error::AccessDenied");
    running.shutdown().await;
    Ok(())
}

fn check_store(seen: &str) {
    let expected = "set: ok ()\nget: ok Some([49])\nget nothing: ok None\nexists: ok true\n\
                    keys: ok [\"probe/a\"]\ndelete: ok ()\nexists after: ok false";
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_store_may_be_on_redis() -> Result<()> {
    let grants = "key_value_stores = [\"default\"]";
    let host = Scene::new(&Say { triggers: HTTP, application: REDIS_URL, ..Say::default() })?;
    let lender = host.start().await?;
    let mut scene = Scene::new(&Say { triggers: HTTP, grants, ..Say::default() })?;
    let runtime = scene.folder.path().join("runtime-config.toml");
    let url = lender.redis_url.clone().unwrap_or_default();
    std::fs::write(&runtime, format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{url}\"\n"))?;
    scene.options.runtime_config = Some(runtime);
    let running = scene.start().await?;
    check_store(&body(&running, "/kv", "default").await?);
    running.shutdown().await;
    lender.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_component_sees_its_own_variables_only() -> Result<()> {
    let mut scene = Scene::new(&Say {
        triggers: HTTP,
        application: "place = { default = \"here\" }\nhidden = { default = \"x\" }",
        variables: "greeting = \"hello {{ place }}\"",
        grants: "environment = { LANG = \"C\" }",
    })?;
    scene.options.variables.insert("place".to_owned(), "there".to_owned());
    let running = scene.start().await?;
    assert_eq!(body(&running, "/variable", "greeting").await?, "ok \"hello there\"");
    assert_eq!(body(&running, "/variable", "hidden").await?, "error Error::Undefined(\"hidden\")");
    assert_eq!(body(&running, "/variable", "Bad-Name").await?, "error Error::InvalidName(\"Bad-Name\")");
    assert_eq!(body(&running, "/environment", "LANG").await?, "ok \"C\"");
    assert_eq!(body(&running, "/environment", "PATH").await?, "error NotPresent");
    assert_eq!(body(&running, "/print", "").await?, "printed");
    running.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn redis_answers_as_spin_gives_them_and_other_servers_are_denied() -> Result<()> {
    let grants = "allowed_outbound_hosts = [\"{{ redis_url }}\"]";
    let scene = Scene::new(&Say { triggers: HTTP, grants, application: REDIS_URL, ..Say::default() })?;
    let running = scene.start().await?;
    let url = running.redis_url.clone().unwrap_or_default();
    let expected = "set: ok ()\nget: ok Some([49])\nincr: ok 2\ndel: ok 1\nget nothing: ok None\n\
                    sadd: ok 1\nsmembers: ok [\"x\"]\nwrong type: error Error::TypeError\nsrem: ok 1\n\
                    nested: ok [RedisResult::Int64(1), RedisResult::Binary([97]), RedisResult::Nil]\n\
                    nil: ok [RedisResult::Nil]\nunknown command fails: true";
    assert_eq!(body(&running, "/redis", &url).await?, expected);
    for denied in ["redis://127.0.0.1:1", "redis://localhost:6379", "nonsense"] {
        assert_eq!(body(&running, "/redis", denied).await?, "open: error Error::InvalidAddress", "{denied}");
    }
    running.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn files_and_sockets_are_out_of_reach() -> Result<()> {
    let grants = "allowed_outbound_hosts = [\"*://*:*\"]";
    let scene = Scene::new(&Say { triggers: HTTP, grants, ..Say::default() })?;
    let running = scene.start().await?;
    for path in ["/etc/passwd", ".", "spin.toml"] {
        let seen = body(&running, "/file", path).await?;
        assert!(seen.starts_with("error "), "{path}: {seen}");
    }
    let seen = body(&running, "/socket", &running.http_addr.to_string()).await?;
    assert!(seen.starts_with("error "), "{seen}");
    running.shutdown().await;
    Ok(())
}

/// A server that answers every request with a redirect to itself.
async fn redirecting() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let Ok(_) = stream.read(&mut request).await else { continue };
            let answer =
                format!("HTTP/1.1 302 Found\r\nlocation: http://{address}/x\r\ncontent-length: 3\r\n\r\nabc");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                break;
            }
        }
    });
    Ok(address)
}

#[tokio::test]
async fn outbound_http_goes_where_it_is_granted_and_follows_no_redirect() -> Result<()> {
    let address = redirecting().await?;
    let grants = format!("allowed_outbound_hosts = [\"http://{address}\"]");
    let scene = Scene::new(&Say { triggers: HTTP, grants: &grants, ..Say::default() })?;
    let running = scene.start().await?;
    assert_eq!(body(&running, "/http", &format!("http://{address}/")).await?, "302 ok 3");
    for denied in [format!("https://{address}/"), "http://127.0.0.1:1/".to_owned()] {
        let (status, seen) = get(&running, "/http", &denied).await?;
        assert_eq!(status, 200);
        assert!(seen.contains("HttpRequestDenied"), "{denied}: {seen}");
    }
    running.shutdown().await;
    Ok(())
}

//! What the host offers or holds back beyond what `tests/conformance` tries.

use anyhow::Result;

use crate::support::{HTTP, Say, Scene, body};

const REDIS_URL: &str = "redis_url = { default = \"redis://127.0.0.1:6379\" }";

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
    let expected = "set: ok ()\nget: ok Some([49])\nget nothing: ok None\nexists: ok true\n\
                    keys: ok [\"probe/a\"]\ndelete: ok ()\nexists after: ok false";
    assert_eq!(body(&running, "/kv", "default").await?, expected);
    running.shutdown().await;
    lender.shutdown().await;
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

//! Starting: what is refused, what is made, what is called.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use homeostat::app::Ready;
use homeostat::compose;
use homeostat_testkit::redis::RedisServer;

use crate::support::{HTTP, Say, Scene, body, eventually};

const REDIS_URL: &str = "redis_url = { default = \"redis://127.0.0.1:6379\" }";

#[tokio::test]
async fn a_state_folder_is_used_by_one_at_a_time() -> Result<()> {
    let scene = Scene::new(&Say { triggers: HTTP, ..Say::default() })?;
    let running = scene.start().await?;
    let error = scene.start_error().await?;
    assert!(error.contains("in use by another `homeostat up`"), "{error}");
    running.shutdown().await;
    scene.start().await?.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn mistakes_name_the_line_and_the_component() -> Result<()> {
    let check = async |say: &Say<'_>, expected: &[&str]| {
        let error = Scene::new(say)?.start_error().await?;
        for words in expected {
            assert!(error.contains(words), "no `{words}` in: {error}");
        }
        anyhow::Ok(())
    };
    let application = "host = { default = \"not-a-host\" }";
    let grants = "allowed_outbound_hosts = [\"{{ host }}\"]";
    check(&Say { triggers: HTTP, application, grants, ..Say::default() }, &["spin.toml:12:", "`not-a-host`"])
        .await?;
    let grants = "key_value_stores = [\"sessions\"]";
    let expected = ["spin.toml:12:", "[key_value_store.sessions] in runtime-config.toml"];
    check(&Say { triggers: HTTP, grants, ..Say::default() }, &expected).await?;
    let twice = format!("{HTTP}{HTTP}");
    check(&Say { triggers: &twice, ..Say::default() }, &["spin.toml:10:", "already served"]).await?;
    let application = "secret = { required = true }";
    check(&Say { triggers: HTTP, application, ..Say::default() }, &["SPIN_VARIABLE_SECRET"]).await
}

/// The message of starting a manifest whose one component is the bytes `wasm`.
async fn component_error(wasm: Option<&[u8]>, trigger: &str) -> Result<String> {
    let folder = tempfile::tempdir()?;
    if let Some(wasm) = wasm {
        std::fs::write(folder.path().join("c.wasm"), wasm)?;
    }
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"a\"\n{trigger}\n[component.odd-one]\nsource = \"c.wasm\"\n"
    );
    Scene::of(folder, &text)?.start_error().await
}

#[tokio::test]
async fn components_that_cannot_run_here_are_refused_by_name() -> Result<()> {
    let http = "[[trigger.http]]\nroute = \"/\"\ncomponent = \"odd-one\"";
    let check = async |wasm: Option<&[u8]>, words: &str| {
        let error = component_error(wasm, http).await?;
        assert!(error.contains("`odd-one`") && error.contains(words), "{error}");
        anyhow::Ok(())
    };
    check(None, "cargo xtask components").await?;
    check(Some(b"not wasm"), "cannot be compiled").await?;
    let atomics = wat::parse_str("(component (import \"wasi:keyvalue/atomics@0.2.0-draft2\" (instance)))")?;
    check(Some(&atomics), "imports `wasi:keyvalue/atomics@0.2.0-draft2`").await?;
    let nothing = wat::parse_str("(component)")?;
    check(Some(&nothing), "exports no `wasi:http/handler@0.3.0`").await
}

#[tokio::test]
async fn development_mode_serves_loopback_only() -> Result<()> {
    let application = "dev_mode = { default = \"false\" }\napi_token = { default = \"\" }";
    let mut scene = Scene::new(&Say { triggers: HTTP, application, ..Say::default() })?;
    scene.options.variables.insert("dev_mode".to_owned(), "true".to_owned());
    let running = scene.start().await?;
    assert!(running.api_token.is_none(), "no token in development mode");
    running.shutdown().await;
    scene.options.listen = ([0, 0, 0, 0], 0).into();
    let error = scene.start_error().await?;
    assert!(error.contains("serves loopback only"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_api_token_is_made_once_or_taken_as_given() -> Result<()> {
    let say = Say {
        triggers: HTTP,
        application: "api_token = { default = \"\", secret = true }",
        variables: "api_token = \"{{ api_token }}\"",
        ..Say::default()
    };
    let mut scene = Scene::new(&say)?;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let running = scene.start().await?;
        let token = running.api_token.as_ref().map(|token| token.expose().to_owned()).context("a token")?;
        assert_eq!(body(&running, "/variable", "api_token").await?, format!("ok {token:?}"));
        tokens.push(token);
        running.shutdown().await;
    }
    assert_eq!(tokens.first(), tokens.last());
    let kept = std::fs::read_to_string(scene.folder.path().join("state/api-token"))?;
    assert_eq!(tokens.first().map(String::as_str), Some(kept.trim()));
    scene.options.environment.insert("SPIN_VARIABLE_API_TOKEN".to_owned(), "given".to_owned());
    let running = scene.start().await?;
    assert_eq!(running.api_token.as_ref().map(|token| token.expose()), Some("given"));
    running.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn ticks_and_the_hook_are_called_with_the_addresses() -> Result<()> {
    let mut scene = Scene::new(&Say { triggers: HTTP, application: REDIS_URL, ..Say::default() })?;
    let ticks = Arc::new(AtomicUsize::new(0));
    let ready: Arc<Mutex<Option<Ready>>> = Arc::default();
    let (counted, told) = (Arc::clone(&ticks), Arc::clone(&ready));
    scene.options.ticker = Some(Arc::new(move |url| {
        assert!(url.starts_with("redis://127.0.0.1:"), "{url}");
        counted.fetch_add(1, Ordering::Relaxed);
        // A tick that fails must not be the last.
        Box::pin(async { anyhow::bail!("a tick that fails") })
    }));
    scene.options.on_ready = Some(Arc::new(move |now| {
        *told.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(now);
        Box::pin(async { Ok(()) })
    }));
    let running = scene.start().await?;
    let ready =
        ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take().context("it was called")?;
    assert_eq!((ready.http_addr, ready.redis_url), (running.http_addr, running.redis_url.clone()));
    eventually("two ticks", async || (ticks.load(Ordering::Relaxed) >= 2).then_some(())).await?;
    running.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_hook_that_fails_fails_the_start_and_leaves_nothing_running() -> Result<()> {
    let mut scene = Scene::new(&Say { triggers: HTTP, application: REDIS_URL, ..Say::default() })?;
    let url: Arc<Mutex<Option<String>>> = Arc::default();
    let told = Arc::clone(&url);
    scene.options.on_ready = Some(Arc::new(move |ready| {
        *told.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = ready.redis_url;
        Box::pin(async { anyhow::bail!("homeostat.toml:3: no") })
    }));
    assert_eq!(scene.start_error().await?, "homeostat.toml:3: no");
    let url = url.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take().context("a server ran")?;
    assert!(redis::Client::open(url)?.get_connection().is_err(), "redis-server is gone");
    Ok(())
}

#[tokio::test]
async fn a_named_redis_server_is_used_and_bad_addresses_are_refused() -> Result<()> {
    let lender =
        Scene::new(&Say { triggers: HTTP, application: REDIS_URL, ..Say::default() })?.start().await?;
    let mut scene = Scene::new(&Say { triggers: HTTP, application: REDIS_URL, ..Say::default() })?;
    scene.options.redis = lender.redis_url.clone();
    let running = scene.start().await?;
    assert_eq!(running.redis_url, lender.redis_url);
    assert!(!Path::new(&scene.folder.path().join("state/redis")).exists(), "no private server");
    running.shutdown().await;
    for bad in ["http://h", "redis://h:1/3", "rediss://h", "127.0.0.1:6379"] {
        scene.options.redis = Some(bad.to_owned());
        let error = scene.start_error().await?;
        assert!(error.contains("expected redis://HOST:PORT"), "{bad}: {error}");
    }
    lender.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_redis_that_goes_away_while_the_app_becomes_ready_is_waited_for() -> Result<()> {
    let mut redis = RedisServer::start()?;
    let url = redis.url();
    redis.kill()?;
    let check = tokio::spawn(async move { compose::check(&url).await });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(!check.is_finished(), "it is not waited for");
    redis.restart()?;
    check.await?
}

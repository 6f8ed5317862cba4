//! Starting an application on the probe component, and waiting for things.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use homeostat::app::{App, Options, Running};
use tempfile::TempDir;
use tokio::time::Instant;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// The probe component.
///
/// # Errors
/// When it was not built.
pub(crate) fn probe() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/components/probe.wasm");
    path.canonicalize().with_context(|| format!("{}: run `cargo xtask components` first", path.display()))
}

/// A folder with a manifest, and options that start it.
pub(crate) struct Scene {
    /// The folder; gone when dropped.
    pub(crate) folder: TempDir,
    /// How to start it.
    pub(crate) options: Options,
}

/// What a manifest for the probe says; the rest is always the same.
#[derive(Default)]
pub(crate) struct Say<'a> {
    /// Tables after the component.
    pub(crate) triggers: &'a str,
    /// Fields of the component.
    pub(crate) grants: &'a str,
    /// Its variables.
    pub(crate) variables: &'a str,
    /// Application variables.
    pub(crate) application: &'a str,
}

/// Every path to the probe, nothing granted.
pub(crate) const HTTP: &str = "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"probe\"\n";

impl Scene {
    /// Writes a manifest as `say` says.
    pub(crate) fn new(say: &Say<'_>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"probe\"\n[variables]\n{}\n{}\n",
            say.application, say.triggers
        );
        write!(text, "[component.probe]\nsource = {:?}\n{}\n", probe()?, say.grants)?;
        write!(text, "[component.probe.variables]\n{}\n", say.variables)?;
        Self::of(folder, &text)
    }

    /// Writes the manifest `text` into `folder`.
    pub(crate) fn of(folder: TempDir, text: &str) -> Result<Self> {
        let manifest = folder.path().join("spin.toml");
        std::fs::write(&manifest, text)?;
        let options = Options {
            state_dir: Some(folder.path().join("state")),
            cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm-cache")),
            ..Options::new(manifest)
        };
        Ok(Self { folder, options })
    }

    /// Starts it.
    pub(crate) async fn start(&self) -> Result<Running> {
        Ok(App::start(self.options.clone()).await?)
    }

    /// The words of the error it fails to start with.
    pub(crate) async fn start_error(&self) -> Result<String> {
        match App::start(self.options.clone()).await {
            Ok(running) => {
                running.shutdown().await;
                bail!("it started")
            }
            Err(error) => Ok(error.to_string()),
        }
    }
}

/// An answer: status and body.
pub(crate) type Answer = (u16, String);

/// GET `path` with an argument for the probe.
pub(crate) async fn get(running: &Running, path: &str, argument: &str) -> Result<Answer> {
    let url = format!("http://{}{path}", running.http_addr);
    let response = reqwest::Client::new().get(url).header("x-argument", argument).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// GET, and the body of a 200.
pub(crate) async fn body(running: &Running, path: &str, argument: &str) -> Result<String> {
    let (status, body) = get(running, path, argument).await?;
    ensure!(status == 200, "{path}: {status} {body}");
    Ok(body)
}

/// A connection to the application's Redis.
pub(crate) async fn redis(running: &Running) -> Result<redis::aio::MultiplexedConnection> {
    let url = running.redis_url.clone().context("the application has a Redis")?;
    Ok(redis::Client::open(url)?.get_multiplexed_async_connection().await?)
}

/// Waits until `holds` gives a value.
pub(crate) async fn eventually<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = holds().await {
            return Ok(value);
        }
        ensure!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

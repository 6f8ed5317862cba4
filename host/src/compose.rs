//! The composition root: what ties the host to Homeostat's own crates.
//!
//! Purpose: give the command line a tick that rings the stages, and apply `--config` through the
//! app's own API once it serves.
//! Does not: run components or know Redis's wire; those are passed in or called.
//! Invariant: a configuration is read and checked before anything is started, and applied only
//! when it differs from the one in force, so that a restart makes no new version.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::FutureExt;
use homeostat_adapter_native::Ticker as FlowTicker;
use homeostat_flow::Cell;
use homeostat_schema::config::Config;
use homeostat_stages::name::{SHARDS_DEFAULT, STAGES};
use reqwest::{Client, RequestBuilder, StatusCode};
use tokio::sync::Mutex;

use crate::app::Ready;
use crate::cli::Composition;
use crate::ticker::Ticker;

/// How long the app's own API may take to answer while it starts.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything the command line plugs in.
pub fn composition() -> Composition {
    Composition {
        ticker: Some(ticker()),
        on_ready: Some(Arc::new(|ready| on_ready(ready).boxed())),
        read_config: Some(Arc::new(|file| read_config(file).map(drop))),
    }
}

/// The cell that the components work in.
pub fn cell() -> Cell {
    Cell::new(SHARDS_DEFAULT, &STAGES)
}

/// Reads and checks `homeostat.toml`.
///
/// # Errors
/// A text with file, line and what is expected.
pub fn read_config(file: &Path) -> Result<Config, String> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    Config::from_toml(&text, &name).map_err(|error| error.to_string())
}

/// Keeps one connection from tick to tick.
fn ticker() -> Ticker {
    let kept: Arc<Mutex<Option<FlowTicker>>> = Arc::default();
    Arc::new(move |redis_url| {
        let kept = kept.clone();
        async move {
            let mut kept = kept.lock().await;
            if kept.is_none() {
                *kept = Some(FlowTicker::new(&redis_url, cell())?);
            }
            if let Some(ticker) = kept.as_ref() {
                ticker.tick().await?;
            }
            Ok(())
        }
        .boxed()
    })
}

async fn on_ready(ready: Ready) -> Result<()> {
    if let Some(url) = &ready.redis_url {
        let redis = homeostat_adapter_native::NativeRedis::new(url)?;
        cell().check(&redis).await?;
    }
    match &ready.config {
        Some(file) => apply(&ready, file).await,
        None => Ok(()),
    }
}

async fn apply(ready: &Ready, file: &Path) -> Result<()> {
    let config = read_config(file).map_err(anyhow::Error::msg)?;
    let client = Client::builder().timeout(API_TIMEOUT).build()?;
    let url = format!("http://{}/api/v1/config", ready.http_addr);
    let authorised = |request: RequestBuilder| match &ready.api_token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    };
    let answer = authorised(client.get(&url)).send().await.context("the app's own API does not answer")?;
    if answer.status().is_success() && answer.json::<Config>().await.is_ok_and(|current| current == config) {
        return Ok(());
    }
    let answer = authorised(client.put(&url)).json(&config).send().await?;
    if answer.status() == StatusCode::OK {
        return Ok(());
    }
    let (status, reason) = (answer.status(), answer.text().await.unwrap_or_default());
    bail!("{} was not applied: {status} {reason}", file.display())
}

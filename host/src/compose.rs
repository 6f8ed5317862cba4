//! The composition root: what ties the host to Homeostat's own crates.
//!
//! Purpose: give the command line a tick that rings the stages, and apply `--config` through the
//! app's own API once it serves.
//! Does not: run components or know Redis's wire; those are passed in or called.
//! Invariant: a configuration is read and checked before anything is started, and applied only
//! when it differs from the one in force, so that a restart makes no new version.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::FutureExt;
use homeostat_adapter_native::Ticker as FlowTicker;
use homeostat_flow::{Cell, CellError, RedisError};
use homeostat_schema::config::Config;
use homeostat_stages::name::{SHARDS_DEFAULT, STAGES};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::sync::Mutex;

use crate::app::Ready;
use crate::cli::Composition;
use crate::ticker::Ticker;

/// How long the app's own API may take to answer while it starts.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// How long Redis may be away while the app becomes ready; it serves already.
const REDIS_AWAY_MAX: Duration = Duration::from_secs(30);

/// How soon it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

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
        check(url).await?;
    }
    match &ready.config {
        Some(file) => apply(&ready, file).await,
        None => Ok(()),
    }
}

/// Whether the cell in Redis is the one of this build. A Redis that goes away now is waited for:
/// once it serves, an app outlives its Redis.
///
/// # Errors
/// When it is another one, or Redis is away for longer than [`REDIS_AWAY_MAX`].
pub async fn check(redis_url: &str) -> Result<()> {
    let redis = homeostat_adapter_native::NativeRedis::new(redis_url)?;
    let deadline = Instant::now() + REDIS_AWAY_MAX;
    loop {
        match cell().check(&redis).await {
            Err(CellError::Redis(RedisError::Unavailable(_))) if Instant::now() < deadline => {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            checked => return Ok(checked?),
        }
    }
}

async fn apply(ready: &Ready, file: &Path) -> Result<()> {
    let config = read_config(file).map_err(anyhow::Error::msg)?;
    let client = Client::builder().timeout(API_TIMEOUT).build()?;
    let deadline = Instant::now() + REDIS_AWAY_MAX;
    loop {
        let answer = put(ready, &client, &config).await?;
        match answer.map(|answer| (answer.status(), answer)) {
            None | Some((StatusCode::OK, _)) => return Ok(()),
            // Its Redis is away.
            Some((StatusCode::SERVICE_UNAVAILABLE, _)) if Instant::now() < deadline => {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            Some((status, answer)) => {
                let reason = answer.text().await.unwrap_or_default();
                bail!("{} was not applied: {status} {reason}", file.display())
            }
        }
    }
}

/// Puts the configuration in force; `None` when it is already.
async fn put(ready: &Ready, client: &Client, config: &Config) -> Result<Option<Response>> {
    let url = format!("http://{}/api/v1/config", ready.http_addr);
    let authorised = |request: RequestBuilder| match &ready.api_token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    };
    let answer = authorised(client.get(&url)).send().await.context("the app's own API does not answer")?;
    if answer.status().is_success() && answer.json::<Config>().await.is_ok_and(|current| current == *config) {
        return Ok(None);
    }
    Ok(Some(authorised(client.put(&url)).json(config).send().await?))
}

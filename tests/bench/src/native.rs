//! The server that ingest is compared with: axum and redis-rs, the same verification, the same
//! reading, the same script; the configuration read once and held in memory, as one would.
//!
//! What this does not do: anything but GitHub's webhooks.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use axum::routing::post;
use axum::serve::ListenerExt;
use clap::Args;
use homeostat_adapter_native::NativeRedis;
use homeostat_api::letters::Keeper;
use homeostat_api::webhook;
use homeostat_flow::{Cell, ScriptStore};
use homeostat_schema::config::Config;
use homeostat_schema::secret::SecretList;
use homeostat_sources::gate::Pace;
use homeostat_sources::ingest::{self, Answer, DevMode};
use homeostat_sources::{Claim, Delivery, Source};
use homeostat_stages::name::{SHARDS_DEFAULT, STAGES};
use tokio::net::TcpListener;

/// The variable that holds the webhook's secret: not an argument, which others may read.
pub(crate) const SECRET: &str = "BENCH_WEBHOOK_SECRET";

#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    redis: String,
    #[arg(long)]
    config: PathBuf,
}

struct Shop {
    store: ScriptStore<NativeRedis>,
    secrets: SecretList,
    config: Config,
}

/// Serves until it is killed.
pub(crate) async fn serve(arguments: Arguments) -> Result<()> {
    let text = std::fs::read_to_string(&arguments.config)?;
    let config = Config::from_toml(&text, "homeostat.toml")?;
    let secret = std::env::var(SECRET).context(SECRET)?;
    let shop = Arc::new(Shop {
        store: ScriptStore::new(NativeRedis::new(&arguments.redis)?, Cell::new(SHARDS_DEFAULT, &STAGES)),
        secrets: SecretList::parse(&secret),
        config,
    });
    let routes = Router::new().route("/webhooks/github", post(answer)).with_state(shop);
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    // As the embedded host does it.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, routes).await?)
}

async fn answer(State(shop): State<Arc<Shop>>, request: Request<Body>) -> Response {
    take(&shop, request).await.unwrap_or_else(ingest::unavailable).map(Body::from)
}

/// `None` where the component would log and answer 503.
async fn take(shop: &Shop, request: Request<Body>) -> Option<Answer> {
    let received_at_ms = homeostat_testkit::now_ms();
    let (parts, body) = request.into_parts();
    let source = match ingest::route(&parts.method, parts.uri.path(), &shop.config) {
        Ok(source) => source,
        Err(answer) => return Some(*answer),
    };
    let body = to_bytes(body, Source::GITHUB.body_max()).await.ok()?;
    let headers = &parts.headers;
    let claim = Claim { headers, body: &body, now_ms: received_at_ms };
    let admitted = match ingest::admit(source, &claim, &shop.secrets, DevMode::Off) {
        Ok(admitted) => admitted,
        Err(answer) => return Some(*answer),
    };
    let mut seed = [0; 10];
    getrandom::fill(&mut seed).ok()?;
    let delivery = Delivery { source, admitted, headers, body: &body, received_at_ms, seed };
    webhook::take(&shop.store, &shop.config, &Keeper::default(), Pace::Within, &delivery).await.ok()
}

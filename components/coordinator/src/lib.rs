//! Coordinator: drains the coordinate stage when its doorbell rings, or when asked over HTTP.
//!
//! It has no secret and no outbound host; its shards are the configuration's environments.
//!
//! What this does not do: weigh causes or watch for disasters; `homeostat-detection` does, composed
//! by `homeostat-stages`.

use homeostat_flow::{Limits, Shard, drain};
use homeostat_stages::Coordinate;
use homeostat_stages::name::{COORDINATE, SHARDS_DEFAULT};
use homeostat_worker::{Desk, WorkerError, over_http_in, shard_of_bell};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn on_request(request: Request) -> impl IntoResponse {
    over_http_in(&request, COORDINATE, environments, work).await
}

#[expect(unsafe_code, reason = "the handler macro writes the export's entry point")]
mod bell {
    use spin_sdk::redis_subscriber;

    #[redis_subscriber]
    async fn on_bell(payload: Vec<u8>) -> Result<(), String> {
        super::ring(&payload).await.map_err(|error| error.to_string())
    }
}

async fn ring(payload: &[u8]) -> Result<(), WorkerError> {
    work(&shard_of_bell(payload)?).await.map(drop)
}

async fn environments() -> Result<Vec<Shard>, WorkerError> {
    let config = Desk::open().await?.config().await?.config;
    Ok(config.environments.keys().map(|env| Shard::environment(env)).collect())
}

async fn work(shard: &Shard) -> Result<u64, WorkerError> {
    let desk = Desk::open().await?;
    let step = Coordinate::new(desk.config().await?, SHARDS_DEFAULT);
    Ok(drain(&desk.store, &step, shard, &Limits::STEPS).await?.inputs)
}

//! Detector: drains the detect stage when its doorbell rings, or when asked over HTTP.
//!
//! What this does not do: judge; `homeostat-detection` does, composed by `homeostat-stages`.

use homeostat_flow::{Limits, Shard, drain};
use homeostat_stages::{Detect, name::DETECT};
use homeostat_worker::{Desk, WorkerError, over_http, publish_config, publish_health, shard_of_bell};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn on_request(request: Request) -> impl IntoResponse {
    over_http(&request, DETECT, work).await
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

async fn work(shard: &Shard) -> Result<u64, WorkerError> {
    let desk = Desk::open().await?;
    let config = desk.config().await?;
    let step = Detect::new(config.clone());
    let drained = drain(&desk.store, &step, shard, &Limits::STEPS).await?;
    if drained.inputs > 0 {
        publish_health(&desk).await?;
        publish_config(&config).await?;
    }
    Ok(drained.inputs)
}

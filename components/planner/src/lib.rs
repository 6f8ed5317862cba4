//! Planner: drains the plan stage when its doorbell rings, or when asked over HTTP.
//!
//! It has no secret and no outbound host: what it decides is carried out by the healer.
//!
//! What this does not do: choose, guard or verify; `homeostat-remedies` does, composed by
//! `homeostat-stages`.

use homeostat_flow::{Limits, Shard, drain};
use homeostat_stages::{PlanStep, name::PLAN};
use homeostat_worker::{Desk, WorkerError, endpoints, over_http, shard_of_bell};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn on_request(request: Request) -> impl IntoResponse {
    over_http(&request, PLAN, work).await
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
    let step = PlanStep::new(desk.config().await?, desk.policy().await?, endpoints().await?);
    Ok(drain(&desk.store, &step, shard, &Limits::STEPS).await?.inputs)
}

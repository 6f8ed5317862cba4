//! Healer: drains the act stage when its doorbell rings, or when asked over HTTP. The only
//! component that reaches the outside, and the only one with the connectors' secrets.
//!
//! What this does not do: choose, guard or verify; `homeostat-remedies` does, composed by
//! `homeostat-stages`.

mod carrier;

use homeostat_adapter_spin::SteadyClock;
use homeostat_flow::{Limits, Shard, drain_calls};
use homeostat_stages::{Act, name::ACT};
use homeostat_worker::{Desk, WorkerError, endpoints, over_http, shard_of_bell};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

use carrier::HttpCarrier;

#[http_service]
async fn on_request(request: Request) -> impl IntoResponse {
    over_http(&request, ACT, work).await
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
    let clock = SteadyClock::start();
    let action = Act::new(desk.config().await?, endpoints().await?, HttpCarrier::new(clock));
    Ok(drain_calls(&desk.store, &clock, &action, shard, &Limits::CALLS).await?.inputs)
}

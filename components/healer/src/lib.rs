//! Healer: the only component that reaches the outside, and the only one with its secrets. It
//! drains three stages: act (remedies), emit (sinks) and reconcile (senders and Prometheus), when
//! their doorbells ring or when asked over HTTP.
//!
//! What this does not do: choose, guard or verify; `homeostat-remedies`, `homeostat-emit` and
//! `homeostat-reconcile` do, composed by `homeostat-stages`.
//!
//! Invariant: a shard tells its stage: services' shards are act's, outlets' are emit's, the global
//! one is reconcile's. Each stage has a trigger address of its own, so that none waits for another.

mod app_token;
mod carrier;
mod courier;
mod errands;

use homeostat_adapter_spin::{SteadyClock, wall_clock_ms};
use homeostat_flow::{Limits, Shard, Stage, drain_calls};
use homeostat_reconcile::Origins;
use homeostat_stages::name::{ACT, EMIT, RECONCILE};
use homeostat_stages::{Act, Emit, Reconcile};
use homeostat_worker::{
    Answer, Desk, WorkerError, endpoints, over_http, over_http_in, shard_of_bell, variable,
};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

use carrier::HttpCarrier;
use courier::HttpCourier;
use errands::HttpErrands;

#[http_service]
async fn on_request(request: Request) -> impl IntoResponse {
    drained(&request).await
}

async fn drained(request: &Request) -> Answer {
    let path = request.uri().path();
    if path.ends_with(EMIT.as_str()) {
        over_http_in(request, EMIT, outlets, work).await
    } else if path.ends_with(RECONCILE.as_str()) {
        over_http(request, RECONCILE, work).await
    } else {
        over_http(request, ACT, work).await
    }
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

/// The shards of the sinks there are.
async fn outlets() -> Result<Vec<Shard>, WorkerError> {
    let config = Desk::open().await?.config().await?.config;
    Ok(config.sinks.iter().map(|sink| Shard::outlet(&sink.name)).collect())
}

fn stage_of(shard: &Shard) -> Stage {
    match shard {
        shard if shard.is_outlet() => EMIT,
        shard if *shard == Shard::global() => RECONCILE,
        _ => ACT,
    }
}

async fn work(shard: &Shard) -> Result<u64, WorkerError> {
    let desk = Desk::open().await?;
    let frozen = desk.config().await?;
    let clock = SteadyClock::start();
    let drained = match stage_of(shard) {
        EMIT => {
            let action = Emit::new(frozen, HttpCourier::new(clock));
            drain_calls(&desk.store, &clock, &action, shard, &Limits::CALLS).await?
        }
        RECONCILE => {
            let errands = HttpErrands::new(clock, &desk, frozen.config.clone());
            let action = Reconcile::new(frozen, origins().await?, errands);
            drain_calls(&desk.store, &clock, &action, shard, &Limits::CALLS).await?
        }
        _ => {
            let action = Act::new(frozen, endpoints().await?, HttpCarrier::new(clock));
            drain_calls(&desk.store, &clock, &action, shard, &Limits::CALLS).await?
        }
    };
    Ok(drained.inputs)
}

/// Where senders and Prometheus are asked.
async fn origins() -> Result<Origins, WorkerError> {
    Ok(Origins {
        github: variable("github_api_origin").await?,
        gitlab: variable("gitlab_api_origin").await?,
        alertmanager: variable("alertmanager_origin").await?,
        prometheus: variable("prometheus_origin").await?,
    })
}

/// Seconds since the epoch by the wall clock: what signatures and tokens are held against.
fn now_s() -> u64 {
    wall_clock_ms() / 1000
}

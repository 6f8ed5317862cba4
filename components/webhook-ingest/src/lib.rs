//! webhook-ingest: takes webhooks, proves them, and puts their events into the store.
//!
//! What this does not do: act, or reach anything but Redis and the key-value store.
//!
//! Invariants: 2xx is answered only after the events are stored; nothing here panics, as that
//! would fail the requests beside it.

use bytes::Bytes;
use homeostat_front::webhook::{Refusal, let_in, told};
use homeostat_sources::ingest::Answer;
use spin_sdk::http::{FullBody, Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn on_request(request: Request) -> Response<FullBody<Bytes>> {
    homeostat_front::send(told(take(request).await))
}

async fn take(request: Request) -> Result<Answer, Refusal> {
    let taken = let_in(request).await?;
    let store = homeostat_front::store().await?;
    let (config, delivery) = (taken.config(), taken.delivery());
    Ok(homeostat_api::webhook::take(store, config, taken.keeper(), taken.pace(), &delivery).await?)
}

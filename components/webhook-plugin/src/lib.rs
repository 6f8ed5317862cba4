//! webhook-plugin: takes the webhooks that a plug-in reads. The plug-in is the component that
//! `spin.toml` names under `[component.webhook-plugin.dependencies]`.
//!
//! What this does not do: read a delivery, or hold anything that outlives one.
//!
//! Invariants: an instance serves one delivery, so that a plug-in that traps fails no other and
//! carries nothing from one to the next; a proven delivery is kept before the plug-in sees it.

use bytes::Bytes;
use homeostat_front::webhook::{Refusal, let_in, told};
use homeostat_schema::plug_in;
use homeostat_sources::ingest::Answer;
use spin_sdk::http::{FullBody, Request, Response};
use spin_sdk::http_service;
use spin_sdk::wit_bindgen::backpressure_inc;

#[http_service]
async fn on_request(request: Request) -> Response<FullBody<Bytes>> {
    // Never taken back: the host gives this instance no other request, and drops it after this one.
    backpressure_inc();
    homeostat_front::send(told(take(request).await))
}

async fn take(request: Request) -> Result<Answer, Refusal> {
    let taken = let_in(request).await?;
    let store = homeostat_front::store().await?;
    let delivery = taken.delivery();
    let answer =
        homeostat_api::plug_in::take(store, taken.config(), taken.keeper(), &delivery, plug_in::read);
    Ok(answer.await?)
}

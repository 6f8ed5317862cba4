//! A component that tries what a host offers, one thing for each path or message.
//!
//! Purpose: the host's tests call it and compare what came of it with what Spin does; it can be
//! pointed at a real `spin up` as well.
//! Does not: test anything itself.
//! Invariant: whatever a host answers is shown in the response; only the paths made for it panic.

mod bodies;
mod http;
#[expect(unsafe_code, reason = "the handler macro writes the export's entry point")]
mod messages;
mod outbound;
mod server;
mod store;

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    http::answer(request).await
}

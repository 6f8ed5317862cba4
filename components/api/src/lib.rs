//! The api component: for now it only answers, which shows that the toolchain works.
//!
//! What this does not do: hold logic; that lives in the crates.
//! Invariant: every answer carries its length, so that Spin never sends it in chunks.

use spin_sdk::http::{HeaderMap, HeaderValue, IntoResponse, Request, StatusCode};
use spin_sdk::http_service;

const GREETING: &str = "homeostat\n";

#[http_service]
async fn answer(_request: Request) -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    headers.insert("content-length", GREETING.len().into());
    (StatusCode::OK, headers, GREETING.to_owned())
}

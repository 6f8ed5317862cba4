//! webhook-ingest: takes webhooks, proves them, and puts their events into the store.
//!
//! What this does not do: act, or reach anything but Redis and the key-value store.
//!
//! Invariants: a body is never read beyond its source's cap and never parsed before it is proven;
//! 2xx is answered only after the events are stored; nothing here panics, as that would fail the
//! requests beside it.

use bytes::Bytes;
use homeostat_api::body::ReadError;
use homeostat_api::{Problem, webhook};
use homeostat_front::{Announced, FrontError, Shelf};
use homeostat_sources::Delivery;
use homeostat_sources::ingest::{self, Answer};
use spin_sdk::http::{FullBody, Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn on_request(request: Request) -> Response<FullBody<Bytes>> {
    let answer = match take(request).await {
        Ok(answer) => answer,
        Err(Refusal::Answer(answer)) => *answer,
        Err(Refusal::Failed(why)) => {
            log(&why);
            ingest::unavailable()
        }
    };
    homeostat_front::send(answer)
}

/// Why a delivery was not taken.
enum Refusal {
    /// It is told so.
    Answer(Box<Answer>),
    /// Something of ours is not as it must be: the sender may try again.
    Failed(String),
}

impl From<Box<Answer>> for Refusal {
    fn from(answer: Box<Answer>) -> Self {
        Self::Answer(answer)
    }
}

impl From<FrontError> for Refusal {
    fn from(error: FrontError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem.to_string())
    }
}

async fn take(request: Request) -> Result<Answer, Refusal> {
    let received_at_ms = homeostat_front::now_ms();
    let (parts, incoming) = request.into_parts();
    let source = ingest::route(&parts.method, parts.uri.path())?;
    let announced = match ingest::length_allowed(&parts.headers, source.body_max()) {
        true => Announced::Allowed,
        false => Announced::TooLong,
    };
    let secrets = homeostat_front::secrets(&source.secret_variable()).await?;
    let dev_mode = homeostat_front::dev_mode().await?;
    let body = match homeostat_front::receive(incoming, announced, source.body_max()).await {
        Ok(body) => body,
        Err(ReadError::TooLong) => return Ok(ingest::too_long()),
        Err(error) => return Err(Refusal::Failed(error.to_string())),
    };
    let admitted = ingest::admit(source, &parts.headers, &body, &secrets, dev_mode)?;
    let seed = homeostat_front::seed()?;
    let headers = &parts.headers;
    let delivery = Delivery { source, admitted, headers, body: &body, received_at_ms, seed };
    Ok(webhook::take(homeostat_front::store().await?, &Shelf, &delivery).await?)
}

/// What an operator needs to know of a failure; no header and no body is in it.
#[expect(clippy::print_stderr, reason = "standard error is a component's log")]
fn log(why: &str) {
    eprintln!("a webhook was not taken, its sender may try again: {why}");
}

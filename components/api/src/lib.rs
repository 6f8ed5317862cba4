//! api: the read models, the operators' words, the configuration, health, metrics and the page.
//!
//! What this does not do: hold logic; `homeostat-api` does.
//!
//! Invariant: a request is decided on before its body is read, and its body never read beyond
//! the cap.

use bytes::Bytes;
use homeostat_api::body::ReadError;
use homeostat_api::{Access, Answer, BODY_MAX, Problem, World, admit, serve};
use homeostat_front::{Announced, FrontError, Shelf};
use spin_sdk::http::{FullBody, Request, Response, StatusCode};
use spin_sdk::http_service;

#[http_service]
async fn on_request(request: Request) -> Response<FullBody<Bytes>> {
    homeostat_front::send(answer(request).await.unwrap_or_else(|refusal| refusal.0.into()))
}

/// A request that is not answered as it asked.
struct Refusal(Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<FrontError> for Refusal {
    fn from(error: FrontError) -> Self {
        Self(Problem::internal(error.to_string()))
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self(match error {
            ReadError::TooLong => serve::too_long(),
            ReadError::Broken => Problem::new(StatusCode::BAD_REQUEST).saying(error.to_string()),
            ReadError::Slow => Problem::new(StatusCode::REQUEST_TIMEOUT).saying(error.to_string()),
        })
    }
}

async fn answer(request: Request) -> Result<Answer, Refusal> {
    let (parts, incoming) = request.into_parts();
    let dev_mode = homeostat_front::dev_mode().await?;
    let access = Access {
        api_tokens: homeostat_front::secrets("api_token").await?,
        internal_tokens: homeostat_front::secrets("internal_token").await?,
        dev_mode,
    };
    let admission = admit(&parts, &access)?;
    let body = homeostat_front::receive(incoming, Announced::Allowed, BODY_MAX).await?;
    let variables_set = homeostat_front::variable("variables_set").await?;
    let probe = admission.is_probe();
    let store = match probe {
        true => homeostat_front::probed_store().await?,
        false => homeostat_front::store().await?,
    };
    let world = World {
        store,
        snapshots: &Shelf,
        now_ms: homeostat_front::now_ms(),
        seed: homeostat_front::seed()?,
        dev_mode,
        body_key: homeostat_front::body_key().await?,
        variables_set: &variables_set,
    };
    let answer = serve::serve(&world, admission, &parts, &body).await;
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE && !probe {
        homeostat_front::tell_unavailable("an answer of the API; /ready says what stands in the way");
    }
    Ok(answer)
}

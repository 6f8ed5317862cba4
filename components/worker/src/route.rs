//! `POST /internal/drain/<stage>`: the drain of every shard, for platforms with no Redis trigger.

use homeostat_flow::{Shard, Stage};
use homeostat_schema::secret::SecretList;
use homeostat_stages::name;
use spin_sdk::http::{HeaderMap, HeaderValue, Request, StatusCode};

use crate::desk::{WorkerError, variable};

/// A status and a line of text.
pub type Answer = (StatusCode, HeaderMap, String);

/// Answers a request for a drain: 404 while `internal_token` is not set, 401 for a wrong token,
/// 405 for anything but POST, 503 when the drain failed, else 200 with what was done.
///
/// `drain` is called once a shard of the stage.
pub async fn over_http<D>(request: &Request, stage: Stage, drain: D) -> Answer
where
    D: AsyncFn(&Shard) -> Result<u64, WorkerError>,
{
    let shards = async || Ok(name::shards_of_stage(stage, name::SHARDS_DEFAULT));
    over_http_in(request, stage, shards, drain).await
}

/// As [`over_http`], for a stage whose shards have to be looked up.
pub async fn over_http_in<S, D>(request: &Request, stage: Stage, shards: S, drain: D) -> Answer
where
    S: AsyncFn() -> Result<Vec<Shard>, WorkerError>,
    D: AsyncFn(&Shard) -> Result<u64, WorkerError>,
{
    if let Err(refusal) = admit(request).await {
        return refusal;
    }
    let shards = match shards().await {
        Ok(shards) => shards,
        Err(error) => return answer(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    let mut inputs = 0;
    for shard in shards {
        match drain(&shard).await {
            Ok(done) => inputs += done,
            Err(error) => return answer(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }
    answer(StatusCode::OK, format!("{stage}: {inputs} inputs\n"))
}

async fn admit(request: &Request) -> Result<(), Answer> {
    let token = variable("internal_token").await;
    let tokens = token.map(|text| SecretList::parse(&text)).unwrap_or_default();
    if tokens.is_empty() {
        return Err(answer(StatusCode::NOT_FOUND, String::new()));
    }
    if request.method() != http::Method::POST {
        return Err(answer(StatusCode::METHOD_NOT_ALLOWED, String::new()));
    }
    let header = request.headers().get(http::header::AUTHORIZATION);
    let given = header.and_then(|value| value.as_bytes().strip_prefix(b"Bearer ")).unwrap_or_default();
    if tokens.matches(given) { Ok(()) } else { Err(answer(StatusCode::UNAUTHORIZED, String::new())) }
}

/// Always with its length: without one, Spin sends it in chunks and the last one comes late.
fn answer(status: StatusCode, text: String) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("content-length", text.len().into());
    (status, headers, text)
}

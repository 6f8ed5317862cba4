//! From a request that was let in to its answer.

use homeostat_flow::{Redis, ScriptStore, Store};
use homeostat_sources::generic;
use homeostat_sources::ingest::DevMode;
use homeostat_sources::normalise::Admitted;
use homeostat_sources::sealed::BodyKey;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{Method, StatusCode};
use serde::Serialize;

use crate::access::Access;
use crate::answer::{Answer, Problem, json};
use crate::port::Snapshots;
use crate::route::{self, Route};
use crate::{
    configuration, dead, events, gate, health, incidents, kept, metrics, openapi, outside, page, services,
    variables,
};

/// The longest body taken, bytes: a batch of events, or a configuration.
pub const BODY_MAX: usize = 1024 * 1024;

/// What an answer may depend on beside the request.
pub struct World<'a, R, S> {
    /// Streams and read models.
    pub store: &'a ScriptStore<R>,
    /// Published snapshots.
    pub snapshots: &'a S,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
    /// Random, new for each request.
    pub seed: [u8; 10],
    /// Shown wherever a person looks.
    pub dev_mode: DevMode,
    /// Opens deliveries that were kept.
    pub body_key: Option<BodyKey>,
    /// Names of the variables that are set, parted by blanks; empty where nobody tells them.
    pub variables_set: &'a str,
}

/// A request that may be answered once its body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    route: Route,
    admitted: Admitted,
}

impl Admission {
    /// Whether a prober asks for readiness, who does not wait long for an answer.
    pub fn is_probe(&self) -> bool {
        self.route == Route::Ready
    }
}

/// Decides on a request before its body is read.
///
/// # Errors
/// The answer to give instead: 404, 405, 401, 413, 415.
pub fn admit(parts: &Parts, access: &Access) -> Result<Admission, Problem> {
    let (route, audience) = route::find(&parts.method, parts.uri.path())?;
    let admitted = access.check(audience, &parts.method, &parts.headers)?;
    let declared =
        parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > BODY_MAX as u64) {
        return Err(too_long());
    }
    if parts.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).about(CONTENT_ENCODING.as_str());
        return Err(problem.saying("compressed bodies are not read"));
    }
    Ok(Admission { route, admitted })
}

/// 413: the body is longer than [`BODY_MAX`].
pub fn too_long() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE).saying(format!("a body has at most {BODY_MAX} bytes"))
}

/// Answers a request. An answer to `HEAD` keeps its length and loses its body.
pub async fn serve<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    admission: Admission,
    parts: &Parts,
    body: &[u8],
) -> Answer {
    let mut answer = answer(world, admission, parts, body).await.unwrap_or_else(Answer::from);
    if parts.method == Method::HEAD {
        answer.body_mut().clear();
    }
    answer
}

async fn answer<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    admission: Admission,
    parts: &Parts,
    body: &[u8],
) -> Result<Answer, Problem> {
    let (store, query) = (world.store, parts.uri.query());
    match admission.route {
        Route::Health => Ok(health::health(world.dev_mode)),
        Route::Ready => Ok(health::ready(world).await),
        Route::Metrics => metrics::answer(store).await,
        Route::Dashboard => page::dashboard::answer(world).await,
        Route::OpenApi => Ok(openapi::answer()),
        Route::SubmitEvents => events::take(world, admission.admitted, &parts.headers, body).await,
        Route::Events => events::list(store, query).await,
        Route::Incidents => incidents::list(store, query).await,
        Route::Incident(id) => incidents::show(store, &id).await,
        Route::IncidentPage(id) => page::incident::answer(store, &id, world.now_ms).await,
        Route::Word(id, verb) => {
            let key = generic::delivery_id(&parts.headers);
            let key = key.map_err(|why| Problem::bad(generic::IDEMPOTENCY_KEY, why.to_string()))?;
            incidents::word(world, &id, verb, key, body).await
        }
        Route::Services => services::list(store, query).await,
        Route::Service(env, service) => services::show(store, &env, &service).await,
        Route::Gate(env, service) => gate::answer(world, (&env, &service), query).await,
        Route::Policy => services::policy(store).await,
        Route::Samples => services::samples(store, query).await,
        Route::Config => configuration::show(store.redis()).await,
        Route::ApplyConfig => configuration::apply(world, admission.admitted, &parts.headers, body).await,
        Route::Variables => Ok(variables::answer(world.variables_set)),
        Route::Undelivered => outside::undelivered(store, query).await,
        Route::Resend(sink, id) => outside::resend(world, &sink, &id).await,
        Route::Reconcilers => outside::reconcilers(store).await,
        Route::DeadLetters => dead::list(store, query).await,
        Route::DeadLetter(id) => dead::show(world, &id).await,
        Route::ReplayDeadLetter(id) => dead::replay(world, &id).await,
        Route::ReplayEvent(id) => kept::replay(world, &id).await,
        Route::Tick => tick(world).await,
    }
}

#[derive(Serialize)]
struct Ticked {
    rung: usize,
    trimmed: u64,
}

/// Rings what has work, and publishes the configuration again where a copy was missed.
async fn tick<R: Redis, S: Snapshots>(world: &World<'_, R, S>) -> Result<Answer, Problem> {
    let report = world.store.tick().await?;
    configuration::republish(world.store.redis(), world.snapshots).await?;
    Ok(json(StatusCode::OK, &Ticked { rung: report.rung.len(), trimmed: report.trimmed }))
}

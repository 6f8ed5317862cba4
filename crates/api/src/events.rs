//! Events: taken by the API, and listed.

use homeostat_flow::{Redis, ScriptStore};
use homeostat_schema::wire;
use homeostat_sources::generic;
use homeostat_sources::ingest;
use homeostat_sources::normalise::{Admitted, Delivery, items};
use homeostat_sources::source::Source;
use homeostat_stages::view;
use http::HeaderMap;

use crate::answer::{Answer, Problem};
use crate::configuration;
use crate::intake::{IntakeError, submit};
use crate::listing::{self, List, Pick};
use crate::port::Snapshots;
use crate::query::Query;
use crate::serve::World;

/// Takes one event or a list, flat or full. All of it is read before any is stored.
pub(crate) async fn take<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    admitted: Admitted,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Answer, Problem> {
    let key = generic::delivery_id(headers)
        .map_err(|why| Problem::bad(generic::IDEMPOTENCY_KEY, why.to_string()))?;
    let drafts = generic::read(body).map_err(|error| Problem::bad(&field_of(&error), error.to_string()))?;
    let recent = configuration::recent(world.store.redis(), world.snapshots).await?;
    let delivery = Delivery {
        source: Source::GENERIC.into(),
        admitted,
        headers,
        body,
        received_at_ms: world.now_ms,
        seed: world.seed,
    };
    let items = items(&delivery, key, drafts, &recent.config);
    Ok(ingest::answer(&submit(world.store, &items).await?))
}

fn field_of(error: &wire::flat::SubmissionError) -> String {
    match error {
        wire::flat::SubmissionError::Field { item, field, .. } => format!("[{item}].{field}"),
        _ => "body".to_owned(),
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Store(error) => error.into(),
            IntakeError::Full => Self::unavailable(error.to_string()),
        }
    }
}

/// Lists events, newest first.
pub(crate) async fn list<R: Redis>(store: &ScriptStore<R>, query: Option<&str>) -> Result<Answer, Problem> {
    let query = Query::parse(query, &["env", "service", "source", "kind", "status", "limit", "cursor"])?;
    let matches = |event: &wire::Event| {
        let pairs = [
            ("env", event.env.as_str()),
            ("service", event.service.as_str()),
            ("source", event.source.as_str()),
            ("kind", event.kind.name()),
            ("status", event.status.name()),
        ];
        pairs.iter().all(|(name, value)| query.get(name).is_none_or(|wanted| wanted == *value))
    };
    let list = List { ranking: view::EVENTS, key_of: view::event_key };
    let pick = Pick { cursor: query.cursor()?, limit: query.limit(50, 200)?, matches };
    listing::page::<R, wire::Event>(store.redis(), &list, pick).await
}

//! Incidents: listed, shown whole, and spoken on by operators.

use homeostat_flow::seen::day_of;
use homeostat_flow::{Ingest, Ingested, Redis, ScriptStore, Store, views};
use homeostat_schema::types::{IncidentState, OperatorVerb, OperatorWord};
use homeostat_schema::wire;
use homeostat_stages::log::{self, WordGiven};
use homeostat_stages::{entry, view};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Problem, json, whole};
use crate::listing::{self, List, Pick};
use crate::port::Snapshots;
use crate::query::Query;
use crate::serve::World;

/// Longest name of an operator, characters.
const WHO_MAX: usize = 200;
/// Longest reason, characters: it is shown in the timeline.
const WHY_MAX: usize = 1_000;

pub(crate) const LIST: List = List { ranking: view::INCIDENTS, key_of: view::incident_key };

/// An incident without its timeline, which may be long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) env: String,
    pub(crate) service: String,
    pub(crate) title: String,
    pub(crate) severity: String,
    pub(crate) state: IncidentState,
    pub(crate) opened_at: String,
    updated_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<wire::Cause>,
}

/// Lists incidents, newest first.
pub(crate) async fn list<R: Redis>(store: &ScriptStore<R>, query: Option<&str>) -> Result<Answer, Problem> {
    let query = Query::parse(query, &["env", "service", "state", "limit", "cursor"])?;
    if query.get("state").is_some_and(|state| IncidentState::from_name(state).is_none()) {
        return Err(Problem::bad("state", format!("one of: {}", IncidentState::NAMES.join(", "))));
    }
    let matches = |incident: &Summary| {
        let pairs = [
            ("env", incident.env.as_str()),
            ("service", &incident.service),
            ("state", incident.state.name()),
        ];
        pairs.iter().all(|(name, value)| query.get(name).is_none_or(|wanted| wanted == *value))
    };
    let pick = Pick { cursor: query.cursor()?, limit: query.limit(50, 200)?, matches };
    listing::page::<R, Summary>(store.redis(), &LIST, pick).await
}

/// Shows one incident with its whole timeline.
pub(crate) async fn show<R: Redis>(store: &ScriptStore<R>, id: &str) -> Result<Answer, Problem> {
    Ok(whole(StatusCode::OK, "application/json", stored(store, id).await?))
}

pub(crate) async fn stored<R: Redis>(store: &ScriptStore<R>, id: &str) -> Result<Vec<u8>, Problem> {
    let value = views::value(store.redis(), &view::incident_key(id)).await?;
    value.ok_or_else(|| Problem::not_found().saying("there is no such incident, or it is long over"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    who: String,
    why: String,
}

#[derive(Serialize)]
struct Heard<'a> {
    incident: &'a str,
    verb: OperatorVerb,
    /// True when the same word was given before, by its `Idempotency-Key`.
    duplicate: bool,
}

/// Passes an operator's word on to the incident's case.
pub(crate) async fn word<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    id: &str,
    verb: OperatorVerb,
    key: Option<String>,
    body: &[u8],
) -> Result<Answer, Problem> {
    let said = read_word(body)?;
    let bytes = stored(world.store, id).await?;
    let incident: Summary = serde_json::from_slice(&bytes)
        .map_err(|_| Problem::internal("the incident was written by another version"))?;
    allowed(verb, incident.state)?;
    let word =
        OperatorWord { incident: incident.id.clone(), verb, who: said.who, why: said.why, at: world.now_ms };
    let output = entry::for_operator(&word, &incident.env, &incident.service, world.store.cell().shards());
    let key = key.unwrap_or_else(|| homeostat_schema::id::timed(world.now_ms, world.seed));
    let dedupe = format!("operator:{id}:{verb}:{key}");
    let ingest = Ingest {
        stage: output.stage,
        shard: &output.shard,
        ids: &[&dedupe],
        day: day_of(world.now_ms),
        fields: &output.fields,
        payload: &output.payload,
    };
    let duplicate = match world.store.ingest(&ingest).await? {
        Ingested::Accepted(_) => {
            world.store.say(&log::line(&WordGiven::of(&word)));
            false
        }
        Ingested::Duplicate => true,
        Ingested::Full => return Err(Problem::unavailable("too much is waiting already")),
    };
    Ok(json(StatusCode::ACCEPTED, &Heard { incident: &incident.id, verb, duplicate }))
}

fn read_word(body: &[u8]) -> Result<Said, Problem> {
    let expected = r#"an object with two texts is expected: {"who":"…","why":"…"}"#;
    let said: Said = wire::decode_form(body).map_err(|error| match error {
        wire::WireError::Malformed { path, .. } => Problem::bad(&path, expected),
        wire::WireError::TooDeep => Problem::bad("body", expected),
    })?;
    let who = bounded("who", &said.who, WHO_MAX)?;
    let why = bounded("why", &said.why, WHY_MAX)?;
    Ok(Said { who, why })
}

fn bounded(field: &str, text: &str, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max {
        return Err(Problem::bad(field, format!("a text of 1 to {max} characters is expected")));
    }
    Ok(text.to_owned())
}

/// A word that comes too late, or too early, is told so at once; the case itself decides again.
fn allowed(verb: OperatorVerb, state: IncidentState) -> Result<(), Problem> {
    let fits = match verb {
        OperatorVerb::Approve | OperatorVerb::Reject => state == IncidentState::AwaitingApproval,
        OperatorVerb::Resolve => state != IncidentState::Resolved,
    };
    if fits {
        return Ok(());
    }
    Err(Problem::new(StatusCode::CONFLICT)
        .saying(format!("the incident is {state}: there is nothing to {verb}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_who_and_why() {
        let check = |body: &str, expected: Result<(&str, &str), Option<&str>>| {
            let read = read_word(body.as_bytes());
            let problem = read.as_ref().err().map(|problem| serde_json::to_value(problem).unwrap());
            match expected {
                Ok((who, why)) => {
                    let said = read.unwrap_or_else(|_| panic!("{body}"));
                    assert_eq!((said.who.as_str(), said.why.as_str()), (who, why), "{body}");
                }
                Err(field) => assert_eq!(problem.unwrap()["field"].as_str(), field, "{body}"),
            }
        };
        check(r#"{"who":" ann ","why":"checked"}"#, Ok(("ann", "checked")));
        check(r#"{"who":"","why":"x"}"#, Err(Some("who")));
        check(r#"{"who":"ann","why":" "}"#, Err(Some("why")));
        check(&format!(r#"{{"who":"ann","why":"{}"}}"#, "x".repeat(1001)), Err(Some("why")));
        check(r#"{"who":5,"why":"x"}"#, Err(Some("who")));
        check(r#"{"who":"ann"}"#, Err(Some(".")));
        check("not json", Err(Some(".")));
        check(&"[".repeat(1000), Err(Some("body")));
    }

    #[test]
    fn words_fit_states() {
        use IncidentState as State;
        let check = |verb, state, expected: bool| {
            assert_eq!(allowed(verb, state).is_ok(), expected, "{verb} {state}")
        };
        check(OperatorVerb::Approve, State::AwaitingApproval, true);
        check(OperatorVerb::Approve, State::Acting, false);
        check(OperatorVerb::Reject, State::AwaitingApproval, true);
        check(OperatorVerb::Reject, State::Resolved, false);
        check(OperatorVerb::Resolve, State::Escalated, true);
        check(OperatorVerb::Resolve, State::Resolved, false);
    }
}

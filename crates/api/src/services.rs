//! Services, their health, and the learned policy.

use homeostat_flow::{Redis, ScriptStore, views};
use homeostat_policy::{Policy, Row};
use homeostat_stages::view::{self, ServiceView};
use http::{HeaderName, StatusCode};
use serde::Serialize;

use crate::answer::{Answer, Problem, json, whole, with};
use crate::listing::{self, List, Pick};
use crate::query::Query;

/// Names the next page of samples; their body is JSON lines and has no room for it.
const NEXT: HeaderName = HeaderName::from_static("homeostat-next");

pub(crate) const LIST: List = List { ranking: view::SERVICES, key_of: key_of_member };

/// Members are `<env>/<service>`; an environment's name has no slash.
fn key_of_member(member: &str) -> String {
    let (env, service) = member.split_once('/').unwrap_or((member, ""));
    view::service_key(env, service)
}

/// Lists services, last changed first.
pub(crate) async fn list<R: Redis>(store: &ScriptStore<R>, query: Option<&str>) -> Result<Answer, Problem> {
    let query = Query::parse(query, &["env", "limit", "cursor"])?;
    let matches = |service: &ServiceView| query.get("env").is_none_or(|env| env == service.env);
    let pick = Pick { cursor: query.cursor()?, limit: query.limit(100, 500)?, matches };
    listing::page::<R, ServiceView>(store.redis(), &LIST, pick).await
}

/// Shows one service.
pub(crate) async fn show<R: Redis>(
    store: &ScriptStore<R>,
    env: &str,
    service: &str,
) -> Result<Answer, Problem> {
    let value = views::value(store.redis(), &view::service_key(env, service)).await?;
    let value = value.ok_or_else(|| Problem::not_found().saying("nothing was heard of such a service"))?;
    Ok(whole(StatusCode::OK, "application/json", value))
}

#[derive(Serialize)]
struct Learned {
    version: u64,
    rows: Vec<Row>,
}

/// Shows the learned policy as rows.
pub(crate) async fn policy<R: Redis>(store: &ScriptStore<R>) -> Result<Answer, Problem> {
    let bytes = views::value(store.redis(), view::POLICY).await?;
    let policy = Policy::decode(bytes.as_deref()).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(json(StatusCode::OK, &Learned { version: policy.version(), rows: policy.rows() }))
}

/// Gives samples as JSON lines, oldest first; `Homeostat-Next` holds the cursor of the next page
/// while there may be more.
pub(crate) async fn samples<R: Redis>(
    store: &ScriptStore<R>,
    query: Option<&str>,
) -> Result<Answer, Problem> {
    let query = Query::parse(query, &["limit", "cursor"])?;
    let limit = query.limit(1_000, 10_000)?;
    let after = query.get("cursor").map(stream_id).transpose()?;
    let entries = views::oldest(store.redis(), view::SAMPLES, after, limit).await?;
    let mut lines = Vec::new();
    for (_, payload) in &entries {
        lines.extend_from_slice(payload);
        lines.push(b'\n');
    }
    let answer = whole(StatusCode::OK, "application/jsonl", lines);
    let full = u32::try_from(entries.len()).is_ok_and(|count| count == limit);
    match entries.last() {
        Some((last, _)) if full => Ok(with(answer, NEXT, last)),
        _ => Ok(answer),
    }
}

/// Checks the form `<milliseconds>-<number>`, as it becomes part of a command.
fn stream_id(text: &str) -> Result<&str, Problem> {
    let number = |part: &str| part.parse::<u64>().is_ok() && part.bytes().all(|byte| byte.is_ascii_digit());
    let fine = text.split_once('-').is_some_and(|(ms, count)| number(ms) && number(count));
    if fine { Ok(text) } else { Err(Problem::bad("cursor", "not a cursor that was given in Homeostat-Next")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stream_ids_are_cursors_of_samples() {
        for (text, expected) in [
            ("1-0", true),
            ("1764244800000-12", true),
            ("1", false),
            ("-", false),
            ("+-1", false),
            ("1-0 x", false),
        ] {
            assert_eq!(stream_id(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn members_become_keys() {
        assert_eq!(key_of_member("prod/unassigned/github/a"), "service:prod/unassigned/github/a");
    }
}

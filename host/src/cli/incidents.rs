//! `homeostat incidents`: what is wrong, and the whole story of one incident.
//!
//! Does not: change anything; `homeostat approve` does.

use clap::Args;
use homeostat_schema::time;
use homeostat_schema::types::IncidentState;
use homeostat_schema::wire::{Cause, Incident};
use serde::Deserialize;
use serde_json::Value;

use super::approve::incident_id;
use super::client::{Client, ClientError, Connection};
use super::{CliError, output};

mod story;

const EXAMPLES: &str = "\
Examples:
  homeostat incidents                              the newest
  homeostat incidents --state awaiting-approval    what waits for you
  homeostat incidents --env prod --service shop --limit 100
  homeostat incidents inc-80e8061d-2be9-8f20-b261-a40b69a5d13e      the whole timeline of one
  homeostat incidents --json | jq -r '.items[].id'

Exit codes: 0 done, also when there is none; 1 no such incident or no answer, 2 the arguments are wrong";

/// Pages asked for at most: a filter that matches little gives short ones.
const PAGES_MAX: usize = 20;

/// Of a change's name, in a line of the list.
const CHANGE_CHARS: usize = 7;

/// What the API gives in one page.
const PAGE: usize = 200;

/// The arguments of `homeostat incidents`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Show this one, with its timeline
    #[arg(value_name = "ID", value_parser = incident_id, conflicts_with_all = ["env", "service", "state"])]
    id: Option<String>,
    /// Only of this environment
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Only of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only in this state: open, awaiting-approval, acting, verifying, escalated, resolved
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<IncidentState>,
    /// How many at most, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print JSON, as the API gives it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

fn state(name: &str) -> Result<IncidentState, String> {
    IncidentState::from_name(name)
        .ok_or_else(|| format!("no such state; there are {}", IncidentState::NAMES.join(", ")))
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

/// A line of the table.
#[derive(Deserialize)]
struct Row {
    id: String,
    env: String,
    service: String,
    title: String,
    state: String,
    opened_at: String,
    #[serde(default)]
    cause: Option<Cause>,
}

/// Lists incidents, or shows one.
///
/// # Errors
/// When the app refuses or does not answer.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let client = arguments.connection.open()?;
    match &arguments.id {
        Some(id) => show(&client, id, &arguments).await,
        None => list(&client, &arguments).await,
    }
}

async fn show(client: &Client, id: &str, arguments: &Arguments) -> Result<(), CliError> {
    let answer = match client.get(&format!("/api/v1/incidents/{id}"), &[]).await {
        Err(ClientError::Refused { status, why, .. }) if status == http::StatusCode::NOT_FOUND => {
            return Err(CliError::Failure(anyhow::anyhow!(
                "{id}: {why}; `homeostat incidents` lists those there are"
            )));
        }
        other => other?,
    };
    if arguments.json {
        return output::json(&answer.json::<Value>()?);
    }
    output::line(&story::told(&answer.json::<Incident>()?, output::now_ms()));
    Ok(())
}

async fn list(client: &Client, arguments: &Arguments) -> Result<(), CliError> {
    let page = pages(client, arguments).await?;
    if arguments.json {
        return output::json(&page);
    }
    let (items, more) = (page.items, page.next.is_some());
    if items.is_empty() {
        output::line("no incidents");
        return Ok(());
    }
    let now_ms = output::now_ms();
    let rows: Vec<Vec<String>> = items.into_iter().filter_map(|item| row(item, now_ms)).collect();
    output::line(&output::table(&["STATE", "ENV", "SERVICE", "AGE", "ID", "TITLE"], &rows));
    if more {
        output::line("older ones are left out: --limit shows more");
    }
    Ok(())
}

/// Incidents up to the limit, and where the rest begins.
async fn pages(client: &Client, arguments: &Arguments) -> Result<output::Page<Value>, CliError> {
    let limit = usize::from(arguments.limit);
    let (mut items, mut next) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let query = query(arguments, next.take(), limit - items.len());
        let page: Page = client.get("/api/v1/incidents", &query).await?.json()?;
        items.extend(page.items);
        next = page.next;
        if items.len() >= limit || next.is_none() {
            break;
        }
    }
    Ok(output::Page { items, next })
}

fn query(arguments: &Arguments, cursor: Option<String>, wanted: usize) -> Vec<(&'static str, String)> {
    let filters = [
        ("env", arguments.env.clone()),
        ("service", arguments.service.clone()),
        ("state", arguments.state.map(|state| state.to_string())),
        ("cursor", cursor),
    ];
    let filters = filters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    filters.chain([("limit", wanted.min(PAGE).to_string())]).collect()
}

/// With what is blamed, so that those of one cause are seen to be one incident.
fn titled(title: &str, cause: Option<&Cause>) -> String {
    match cause.map(|cause| (cause, &cause.change, &cause.service)) {
        Some((cause, Some(change), Some(service))) if cause.blamed => {
            let short: String = change.chars().take(CHANGE_CHARS).collect();
            format!("{title}, by {short} of {service} ({})", cause.incident)
        }
        _ => title.to_owned(),
    }
}

fn row(item: Value, now_ms: u64) -> Option<Vec<String>> {
    let row: Row = serde_json::from_value(item).ok()?;
    let age = time::parse(&row.opened_at)
        .map_or_else(|_| "?".to_owned(), |at| output::span(now_ms.saturating_sub(at)));
    let title = titled(&row.title, row.cause.as_ref());
    let cells = [row.state, row.env, row.service, age, row.id, title];
    Some(cells.iter().map(|cell| output::plain(cell)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_tells_what_is_blamed() {
        let title = |blamed: bool| {
            let item = json!({
                "id": "i1", "env": "prod", "service": "shop", "title": "errors", "state": "open",
                "opened_at": "2026-03-01T10:00:00Z",
                "cause": {"incident": "cause-1", "findings": 2, "change": "600d1dea0b0b", "service": "billing",
                          "probability": 0.9, "blamed": blamed, "text": ""},
            });
            row(item, 0).and_then(|cells| cells.last().cloned()).expect("a line")
        };
        assert_eq!(title(true), "errors, by 600d1de of billing (cause-1)");
        assert_eq!(title(false), "errors");
    }
}

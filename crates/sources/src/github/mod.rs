//! GitHub's webhooks: workflow runs and jobs, checks, commit statuses, deployments, pushes, pull
//! requests, releases and `ping`; of GitHub.com and of Enterprise Servers, which leave fields out.
//!
//! The header that names the event is not signed, so it is held against the shape of the body.
//! GitHub's own examples break strict parsers, so only what is needed is read, and null, missing
//! and further fields are tolerated.
//!
//! What this does not do: read form-encoded bodies; resolve names; follow links of a payload.
//!
//! Invariants: an event whose fork or own-action status cannot be told counts as the one that
//! permits less; `inactive` is never a failure; a run counts once, whichever events tell of it.

mod changes;
mod deployments;
mod payload;
mod runs;
mod status;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;
use http::HeaderMap;

use crate::authenticate::{GITHUB_SIGNATURE, Scheme};
use crate::forge::{TOLD_AT, note, owned, plain_header, require_json};
use crate::json::{self, When};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::source::Profile;
use payload::{Body, Event, Repository};

/// Longest `X-GitHub-Delivery` taken; GitHub sends a GUID of 36 characters.
const DELIVERY_MAX: usize = 64;
/// Longest name of an event taken; GitHub's longest has 35 characters.
const EVENT_MAX: usize = 64;

/// GitHub. It delivers nothing longer than 25 MB.
pub(crate) const PROFILE: Profile = Profile {
    name: "github",
    body_max: 25 * 1024 * 1024,
    schemes: &[Scheme::sha256(GITHUB_SIGNATURE)],
    read: read_delivery,
};

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let id = delivery_id(raw.headers)?;
    Ok(Read { id: Some(id), reading: read(raw.headers, raw.body)? })
}

/// The delivery's id. GitHub repeats it when it redelivers.
///
/// # Errors
/// [`NotUnderstood`] when it is missing, repeated, too long, or holds other than letters, digits
/// and `-`.
pub fn delivery_id(headers: &HeaderMap) -> Result<String, NotUnderstood> {
    token(headers, "x-github-delivery", DELIVERY_MAX)
}

/// Reads one verified delivery.
///
/// # Errors
/// [`NotUnderstood`] when the body is not what the headers say, or lacks what is needed.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Reading, NotUnderstood> {
    require_json(headers)?;
    let name = token(headers, "x-github-event", EVENT_MAX)?;
    let Some(event) = Event::named(&name) else { return Ok(Reading::Ignored(not_read(&name))) };
    let body: Body = json::object(body)?;
    if body.event() != Some(event) {
        return Err(NotUnderstood::new(format!(
            "the body is not that of a {name} event, as X-GitHub-Event says"
        )));
    }
    match event {
        Event::WorkflowRun => runs::workflow_run(body),
        Event::WorkflowJob => runs::workflow_job(body),
        Event::CheckSuite => runs::check_suite(body),
        Event::CheckRun => runs::check_run(body),
        Event::Status => runs::commit_status(body),
        Event::Deployment => deployments::deployment(body),
        Event::DeploymentStatus => deployments::deployment_status(body),
        Event::Push => changes::push(body),
        Event::PullRequest => changes::pull_request(body),
        Event::Release => changes::release(body),
        Event::Ping => Ok(Reading::Ignored("ping".to_owned())),
    }
}

fn not_read(event: &str) -> String {
    match event {
        "create" | "delete" => "the push event says so as well".to_owned(),
        other => format!("GitHub's {other} events are not of interest"),
    }
}

fn token(headers: &HeaderMap, name: &str, max: usize) -> Result<String, NotUnderstood> {
    plain_header(headers, name, max, b"-_")
        .ok_or_else(|| NotUnderstood::new(format!("the header {name} is missing or malformed")))
}

fn draft(kind: EventKind, status: Status, repository: &Repository) -> flat::Draft {
    let mut said = flat::Draft::saying(kind, status);
    said.service_name = owned(repository.full_name.as_ref());
    said
}

/// Dates what was said. A time before the epoch is repeated as it was said, in [`TOLD_AT`].
fn date(said: &mut flat::Draft, at: Option<When>) {
    said.occurred_at_ms = at.map(When::ms);
    note(said, TOLD_AT, at.filter(|at| at.is_early()).and_then(When::told));
}

fn named(repository: Option<Repository>) -> Result<Repository, NotUnderstood> {
    repository
        .filter(|repository| owned(repository.full_name.as_ref()).is_some())
        .ok_or_else(|| NotUnderstood::missing("repository.full_name"))
}

fn login(person: Option<payload::Person>) -> Option<String> {
    person.and_then(|person| owned(person.login.as_ref()))
}

#[cfg(test)]
mod tests;

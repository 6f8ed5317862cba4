//! GitHub's webhooks: `workflow_run`, `deployment`, `deployment_status`, `push` and `ping`.
//!
//! The header that names the event is not signed, so it is held against the shape of the body.
//! GitHub's own examples break strict parsers, so only what is needed is read, and null, missing
//! and further fields are tolerated.
//!
//! What this does not do: read form-encoded bodies; resolve names; follow links of a payload.
//!
//! Invariants: an event whose fork or own-action status cannot be told counts as the one that
//! permits less; `inactive` is never a failure.

mod payload;
mod status;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX};
use http::{HeaderMap, header};

use crate::authenticate::{GITHUB_SIGNATURE, Scheme, single};
use crate::json::{self, Text, bounded};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::source::Profile;
use payload::{Body, Deployment, DeploymentStatus, Repository, Shape, WorkflowRun};

/// Longest `X-GitHub-Delivery` taken; GitHub sends a GUID of 36 characters.
const DELIVERY_MAX: usize = 64;
/// Longest name of an event taken; GitHub's longest has 35 characters.
const EVENT_MAX: usize = 64;
/// What `after` holds when a branch or tag was deleted, in SHA-1 and in SHA-256 repositories.
const ZERO: char = '0';

/// GitHub. It delivers nothing longer than 25 MB.
pub(crate) const PROFILE: Profile = Profile {
    name: "github",
    body_max: 25 * 1024 * 1024,
    schemes: &[Scheme::HmacBody { header: GITHUB_SIGNATURE }],
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
    let event = token(headers, "x-github-event", EVENT_MAX)?;
    let reader: fn(Body) -> Result<Reading, NotUnderstood> = match event.as_str() {
        "workflow_run" => workflow_run,
        "deployment" => deployment,
        "deployment_status" => deployment_status,
        "push" => push,
        "ping" => ping,
        _ => return Ok(Reading::Ignored(format!("GitHub's {event} events are not of interest"))),
    };
    let body: Body = json::object(body)?;
    if body.shape() != Some(shape_of(&event)) {
        return Err(NotUnderstood::new(format!(
            "the body is not that of a {event} event, as X-GitHub-Event says"
        )));
    }
    reader(body)
}

fn shape_of(event: &str) -> Shape {
    match event {
        "workflow_run" => Shape::WorkflowRun,
        "deployment" => Shape::Deployment,
        "deployment_status" => Shape::DeploymentStatus,
        "push" => Shape::Push,
        _ => Shape::Ping,
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), NotUnderstood> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(NotUnderstood::new("compressed bodies are not read"));
    }
    let kind = single(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    Err(NotUnderstood::new("only JSON bodies are read: set the webhook's content type to application/json"))
}

fn token(headers: &HeaderMap, name: &str, max: usize) -> Result<String, NotUnderstood> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    single(headers, name)
        .filter(|value| !value.is_empty() && value.len() <= max && value.iter().all(plain))
        .and_then(|value| std::str::from_utf8(value).ok())
        .map(str::to_owned)
        .ok_or_else(|| NotUnderstood::new(format!("the header {name} is missing or malformed")))
}

fn ping(_body: Body) -> Result<Reading, NotUnderstood> {
    Ok(Reading::Ignored("ping".to_owned()))
}

fn workflow_run(body: Body) -> Result<Reading, NotUnderstood> {
    let action = owned(body.action.as_ref());
    let run = body.workflow_run.ok_or_else(|| NotUnderstood::missing("workflow_run"))?;
    let conclusion = owned(run.conclusion.as_ref());
    let Some(status) = status::of_run(action.as_deref(), conclusion.as_deref()) else {
        return Ok(Reading::Ignored("this action of a workflow_run is not of interest".to_owned()));
    };
    let repository = named(body.repository)?;
    let id = run.id.ok_or_else(|| NotUnderstood::missing("workflow_run.id"))?;
    let mut draft = draft(EventKind::Run, status, &repository);
    draft.fork = !same_repository(&run, &repository);
    draft.duration_ms = finished(&draft.status)
        .then(|| span(run.run_started_at.map(|at| at.0), run.updated_at.map(|at| at.0)))
        .flatten();
    draft.correlation.run = Some(id.to_string());
    draft.correlation.run_attempt = run.run_attempt.or(Some(1));
    draft.correlation.pull_request =
        run.pull_requests.and_then(|all| all.0).and_then(|first| first.number).map(|n| n.to_string());
    draft.occurred_at_ms = run.updated_at.map(|at| at.0);
    draft.title = owned(run.name.as_ref()).or(owned(run.path.as_ref()));
    draft.commit = owned(run.head_sha.as_ref());
    draft.branch = owned(run.head_branch.as_ref());
    draft.actor = run.triggering_actor.and_then(|actor| owned(actor.login.as_ref())).or(login(body.sender));
    draft.url = run.html_url.and_then(|url| flat::safe_url(&url.0));
    Ok(Reading::one(draft, None))
}

fn deployment(body: Body) -> Result<Reading, NotUnderstood> {
    let repository = named(body.repository)?;
    let deployment = body.deployment.ok_or_else(|| NotUnderstood::missing("deployment"))?;
    let mut draft = draft(deployment.kind(), Status::Queued, &repository);
    draft.occurred_at_ms = deployment.created_at.map(|at| at.0);
    draft.actor = login(body.sender);
    let own_attempt = deployment.own_attempt();
    describe(&mut draft, deployment, body.workflow_run)?;
    Ok(Reading::one(draft, own_attempt))
}

fn deployment_status(body: Body) -> Result<Reading, NotUnderstood> {
    let repository = named(body.repository)?;
    let deployment = body.deployment.ok_or_else(|| NotUnderstood::missing("deployment"))?;
    let state = body.deployment_status.ok_or_else(|| NotUnderstood::missing("deployment_status"))?;
    let status =
        owned(state.state.as_ref()).ok_or_else(|| NotUnderstood::missing("deployment_status.state"))?;
    let mut draft = draft(deployment.kind(), status::of_deployment(&status), &repository);
    let (began, at) = (deployment.created_at.map(|at| at.0), state.created_at.map(|at| at.0));
    draft.duration_ms = finished(&draft.status).then(|| span(began, at)).flatten();
    draft.occurred_at_ms = at;
    let own_attempt = deployment.own_attempt();
    describe(&mut draft, deployment, body.workflow_run)?;
    draft.env_name = owned(state.environment.as_ref()).or(draft.env_name);
    draft.url = state.best_url();
    draft.actor = state.creator.and_then(|creator| owned(creator.login.as_ref())).or(login(body.sender));
    Ok(Reading::one(draft, own_attempt))
}

fn push(body: Body) -> Result<Reading, NotUnderstood> {
    let after = owned(body.after.as_ref()).ok_or_else(|| NotUnderstood::missing("after"))?;
    if body.deleted == Some(true) || after.chars().all(|digit| digit == ZERO) {
        return Ok(Reading::Ignored("a branch or tag was deleted".to_owned()));
    }
    let repository = named(body.repository)?;
    let mut draft = draft(EventKind::Change, Status::Success, &repository);
    // The commits carry their committers' clocks, which prove nothing; this one is GitHub's.
    draft.occurred_at_ms = repository.pushed_at.map(|at| at.0);
    draft.branch = body.git_ref.as_ref().and_then(|name| short_ref(&name.0));
    draft.commit = Some(after);
    draft.url = body.compare.and_then(|url| flat::safe_url(&url.0));
    draft.actor = login(body.sender);
    if body.forced == Some(true) {
        draft.attributes.push(("forced".to_owned(), "true".to_owned()));
    }
    Ok(Reading::one(draft, None))
}

/// What a deployment and its statuses have in common.
fn describe(
    draft: &mut flat::Draft,
    deployment: Deployment,
    run: Option<WorkflowRun>,
) -> Result<(), NotUnderstood> {
    let id = deployment.id.ok_or_else(|| NotUnderstood::missing("deployment.id"))?;
    draft.correlation.deployment = Some(id.to_string());
    draft.correlation.run = run.as_ref().and_then(|run| run.id).map(|id| id.to_string());
    draft.correlation.run_attempt = run.as_ref().and_then(|run| run.run_attempt);
    draft.env_name = owned(deployment.environment.as_ref());
    draft.commit = owned(deployment.sha.as_ref());
    draft.branch = deployment.git_ref.as_ref().and_then(|name| short_ref(&name.0));
    draft.title = owned(deployment.description.as_ref()).or(owned(deployment.task.as_ref()));
    Ok(())
}

fn draft(kind: EventKind, status: Status, repository: &Repository) -> flat::Draft {
    let mut draft = flat::Draft::saying(kind, status);
    draft.service_name = owned(repository.full_name.as_ref());
    draft
}

fn named(repository: Option<Repository>) -> Result<Repository, NotUnderstood> {
    repository
        .filter(|repository| owned(repository.full_name.as_ref()).is_some())
        .ok_or_else(|| NotUnderstood::missing("repository.full_name"))
}

/// Whether the run is known to be of the repository itself: a fork deleted since has no id.
fn same_repository(run: &WorkflowRun, repository: &Repository) -> bool {
    let head = run.head_repository.as_ref().and_then(|head| head.id);
    head.is_some() && head == repository.id
}

fn finished(status: &Status) -> bool {
    matches!(status, Status::Success | Status::Failure | Status::Cancelled)
}

/// The time between, when it did not run backwards.
fn span(from: Option<u64>, until: Option<u64>) -> Option<u64> {
    until?.checked_sub(from?)
}

fn short_ref(name: &str) -> Option<String> {
    let short = name.strip_prefix("refs/heads/").or(name.strip_prefix("refs/tags/")).unwrap_or(name);
    bounded(short, TEXT_CHARS_MAX)
}

fn owned<const N: usize>(text: Option<&Text<N>>) -> Option<String> {
    text.map(|text| text.0.clone()).filter(|text| !text.is_empty())
}

fn login(person: Option<payload::Person>) -> Option<String> {
    person.and_then(|person| owned(person.login.as_ref()))
}

impl Deployment {
    fn kind(&self) -> EventKind {
        match self.task.as_ref().map(|task| task.0.to_ascii_lowercase()).as_deref() {
            Some("rollback") => EventKind::Rollback,
            _ => EventKind::Deployment,
        }
    }

    fn own_attempt(&self) -> Option<String> {
        let payload = self.payload.as_ref()?.0.as_ref()?;
        let stamp = payload.homeostat.as_ref()?.0.as_ref()?;
        owned(stamp.attempt.as_ref())
    }
}

impl DeploymentStatus {
    fn best_url(&self) -> Option<String> {
        let all = [&self.log_url, &self.target_url, &self.environment_url];
        all.into_iter().flatten().find_map(|url| flat::safe_url(&url.0))
    }
}

#[cfg(test)]
mod tests;

//! Tekton's CloudEvents: states of task runs, pipeline runs and custom runs.
//!
//! The state is the run's own, in its condition; the type of the event only says which kind of run
//! it is. Service, environment, version and commit come from labels or annotations.
//!
//! What this does not do: keep parameters, results, logs or anything else of the specification,
//! which may hold secrets.
//!
//! Invariant: Tekton tells the same state twice under different ids; both are one event, by the
//! run's uid.

mod body;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;

use crate::authenticate::Scheme;
use crate::cloudevents::Envelope;
use crate::draft::Draft;
use crate::json;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::{attribute, finished, span};
use crate::source::{BODY_MAX, Profile};
use body::{Body, Condition, Run};

/// Tekton Pipelines. It sends no proof of its own: a proxy or a header set beside it must.
pub(crate) const PROFILE: Profile = Profile {
    name: "tekton",
    body_max: BODY_MAX,
    schemes: &[Scheme::Bearer, Scheme::Basic],
    read: read_delivery,
};

const PREFIX: &str = "dev.tekton.event.";

/// Whether a CloudEvent of this type comes from Tekton.
pub(crate) fn is_type(kind: &str) -> bool {
    kind.starts_with(PREFIX)
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let envelope = Envelope::of(raw)?;
    Ok(Read { id: Some(envelope.name()), reading: read_data(&envelope)? })
}

/// Which kind of run a type is about, and how far it says it got.
struct Kind<'a> {
    run: &'a str,
    state: &'a str,
}

impl<'a> Kind<'a> {
    /// Of `dev.tekton.event.taskrun.started.v1`.
    fn of(name: &'a str) -> Result<Self, NotUnderstood> {
        let mut words = name.strip_prefix(PREFIX).unwrap_or_default().split('.');
        match (words.next(), words.next()) {
            (Some(run), Some(state)) if !run.is_empty() => Ok(Self { run, state }),
            _ => Err(NotUnderstood::new("the CloudEvents type is not one of Tekton's")),
        }
    }
}

/// Reads the run that a CloudEvent carries.
///
/// # Errors
/// [`NotUnderstood`] when it is not Tekton's, or not the run that its type names.
pub(crate) fn read_data(envelope: &Envelope<'_>) -> Result<Reading, NotUnderstood> {
    let kind = Kind::of(&envelope.kind)?;
    let body: Body = json::object(envelope.json()?)?;
    let (event, run) = match kind.run {
        "pipelinerun" => (EventKind::Run, body.pipeline_run.0),
        "taskrun" => (EventKind::Job, body.task_run.0),
        "customrun" => (EventKind::Job, body.custom_run.0),
        "run" => (EventKind::Job, body.run.0),
        other if other.chars().all(|letter| letter.is_ascii_lowercase()) => {
            return Ok(Reading::Ignored(format!("Tekton's {other} events are not of interest")));
        }
        _ => return Err(NotUnderstood::new("the CloudEvents type is not one of Tekton's")),
    };
    let run = run.ok_or_else(|| NotUnderstood::new("the body is not the run that its type names"))?;
    Ok(Reading::Items(vec![draft(event, &kind, &run, envelope)?]))
}

fn draft(
    event: EventKind,
    kind: &Kind<'_>,
    run: &Run,
    envelope: &Envelope<'_>,
) -> Result<Draft, NotUnderstood> {
    let meta = run.metadata.0.as_ref().ok_or_else(|| NotUnderstood::missing("metadata"))?;
    let uid = meta.uid.as_str().ok_or_else(|| NotUnderstood::missing("metadata.uid"))?;
    let mut said = flat::Draft::saying(event, state(kind, run.condition()));
    said.occurred_at_ms = run.occurred(&said.status).or(envelope.own_time_ms());
    said.duration_ms = finished(&said.status).then(|| span(run.started(), run.completed())).flatten();
    said.service_name = meta.noted("homeostat.dev/service").or_else(|| run.definition());
    said.env_name = meta.noted("homeostat.dev/env");
    said.version = meta.noted("homeostat.dev/version");
    said.commit = meta.noted("homeostat.dev/commit").or_else(|| meta.noted("pipelinesascode.tekton.dev/sha"));
    said.branch =
        meta.noted("pipelinesascode.tekton.dev/branch").and_then(|name| crate::said::short_ref(&name));
    said.actor = meta.noted("pipelinesascode.tekton.dev/sender");
    // The same for all its runs, by which a later one is known to follow an earlier one; a run's own
    // name is made up.
    said.title = run.definition().or_else(|| meta.name.0.clone());
    said.url = meta.noted_whole("pipelinesascode.tekton.dev/log-url").and_then(|url| flat::safe_url(&url));
    said.correlation.run = Some(match said.kind {
        EventKind::Run => uid.to_owned(),
        _ => meta.pipeline_run_uid().unwrap_or(uid).to_owned(),
    });
    said.correlation.pull_request = meta.noted("pipelinesascode.tekton.dev/pull-request");
    attribute(&mut said, "reason", run.condition().and_then(|condition| condition.reason.as_str()));
    attribute(&mut said, "name", meta.name.as_str());
    attribute(&mut said, "namespace", meta.namespace.as_str());
    Ok(Draft::of(said).about(format!("{}:{uid}", kind.run), run.attempt()))
}

/// By the run's condition; by the type only where there is none yet.
fn state(kind: &Kind<'_>, condition: Option<&Condition>) -> Status {
    let Some(condition) = condition else { return untold(kind.state) };
    let reason = condition.reason.as_str().unwrap_or_default();
    match condition.status.as_str() {
        Some("True") => Status::Success,
        Some("False") if stopped(reason) => Status::Cancelled,
        Some("False") => Status::Failure,
        Some("Unknown") if reason.ends_with("Pending") => Status::Queued,
        Some("Unknown") => Status::Running,
        _ => untold(kind.state),
    }
}

fn untold(state: &str) -> Status {
    match state {
        "queued" => Status::Queued,
        "started" | "running" | "unknown" => Status::Running,
        "successful" => Status::Success,
        "failed" => Status::Failure,
        _ => Status::Unknown,
    }
}

/// Whether a person or a rule ended it, rather than an error: `Cancelled`, `TaskRunCancelled`,
/// `CancelledRunFinally`, `StoppedRunFinally`.
fn stopped(reason: &str) -> bool {
    reason.contains("Cancelled") || reason.starts_with("Stopped")
}

#[cfg(test)]
mod tests;

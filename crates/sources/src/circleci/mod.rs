//! CircleCI's outbound webhooks: `workflow-completed` and `job-completed`.
//!
//! Pipelines of GitHub's OAuth app and of Bitbucket say what was built in `pipeline.vcs`, those of
//! GitLab and of GitHub's App in `pipeline.trigger_parameters.git`; whichever is there is read. A
//! tag's build has nulls where a branch's has values.
//!
//! What this does not do: tell when something is queued or runs, which CircleCI does not send;
//! keep the commit's message or its author's address.
//!
//! Invariants: the type in the header, which is not signed, must be the body's; the body's own id
//! names the delivery.

mod body;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;

use crate::authenticate::{Scheme, single};
use crate::draft::Draft;
use crate::json;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::{attribute, span};
use crate::source::{BODY_MAX, Profile};
use body::{Body, Unit};

/// CircleCI.
pub(crate) const PROFILE: Profile = Profile {
    name: "circleci",
    body_max: BODY_MAX,
    schemes: &[Scheme::v1("circleci-signature")],
    read: read_delivery,
};

const EVENT_HEADER: &str = "circleci-event-type";

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let body: Body = json::object(raw.body)?;
    let told =
        single(raw.headers, EVENT_HEADER).filter(|told| Some(*told) != body.kind.as_str().map(str::as_bytes));
    if told.is_some() {
        return Err(NotUnderstood::new(format!("the body is not of the type that {EVENT_HEADER} names")));
    }
    let id = body.id.0.clone();
    Ok(Read { id, reading: read(&body)? })
}

fn read(body: &Body) -> Result<Reading, NotUnderstood> {
    let (kind, unit) = match body.kind.as_str() {
        Some("workflow-completed") => (EventKind::Run, &body.workflow.0),
        Some("job-completed") => (EventKind::Job, &body.job.0),
        // What the button "Test ping event" sends.
        Some("ping") => return Ok(Reading::Ignored("ping".to_owned())),
        Some(_) => {
            return Ok(Reading::Ignored("this type of CircleCI's events is not of interest".to_owned()));
        }
        None => return Err(NotUnderstood::missing("type")),
    };
    let unit = unit.as_ref().ok_or_else(|| NotUnderstood::new("the body holds no such workflow or job"))?;
    Ok(Reading::Items(vec![draft(body, kind, unit)?]))
}

fn draft(body: &Body, kind: EventKind, unit: &Unit) -> Result<Draft, NotUnderstood> {
    let id = unit.id.as_str().ok_or_else(|| NotUnderstood::missing("the workflow's or job's id"))?;
    let status = unit.status.as_str().ok_or_else(|| NotUnderstood::missing("status"))?;
    let subject = format!("{}:{id}", kind.name());
    let mut said = flat::Draft::saying(kind, of_status(status));
    said.delivery.clone_from(&body.id.0);
    said.service_name = body.project.0.as_ref().and_then(|project| project.slug.0.clone());
    said.title.clone_from(&unit.name.0);
    said.occurred_at_ms = body.happened_at.0.or(unit.stopped_at.0);
    said.duration_ms = span(unit.started_at.0.or(unit.created_at.0), unit.stopped_at.0);
    let workflow = body.workflow.0.as_ref();
    said.url = workflow.and_then(|workflow| flat::safe_url(workflow.url.as_str()?));
    said.correlation.run = workflow.and_then(|workflow| workflow.id.0.clone());
    if let Some(pipeline) = &body.pipeline.0 {
        said.commit = pipeline.commit();
        said.branch = pipeline.branch_or_tag();
        said.fork = pipeline.is_of_fork();
        said.actor = pipeline.actor();
        attribute(&mut said, "pipeline", pipeline.id.as_str());
    }
    attribute(&mut said, "result", Some(status));
    Ok(Draft::of(said).about(subject, 1))
}

fn of_status(status: &str) -> Status {
    match status {
        "success" => Status::Success,
        // Unauthorized: a context it may not use; it did not run, and will not until someone acts.
        "failed" | "error" | "unauthorized" => Status::Failure,
        "canceled" => Status::Cancelled,
        other => Status::named(other),
    }
}

#[cfg(test)]
mod tests;

//! Buildkite's webhooks, and the same events from Amazon EventBridge.
//!
//! A webhook may hold a later version of the build than the one that caused it, so what kind of
//! thing it is about comes from the event's name, and its state from the thing itself. A build
//! that is "finished" and blocked waits for a person.
//!
//! What this does not do: read agent events; keep commands, environment, meta-data or messages.
//!
//! Invariants: the name in the header, which is not signed, must be the body's; a build of another
//! repository is a fork's.

mod body;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;

use crate::authenticate::{Scheme, Stamp, single};
use crate::draft::Draft;
use crate::json;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::{attribute, finished, span};
use crate::source::{BODY_MAX, Profile};
use body::{Body, Build, Detail, Job, Pipeline};

/// Buildkite. Its signature is over its time and the body; the token alone proves less.
pub(crate) const PROFILE: Profile = Profile {
    name: "buildkite",
    body_max: BODY_MAX,
    schemes: &[
        Scheme::HmacTimestamped {
            header: "x-buildkite-signature",
            prefix: "signature=",
            stamp: Stamp::Beside("timestamp="),
            before: "",
            separator: ".",
        },
        Scheme::Token { header: "x-buildkite-token" },
        Scheme::Bearer,
    ],
    read: read_delivery,
};

const EVENT_HEADER: &str = "x-buildkite-event";

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let mut body: Body = json::object(raw.body)?;
    if let Some(detail) = body.detail.0.take() {
        let id = body.id.0.take();
        return Ok(Read { reading: from_event_bridge(&body, &detail, id.as_deref())?, id });
    }
    let told = single(raw.headers, EVENT_HEADER)
        .filter(|told| Some(*told) != body.event.as_str().map(str::as_bytes));
    if told.is_some() {
        return Err(NotUnderstood::new(format!("the body is not of the event that {EVENT_HEADER} names")));
    }
    let event = body.event.as_str().ok_or_else(|| NotUnderstood::missing("event"))?;
    let family = event.split('.').next().unwrap_or_default().to_owned();
    // Buildkite names no delivery.
    Ok(Read { id: None, reading: read(&family, &body.into_detail(), None)? })
}

/// `Build Finished` is `build.finished`.
fn from_event_bridge(body: &Body, detail: &Detail, id: Option<&str>) -> Result<Reading, NotUnderstood> {
    let name = body.detail_type.as_str().ok_or_else(|| NotUnderstood::missing("detail-type"))?;
    let family = name.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    let reading = read(&family, detail, body.time.0)?;
    let Reading::Items(mut drafts) = reading else { return Ok(reading) };
    for draft in &mut drafts {
        draft.said.delivery = id.map(str::to_owned);
    }
    Ok(Reading::Items(drafts))
}

fn read(family: &str, detail: &Detail, sent_at_ms: Option<u64>) -> Result<Reading, NotUnderstood> {
    match family {
        "build" | "job" => {}
        "ping" => return Ok(Reading::Ignored("ping".to_owned())),
        "agent" => return Ok(Reading::Ignored("agent events are not of interest".to_owned())),
        _ => return Ok(Reading::Ignored("this event of Buildkite's is not of interest".to_owned())),
    }
    let build = detail.build.0.as_ref().ok_or_else(|| NotUnderstood::missing("build"))?;
    let pipeline = detail.pipeline.0.as_ref();
    let mut draft = match &detail.job.0 {
        Some(job) if family == "job" => match job.kind.as_str() {
            // A block or wait step: it has no state of its own that anything hangs on.
            Some("manual" | "waiter") => {
                return Ok(Reading::Ignored("a step that only waits is not of interest".to_owned()));
            }
            _ => of_job(job, build)?,
        },
        None if family == "job" => return Err(NotUnderstood::missing("job")),
        _ => of_build(build)?,
    };
    draft.said.occurred_at_ms = draft.said.occurred_at_ms.or(sent_at_ms);
    describe(&mut draft.said, build, pipeline, detail.organization_slug());
    Ok(Reading::Items(vec![draft]))
}

fn of_build(build: &Build) -> Result<Draft, NotUnderstood> {
    let id = build.id.as_str().ok_or_else(|| NotUnderstood::missing("build.id"))?;
    let state = build.state.as_str().ok_or_else(|| NotUnderstood::missing("build.state"))?;
    let status = match build.blocked.0 {
        Some(true) if state == "passed" || state == "finished" => Status::Waiting,
        _ => of_state(state),
    };
    let mut said = flat::Draft::saying(EventKind::Run, status);
    said.url = build.web_url.as_str().and_then(flat::safe_url);
    said.occurred_at_ms = match said.status {
        Status::Queued => build.scheduled_at.0.or(build.created_at.0),
        Status::Running => build.started_at.0,
        _ => build.finished_at.0,
    };
    said.duration_ms =
        finished(&said.status).then(|| span(build.started_at.0, build.finished_at.0)).flatten();
    attribute(&mut said, "result", Some(state));
    Ok(Draft::of(said).about(format!("build:{id}"), 1))
}

fn of_job(job: &Job, build: &Build) -> Result<Draft, NotUnderstood> {
    let id = job.id.as_str().ok_or_else(|| NotUnderstood::missing("job.id"))?;
    let mut said = flat::Draft::saying(EventKind::Job, job_status(job));
    said.title = job.name.0.clone().or_else(|| job.step_key.0.clone());
    said.url = job.web_url.as_str().or(build.web_url.as_str()).and_then(flat::safe_url);
    said.occurred_at_ms = match said.status {
        Status::Queued => job.runnable_at.0.or(job.scheduled_at.0).or(job.created_at.0),
        Status::Running => job.started_at.0,
        _ => job.finished_at.0,
    };
    said.duration_ms = finished(&said.status).then(|| span(job.started_at.0, job.finished_at.0)).flatten();
    attribute(&mut said, "exit-status", job.exit_status.as_str());
    // A retried job is a new job with an id of its own.
    Ok(Draft::of(said).about(format!("job:{id}"), 1))
}

fn describe(said: &mut flat::Draft, build: &Build, pipeline: Option<&Pipeline>, organization: Option<&str>) {
    let slug = pipeline.and_then(|pipeline| pipeline.slug.as_str());
    said.service_name = slug.map(str::to_owned);
    // The same for all its builds, by which a later one is known to follow an earlier one.
    said.title = said.title.take().or_else(|| slug.map(str::to_owned));
    attribute(said, "number", build.number.as_str());
    // Before the commit is known Buildkite says HEAD.
    said.commit = build.commit.0.clone().filter(|commit| commit != "HEAD");
    said.branch = build.branch.0.clone().or_else(|| build.tag.0.clone());
    said.actor = build.creator.0.as_ref().and_then(|creator| creator.name.0.clone());
    said.correlation.run.clone_from(&build.id.0);
    said.correlation.pull_request = build.pull_request_id();
    said.fork = build.is_of_fork(pipeline);
    attribute(said, "organization", organization);
}

fn of_state(state: &str) -> Status {
    match state {
        "creating" | "scheduled" => Status::Queued,
        // It will fail, and still runs.
        "started" | "running" | "failing" | "canceling" => Status::Running,
        "blocked" => Status::Waiting,
        "passed" => Status::Success,
        "failed" => Status::Failure,
        "canceled" => Status::Cancelled,
        "skipped" | "not_run" => Status::Skipped,
        "finished" => Status::Unknown,
        other => Status::named(other),
    }
}

fn job_status(job: &Job) -> Status {
    let soft = job.soft_failed.0 == Some(true);
    match job.state.as_str().unwrap_or_default() {
        "" => Status::Unknown,
        "pending" | "waiting" | "limiting" | "limited" | "scheduled" | "assigned" | "accepted"
        | "reserved" | "platform_limiting" | "platform_limited" => Status::Queued,
        "started" | "running" | "canceling" | "timing_out" => Status::Running,
        "blocked" => Status::Waiting,
        "finished" => match (job.passed.0, job.exit_status.as_str()) {
            _ if soft => Status::Success,
            (Some(true), _) | (None, Some("0")) => Status::Success,
            (Some(false), _) | (None, Some(_)) => Status::Failure,
            (None, None) => Status::Unknown,
        },
        "passed" => Status::Success,
        // The pipeline says that this step may fail.
        "failed" if soft => Status::Success,
        "failed" | "timed_out" | "expired" => Status::Failure,
        "canceled" => Status::Cancelled,
        "skipped" | "broken" => Status::Skipped,
        other => Status::named(other),
    }
}

#[cfg(test)]
mod tests;

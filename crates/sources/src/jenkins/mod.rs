//! Jenkins: the Notification plug-in's JSON, and the CloudEvents plug-in.
//!
//! A service's name is the job's full path (`folder/shop`), as the name alone is that of the branch
//! in a multibranch job. A build is known by its address.
//!
//! What this does not do: keep the log, parameters, notes, artifacts or the list of failed tests,
//! which may hold secrets; tell who started a build (culprits are whose changes are in it).
//!
//! Invariants: COMPLETED and FINALIZED are one event, the latter; before a build is over its status
//! is not believed, as it may be the previous build's; UNSTABLE, which is "tests failed", is a
//! failure.

mod body;

use homeostat_schema::failed_tests;
use homeostat_schema::types::{EventKind, Signal, Status};
use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX};

use crate::authenticate::Scheme;
use crate::cloudevents::{Envelope, carries_event};
use crate::draft::Draft;
use crate::json::{self, bounded};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::{attribute, finished};
use crate::source::{BODY_MAX, Profile};
use body::{Build, Job, Node, Queued, Tests};

/// Jenkins. Either plug-in can send no more proof than a user and password in the address.
pub(crate) const PROFILE: Profile = Profile {
    name: "jenkins",
    body_max: BODY_MAX,
    schemes: &[Scheme::Basic, Scheme::Bearer],
    read: read_delivery,
};

const PREFIX: &str = "org.jenkinsci.";

/// Whether a CloudEvent of this type comes from Jenkins.
pub(crate) fn is_type(kind: &str) -> bool {
    kind.starts_with(PREFIX)
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    if carries_event(raw.headers) {
        let envelope = Envelope::of(raw)?;
        return Ok(Read { id: Some(envelope.name()), reading: read_data(&envelope)? });
    }
    Ok(Read { id: None, reading: notification(&json::object(raw.body)?)? })
}

/// What the Notification plug-in sends.
fn notification(job: &Job) -> Result<Reading, NotUnderstood> {
    let build = job.build.0.as_ref().ok_or_else(|| NotUnderstood::missing("build"))?;
    let status = match build.phase.as_str() {
        Some("QUEUED") => Status::Queued,
        Some("STARTED") => Status::Running,
        Some("FINALIZED") => build.result(),
        Some("COMPLETED") => {
            return Ok(Reading::Ignored("FINALIZED follows, and says more than COMPLETED".to_owned()));
        }
        Some("NONE") => return Ok(Reading::Ignored("a note without a phase".to_owned())),
        Some(_) => return Err(NotUnderstood::new("build.phase is not one of Jenkins's phases")),
        None => return Err(NotUnderstood::missing("build.phase")),
    };
    Ok(Reading::Items(vec![of_build(job, build, status)?]))
}

/// Reads what a CloudEvent of the CloudEvents plug-in carries.
///
/// # Errors
/// [`NotUnderstood`] when the body is not what its type names.
pub(crate) fn read_data(envelope: &Envelope<'_>) -> Result<Reading, NotUnderstood> {
    let data = envelope.json()?;
    match envelope.kind.strip_prefix(PREFIX).unwrap_or_default() {
        "job.started" => build_event(&json::object(data)?, &["STARTED"]),
        "job.completed" => build_event(&json::object(data)?, &["COMPLETED"]),
        "job.failed" => build_event(&json::object(data)?, &["FAILED", "COMPLETED"]),
        // The plug-in misspells it.
        "job.finalzed" | "job.finalized" => build_event(&json::object(data)?, &["FINALIZED"]),
        "queue.entered_waiting" => Ok(Reading::Items(vec![queued(&json::object(data)?)?])),
        name @ ("node.online" | "node.offline") => {
            Ok(Reading::Items(vec![node(name, &json::object(data)?)?]))
        }
        "queue.left" => Ok(Reading::Ignored("its build's job.started follows".to_owned())),
        "job.created" | "job.updated" => Ok(Reading::Ignored("a job's definition changed".to_owned())),
        _ => Ok(Reading::Ignored("this type of Jenkins's events is not of interest".to_owned())),
    }
}

/// The build in an event of the CloudEvents plug-in, in one of these phases.
fn build_event(job: &Job, phases: &[&str]) -> Result<Reading, NotUnderstood> {
    let build = job.build.0.as_ref().ok_or_else(|| NotUnderstood::missing("build"))?;
    if build.phase.as_str().is_some_and(|phase| !phases.contains(&phase)) {
        return Err(NotUnderstood::new("build.phase is not the one that the type names"));
    }
    let status = match phases {
        ["STARTED"] => Status::Running,
        _ => build.result(),
    };
    Ok(Reading::Items(vec![of_build(job, build, status)?]))
}

fn of_build(job: &Job, build: &Build, status: Status) -> Result<Draft, NotUnderstood> {
    let run = build.address().ok_or_else(|| NotUnderstood::missing("build.full_url"))?;
    let mut said = flat::Draft::saying(EventKind::Run, status);
    said.service_name = job.path();
    // The same for all its builds, by which a later one is known to follow an earlier one.
    said.title.clone_from(&job.name.0);
    let over = finished(&said.status);
    said.duration_ms = build.duration.0.filter(|_| over);
    said.occurred_at_ms = build.timestamp.0.filter(|at| *at > 0);
    said.url = build.full_url.as_str().and_then(flat::safe_url);
    if let Some(scm) = &build.scm.0 {
        said.commit.clone_from(&scm.commit.0);
        said.branch = scm.branch();
    }
    said.correlation.run = bounded(run, TEXT_CHARS_MAX);
    if let Some(tests) = &build.test_summary.0 {
        count_tests(&mut said, tests);
    }
    attribute(&mut said, "number", build.number.as_str());
    attribute(&mut said, "queue-id", build.queue_id.as_str());
    attribute(&mut said, "result", build.status.as_str().filter(|_| over));
    Ok(Draft::of(said).about(format!("build:{run}"), 1))
}

/// The share of failed tests among those that ran, and how many were skipped.
fn count_tests(said: &mut flat::Draft, tests: &Tests) {
    let (Some(total), Some(failed)) = (tests.total.0, tests.failed.0) else { return };
    let skipped = tests.skipped.0.unwrap_or(0);
    let ran = total.saturating_sub(skipped);
    if ran > 0 && failed <= ran {
        // Counts of tests are far below 2^53.
        let value = failed as f64 / ran as f64;
        said.signals.push(Signal {
            name: "test-failure-rate".to_owned(),
            value,
            unit: "1".to_owned(),
            samples: ran,
        });
    }
    let names = tests.failed_tests.0.iter().filter_map(|name| name.as_str());
    let told = failed_tests::told(names).filter(|_| finished(&said.status));
    attribute(said, failed_tests::ATTRIBUTE, told.as_deref());
    for (name, count) in [("tests.total", total), ("tests.failed", failed), ("tests.skipped", skipped)] {
        attribute(said, name, Some(&count.to_string()));
    }
}

fn queued(queued: &Queued) -> Result<Draft, NotUnderstood> {
    let id = queued.jenkins_queue_id.as_str().ok_or_else(|| NotUnderstood::missing("jenkinsQueueId"))?;
    let mut said = flat::Draft::saying(EventKind::Run, Status::Queued);
    said.service_name.clone_from(&queued.display_name.0);
    said.occurred_at_ms = queued.entry_time.0;
    said.url = queued.ci_url.as_str().and_then(flat::safe_url);
    attribute(&mut said, "queue-id", Some(id));
    let place = queued.ci_url.as_str().unwrap_or_default();
    Ok(Draft::of(said).about(format!("queue:{place}#{id}"), 1))
}

/// An agent that comes or goes starts and ends nothing, and explains much.
fn node(name: &str, node: &Node) -> Result<Draft, NotUnderstood> {
    let title = node.node_name.0.clone().ok_or_else(|| NotUnderstood::missing("nodeName"))?;
    let mut said = flat::Draft::saying(EventKind::Other(name.to_owned()), Status::Unknown);
    said.title = Some(title);
    Ok(Draft::of(said))
}

impl Build {
    fn result(&self) -> Status {
        match self.status.as_str() {
            Some("SUCCESS") => Status::Success,
            Some("FAILURE" | "UNSTABLE") => Status::Failure,
            Some("ABORTED") => Status::Cancelled,
            Some("NOT_BUILT") => Status::Skipped,
            Some(other) => Status::named(&other.to_ascii_lowercase()),
            None => Status::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;

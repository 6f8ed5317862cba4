//! The few fields read of GitHub's payloads, and what tells one event's body from another's.

use serde::Deserialize;
use serde::de::IgnoredAny;

use homeostat_schema::wire::flat::{TEXT_CHARS_MAX, URL_BYTES_MAX};

use crate::json::{First, Perhaps, Text, When};

/// One more than kept, so that an address that is too long is seen to be.
type Url = Text<{ URL_BYTES_MAX + 1 }>;
type Name = Text<TEXT_CHARS_MAX>;

/// Which event a body is, by its fields alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    WorkflowRun,
    Deployment,
    DeploymentStatus,
    Push,
    Ping,
}

#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) action: Option<Name>,
    pub(super) repository: Option<Repository>,
    pub(super) sender: Option<Person>,
    pub(super) workflow_run: Option<WorkflowRun>,
    pub(super) deployment: Option<Deployment>,
    pub(super) deployment_status: Option<DeploymentStatus>,
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<Name>,
    pub(super) after: Option<Name>,
    pub(super) deleted: Option<bool>,
    pub(super) forced: Option<bool>,
    pub(super) compare: Option<Url>,
    // Only their presence counts.
    zen: Option<IgnoredAny>,
    hook_id: Option<IgnoredAny>,
    workflow_job: Option<IgnoredAny>,
    workflow_job_run: Option<IgnoredAny>,
    workflow_job_runs: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) id: Option<u64>,
    pub(super) full_name: Option<Name>,
    /// Seconds since the epoch in `push`, RFC 3339 elsewhere.
    pub(super) pushed_at: Option<When>,
}

#[derive(Deserialize)]
pub(super) struct Person {
    pub(super) login: Option<Name>,
}

#[derive(Deserialize)]
pub(super) struct PullRequest {
    pub(super) number: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct WorkflowRun {
    pub(super) id: Option<u64>,
    pub(super) run_attempt: Option<u32>,
    pub(super) name: Option<Name>,
    pub(super) path: Option<Name>,
    pub(super) conclusion: Option<Name>,
    pub(super) head_sha: Option<Name>,
    pub(super) head_branch: Option<Name>,
    pub(super) head_repository: Option<Repository>,
    pub(super) html_url: Option<Url>,
    pub(super) run_started_at: Option<When>,
    pub(super) updated_at: Option<When>,
    pub(super) triggering_actor: Option<Person>,
    pub(super) pull_requests: Option<First<PullRequest>>,
}

#[derive(Deserialize)]
pub(super) struct Deployment {
    pub(super) id: Option<u64>,
    pub(super) sha: Option<Name>,
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<Name>,
    pub(super) task: Option<Name>,
    pub(super) environment: Option<Name>,
    pub(super) description: Option<Name>,
    pub(super) created_at: Option<When>,
    /// Free-form: an object, a text, or a text that holds an object.
    pub(super) payload: Option<Perhaps<DeploymentPayload>>,
}

/// What we put into the payload of a deployment we start.
#[derive(Deserialize)]
pub(super) struct DeploymentPayload {
    pub(super) homeostat: Option<Perhaps<Stamp>>,
}

#[derive(Deserialize)]
pub(super) struct Stamp {
    pub(super) attempt: Option<Name>,
}

#[derive(Deserialize)]
pub(super) struct DeploymentStatus {
    pub(super) state: Option<Name>,
    pub(super) environment: Option<Name>,
    pub(super) created_at: Option<When>,
    pub(super) creator: Option<Person>,
    pub(super) log_url: Option<Url>,
    pub(super) target_url: Option<Url>,
    pub(super) environment_url: Option<Url>,
}

impl Body {
    /// The one event this can be the body of. A deployment started by a workflow carries that
    /// workflow's run, so the more telling field comes first.
    pub(super) fn shape(&self) -> Option<Shape> {
        let job = self.workflow_job.is_some()
            || self.workflow_job_run.is_some()
            || self.workflow_job_runs.is_some();
        let ping = self.zen.is_some() || self.hook_id.is_some();
        match (&self.deployment_status, &self.deployment, &self.workflow_run) {
            (Some(_), Some(_), _) => Some(Shape::DeploymentStatus),
            (Some(_), None, _) => None,
            (None, Some(_), _) if job => None,
            (None, Some(_), _) => Some(Shape::Deployment),
            (None, None, Some(_)) if job => None,
            (None, None, Some(_)) => Some(Shape::WorkflowRun),
            (None, None, None) if self.git_ref.is_some() && self.after.is_some() => Some(Shape::Push),
            (None, None, None) if ping => Some(Shape::Ping),
            (None, None, None) => None,
        }
    }
}

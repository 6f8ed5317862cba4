//! The few fields read of GitHub's payloads, and what tells one event's body from another's.

use serde::Deserialize;
use serde::de::IgnoredAny;

use homeostat_schema::wire::flat::{TEXT_CHARS_MAX, URL_BYTES_MAX};

use crate::json::{First, Perhaps, Text, When};

/// One more than kept, so that an address that is too long is seen to be.
type Url = Text<{ URL_BYTES_MAX + 1 }>;
type Name = Text<TEXT_CHARS_MAX>;

/// An event that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    WorkflowRun,
    WorkflowJob,
    CheckSuite,
    CheckRun,
    Status,
    Deployment,
    DeploymentStatus,
    Push,
    PullRequest,
    Release,
    Ping,
}

impl Event {
    pub(super) const ALL: [Self; 11] = [
        Self::WorkflowRun,
        Self::WorkflowJob,
        Self::CheckSuite,
        Self::CheckRun,
        Self::Status,
        Self::Deployment,
        Self::DeploymentStatus,
        Self::Push,
        Self::PullRequest,
        Self::Release,
        Self::Ping,
    ];

    /// As in `X-GitHub-Event`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WorkflowRun => "workflow_run",
            Self::WorkflowJob => "workflow_job",
            Self::CheckSuite => "check_suite",
            Self::CheckRun => "check_run",
            Self::Status => "status",
            Self::Deployment => "deployment",
            Self::DeploymentStatus => "deployment_status",
            Self::Push => "push",
            Self::PullRequest => "pull_request",
            Self::Release => "release",
            Self::Ping => "ping",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}

#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) action: Option<Name>,
    pub(super) repository: Option<Repository>,
    pub(super) sender: Option<Person>,
    pub(super) workflow_run: Option<WorkflowRun>,
    pub(super) workflow_job: Option<WorkflowJob>,
    pub(super) check_suite: Option<CheckSuite>,
    pub(super) check_run: Option<CheckRun>,
    pub(super) deployment: Option<Deployment>,
    pub(super) deployment_status: Option<DeploymentStatus>,
    pub(super) pull_request: Option<PullRequest>,
    pub(super) release: Option<Release>,
    // Of a push.
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<Name>,
    pub(super) before: Option<Name>,
    pub(super) after: Option<Name>,
    pub(super) created: Option<bool>,
    pub(super) deleted: Option<bool>,
    pub(super) forced: Option<bool>,
    pub(super) compare: Option<Url>,
    pub(super) head_commit: Option<Commit>,
    // Of a commit's status.
    pub(super) sha: Option<Name>,
    pub(super) state: Option<Name>,
    pub(super) context: Option<Name>,
    pub(super) target_url: Option<Url>,
    pub(super) branches: Option<First<Branch>>,
    pub(super) created_at: Option<When>,
    pub(super) updated_at: Option<When>,
    // Only their presence counts.
    number: Option<IgnoredAny>,
    zen: Option<IgnoredAny>,
    hook_id: Option<IgnoredAny>,
    workflow_job_run: Option<IgnoredAny>,
    workflow_job_runs: Option<IgnoredAny>,
    deployment_callback_url: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) id: Option<u64>,
    pub(super) full_name: Option<Name>,
    /// Of the API; in `push` it may be that of the page.
    pub(super) url: Option<Url>,
    /// Seconds since the epoch in `push`, RFC 3339 elsewhere.
    pub(super) pushed_at: Option<When>,
}

#[derive(Deserialize)]
pub(super) struct Commit {
    /// By the committer's clock.
    pub(super) timestamp: Option<When>,
}

#[derive(Deserialize)]
pub(super) struct Person {
    pub(super) login: Option<Name>,
}

#[derive(Deserialize)]
pub(super) struct Branch {
    pub(super) name: Option<Name>,
}

#[derive(Deserialize)]
pub(super) struct PullRequestNumber {
    pub(super) number: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct WorkflowRun {
    pub(super) id: Option<u64>,
    pub(super) run_attempt: Option<u32>,
    pub(super) name: Option<Name>,
    pub(super) path: Option<Name>,
    pub(super) status: Option<Name>,
    pub(super) conclusion: Option<Name>,
    pub(super) head_sha: Option<Name>,
    pub(super) head_branch: Option<Name>,
    pub(super) head_repository: Option<Repository>,
    pub(super) url: Option<Url>,
    pub(super) html_url: Option<Url>,
    pub(super) run_started_at: Option<When>,
    pub(super) updated_at: Option<When>,
    pub(super) triggering_actor: Option<Person>,
    pub(super) pull_requests: Option<First<PullRequestNumber>>,
}

#[derive(Deserialize)]
pub(super) struct WorkflowJob {
    pub(super) id: Option<u64>,
    pub(super) run_id: Option<u64>,
    pub(super) run_attempt: Option<u32>,
    pub(super) run_url: Option<Url>,
    pub(super) name: Option<Name>,
    pub(super) workflow_name: Option<Name>,
    pub(super) status: Option<Name>,
    pub(super) conclusion: Option<Name>,
    pub(super) head_sha: Option<Name>,
    pub(super) head_branch: Option<Name>,
    pub(super) url: Option<Url>,
    pub(super) html_url: Option<Url>,
    pub(super) created_at: Option<When>,
    pub(super) started_at: Option<When>,
    pub(super) completed_at: Option<When>,
}

#[derive(Deserialize)]
pub(super) struct App {
    /// Not there on older Enterprise Servers.
    pub(super) slug: Option<Name>,
    pub(super) name: Option<Name>,
}

#[derive(Deserialize)]
pub(super) struct CheckSuite {
    pub(super) id: Option<u64>,
    pub(super) status: Option<Name>,
    pub(super) conclusion: Option<Name>,
    pub(super) head_sha: Option<Name>,
    /// Null when the commit is not on a branch of the repository itself, as a fork's is not.
    pub(super) head_branch: Option<Name>,
    pub(super) updated_at: Option<When>,
    pub(super) app: Option<App>,
    pub(super) pull_requests: Option<First<PullRequestNumber>>,
}

#[derive(Deserialize)]
pub(super) struct CheckRun {
    pub(super) id: Option<u64>,
    pub(super) name: Option<Name>,
    pub(super) status: Option<Name>,
    pub(super) conclusion: Option<Name>,
    pub(super) head_sha: Option<Name>,
    pub(super) html_url: Option<Url>,
    pub(super) details_url: Option<Url>,
    pub(super) started_at: Option<When>,
    pub(super) completed_at: Option<When>,
    pub(super) check_suite: Option<CheckSuite>,
    pub(super) app: Option<App>,
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

#[derive(Deserialize)]
pub(super) struct PullRequest {
    pub(super) id: Option<u64>,
    pub(super) number: Option<u64>,
    pub(super) title: Option<Name>,
    pub(super) url: Option<Url>,
    pub(super) html_url: Option<Url>,
    pub(super) merged: Option<bool>,
    pub(super) created_at: Option<When>,
    pub(super) updated_at: Option<When>,
    pub(super) merged_at: Option<When>,
    pub(super) head: Option<End>,
    pub(super) base: Option<End>,
}

/// One end of a pull request.
#[derive(Deserialize)]
pub(super) struct End {
    pub(super) sha: Option<Name>,
    #[serde(rename = "ref")]
    pub(super) git_ref: Option<Name>,
    /// Null when it was deleted since.
    pub(super) repo: Option<Repository>,
}

#[derive(Deserialize)]
pub(super) struct Release {
    pub(super) id: Option<u64>,
    pub(super) tag_name: Option<Name>,
    pub(super) name: Option<Name>,
    pub(super) draft: Option<bool>,
    pub(super) prerelease: Option<bool>,
    pub(super) html_url: Option<Url>,
    pub(super) published_at: Option<When>,
    pub(super) author: Option<Person>,
}

impl Body {
    /// The one event this can be the body of; `None` when it is none that is read. A deployment
    /// started by a workflow carries that workflow's run, and a job of a guarded environment its
    /// deployment, so the more telling field comes first.
    pub(super) fn event(&self) -> Option<Event> {
        if self.is_of_a_gate() {
            return None;
        }
        let told = self.of_deployment().or_else(|| self.of_run()).or_else(|| self.of_change());
        let ping = || self.zen.is_some() || self.hook_id.is_some();
        match (&self.deployment_status, told) {
            (Some(_), Some(Event::DeploymentStatus)) => Some(Event::DeploymentStatus),
            (Some(_), _) => None,
            (None, told) => told.or_else(|| ping().then_some(Event::Ping)),
        }
    }

    /// A review or a protection rule of a deployment, neither of which is read.
    fn is_of_a_gate(&self) -> bool {
        self.workflow_job_run.is_some()
            || self.workflow_job_runs.is_some()
            || self.deployment_callback_url.is_some()
    }

    fn of_deployment(&self) -> Option<Event> {
        match (&self.deployment, &self.deployment_status) {
            (Some(_), Some(_)) => Some(Event::DeploymentStatus),
            (Some(_), None) if self.workflow_job.is_none() => Some(Event::Deployment),
            _ => None,
        }
    }

    fn of_run(&self) -> Option<Event> {
        match (&self.workflow_job, &self.workflow_run, &self.check_run, &self.check_suite) {
            (Some(_), None, ..) => Some(Event::WorkflowJob),
            (Some(_), Some(_), ..) => None,
            (None, Some(_), ..) => Some(Event::WorkflowRun),
            (None, None, Some(_), _) => Some(Event::CheckRun),
            (None, None, None, Some(_)) => Some(Event::CheckSuite),
            (None, None, None, None) => None,
        }
    }

    fn of_change(&self) -> Option<Event> {
        // Reviews and comments carry the pull request as well, but not its number beside it.
        if self.pull_request.is_some() {
            return self.number.as_ref().map(|_| Event::PullRequest);
        }
        let status = self.sha.is_some() && self.state.is_some() && self.context.is_some();
        let push = self.git_ref.is_some() && self.after.is_some();
        match &self.release {
            Some(_) => Some(Event::Release),
            None if status => Some(Event::Status),
            None if push => Some(Event::Push),
            None => None,
        }
    }
}

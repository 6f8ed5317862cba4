//! GitHub's JSON: the objects its API shows, and the webhooks they are sent in.
//!
//! A webhook is the example payload with our ids, times, repository, environment, commit and
//! state laid over it; everything else stays as GitHub published it.

use serde_json::{Value, json};

use super::overlay;
use super::state::{Conclusion, Deployment, Origin, Run, Status};
use crate::payloads::Payloads;
use crate::rfc3339;

/// A webhook to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// For `X-GitHub-Event`.
    pub event: String,
    /// The body.
    pub payload: Value,
}

/// The repository's object; its id follows from its name.
pub(super) fn repository(full_name: &str) -> Value {
    let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
    json!({
        "id": id_of(full_name),
        "name": name,
        "full_name": full_name,
        "private": false,
        "fork": false,
        "owner": {"login": owner},
        "html_url": format!("https://github.com/{full_name}"),
        "url": format!("https://api.github.com/repos/{full_name}"),
        "default_branch": "main",
    })
}

pub(super) fn run(payloads: &Payloads, full_name: &str, run: &Run, action: &str) -> Hook {
    let patch = json!({
        "action": action,
        "workflow_run": run_object(full_name, run),
        "workflow": {"name": run.name, "path": path(run), "state": "active"},
        "repository": repository(full_name),
        "sender": {"login": "octocat"},
    });
    stamped(payloads, "workflow_run", patch)
}

pub(super) fn deployment(payloads: &Payloads, full_name: &str, deployment: &Deployment) -> Hook {
    let patch = json!({
        "action": "created",
        "deployment": deployment_object(full_name, deployment),
        "repository": repository(full_name),
        "sender": {"login": "octocat"},
    });
    replacing_payload(stamped(payloads, "deployment", patch), deployment)
}

pub(super) fn deployment_status(payloads: &Payloads, full_name: &str, deployment: &Deployment) -> Hook {
    let status = deployment.statuses.last().map(|status| status_object(full_name, deployment, status));
    let patch = json!({
        "action": "created",
        "deployment_status": status,
        "deployment": deployment_object(full_name, deployment),
        "repository": repository(full_name),
        "sender": {"login": "octocat"},
    });
    replacing_payload(stamped(payloads, "deployment_status", patch), deployment)
}

/// The run's object in the API's and the webhook's form.
pub(super) fn run_object(full_name: &str, run: &Run) -> Value {
    let head = match run.origin {
        Origin::Own => repository(full_name),
        Origin::Fork => {
            repository(&format!("stranger/{}", full_name.rsplit('/').next().unwrap_or(full_name)))
        }
    };
    json!({
        "id": run.id,
        "name": run.name,
        "display_title": run.name,
        "head_branch": "main",
        "head_sha": run.sha,
        "path": path(run),
        "run_number": run.number,
        "run_attempt": run.attempt,
        "event": "push",
        "status": run.status,
        "conclusion": run.conclusion.map(Conclusion::word),
        "html_url": format!("https://github.com/{full_name}/actions/runs/{}", run.id),
        "url": format!("https://api.github.com/repos/{full_name}/actions/runs/{}", run.id),
        "pull_requests": [],
        "created_at": rfc3339(run.created_ms),
        "run_started_at": rfc3339(run.started_ms),
        "updated_at": rfc3339(run.updated_ms),
        "actor": {"login": "octocat"},
        "triggering_actor": {"login": "octocat"},
        "head_commit": {"id": run.sha, "timestamp": rfc3339(run.created_ms)},
        "repository": repository(full_name),
        "head_repository": head,
    })
}

pub(super) fn job_list(run: &Run) -> Value {
    let job = |(name, conclusion): &(String, Option<Conclusion>)| {
        json!({
            "id": id_of(&format!("{}/{}/{name}", run.id, run.attempt)),
            "run_id": run.id,
            "run_attempt": run.attempt,
            "head_sha": run.sha,
            "name": name,
            "status": if conclusion.is_some() { "completed" } else { run.status },
            "conclusion": conclusion.map(Conclusion::word),
            "started_at": rfc3339(run.started_ms),
            "completed_at": conclusion.map(|_| rfc3339(run.updated_ms)),
        })
    };
    json!({"total_count": run.jobs.len(), "jobs": run.jobs.iter().map(job).collect::<Vec<_>>()})
}

pub(super) fn deployment_object(full_name: &str, one: &Deployment) -> Value {
    let url = format!("https://api.github.com/repos/{full_name}/deployments/{}", one.id);
    json!({
        "url": url,
        "id": one.id,
        "sha": one.sha,
        "ref": one.reference,
        "task": one.task,
        "payload": one.payload,
        "original_environment": one.environment,
        "environment": one.environment,
        "description": one.description,
        "creator": {"login": "octocat"},
        "created_at": rfc3339(one.created_ms),
        "updated_at": rfc3339(one.updated_ms),
        "statuses_url": format!("{url}/statuses"),
        "repository_url": format!("https://api.github.com/repos/{full_name}"),
        "transient_environment": false,
        "production_environment": one.environment == "production",
    })
}

pub(super) fn status_object(full_name: &str, one: &Deployment, status: &Status) -> Value {
    let url = format!("https://api.github.com/repos/{full_name}/deployments/{}", one.id);
    json!({
        "url": format!("{url}/statuses/{}", status.id),
        "id": status.id,
        "state": status.state,
        "description": status.text,
        "environment": one.environment,
        "creator": {"login": "octocat"},
        "target_url": "",
        "log_url": format!("https://github.com/{full_name}/deployments/{}", one.id),
        "created_at": rfc3339(status.at_ms),
        "updated_at": rfc3339(status.at_ms),
        "deployment_url": url,
        "repository_url": format!("https://api.github.com/repos/{full_name}"),
    })
}

fn stamped(payloads: &Payloads, event: &str, patch: Value) -> Hook {
    let mut payload = payloads.template(event);
    overlay(&mut payload, patch);
    Hook { event: event.to_owned(), payload }
}

/// A deployment's payload is its creator's alone: nothing of the example's may show through.
fn replacing_payload(mut hook: Hook, deployment: &Deployment) -> Hook {
    if let Some(payload) = hook.payload.pointer_mut("/deployment/payload") {
        payload.clone_from(&deployment.payload);
    }
    hook
}

fn path(run: &Run) -> String {
    format!(".github/workflows/{}.yml", run.name.to_lowercase().replace(' ', "-"))
}

/// FNV-1a, 40 bits: ids that follow from names and fit a JSON number anywhere.
fn id_of(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash >> 24
}

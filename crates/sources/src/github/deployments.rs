//! Deployments and their statuses.
//!
//! What we start ourselves carries the attempt in the deployment's payload, which nobody else can
//! write, and is known by it.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;

use super::payload::{Body, Deployment, DeploymentStatus, Repository, WorkflowRun};
use super::{date, draft, login, named, status};
use crate::draft::Draft;
use crate::forge::{ENVIRONMENT, link, note, one, owned};
use crate::json::When;
use crate::reading::{NotUnderstood, Reading};
use crate::said::{finished, short_ref, span};

pub(super) fn deployment(body: Body) -> Result<Reading, NotUnderstood> {
    let repository = named(body.repository)?;
    let deployment = body.deployment.ok_or_else(|| NotUnderstood::missing("deployment"))?;
    let mut said = draft(deployment.kind(), Status::Queued, &repository);
    date(&mut said, deployment.created_at);
    said.actor = login(body.sender);
    describe(&mut said, &deployment, body.workflow_run.as_ref(), &repository);
    note_environment(&mut said);
    stated(said, &deployment)
}

pub(super) fn deployment_status(body: Body) -> Result<Reading, NotUnderstood> {
    let repository = named(body.repository)?;
    let deployment = body.deployment.ok_or_else(|| NotUnderstood::missing("deployment"))?;
    let state = body.deployment_status.ok_or_else(|| NotUnderstood::missing("deployment_status"))?;
    let status =
        owned(state.state.as_ref()).ok_or_else(|| NotUnderstood::missing("deployment_status.state"))?;
    let mut said = draft(deployment.kind(), status::of_deployment(&status), &repository);
    let (began, at) = (deployment.created_at.map(When::ms), state.created_at.map(When::ms));
    said.duration_ms = finished(&said.status).then(|| span(began, at)).flatten();
    date(&mut said, state.created_at);
    describe(&mut said, &deployment, body.workflow_run.as_ref(), &repository);
    said.env_name = owned(state.environment.as_ref()).or(said.env_name);
    said.url = state.best_url();
    said.actor = login(state.creator).or(login(body.sender));
    note_environment(&mut said);
    stated(said, &deployment)
}

/// What a deployment and its statuses have in common.
fn describe(
    said: &mut flat::Draft,
    deployment: &Deployment,
    run: Option<&WorkflowRun>,
    repository: &Repository,
) {
    said.correlation.run = run.and_then(|run| run.id).map(|id| id.to_string());
    said.correlation.run_attempt = run.and_then(|run| run.run_attempt);
    // Who may deploy may write to the repository; a workflow may deploy what it was given.
    let head = run.and_then(|run| run.head_repository.as_ref()).and_then(|head| head.id);
    said.fork = head.is_some() && head != repository.id;
    said.env_name = owned(deployment.environment.as_ref());
    said.commit = owned(deployment.sha.as_ref());
    said.branch = deployment.git_ref.as_ref().and_then(|name| short_ref(&name.0));
    said.title = owned(deployment.description.as_ref()).or(owned(deployment.task.as_ref()));
}

fn note_environment(said: &mut flat::Draft) {
    let environment = said.env_name.clone();
    note(said, ENVIRONMENT, environment);
}

fn stated(mut said: flat::Draft, deployment: &Deployment) -> Result<Reading, NotUnderstood> {
    let id = deployment.id.ok_or_else(|| NotUnderstood::missing("deployment.id"))?;
    said.correlation.deployment = Some(id.to_string());
    let draft = Draft::of(said).about(format!("deployment:{id}"), 1);
    Ok(one(Draft { own_attempt: deployment.own_attempt(), ..draft }))
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
        all.into_iter().find_map(|url| link(url.as_ref()))
    }
}

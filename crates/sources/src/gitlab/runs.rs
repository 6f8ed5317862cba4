//! Pipelines, jobs and deployments.
//!
//! A pipeline that is retried keeps its id and has no number of attempts, so an end of it counts
//! with its time.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;

use super::payload::{DeploymentHook, Environment, JobHook, Pipeline, PipelineHook, Project, Repository};
use super::{draft, path, status, username};
use crate::draft::Draft;
use crate::forge::{ENVIRONMENT, link, note, one, owned, rerunnable};
use crate::reading::{NotUnderstood, Reading};
use crate::said::{finished, short_ref};

/// What started a pipeline of a pull request in another system, whose origin is not told.
const EXTERNAL: &str = "external_pull_request_event";
/// Hexadecimal digits of a whole commit id, SHA-1 and SHA-256.
const COMMIT_DIGITS: [usize; 2] = [40, 64];

pub(super) fn pipeline(hook: PipelineHook) -> Result<Reading, NotUnderstood> {
    let path = path(hook.project.as_ref())?;
    let pipeline = hook.object_attributes.ok_or_else(|| NotUnderstood::missing("object_attributes"))?;
    let id = pipeline.id.ok_or_else(|| NotUnderstood::missing("object_attributes.id"))?;
    let status =
        owned(pipeline.status.as_ref()).ok_or_else(|| NotUnderstood::missing("object_attributes.status"))?;
    let mut said = draft(EventKind::Run, status::of(&status), &path);
    let web = hook.project.and_then(|project| link(project.web_url.as_ref()));
    describe(&mut said, &pipeline);
    said.url = said.url.or_else(|| web.map(|web| format!("{web}/-/pipelines/{id}")));
    said.correlation.run = Some(format!("pipeline:{id}"));
    said.actor = username(hook.user);
    if let Some(origin) = hook.merge_request {
        let (from, to) = (origin.source_project_id, origin.target_project_id);
        said.fork = from.is_none() || from != to;
        said.correlation.pull_request = origin.iid.map(|iid| iid.to_string());
    }
    let subject = rerunnable(&format!("pipeline:{id}"), &said);
    let draft = Draft::of(said).about(subject, 1);
    Ok(one(Draft { own_attempt: pipeline.variables.and_then(|ours| ours.0), ..draft }))
}

fn describe(said: &mut flat::Draft, pipeline: &Pipeline) {
    said.fork = pipeline.source.as_ref().is_some_and(|source| source.0 == EXTERNAL);
    said.duration_ms = pipeline.duration.filter(|_| finished(&said.status)).and_then(milliseconds);
    let ended = pipeline.finished_at.filter(|_| finished(&said.status));
    // While it runs, only its beginning is told.
    let began = pipeline.created_at.filter(|_| said.status == Status::Queued);
    said.occurred_at_ms = ended.or(began).map(|at| at.0);
    said.title = owned(pipeline.name.as_ref());
    said.commit = owned(pipeline.sha.as_ref());
    said.branch = owned(pipeline.git_ref.as_ref());
    said.url = link(pipeline.url.as_ref());
}

/// A job does not say whose code it runs, so it counts as a fork's.
pub(super) fn job(hook: JobHook) -> Result<Reading, NotUnderstood> {
    let path = path(hook.project.as_ref()).or_else(|missing| hook.path_of_page().ok_or(missing))?;
    let id = hook.build_id.ok_or_else(|| NotUnderstood::missing("build_id"))?;
    let status = owned(hook.build_status.as_ref()).ok_or_else(|| NotUnderstood::missing("build_status"))?;
    let mut said = draft(EventKind::Job, status::of(&status), &path);
    said.fork = true;
    said.duration_ms = hook.build_duration.filter(|_| finished(&said.status)).and_then(milliseconds);
    said.occurred_at_ms = hook.moment(&said.status);
    said.title = owned(hook.build_name.as_ref());
    said.commit = owned(hook.sha.as_ref());
    said.branch = owned(hook.git_ref.as_ref());
    said.url = hook.page().map(|page| format!("{page}/-/jobs/{id}"));
    said.correlation.run = hook.pipeline_id.map(|id| format!("pipeline:{id}"));
    said.env_name =
        hook.environment.and_then(|named| named.0).and_then(|Environment { name }| owned(name.as_ref()));
    if said.status == Status::Failure {
        note(&mut said, "reason", owned(hook.build_failure_reason.as_ref()));
    }
    said.actor = username(hook.user);
    let attempt = hook.retries_count.unwrap_or_default().saturating_add(1);
    Ok(one(Draft::of(said).about(format!("job:{id}"), attempt)))
}

impl JobHook {
    fn moment(&self, status: &Status) -> Option<u64> {
        let at = match status {
            Status::Queued | Status::Waiting => self.build_created_at,
            Status::Running => self.build_started_at,
            _ => self.build_finished_at.or(self.build_started_at),
        };
        at.map(|at| at.0)
    }

    /// The project's page.
    fn page(&self) -> Option<String> {
        let of_project = |project: &Project| link(project.web_url.as_ref());
        let of_repository = |repository: &Repository| link(repository.homepage.as_ref());
        let page = self.project.as_ref().and_then(of_project);
        page.or_else(|| self.repository.as_ref().and_then(of_repository))
    }

    /// The project's path, which is that of its page where GitLab is at the root of its host.
    fn path_of_page(&self) -> Option<String> {
        let page = self.page()?;
        let (_, after_scheme) = page.split_once("://")?;
        let (_, path) = after_scheme.split_once('/')?;
        let path = path.trim_matches('/');
        path.contains('/').then(|| path.to_owned())
    }
}

pub(super) fn deployment(hook: DeploymentHook) -> Result<Reading, NotUnderstood> {
    let path = path(hook.project.as_ref())?;
    let id = hook.deployment_id.ok_or_else(|| NotUnderstood::missing("deployment_id"))?;
    let status = owned(hook.status.as_ref()).ok_or_else(|| NotUnderstood::missing("status"))?;
    let mut said = draft(EventKind::Deployment, status::of(&status), &path);
    said.occurred_at_ms = hook.status_changed_at.map(|at| at.0);
    said.env_name = owned(hook.environment.as_ref());
    said.commit = hook.commit();
    said.branch = hook.git_ref.as_ref().and_then(|name| short_ref(&name.0));
    said.title = owned(hook.commit_title.as_ref());
    said.url = link(hook.deployable_url.as_ref()).or(link(hook.commit_url.as_ref()));
    said.correlation.deployment = Some(id.to_string());
    said.actor = username(hook.user);
    let environment = said.env_name.clone();
    note(&mut said, ENVIRONMENT, environment);
    Ok(one(Draft::of(said).about(format!("deployment:{id}"), 1)))
}

impl DeploymentHook {
    /// The whole id, which is only in the commit's address; else the short one.
    fn commit(&self) -> Option<String> {
        let last = self.commit_url.as_ref().and_then(|url| url.0.rsplit('/').next());
        let whole =
            |id: &&str| COMMIT_DIGITS.contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        last.filter(whole).map(str::to_owned).or(owned(self.short_sha.as_ref()))
    }
}

/// Of seconds; `None` below zero and beyond any duration.
fn milliseconds(seconds: f64) -> Option<u64> {
    /// A thousand years.
    const SECONDS_MAX: f64 = 3.2e10;
    (0.0..SECONDS_MAX).contains(&seconds).then(|| (seconds * 1000.0).round() as u64)
}

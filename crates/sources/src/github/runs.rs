//! Runs: GitHub's own workflows and their jobs, and the checks and statuses of other systems.
//!
//! The checks that GitHub's own workflows report as well are ignored: each run would count twice.
//! Only the runs of workflows have a number in `correlation.run`, by which they can be run again.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX};

use super::payload::{App, Body, CheckRun, PullRequestNumber, Repository, WorkflowJob, WorkflowRun};
use super::{date, draft, login, named, status};
use crate::draft::Draft;
use crate::forge::{PIPELINE, PIPELINE_RUN, SUBJECT, link, note, one, owned, rerunnable};
use crate::json::{First, When, bounded};
use crate::reading::{NotUnderstood, Reading};
use crate::said::{finished, joined_id, span};

/// GitHub Actions' own name among apps.
const ACTIONS_SLUG: &str = "github-actions";
/// The same for people, where there is no slug.
const ACTIONS_NAME: &str = "GitHub Actions";

pub(super) fn workflow_run(body: Body) -> Result<Reading, NotUnderstood> {
    let run = body.workflow_run.ok_or_else(|| NotUnderstood::missing("workflow_run"))?;
    let (action, conclusion) = (owned(body.action.as_ref()), owned(run.conclusion.as_ref()));
    let progress = owned(run.status.as_ref());
    let Some(status) = status::of_run(action.as_deref(), progress.as_deref(), conclusion.as_deref()) else {
        return Ok(Reading::Ignored("this action of a workflow_run is not of interest".to_owned()));
    };
    let repository = named(body.repository)?;
    let id = run.id.ok_or_else(|| NotUnderstood::missing("workflow_run.id"))?;
    let attempt = run.run_attempt.unwrap_or(1);
    let mut said = draft(EventKind::Run, status, &repository);
    describe_run(&mut said, &run, &repository, attempt);
    said.correlation.run = Some(id.to_string());
    said.correlation.run_attempt = Some(attempt);
    said.correlation.pull_request = number(run.pull_requests);
    said.actor = login(run.triggering_actor).or(login(body.sender));
    Ok(one(Draft::of(said).about(format!("workflow_run:{id}"), attempt)))
}

fn describe_run(said: &mut flat::Draft, run: &WorkflowRun, repository: &Repository, attempt: u32) {
    let (began, updated) = (run.run_started_at.map(When::ms), run.updated_at.map(When::ms));
    said.fork = !is_of(run, repository);
    said.duration_ms = finished(&said.status).then(|| span(began, updated)).flatten();
    date(said, run.updated_at);
    said.title = owned(run.name.as_ref()).or(owned(run.path.as_ref()));
    said.commit = owned(run.head_sha.as_ref());
    said.branch = owned(run.head_branch.as_ref());
    said.url = link(run.html_url.as_ref());
    let pipeline = joined([said.service_name.as_deref(), said.title.as_deref()]);
    note(said, SUBJECT, attempt_of(owned(run.url.as_ref()), attempt));
    note(said, PIPELINE, pipeline);
}

/// Whether the run is known to be of the repository itself: a fork deleted since has no id.
pub(super) fn is_of(run: &WorkflowRun, repository: &Repository) -> bool {
    let head = run.head_repository.as_ref().and_then(|head| head.id);
    head.is_some() && head == repository.id
}

/// A job does not say whose code it runs, so it counts as a fork's.
pub(super) fn workflow_job(body: Body) -> Result<Reading, NotUnderstood> {
    let job = body.workflow_job.ok_or_else(|| NotUnderstood::missing("workflow_job"))?;
    // What the job is by now tells more than what was done to it.
    let progress = owned(job.status.as_ref()).or(owned(body.action.as_ref()));
    let progress = progress.ok_or_else(|| NotUnderstood::missing("workflow_job.status"))?;
    let status = status::of_progress(&progress, owned(job.conclusion.as_ref()).as_deref());
    let repository = named(body.repository)?;
    let id = job.id.ok_or_else(|| NotUnderstood::missing("workflow_job.id"))?;
    let attempt = job.run_attempt.unwrap_or(1);
    let mut said = draft(EventKind::Job, status, &repository);
    said.fork = true;
    describe_job(&mut said, &job, attempt);
    said.env_name = body.deployment.and_then(|deployment| owned(deployment.environment.as_ref()));
    said.actor = login(body.sender);
    Ok(one(Draft::of(said).about(format!("workflow_job:{id}"), attempt)))
}

fn describe_job(said: &mut flat::Draft, job: &WorkflowJob, attempt: u32) {
    let (began, ended) = (job.started_at.map(When::ms), job.completed_at.map(When::ms));
    said.duration_ms = finished(&said.status).then(|| span(began, ended)).flatten();
    let at = match said.status {
        Status::Queued | Status::Waiting => job.created_at.or(job.started_at),
        Status::Running => job.started_at,
        _ => job.completed_at.or(job.started_at),
    };
    date(said, at);
    said.correlation.run = job.run_id.map(|id| id.to_string());
    said.correlation.run_attempt = Some(attempt);
    said.title = owned(job.name.as_ref());
    said.commit = owned(job.head_sha.as_ref());
    said.branch = owned(job.head_branch.as_ref());
    said.url = link(job.html_url.as_ref());
    let workflow = owned(job.workflow_name.as_ref());
    let pipeline = joined([said.service_name.as_deref(), workflow.as_deref(), said.title.as_deref()]);
    note(said, SUBJECT, owned(job.url.as_ref()));
    note(said, PIPELINE, pipeline);
    note(said, PIPELINE_RUN, attempt_of(owned(job.run_url.as_ref()), attempt));
}

pub(super) fn check_suite(body: Body) -> Result<Reading, NotUnderstood> {
    let suite = body.check_suite.ok_or_else(|| NotUnderstood::missing("check_suite"))?;
    let action = owned(body.action.as_ref());
    if let Some(why) = no_news(suite.app.as_ref(), action.as_deref(), &["completed", "requested"]) {
        return Ok(Reading::Ignored(why));
    }
    let repository = named(body.repository)?;
    let id = suite.id.ok_or_else(|| NotUnderstood::missing("check_suite.id"))?;
    let status = check_status(suite.status.as_ref().map(|s| &*s.0), suite.conclusion.as_ref().map(|s| &*s.0));
    let mut said = draft(EventKind::Run, status, &repository);
    said.fork = suite.head_branch.is_none();
    date(&mut said, suite.updated_at);
    said.title = suite.app.as_ref().and_then(|app| owned(app.name.as_ref()).or(owned(app.slug.as_ref())));
    said.commit = owned(suite.head_sha.as_ref());
    said.branch = owned(suite.head_branch.as_ref());
    said.correlation.run = Some(format!("check_suite:{id}"));
    said.correlation.pull_request = number(suite.pull_requests);
    said.actor = login(body.sender);
    let subject = rerunnable(&format!("check_suite:{id}"), &said);
    Ok(one(Draft::of(said).about(subject, 1)))
}

pub(super) fn check_run(body: Body) -> Result<Reading, NotUnderstood> {
    let run = body.check_run.ok_or_else(|| NotUnderstood::missing("check_run"))?;
    let action = owned(body.action.as_ref());
    if let Some(why) = no_news(run.app.as_ref(), action.as_deref(), &["created", "completed"]) {
        return Ok(Reading::Ignored(why));
    }
    let repository = named(body.repository)?;
    let id = run.id.ok_or_else(|| NotUnderstood::missing("check_run.id"))?;
    let status = check_status(run.status.as_ref().map(|s| &*s.0), run.conclusion.as_ref().map(|s| &*s.0));
    let mut said = draft(EventKind::Job, status, &repository);
    describe_check(&mut said, run);
    said.actor = login(body.sender);
    let subject = rerunnable(&format!("check_run:{id}"), &said);
    Ok(one(Draft::of(said).about(subject, 1)))
}

fn describe_check(said: &mut flat::Draft, run: CheckRun) {
    let (began, ended) = (run.started_at.map(When::ms), run.completed_at.map(When::ms));
    said.duration_ms = finished(&said.status).then(|| span(began, ended)).flatten();
    date(said, run.completed_at.or(run.started_at));
    said.title = owned(run.name.as_ref());
    said.commit = owned(run.head_sha.as_ref());
    said.url = link(run.html_url.as_ref()).or(link(run.details_url.as_ref()));
    let suite = run.check_suite;
    said.branch = suite.as_ref().and_then(|suite| owned(suite.head_branch.as_ref()));
    said.fork = said.branch.is_none();
    said.correlation.run = suite.and_then(|suite| suite.id).map(|id| format!("check_suite:{id}"));
}

/// Why a check is not read, if it is not.
fn no_news(app: Option<&App>, action: Option<&str>, read: &[&str]) -> Option<String> {
    if app.is_some_and(App::is_actions) {
        return Some("a check of GitHub's own workflows, which tell of themselves".to_owned());
    }
    let other = action.is_some_and(|action| !read.contains(&action));
    other.then(|| "this action of a check is not of interest".to_owned())
}

fn check_status(status: Option<&str>, conclusion: Option<&str>) -> Status {
    match (status, conclusion) {
        (Some(status), _) => status::of_progress(status, conclusion),
        (None, Some(_)) => status::of_progress("completed", conclusion),
        (None, None) => Status::Unknown,
    }
}

/// The status that another system gave a commit.
pub(super) fn commit_status(body: Body) -> Result<Reading, NotUnderstood> {
    let repository = named(body.repository)?;
    let sha = owned(body.sha.as_ref()).ok_or_else(|| NotUnderstood::missing("sha"))?;
    let state = owned(body.state.as_ref()).ok_or_else(|| NotUnderstood::missing("state"))?;
    let context = owned(body.context.as_ref()).ok_or_else(|| NotUnderstood::missing("context"))?;
    let mut said = draft(EventKind::Run, status::of_commit(&state), &repository);
    said.branch = body.branches.and_then(|all| all.0).and_then(|branch| owned(branch.name.as_ref()));
    said.fork = said.branch.is_none();
    date(&mut said, body.updated_at.or(body.created_at));
    said.correlation.run = bounded(&format!("status:{sha}:{context}"), TEXT_CHARS_MAX);
    said.url = link(body.target_url.as_ref());
    said.actor = login(body.sender);
    // A build that runs again has an address of its own.
    let name = said.service_name.clone().unwrap_or_default();
    let subject = format!("status:{name}:{sha}:{context}:{}", said.url.clone().unwrap_or_default());
    (said.title, said.commit) = (Some(context), Some(sha));
    Ok(one(Draft::of(said).about(joined_id(&[&subject]), 1)))
}

fn number(pull_requests: Option<First<PullRequestNumber>>) -> Option<String> {
    pull_requests.and_then(|all| all.0).and_then(|first| first.number).map(|number| number.to_string())
}

/// The parts with `/` between, when all are there.
fn joined<const N: usize>(parts: [Option<&str>; N]) -> Option<String> {
    let parts: Option<Vec<&str>> = parts.into_iter().collect();
    parts.map(|parts| parts.join("/"))
}

fn attempt_of(url: Option<String>, attempt: u32) -> Option<String> {
    url.map(|url| format!("{url}/attempts/{attempt}"))
}

impl App {
    fn is_actions(&self) -> bool {
        match &self.slug {
            Some(slug) => slug.0 == ACTIONS_SLUG,
            None => self.name.as_ref().is_some_and(|name| name.0 == ACTIONS_NAME),
        }
    }
}

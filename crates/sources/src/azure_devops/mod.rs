//! Azure DevOps service hooks: builds, pipeline runs with their stages and jobs, classic release
//! deployments, pushes and pull requests.
//!
//! A YAML run is told twice, by `build.complete` and by its state; both have one subject, so each
//! state is one event.
//!
//! What this does not do: read approvals, work items or check-ins; ask the API for what a
//! subscription with fewer resource details leaves out.
//!
//! Invariants: the body's own id names the delivery; `partiallySucceeded`, where only steps that
//! may fail did, is a success, and kept in the attribute `result`.

mod body;
mod code;
mod status;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;

use crate::authenticate::Scheme;
use crate::draft::Draft;
use crate::json;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::{attribute, finished, short_ref, span};
use crate::source::{BODY_MAX, Profile};
use body::{Body, Resource, Step};

/// Azure DevOps. It sends no more proof than a user and password.
pub(crate) const PROFILE: Profile = Profile {
    name: "azure-devops",
    body_max: BODY_MAX,
    schemes: &[Scheme::Basic, Scheme::Bearer],
    read: read_delivery,
};

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let body: Body = json::object(raw.body)?;
    let id = body.id.0.clone();
    Ok(Read { reading: read(&body)?, id })
}

fn read(body: &Body) -> Result<Reading, NotUnderstood> {
    let event = body.event_type.as_str().ok_or_else(|| NotUnderstood::missing("eventType"))?;
    let reader: fn(&Body, &Resource) -> Result<Draft, NotUnderstood> = match event {
        "build.complete" => build,
        "ms.vss-pipelines.run-state-changed-event" => run,
        "ms.vss-pipelines.stage-state-changed-event" => stage,
        "ms.vss-pipelines.job-state-changed-event" => job,
        "ms.vss-release.deployment-started-event" => deployment_started,
        "ms.vss-release.deployment-completed-event" => deployment_completed,
        "git.push" => return code::push(body, resource(body)?),
        "git.pullrequest.created" | "git.pullrequest.updated" | "git.pullrequest.merged" => {
            code::pull_request
        }
        _ => return Ok(Reading::Ignored("this event of Azure DevOps is not of interest".to_owned())),
    };
    let mut draft = reader(body, resource(body)?)?;
    draft.said.delivery.clone_from(&body.id.0);
    Ok(Reading::Items(vec![draft]))
}

fn resource(body: &Body) -> Result<&Resource, NotUnderstood> {
    body.resource.0.as_ref().ok_or_else(|| lacking("resource"))
}

/// What a subscription with fewer details leads to.
fn lacking(field: &str) -> NotUnderstood {
    NotUnderstood::new(format!(
        "the field {field} is missing: set the subscription's \"resource details to send\" to \"all\""
    ))
}

/// A name that is told apart from that of other organisations.
fn subject(body: &Body, kind: &str, id: &str) -> String {
    format!("{kind}:{}/{id}", body.collection().unwrap_or_default())
}

fn build(body: &Body, resource: &Resource) -> Result<Draft, NotUnderstood> {
    let id = resource.id.as_str().ok_or_else(|| lacking("resource.id"))?;
    let result =
        resource.result.as_str().or(resource.status.as_str()).ok_or_else(|| lacking("resource.status"))?;
    let mut said = flat::Draft::saying(EventKind::Run, status::of(Some("completed"), Some(result)));
    said.service_name = resource.definition.name();
    // The same for all its builds, by which a later one is known to follow an earlier one.
    said.title = resource.definition.name().or_else(|| resource.build_number.0.clone());
    said.occurred_at_ms = resource.finish_time.0.or(body.created_date.0);
    said.duration_ms = span(resource.start_time.0, resource.finish_time.0);
    said.commit = resource.commit();
    said.branch = resource.branch().and_then(|name| short_ref(&name));
    said.actor = resource.actor();
    said.url = resource.links.web();
    said.correlation.run = Some(id.to_owned());
    attribute(&mut said, "number", resource.build_number.as_str());
    attribute(&mut said, "result", Some(result));
    Ok(Draft::of(said).about(subject(body, "run", id), 1))
}

fn run(body: &Body, resource: &Resource) -> Result<Draft, NotUnderstood> {
    let run = resource.run.0.as_ref().ok_or_else(|| lacking("resource.run"))?;
    let id = run.id.as_str().ok_or_else(|| lacking("resource.run.id"))?;
    let mut said = flat::Draft::saying(EventKind::Run, run.status());
    let (began, ended) = (run.created_date.0, run.finished_date.0);
    said.occurred_at_ms = if finished(&said.status) { ended } else { None }.or(body.created_date.0);
    said.duration_ms = finished(&said.status).then(|| span(began, ended)).flatten();
    said.url = run.links.web();
    described(&mut said, resource);
    said.title = said.service_name.clone().or_else(|| run.name.0.clone());
    attribute(&mut said, "number", run.name.as_str());
    attribute(&mut said, "result", run.result.as_str());
    Ok(Draft::of(said).about(subject(body, "run", id), 1))
}

fn stage(body: &Body, resource: &Resource) -> Result<Draft, NotUnderstood> {
    let stage = resource.stage.0.as_ref().ok_or_else(|| lacking("resource.stage"))?;
    step(body, resource, "stage", stage)
}

fn job(body: &Body, resource: &Resource) -> Result<Draft, NotUnderstood> {
    let job = resource.job.0.as_ref().ok_or_else(|| lacking("resource.job"))?;
    step(body, resource, "job", job)
}

/// A stage or a job of a run.
fn step(body: &Body, resource: &Resource, kind: &str, step: &Step) -> Result<Draft, NotUnderstood> {
    let run = resource.run.0.as_ref().and_then(|run| run.id.as_str());
    let run = run.ok_or_else(|| lacking("resource.run.id"))?;
    let name = step.name.as_str().ok_or_else(|| lacking("the stage's or job's name"))?;
    let mut said = flat::Draft::saying(EventKind::Job, step.status());
    said.title = step.display_name.0.clone().or_else(|| Some(name.to_owned()));
    said.occurred_at_ms = match said.status {
        Status::Running => step.start_time.0,
        _ => step.finish_time.0,
    }
    .or(body.created_date.0);
    said.duration_ms = finished(&said.status).then(|| span(step.start_time.0, step.finish_time.0)).flatten();
    said.url = step.links.web();
    described(&mut said, resource);
    attribute(&mut said, "result", step.result.as_str());
    attribute(&mut said, "step", Some(kind));
    // The id in Microsoft's own examples is all zeros, so the place in the run names it too.
    let within = [Some(run), resource.stage_name(), Some(name), step.id.as_str()];
    let id = within.into_iter().flatten().collect::<Vec<_>>().join("/");
    Ok(Draft::of(said).about(subject(body, kind, &id), step.attempt()))
}

/// What runs, stages and jobs have in common.
fn described(said: &mut flat::Draft, resource: &Resource) {
    let run = resource.run.0.as_ref();
    said.service_name = resource.pipeline.name().or_else(|| run?.pipeline.name());
    said.correlation.run = run.and_then(|run| run.id.0.clone());
    let built = run.and_then(|run| run.repository());
    said.commit = built.and_then(|repository| repository.version.0.clone());
    said.branch = built.and_then(|repository| short_ref(repository.ref_name.as_str()?));
}

fn deployment_started(body: &Body, resource: &Resource) -> Result<Draft, NotUnderstood> {
    deployment(body, resource, Status::Running)
}

fn deployment_completed(body: &Body, resource: &Resource) -> Result<Draft, NotUnderstood> {
    let of_deployment = resource.deployment.0.as_ref().and_then(|one| one.deployment_status.as_str());
    let of_environment = resource.environment.0.as_ref().and_then(|one| one.status.as_str());
    let result = of_deployment.or(of_environment).ok_or_else(|| lacking("resource.environment.status"))?;
    let mut draft = deployment(body, resource, status::of(Some("completed"), Some(result)))?;
    attribute(&mut draft.said, "result", Some(result));
    Ok(draft)
}

fn deployment(body: &Body, resource: &Resource, status: Status) -> Result<Draft, NotUnderstood> {
    let environment = resource.environment.0.as_ref().ok_or_else(|| lacking("resource.environment"))?;
    let deployment = resource.deployment.0.as_ref();
    let mut said = flat::Draft::saying(EventKind::Deployment, status);
    let (began, ended) = (
        deployment.and_then(|deployment| deployment.started_on.0),
        deployment.and_then(|deployment| deployment.completed_on.0),
    );
    let over = finished(&said.status);
    said.occurred_at_ms = if over { ended } else { began }.or(body.created_date.0);
    said.duration_ms = over.then(|| span(began, ended)).flatten();
    said.env_name.clone_from(&environment.name.0);
    said.actor = deployment.and_then(|deployment| deployment.requested_for.name());
    let release = resource.release.0.as_ref();
    let told = deployment.and_then(|deployment| deployment.release.0.as_ref());
    let all = [release, told, environment.release.0.as_ref()];
    let all = || all.into_iter().flatten();
    said.version = all().find_map(|release| release.name.0.clone());
    said.title.clone_from(&said.version);
    said.service_name =
        resource.definition_of_release().or_else(|| all().find_map(|release| release.definition.name()));
    said.commit = all().find_map(|release| release.commit());
    said.url = all().find_map(|release| release.links.web());
    let id = deployment.and_then(|deployment| deployment.id.0.clone());
    said.correlation.deployment = id.clone().or_else(|| environment.id.0.clone());
    attribute(&mut said, "project", resource.project.name().as_deref());
    // An environment of a release may be deployed to again; only a number of its own tells which.
    let attempt = resource.attempt();
    let known = environment.id.as_str().filter(|_| attempt.is_some());
    Ok(match (id, known) {
        (Some(id), _) => Draft::of(said).about(subject(body, "deployment", &id), 1),
        (None, Some(id)) => Draft::of(said).about(subject(body, "environment", id), attempt.unwrap_or(1)),
        (None, None) => Draft::of(said),
    })
}

#[cfg(test)]
mod tests;

//! The routes of GitHub's REST API that a healer needs, over the state.

use std::sync::Arc;

use serde_json::{Value, json};

use super::state::{NewDeployment, RerunRefused};
use super::{Shared, hooks};
use crate::server::{Answer, Received};

/// GitHub's own limit on what it lists at once, and its default.
const PAGE_MAX: usize = 100;
const PAGE: usize = 30;
/// Of deliveries it lists fewer than GitHub would.
const DELIVERIES_PAGE: usize = 2;

/// The number of every repository's webhook.
const HOOK: &str = "1";

pub(super) fn answer(shared: &Arc<Shared>, request: &Received) -> Answer {
    let parts = request.parts();
    let [first, owner, name, rest @ ..] = parts.as_slice() else { return not_found() };
    let repository = format!("{owner}/{name}");
    if *first != "repos" || !shared.lock().has_repository(&repository) {
        return not_found();
    }
    match (request.method.as_str(), rest) {
        ("GET", []) => Answer::json(200, &hooks::repository(&repository)),
        ("GET", ["actions", "runs"]) => runs(shared, &repository, request),
        ("GET", ["actions", "runs", id]) => run(shared, &repository, number(id)),
        ("GET", ["actions", "runs", id, "jobs"]) => jobs(shared, &repository, number(id)),
        ("POST", ["actions", "runs", id, "rerun-failed-jobs"]) => rerun(shared, &repository, number(id)),
        ("GET", ["deployments"]) => deployments(shared, &repository, request),
        ("POST", ["deployments"]) => create(shared, &repository, &request.json()),
        ("GET", ["deployments", id]) => deployment(shared, &repository, number(id)),
        ("GET", ["deployments", id, "statuses"]) => statuses(shared, &repository, number(id)),
        (_, ["hooks", HOOK, "deliveries", rest @ ..]) => book(shared, request, rest),
        ("POST", ["deployments", id, "statuses"]) => {
            add_status(shared, &repository, number(id), &request.json())
        }
        _ => not_found(),
    }
}

pub(super) fn refused(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({"message": message, "documentation_url": "https://docs.github.com/rest"}))
}

fn not_found() -> Answer {
    refused(404, "Not Found")
}

/// 0 is nobody's id.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn page(request: &Received) -> usize {
    request.query.get("per_page").and_then(|text| text.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE_MAX)
}

/// Whether the query does not name the field, or names this value.
fn fits(request: &Received, field: &str, value: &str) -> bool {
    request.query.get(field).is_none_or(|wanted| wanted == value)
}

/// What a webhook sent, and the button that sends it again: of a repository's, and of an App's.
fn book(shared: &Shared, request: &Received, rest: &[&str]) -> Answer {
    match (request.method.as_str(), rest) {
        ("GET", []) => deliveries(shared, request),
        ("POST", [id, "attempts"]) if shared.courier.attempt(number(id)) => Answer::json(202, &json!({})),
        _ => not_found(),
    }
}

/// What an App may ask, which proved itself.
pub(super) fn answer_app(shared: &Shared, request: &Received) -> Answer {
    match request.parts().as_slice() {
        ["app", "hook", "deliveries", rest @ ..] => book(shared, request, rest),
        _ => not_found(),
    }
}

/// Newest first, from the cursor on; few at a time, so that a test sees more than one page.
fn deliveries(shared: &Shared, request: &Received) -> Answer {
    let all = shared.courier.deliveries();
    let cursor =
        request.query.get("cursor").map_or(u64::MAX, |cursor| number(cursor.trim_start_matches("v1_")));
    let listed = all.iter().rev().filter(|one| one.number <= cursor);
    let page = page(request).min(DELIVERIES_PAGE);
    let rest = listed.clone().nth(page).map(|one| {
        let origin = request.headers.get("host").map_or("", String::as_str);
        let address = format!("http://{origin}{}?per_page={page}&cursor=v1_{}", request.path, one.number);
        ("link", format!("<{address}>; rel=\"next\""))
    });
    let shown = listed.take(page).map(|one| {
        json!({
            "id": one.number,
            "guid": one.id,
            "delivered_at": crate::rfc3339(one.at_ms),
            "redelivery": all.iter().any(|other| other.id == one.id && other.number < one.number),
            "duration": 0.1,
            "status": if one.status == Some(202) { "OK" } else { "failed to connect to host" },
            "status_code": one.status.unwrap_or(0),
            "event": one.event,
            "action": serde_json::from_slice::<Value>(&one.body).map_or(Value::Null, |body| body["action"].clone()),
        })
    });
    Answer::json(200, &Value::Array(shown.collect())).continued(rest)
}

fn runs(shared: &Shared, repository: &str, request: &Received) -> Answer {
    let state = shared.lock();
    let found: Vec<Value> = state
        .runs(repository)
        .rev()
        .filter(|run| fits(request, "head_sha", &run.sha))
        .take(page(request))
        .map(|run| hooks::run_object(repository, run))
        .collect();
    Answer::json(200, &json!({"total_count": found.len(), "workflow_runs": found}))
}

fn run(shared: &Shared, repository: &str, id: u64) -> Answer {
    match shared.lock().run(repository, id) {
        Some(run) => Answer::json(200, &hooks::run_object(repository, run)),
        None => not_found(),
    }
}

fn jobs(shared: &Shared, repository: &str, id: u64) -> Answer {
    match shared.lock().run(repository, id) {
        Some(run) => Answer::json(200, &hooks::job_list(run)),
        None => not_found(),
    }
}

fn rerun(shared: &Arc<Shared>, repository: &str, id: u64) -> Answer {
    let outcome = shared.lock().rerun_failed(repository, id, crate::now_ms());
    match outcome {
        Ok(()) => {
            shared.announce_run(repository, id, "requested");
            Shared::let_run(shared.clone(), repository.to_owned(), id);
            Answer::json(201, &json!({}))
        }
        Err(RerunRefused::NoSuchRun) => not_found(),
        Err(RerunRefused::StillRunning) => refused(403, "This workflow is already running"),
        Err(RerunRefused::NothingFailed) => refused(403, "This workflow run has no failed jobs"),
    }
}

fn deployments(shared: &Shared, repository: &str, request: &Received) -> Answer {
    let state = shared.lock();
    let found: Vec<Value> = state
        .deployments(repository)
        .rev()
        .filter(|one| fits(request, "environment", &one.environment))
        .filter(|one| fits(request, "sha", &one.sha) && fits(request, "task", &one.task))
        .filter(|one| fits(request, "ref", &one.reference))
        .take(page(request))
        .map(|one| hooks::deployment_object(repository, one))
        .collect();
    Answer::json(200, &Value::Array(found))
}

fn create(shared: &Arc<Shared>, repository: &str, body: &Value) -> Answer {
    let Some(reference) = body["ref"].as_str() else {
        return refused(422, "Invalid request.\n\n\"ref\" wasn't supplied.");
    };
    let text = |field: &str, otherwise: &str| body[field].as_str().unwrap_or(otherwise).to_owned();
    let wanted = NewDeployment {
        reference: reference.to_owned(),
        environment: text("environment", "production"),
        task: text("task", "deploy"),
        payload: body.get("payload").cloned().unwrap_or_else(|| json!({})),
        description: body["description"].as_str().map(str::to_owned),
    };
    match Shared::create_deployment(shared, repository, wanted) {
        Some(created) => Answer::json(201, &hooks::deployment_object(repository, &created)),
        None => refused(422, &format!("No ref found for: {reference}")),
    }
}

fn deployment(shared: &Shared, repository: &str, id: u64) -> Answer {
    match shared.lock().deployment(repository, id) {
        Some(one) => Answer::json(200, &hooks::deployment_object(repository, one)),
        None => not_found(),
    }
}

/// Newest first, as GitHub lists them.
fn statuses(shared: &Shared, repository: &str, id: u64) -> Answer {
    match shared.lock().deployment(repository, id) {
        Some(one) => {
            let list = one.statuses.iter().rev().map(|status| hooks::status_object(repository, one, status));
            Answer::json(200, &Value::Array(list.collect()))
        }
        None => not_found(),
    }
}

fn add_status(shared: &Shared, repository: &str, id: u64, body: &Value) -> Answer {
    let Some(state) = body["state"].as_str() else { return refused(422, "\"state\" wasn't supplied.") };
    if shared.lock().deployment(repository, id).is_none() {
        return not_found();
    }
    shared.set_status(repository, id, state, body["description"].as_str().unwrap_or_default());
    let state = shared.lock();
    match state.deployment(repository, id).and_then(|one| one.statuses.last().map(|status| (one, status))) {
        Some((one, status)) => Answer::json(201, &hooks::status_object(repository, one, status)),
        None => not_found(),
    }
}

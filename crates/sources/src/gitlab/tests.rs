use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::draft::Draft;
use crate::source::Source;

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers
}

fn project() -> Value {
    json!({"id": 1, "path_with_namespace": "acme/web/shop", "web_url": "https://gitlab.example/acme/web/shop"})
}

fn pipeline() -> Value {
    json!({
        "object_kind": "pipeline",
        "object_attributes": {
            "id": 31, "name": "Build", "ref": "main", "tag": false, "sha": "bcbb5ec3", "source": "push",
            "status": "failed", "created_at": "2026-03-01 10:00:00 UTC", "finished_at": "2026-03-01 10:05:00 UTC",
            "duration": 63, "variables": [{"key": "TOKEN", "value": "s3cret"}],
            "url": "https://gitlab.example/acme/web/shop/-/pipelines/31",
        },
        "merge_request": null, "project": project(), "user": {"username": "ann", "email": "ann@example.com"},
    })
}

fn job() -> Value {
    json!({
        "object_kind": "build", "ref": "main", "sha": "95d49d1e", "build_id": 380, "build_name": "test",
        "build_status": "failed", "build_created_at": "2026-03-01 10:00:00 UTC",
        "build_started_at": "2026-03-01 10:01:00 UTC", "build_finished_at": "2026-03-01 10:03:00 UTC",
        "build_duration": 119.5, "build_failure_reason": "script_failure", "retries_count": 1, "pipeline_id": 31,
        "project_name": "Acme / shop", "commit": {"id": 31, "sha": "95d49d1e"}, "user": {"username": "ann"},
        "repository": {"name": "shop", "homepage": "https://gitlab.example/acme/web/shop"},
        "environment": {"name": "production", "action": "start"},
    })
}

fn deployment() -> Value {
    json!({
        "object_kind": "deployment", "status": "success", "status_changed_at": "2026-03-01 12:00:00 +0200",
        "deployment_id": 15, "deployable_url": "https://gitlab.example/acme/web/shop/-/jobs/796",
        "environment": "staging", "project": project(), "short_sha": "279484c0",
        "commit_url": format!("https://gitlab.example/acme/web/shop/-/commit/{}", "2".repeat(40)),
        "commit_title": "Add a file", "ref": "main", "user": {"username": "ann"},
    })
}

fn push() -> Value {
    json!({
        "object_kind": "push", "event_name": "push", "before": "1".repeat(40), "after": "2".repeat(40),
        "ref": "refs/heads/main", "checkout_sha": "2".repeat(40), "user_username": "ann", "project": project(),
        "commits": [{"id": "2", "timestamp": "1999-01-01T00:00:00Z", "author": {"email": "ann@example.com"}}],
    })
}

fn merge_request() -> Value {
    json!({
        "object_kind": "merge_request", "project": project(), "user": {"username": "ann"},
        "object_attributes": {
            "id": 99, "iid": 1, "title": "Make it work", "action": "open", "source_branch": "work",
            "source_project_id": 14, "target_project_id": 14, "updated_at": "2026-03-01T10:00:00Z",
            "last_commit": {"id": "da156088"}, "url": "https://gitlab.example/acme/web/shop/-/merge_requests/1",
            "source": {"name": "an object here"},
        },
    })
}

fn release() -> Value {
    json!({
        "object_kind": "release", "id": 1, "action": "create", "tag": "v1.1", "name": "Spring",
        "created_at": "2026-03-01 10:00:00 UTC", "released_at": "2030-01-01 00:00:00 UTC",
        "url": "https://gitlab.example/acme/web/shop/-/releases/v1.1", "commit": {"id": "ee0a3fb3"},
        "project": project(),
    })
}

fn feature_flag() -> Value {
    json!({
        "object_kind": "feature_flag", "project": project(), "user": {"username": "ann"},
        "object_attributes": {"id": 6, "name": "new-basket", "description": "x", "active": true},
    })
}

fn bodies() -> Vec<Value> {
    vec![pipeline(), job(), deployment(), push(), merge_request(), release(), feature_flag()]
}

fn reading(body: &Value) -> Result<Reading, NotUnderstood> {
    read(&headers(), body.to_string().as_bytes())
}

fn only(body: &Value) -> Draft {
    match reading(body) {
        Ok(Reading::Items(mut items)) if items.len() == 1 => items.remove(0),
        other => panic!("{other:?}"),
    }
}

fn is_ignored(body: &Value) -> bool {
    matches!(reading(body), Ok(Reading::Ignored(_)))
}

fn changed(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field).unwrap();
    body
}

fn attributes(said: &flat::Draft) -> Vec<(&str, &str)> {
    said.attributes.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

#[test]
fn a_pipeline_is_read() {
    let draft = only(&pipeline());
    let said = &draft.said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Run, &Status::Failure));
    assert_eq!(said.service_name.as_deref(), Some("acme/web/shop"));
    assert_eq!((said.title.as_deref(), said.branch.as_deref()), (Some("Build"), Some("main")));
    assert_eq!((said.duration_ms, said.occurred_at_ms), (Some(63_000), Some(1_772_359_500_000)));
    assert_eq!((said.actor.as_deref(), said.commit.as_deref()), (Some("ann"), Some("bcbb5ec3")));
    assert_eq!(said.correlation.run.as_deref(), Some("pipeline:31"));
    assert!(!said.fork && draft.own_attempt.is_none());
}

#[test]
fn a_pipeline_of_an_older_version_has_an_address_all_the_same() {
    let body = changed(pipeline(), "/object_attributes/url", json!(null));
    let expected = Some("https://gitlab.example/acme/web/shop/-/pipelines/31");
    assert_eq!(only(&body).said.url.as_deref(), expected);
}

#[test]
fn a_pipeline_under_way_has_no_duration_and_only_its_beginning_a_time() {
    let check = |status: &str, at: Option<u64>| {
        let mut body = changed(pipeline(), "/object_attributes/status", json!(status));
        body["object_attributes"]["finished_at"] = json!(null);
        let said = only(&body).said;
        assert_eq!((said.duration_ms, said.occurred_at_ms), (None, at), "{status}");
    };
    check("pending", Some(1_772_359_200_000));
    check("running", None);
}

#[test]
fn our_own_pipelines_are_known_by_their_variable_and_no_other_variable_is_kept() {
    let check = |variables: Value, expected: Option<&str>| {
        let body = changed(pipeline(), "/object_attributes/variables", variables.clone());
        let draft = only(&body);
        assert_eq!(draft.own_attempt.as_deref(), expected, "{variables}");
        assert!(!format!("{draft:?}").contains("s3cret"));
    };
    let ours = json!({"key": "HOMEOSTAT_ATTEMPT", "value": "a1"});
    check(json!([{"key": "TOKEN", "value": "s3cret"}, ours]), Some("a1"));
    check(json!([ours, {"key": "TOKEN", "value": "s3cret"}]), Some("a1"));
    check(json!([{"key": "HOMEOSTAT_ATTEMPT", "value": ""}]), None);
    check(json!([{"key": "HOMEOSTAT_ATTEMPT", "value": null}]), None);
    check(json!([{"key": "homeostat_attempt", "value": "a1"}]), None);
    check(json!([]), None);
    check(json!(null), None);
}

#[test]
fn a_pipeline_for_another_projects_merge_request_is_a_forks() {
    let check = |origin: Value, expected: bool| {
        let body = changed(pipeline(), "/merge_request", origin.clone());
        assert_eq!(only(&body).said.fork, expected, "{origin}");
    };
    check(json!({"iid": 2, "source_project_id": 1, "target_project_id": 1}), false);
    check(json!({"iid": 2, "source_project_id": 2, "target_project_id": 1}), true);
    check(json!({"iid": 2}), true);
    let external = changed(pipeline(), "/object_attributes/source", json!("external_pull_request_event"));
    assert!(only(&external).said.fork);
}

#[test]
fn a_second_failure_of_a_retried_pipeline_is_another_event() {
    let again = changed(pipeline(), "/object_attributes/finished_at", json!("2026-03-01 11:05:00 UTC"));
    assert_ne!(only(&again).subject, only(&pipeline()).subject);
}

#[test]
fn a_job_is_read() {
    let draft = only(&job());
    assert_eq!(draft.subject.map(|subject| (subject.id, subject.attempt)), Some(("job:380".into(), 2)));
    let said = draft.said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Job, &Status::Failure));
    assert_eq!(said.service_name.as_deref(), Some("acme/web/shop"), "by the page, for want of a project");
    assert_eq!((said.title.as_deref(), said.env_name.as_deref()), (Some("test"), Some("production")));
    assert_eq!((said.duration_ms, said.occurred_at_ms), (Some(119_500), Some(1_772_359_380_000)));
    assert_eq!(said.correlation.run.as_deref(), Some("pipeline:31"));
    assert_eq!(said.url.as_deref(), Some("https://gitlab.example/acme/web/shop/-/jobs/380"));
    assert_eq!(attributes(&said), [("reason", "script_failure")]);
    assert!(said.fork, "it does not say whose code it runs");
}

#[test]
fn a_job_lacks_what_it_lacks() {
    let said = only(&changed(job(), "/environment", json!(null))).said;
    assert_eq!(said.env_name, None);
    let said = only(&changed(job(), "/build_status", json!("running"))).said;
    assert_eq!((said.duration_ms, said.occurred_at_ms), (None, Some(1_772_359_260_000)));
    let mut named = without(job(), "repository");
    named["project"] = project();
    assert_eq!(only(&named).said.service_name.as_deref(), Some("acme/web/shop"));
    assert!(reading(&without(job(), "repository")).is_err());
}

#[test]
fn a_deployment_is_read_with_its_whole_commit() {
    let draft = only(&deployment());
    let said = &draft.said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Deployment, &Status::Success));
    assert_eq!(said.env_name.as_deref(), Some("staging"));
    assert_eq!(said.commit, Some("2".repeat(40)));
    assert_eq!(said.occurred_at_ms, Some(1_772_359_200_000));
    assert_eq!(said.correlation.deployment.as_deref(), Some("15"));
    assert_eq!(said.url.as_deref(), Some("https://gitlab.example/acme/web/shop/-/jobs/796"));
    assert_eq!(attributes(said), [("environment", "staging")]);
    assert_eq!(draft.subject.map(|subject| subject.id).as_deref(), Some("deployment:15"));
}

#[test]
fn a_deployment_over_the_api_has_no_job_and_may_have_no_whole_commit() {
    let mut body = changed(deployment(), "/deployable_url", json!(null));
    body["commit_url"] = json!("https://gitlab.example/acme/web/shop/-/commit/x");
    let said = only(&body).said;
    assert_eq!(said.commit.as_deref(), Some("279484c0"));
    assert_eq!(said.url.as_deref(), Some("https://gitlab.example/acme/web/shop/-/commit/x"));
}

#[test]
fn a_push_is_a_change_without_a_time() {
    let said = only(&push()).said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Change, &Status::Success));
    assert_eq!((said.branch.as_deref(), said.occurred_at_ms), (Some("main"), None));
    assert!(attributes(&said).is_empty());
    let first = only(&changed(push(), "/before", json!("0".repeat(40)))).said;
    assert_eq!(attributes(&first), [("cdevent", "branch.created")]);
    assert!(is_ignored(&changed(push(), "/after", json!("0".repeat(40)))));
}

#[test]
fn a_tag_is_a_change_at_the_commit_it_points_to() {
    let mut body = changed(push(), "/object_kind", json!("tag_push"));
    body["ref"] = json!("refs/tags/v1");
    body["checkout_sha"] = json!("3".repeat(40));
    let said = only(&body).said;
    assert_eq!((said.branch.as_deref(), said.commit), (Some("v1"), Some("3".repeat(40))));
}

#[test]
fn what_was_done_to_a_merge_request_is_told() {
    let check = |action: &str, expected: Option<(Status, &str)>| {
        let body = changed(merge_request(), "/object_attributes/action", json!(action));
        let Some((status, cdevent)) = expected else {
            assert!(is_ignored(&body), "{action}");
            return;
        };
        let said = only(&body).said;
        assert_eq!((&said.status, attributes(&said)), (&status, vec![("cdevent", cdevent)]), "{action}");
    };
    check("open", Some((Status::Running, "change.created")));
    check("reopen", Some((Status::Running, "change.created")));
    check("update", Some((Status::Running, "change.updated")));
    check("merge", Some((Status::Success, "change.merged")));
    check("close", Some((Status::Cancelled, "change.abandoned")));
    check("approved", None);
}

#[test]
fn a_merge_request_of_another_project_is_a_forks() {
    let check = |from: Value, expected: bool| {
        let body = changed(merge_request(), "/object_attributes/source_project_id", from.clone());
        assert_eq!(only(&body).said.fork, expected, "{from}");
    };
    check(json!(14), false);
    check(json!(15), true);
    check(json!(null), true);
}

#[test]
fn a_release_is_read_at_the_time_it_was_made() {
    let said = only(&release()).said;
    assert_eq!((&said.kind, said.version.as_deref()), (&EventKind::Release, Some("v1.1")));
    assert_eq!((said.occurred_at_ms, said.commit.as_deref()), (Some(1_772_359_200_000), Some("ee0a3fb3")));
    assert!(is_ignored(&changed(release(), "/action", json!("update"))));
    assert!(is_ignored(&changed(release(), "/action", json!("delete"))));
}

#[test]
fn a_feature_flag_is_a_change_each_time() {
    let draft = only(&feature_flag());
    assert_eq!((&draft.said.kind, draft.subject), (&EventKind::Change, None));
    assert_eq!(attributes(&draft.said), [("feature-flag", "new-basket"), ("active", "true")]);
}

#[test]
fn the_system_hooks_name_their_event_too() {
    let system = without(push(), "object_kind");
    assert_eq!(only(&system).said.kind, EventKind::Change);
    assert!(is_ignored(&json!({"event_name": "project_create", "path_with_namespace": "acme/shop"})));
    assert!(is_ignored(&json!({"object_kind": "note", "object_attributes": {"id": "odd"}})));
}

#[test]
fn a_custom_template_is_not_understood() {
    let why = reading(&json!({"text": "s3cret"})).unwrap_err().to_string();
    assert!(why.contains("custom template") && !why.contains("s3cret"), "{why}");
}

#[test]
fn bodies_that_lack_what_is_needed_are_not_understood() {
    let check = |body: Value, expected: &str| {
        assert_eq!(reading(&body).unwrap_err().to_string(), format!("the field {expected} is missing"));
    };
    check(without(pipeline(), "project"), "project.path_with_namespace");
    check(without(pipeline(), "object_attributes"), "object_attributes");
    check(changed(pipeline(), "/object_attributes/id", json!(null)), "object_attributes.id");
    check(changed(pipeline(), "/object_attributes/status", json!("")), "object_attributes.status");
    check(without(job(), "build_id"), "build_id");
    check(without(deployment(), "deployment_id"), "deployment_id");
    check(without(push(), "after"), "after");
    check(without(release(), "tag"), "tag");
}

#[test]
fn a_delivery_is_known_by_either_name_of_its_id() {
    let check = |pairs: &[(&'static str, &str)], expected: Option<&str>| {
        let mut headers = headers();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        let body = push().to_string();
        let read = Source::GITLAB.read(&Raw { headers: &headers, body: body.as_bytes() }).unwrap();
        assert_eq!(read.id.as_deref(), expected, "{pairs:?}");
    };
    check(
        &[("idempotency-key", "f5e5f430-f57b-4e6e-9fac-d9128cd7232f")],
        Some("f5e5f430-f57b-4e6e-9fac-d9128cd7232f"),
    );
    check(&[("webhook-id", "a"), ("idempotency-key", "b")], Some("a"));
    check(&[("x-gitlab-event-uuid", "a"), ("x-gitlab-webhook-uuid", "b")], None);
    check(&[("idempotency-key", "a b")], None);
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_panic(body: Vec<u8>) {
        let read = read(&headers(), &body);
        prop_assert!(read.is_err(), "{read:?}");
    }

    #[test]
    fn any_change_to_a_value_is_answered_without_panic(
        of in 0_usize..7,
        at: prop::sample::Index,
        value in crate::testing::any_json(),
    ) {
        let body = bodies().swap_remove(of);
        let mut pointers = Vec::new();
        collect_pointers(&body, String::new(), &mut pointers);
        let body = changed(body, &pointers[at.index(pointers.len())], value);
        if let Ok(Reading::Items(items)) = reading(&body) {
            let shown = format!("{items:?}");
            prop_assert!(items.len() == 1 && !shown.contains("s3cret"));
        }
    }
}

fn collect_pointers(value: &Value, at: String, pointers: &mut Vec<String>) {
    let Value::Object(fields) = value else { return };
    for (name, inner) in fields {
        let pointer = format!("{at}/{name}");
        pointers.push(pointer.clone());
        collect_pointers(inner, pointer, pointers);
    }
}

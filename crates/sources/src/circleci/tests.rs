use homeostat_schema::types::{EventKind, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Source;
use crate::testing::{any_json, ignored, only, read, survives};

const NONE: &[(&str, &str)] = &[];

fn workflow(status: &str) -> Value {
    json!({
        "type": "workflow-completed", "id": "d-1", "happened_at": "2026-03-01T10:05:01Z",
        "workflow": {"id": "w-1", "name": "build", "created_at": "2026-03-01T10:00:00Z",
            "stopped_at": "2026-03-01T10:05:00Z", "url": "https://app.circleci.com/w-1", "status": status},
        "project": {"slug": "gh/acme/shop"},
        "pipeline": {"id": "p-1", "vcs": {"revision": "abc", "branch": "main",
            "origin_repository_url": "https://github.com/acme/shop", "target_repository_url": "https://github.com/acme/shop",
            "commit": {"subject": "hunter2", "author": {"name": "Ann", "email": "ann@example.com"}}}},
    })
}

fn job() -> Value {
    let mut body = workflow("success");
    body["type"] = "job-completed".into();
    body["workflow"].as_object_mut().unwrap().remove("status");
    body["job"] = json!({"id": "j-1", "name": "test", "status": "failed", "started_at": "2026-03-01T10:01:00Z",
        "stopped_at": "2026-03-01T10:04:00Z"});
    body
}

#[test]
fn workflows_and_jobs_are_read() {
    let draft = only(Source::CIRCLECI, NONE, &workflow("success"));
    let said = &draft.said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Run, &Status::Success));
    assert_eq!((said.service_name.as_deref(), said.title.as_deref()), (Some("gh/acme/shop"), Some("build")));
    assert_eq!((said.commit.as_deref(), said.branch.as_deref()), (Some("abc"), Some("main")));
    assert_eq!((said.duration_ms, said.occurred_at_ms), (Some(300_000), Some(1_772_359_501_000)));
    assert_eq!((said.fork, said.delivery.as_deref()), (false, Some("d-1")));
    assert_eq!(draft.subject.unwrap().id, "run:w-1");
    assert!(!format!("{said:?}").contains("hunter2") && !format!("{said:?}").contains("example.com\""));
    let draft = only(Source::CIRCLECI, NONE, &job());
    assert_eq!(
        (draft.said.kind, draft.said.status, draft.said.duration_ms),
        (EventKind::Job, Status::Failure, Some(180_000))
    );
    assert_eq!(
        (draft.said.correlation.run.as_deref(), draft.subject.unwrap().id.as_str()),
        (Some("w-1"), "job:j-1")
    );
}

#[test]
fn statuses_map() {
    let check = |status: &str, expected: Status| {
        assert_eq!(only(Source::CIRCLECI, NONE, &workflow(status)).said.status, expected, "{status}");
    };
    check("failed", Status::Failure);
    check("error", Status::Failure);
    check("unauthorized", Status::Failure);
    check("canceled", Status::Cancelled);
    check("brand-new", Status::Other("brand-new".to_owned()));
}

#[test]
fn the_newer_shape_of_triggers_is_read() {
    let mut body = workflow("success");
    body["pipeline"] = json!({"id": "p-1", "trigger_parameters": {
        "git": {"checkout_sha": "def", "branch": "", "tag": "v1.2", "commit_author_email": "ann@example.com"},
        "circleci": {"provider_login": "ann", "actor_id": "u-1"}}});
    let said = only(Source::CIRCLECI, NONE, &body).said;
    assert_eq!(
        (said.commit.as_deref(), said.branch.as_deref(), said.actor.as_deref()),
        (Some("def"), Some("v1.2"), Some("ann"))
    );
}

#[test]
fn a_tags_build_with_nulls_is_read() {
    let mut body = workflow("success");
    body["pipeline"]["vcs"] = json!({"revision": "abc", "branch": null, "commit": {"subject": null, "author": {"name": null}},
        "origin_repository_url": null, "target_repository_url": "https://github.com/acme/shop"});
    let said = only(Source::CIRCLECI, NONE, &body).said;
    assert_eq!((said.commit.as_deref(), said.branch, said.fork), (Some("abc"), None, false));
}

#[test]
fn another_origin_is_a_fork() {
    let mut body = workflow("success");
    body["pipeline"]["vcs"]["origin_repository_url"] = "https://github.com/mallory/shop".into();
    assert!(only(Source::CIRCLECI, NONE, &body).said.fork);
}

#[test]
fn the_header_must_name_the_bodys_type() {
    let body = workflow("success").to_string();
    let of = |told: &'static str| read(Source::CIRCLECI, &[("circleci-event-type", told)], body.as_bytes());
    assert_eq!(of("workflow-completed").unwrap().id.as_deref(), Some("d-1"));
    assert!(of("job-completed").is_err());
}

#[test]
fn pings_are_ignored_and_what_lacks_its_subject_is_not_understood() {
    assert_eq!(ignored(Source::CIRCLECI, NONE, &json!({"type": "ping", "id": "1"})), "ping");
    ignored(Source::CIRCLECI, NONE, &json!({"type": "something-else"}));
    for body in [
        "{}",
        "{\"type\":\"job-completed\"}",
        "{\"type\":\"job-completed\",\"job\":{\"id\":\"1\"}}",
        "[]",
        "",
    ] {
        assert!(read(Source::CIRCLECI, NONE, body.as_bytes()).is_err(), "{body}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_answered(bytes: Vec<u8>, with in any_json()) {
        survives(Source::CIRCLECI, NONE, &bytes, &workflow("failed"), &with);
        survives(Source::CIRCLECI, NONE, &bytes, &job(), &with);
    }
}

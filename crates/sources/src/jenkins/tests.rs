use homeostat_schema::types::{EventKind, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Source;
use crate::draft::Subject;
use crate::testing::{any_json, ignored, only, read, survives};

const PLAIN: &[(&str, &str)] = &[("content-type", "application/json;charset=UTF-8")];

fn notification(phase: &str, status: Value) -> Value {
    json!({
        "name": "main", "display_name": "main", "url": "job/team/job/shop/job/main/",
        "build": {
            "full_url": "https://ci.example/job/team/job/shop/job/main/18/", "number": 18, "queue_id": 7,
            "timestamp": 1_772_359_200_000_u64, "duration": 5_583, "phase": phase, "status": status,
            "url": "job/team/job/shop/job/main/18/", "log": "password=hunter2",
            "parameters": {"TOKEN": "hunter2"},
            "scm": {"url": "git@example:shop.git", "branch": "origin/main", "commit": "c6d86dc6", "culprits": ["ann"]},
            "test_summary": {"total": 12, "failed": 2, "passed": 8, "skipped": 2, "failed_tests": ["hunter2"]},
        },
    })
}

fn events(kind: &'static str) -> [(&'static str, &'static str); 5] {
    [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "job/test2"),
        ("ce-type", kind),
    ]
}

fn cloud_event(phase: &str, status: Value) -> Value {
    json!({"name": "test2", "url": "job/test2/", "userName": "SYSTEM", "build": {
        "fullUrl": "http://ci/job/test2/13/", "number": 13, "queueId": 25, "timestamp": 1_772_359_200_000_u64,
        "duration": 5583, "phase": phase, "status": status, "scmState": {"branch": "origin/main", "commit": "218c"}}})
}

#[test]
fn a_finished_build_has_all_it_says_and_no_log() {
    let draft = only(Source::JENKINS, PLAIN, &notification("FINALIZED", json!("SUCCESS")));
    let said = &draft.said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Run, &Status::Success));
    assert_eq!((said.service_name.as_deref(), said.title.as_deref()), (Some("team/shop/main"), Some("main")));
    assert_eq!((said.commit.as_deref(), said.branch.as_deref()), (Some("c6d86dc6"), Some("main")));
    assert_eq!((said.duration_ms, said.occurred_at_ms), (Some(5_583), Some(1_772_359_200_000)));
    assert_eq!(said.url.as_deref(), Some("https://ci.example/job/team/job/shop/job/main/18/"));
    assert_eq!(said.signals.len(), 1);
    assert_eq!((said.signals[0].value, said.signals[0].samples), (0.2, 10));
    assert_eq!(said.actor, None);
    assert!(!format!("{draft:?}").contains("hunter2"));
}

#[test]
fn a_build_is_told_finished_once() {
    let why = ignored(Source::JENKINS, PLAIN, &notification("COMPLETED", json!("SUCCESS")));
    assert!(why.contains("FINALIZED"), "{why}");
    let subject = |phase: &str| only(Source::JENKINS, PLAIN, &notification(phase, json!("FAILURE"))).subject;
    let id = "build:https://ci.example/job/team/job/shop/job/main/18/".to_owned();
    assert_eq!(subject("FINALIZED"), Some(Subject { id, attempt: 1 }));
    assert_eq!(subject("STARTED"), subject("FINALIZED"));
}

#[test]
fn before_it_is_over_a_build_has_no_result() {
    let check = |phase: &str, status: Value, expected: Status| {
        let said = only(Source::JENKINS, PLAIN, &notification(phase, status.clone())).said;
        assert_eq!(said.status, expected, "{phase} {status}");
        said.duration_ms
    };
    assert_eq!(check("STARTED", json!("FAILURE"), Status::Running), None);
    assert_eq!(check("QUEUED", json!("FAILURE"), Status::Queued), None);
    check("FINALIZED", json!("FAILURE"), Status::Failure);
    check("FINALIZED", json!("UNSTABLE"), Status::Failure);
    check("FINALIZED", json!("ABORTED"), Status::Cancelled);
    check("FINALIZED", json!("NOT_BUILT"), Status::Skipped);
    check("FINALIZED", json!("BRAND_NEW"), Status::Other("brand_new".to_owned()));
    check("FINALIZED", json!(null), Status::Unknown);
}

#[test]
fn tests_that_did_not_run_are_no_signal() {
    let mut body = notification("FINALIZED", json!("SUCCESS"));
    for summary in [
        json!({"total": 2, "failed": 0, "skipped": 2}),
        json!({"total": 1, "failed": 5}),
        json!({}),
        json!(null),
    ] {
        body["build"]["test_summary"] = summary.clone();
        assert!(only(Source::JENKINS, PLAIN, &body).said.signals.is_empty(), "{summary}");
    }
}

#[test]
fn failed_tests_are_told_apart_and_not_named() {
    let told = |phase: &str, status: &str, names: Value| {
        let mut body = notification(phase, json!(status));
        body["build"]["test_summary"] = json!({"total": 9, "failed": 2, "skipped": 0, "failed_tests": names});
        let said = only(Source::JENKINS, PLAIN, &body).said;
        said.attributes.into_iter().find(|(name, _)| name == "failed-tests").map(|(_, value)| value)
    };
    let two = told("FINALIZED", "UNSTABLE", json!(["pays.Total", "pays.Cart"]));
    assert_eq!(two, homeostat_schema::failed_tests::told(["pays.Cart", "pays.Total"]));
    assert_eq!(told("FINALIZED", "UNSTABLE", json!(["pays.Total", {"a": 1}, null, "pays.Cart"])), two);
    for none in [json!([]), json!("pays.Total"), json!({"a": 1}), json!(null)] {
        assert_eq!(told("FINALIZED", "UNSTABLE", none.clone()), None, "{none}");
    }
    assert_eq!(told("STARTED", "UNSTABLE", json!(["pays.Total"])), None, "before it is over nothing failed");
}

#[test]
fn what_is_no_build_is_not_understood() {
    for body in [
        "{}",
        "{\"build\":{}}",
        "{\"build\":{\"phase\":\"EXPLODED\"}}",
        "[]",
        "",
        "{\"build\":{\"phase\":\"STARTED\"}}",
    ] {
        assert!(read(Source::JENKINS, PLAIN, body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn the_cloudevents_plug_in_is_read_by_its_types() {
    let status = |kind: &'static str, phase: &str, status: Value| {
        only(Source::JENKINS, &events(kind), &cloud_event(phase, status)).said.status
    };
    assert_eq!(status("org.jenkinsci.job.started", "STARTED", json!("FAILURE")), Status::Running);
    assert_eq!(status("org.jenkinsci.job.completed", "COMPLETED", json!("SUCCESS")), Status::Success);
    assert_eq!(status("org.jenkinsci.job.finalzed", "FINALIZED", json!("UNSTABLE")), Status::Failure);
    assert_eq!(status("org.jenkinsci.job.failed", "COMPLETED", json!("FAILURE")), Status::Failure);
    let crossed = cloud_event("STARTED", json!(null)).to_string();
    assert!(read(Source::JENKINS, &events("org.jenkinsci.job.completed"), crossed.as_bytes()).is_err());
    for kind in [
        "org.jenkinsci.queue.left",
        "org.jenkinsci.job.created",
        "org.jenkinsci.job.updated",
        "org.jenkinsci.x",
    ] {
        ignored(Source::JENKINS, &events(kind), &json!({}));
    }
}

#[test]
fn queue_and_nodes_are_told() {
    let body = json!({"ciUrl": "http://ci/", "displayName": "test2", "entryTime": 1_772_359_200_000_u64, "jenkinsQueueId": 25});
    let draft = only(Source::JENKINS, &events("org.jenkinsci.queue.entered_waiting"), &body);
    assert_eq!((draft.said.kind, draft.said.status), (EventKind::Run, Status::Queued));
    assert_eq!(draft.subject.unwrap().id, "queue:http://ci/#25");
    let node =
        only(Source::JENKINS, &events("org.jenkinsci.node.offline"), &json!({"nodeName": "agent-1"})).said;
    assert_eq!(
        (node.kind, node.title.as_deref()),
        (EventKind::Other("node.offline".to_owned()), Some("agent-1"))
    );
}

proptest! {
    #[test]
    fn whatever_comes_is_answered(bytes: Vec<u8>, with in any_json()) {
        survives(Source::JENKINS, PLAIN, &bytes, &notification("FINALIZED", json!("SUCCESS")), &with);
        let body = cloud_event("COMPLETED", json!("SUCCESS"));
        survives(Source::JENKINS, &events("org.jenkinsci.job.completed"), &bytes, &body, &with);
    }
}

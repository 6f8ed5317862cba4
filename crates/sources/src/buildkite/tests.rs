use homeostat_schema::types::{EventKind, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Source;
use crate::draft::Draft;
use crate::testing::{any_json, ignored, only, read, survives};

const NONE: &[(&str, &str)] = &[];

fn build(event: &str, state: &str) -> Value {
    json!({
        "event": event,
        "build": {"id": "b-1", "number": 27, "state": state, "blocked": false, "commit": "abc", "branch": "main",
            "web_url": "https://buildkite.com/acme/shop/builds/27", "creator": {"name": "Ann", "email": "ann@example.com"},
            "message": "hunter2", "env": {"TOKEN": "hunter2"}, "meta_data": {"a": "hunter2"}, "pull_request": null,
            "created_at": "2026-03-01T09:59:00.123Z", "scheduled_at": "2026-03-01 09:59:30 UTC",
            "started_at": "2026-03-01 10:00:00 UTC", "finished_at": "2026-03-01 10:05:00 UTC"},
        "pipeline": {"slug": "shop", "repository": "git@github.com:acme/shop.git"},
        "sender": {"id": "s", "name": "Some Person"},
    })
}

fn job(state: &str) -> Value {
    let mut body = build("job.finished", "running");
    body["job"] = json!({"id": "j-1", "type": "script", "name": ":go: Test", "state": state, "exit_status": 0,
        "command": "hunter2", "started_at": "2026-03-01T10:01:00Z", "finished_at": "2026-03-01T10:04:00Z"});
    body
}

fn draft(body: &Value) -> Draft {
    only(Source::BUILDKITE, NONE, body)
}

#[test]
fn a_build_is_read_with_its_times() {
    let draft = draft(&build("build.finished", "passed"));
    let said = &draft.said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Run, &Status::Success));
    assert_eq!((said.service_name.as_deref(), said.title.as_deref()), (Some("shop"), Some("shop")));
    assert_eq!((said.duration_ms, said.occurred_at_ms), (Some(300_000), Some(1_772_359_500_000)));
    assert_eq!((said.commit.as_deref(), said.correlation.run.as_deref()), (Some("abc"), Some("b-1")));
    assert_eq!(draft.subject.as_ref().unwrap().id, "build:b-1");
    assert!(!format!("{draft:?}").contains("hunter2") && !format!("{draft:?}").contains("ann@"));
}

#[test]
fn the_state_is_the_builds_and_not_the_events() {
    let check = |event: &str, state: &str, expected: Status| {
        assert_eq!(draft(&build(event, state)).said.status, expected, "{event} {state}");
    };
    check("build.scheduled", "scheduled", Status::Queued);
    check("build.running", "running", Status::Running);
    check("build.running", "failed", Status::Failure);
    check("build.failing", "failing", Status::Running);
    check("build.finished", "canceled", Status::Cancelled);
    check("build.finished", "blocked", Status::Waiting);
    check("build.skipped", "skipped", Status::Skipped);
    check("build.finished", "brand_new", Status::Other("brand_new".to_owned()));
}

#[test]
fn a_blocked_build_waits_for_a_person() {
    let mut body = build("build.finished", "passed");
    body["build"]["blocked"] = true.into();
    assert_eq!(draft(&body).said.status, Status::Waiting);
    body["build"]["state"] = "failed".into();
    assert_eq!(draft(&body).said.status, Status::Failure);
}

#[test]
fn jobs_are_judged_by_state_and_exit() {
    let check = |state: &str, change: &[(&str, Value)], expected: Status| {
        let mut body = job(state);
        for (field, value) in change {
            body["job"][*field] = value.clone();
        }
        assert_eq!(draft(&body).said.status, expected, "{state} {change:?}");
    };
    check("passed", &[], Status::Success);
    check("failed", &[], Status::Failure);
    check("failed", &[("soft_failed", true.into())], Status::Success);
    check("timed_out", &[], Status::Failure);
    check("canceled", &[], Status::Cancelled);
    check("finished", &[], Status::Success);
    check("finished", &[("exit_status", 1.into())], Status::Failure);
    check("finished", &[("passed", false.into())], Status::Failure);
    check("finished", &[("exit_status", json!(null))], Status::Unknown);
    check("assigned", &[], Status::Queued);
    check("started", &[], Status::Running);
    let said = draft(&job("passed")).said;
    assert_eq!(
        (said.kind, said.title.as_deref(), said.duration_ms),
        (EventKind::Job, Some(":go: Test"), Some(180_000))
    );
    let mut block = job("unblocked");
    block["job"]["type"] = "manual".into();
    ignored(Source::BUILDKITE, NONE, &block);
}

#[test]
fn a_pull_request_from_elsewhere_is_a_fork() {
    let fork = |repository: &str| {
        let mut body = build("build.finished", "passed");
        body["build"]["pull_request"] = json!({"id": "12", "repository": repository});
        draft(&body).said
    };
    assert!(fork("git://github.com/mallory/shop.git").fork);
    let own = fork("git://github.com/acme/shop.git");
    assert_eq!((own.fork, own.correlation.pull_request.as_deref()), (false, Some("12")));
}

#[test]
fn event_bridge_wraps_the_same() {
    let inner = json!({"build": {"uuid": "b-1", "number": 27, "commit": "HEAD", "state": "started",
        "started_at": "2026-03-01 10:00:00 UTC"}, "pipeline": {"slug": "shop", "repo": "r"}, "organization": {"slug": "acme"}});
    let event =
        json!({"id": "e-1", "detail-type": "Build Started", "time": "2026-03-01T10:00:01Z", "detail": inner});
    let said = draft(&event).said;
    assert_eq!((said.status, said.delivery.as_deref(), said.commit), (Status::Running, Some("e-1"), None));
    assert_eq!(said.occurred_at_ms, Some(1_772_359_200_000));
    let queued = json!({"id": "e-2", "detail-type": "Build Created", "time": "2026-03-01T10:00:01Z",
        "detail": {"build": {"uuid": "b-1", "state": "scheduled"}}});
    assert_eq!(draft(&queued).said.occurred_at_ms, Some(1_772_359_201_000));
    ignored(Source::BUILDKITE, NONE, &json!({"detail-type": "Agent Connected", "detail": {}}));
    assert!(
        read(
            Source::BUILDKITE,
            NONE,
            br#"{"detail-type":"Job Started","detail":{"job":{"label":"\:nodejs\: Test"}}}"#
        )
        .is_err()
    );
}

#[test]
fn the_header_must_name_the_bodys_event() {
    let body = build("build.finished", "passed").to_string();
    let of = |told: &'static str| read(Source::BUILDKITE, &[("x-buildkite-event", told)], body.as_bytes());
    assert_eq!(of("build.finished").unwrap().id, None);
    assert!(of("job.finished").is_err());
}

#[test]
fn pings_and_agents_are_ignored_and_the_rest_not_understood() {
    assert_eq!(ignored(Source::BUILDKITE, NONE, &json!({"event": "ping"})), "ping");
    ignored(Source::BUILDKITE, NONE, &json!({"event": "agent.connected"}));
    ignored(Source::BUILDKITE, NONE, &json!({"event": "package.created"}));
    for body in [
        "{}",
        "{\"event\":\"build.finished\"}",
        "{\"event\":\"job.started\",\"build\":{\"id\":\"1\"}}",
        "[]",
        "",
    ] {
        assert!(read(Source::BUILDKITE, NONE, body.as_bytes()).is_err(), "{body}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_answered(bytes: Vec<u8>, with in any_json()) {
        survives(Source::BUILDKITE, NONE, &bytes, &build("build.finished", "passed"), &with);
        survives(Source::BUILDKITE, NONE, &bytes, &job("finished"), &with);
    }
}

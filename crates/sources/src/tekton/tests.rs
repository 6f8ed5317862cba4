use homeostat_schema::types::{EventKind, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Source;
use crate::draft::{Draft, Subject};
use crate::testing::{any_json, ignored, only, read, survives};

fn headers(kind: &'static str) -> [(&'static str, &'static str); 5] {
    [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/apis/namespaces/ci/taskruns/build"),
        ("ce-type", kind),
    ]
}

fn run(status: &str, reason: &str) -> Value {
    json!({
        "metadata": {"uid": "u-1", "name": "build-x7", "namespace": "ci",
            "labels": {"tekton.dev/pipeline": "build", "homeostat.dev/service": "shop"},
            "annotations": {"homeostat.dev/env": "prod", "pipelinesascode.tekton.dev/sha": "abc"},
            "ownerReferences": [{"kind": "PipelineRun", "uid": "u-0"}]},
        "spec": {"params": [{"name": "password", "value": "hunter2"}], "taskRef": {"name": "build"}},
        "status": {"startTime": "2026-03-01T10:00:00Z", "completionTime": "2026-03-01T10:05:00Z",
            "conditions": [{"type": "Succeeded", "status": status, "reason": reason,
                "lastTransitionTime": "2026-03-01T10:04:00Z"}]},
    })
}

const FINISHED: &str = "dev.tekton.event.pipelinerun.successful.v1";
const TASK: &str = "dev.tekton.event.taskrun.running.v1";

fn pipeline(status: &str, reason: &str) -> Draft {
    only(Source::TEKTON, &headers(FINISHED), &json!({"pipelineRun": run(status, reason)}))
}

#[test]
fn the_runs_own_condition_is_its_state() {
    let check = |status: &str, reason: &str, expected: Status| {
        assert_eq!(pipeline(status, reason).said.status, expected, "{status} {reason}");
    };
    check("True", "Succeeded", Status::Success);
    check("True", "Completed", Status::Success);
    check("False", "Failed", Status::Failure);
    check("False", "PipelineRunTimeout", Status::Failure);
    check("False", "Cancelled", Status::Cancelled);
    check("False", "TaskRunCancelled", Status::Cancelled);
    check("False", "StoppedRunFinally", Status::Cancelled);
    check("Unknown", "Running", Status::Running);
    check("Unknown", "Started", Status::Running);
    check("Unknown", "Pending", Status::Queued);
    check("Unknown", "PipelineRunPending", Status::Queued);
}

#[test]
fn without_a_condition_the_type_says_it() {
    let check = |kind: &'static str, expected: Status| {
        let body = json!({"pipelineRun": {"metadata": {"uid": "u-1"}}});
        assert_eq!(only(Source::TEKTON, &headers(kind), &body).said.status, expected, "{kind}");
    };
    check("dev.tekton.event.pipelinerun.queued.v1", Status::Queued);
    check("dev.tekton.event.pipelinerun.started.v1", Status::Running);
    check("dev.tekton.event.pipelinerun.running.v1", Status::Running);
    check("dev.tekton.event.pipelinerun.failed.v1", Status::Failure);
}

#[test]
fn names_come_from_labels_and_parameters_are_not_kept() {
    let said = pipeline("True", "Succeeded").said;
    assert_eq!((said.service_name.as_deref(), said.env_name.as_deref()), (Some("shop"), Some("prod")));
    assert_eq!((said.commit.as_deref(), said.duration_ms), (Some("abc"), Some(300_000)));
    assert_eq!(said.occurred_at_ms, Some(1_772_359_500_000));
    assert!(!format!("{said:?}").contains("hunter2"));
    let mut bare = run("True", "Succeeded");
    bare["metadata"]["labels"] = json!({"tekton.dev/pipeline": "build"});
    let said = only(Source::TEKTON, &headers(FINISHED), &json!({"pipelineRun": bare})).said;
    assert_eq!(said.service_name.as_deref(), Some("ci/build"));
}

#[test]
fn one_state_of_one_run_is_one_subject_whatever_its_event_is_called() {
    let first = pipeline("Unknown", "Started");
    let second = pipeline("Unknown", "Running");
    assert_eq!((first.subject, first.said.status), (second.subject, second.said.status));
    let mut retried = run("Unknown", "Running");
    retried["status"]["retriesStatus"] = json!([{}, {}]);
    let draft = only(Source::TEKTON, &headers(TASK), &json!({"taskRun": retried}));
    assert_eq!(draft.subject, Some(Subject { id: "taskrun:u-1".to_owned(), attempt: 3 }));
    assert_eq!((draft.said.kind, draft.said.correlation.run.as_deref()), (EventKind::Job, Some("u-0")));
}

#[test]
fn a_body_must_be_the_run_that_its_type_names() {
    let body = json!({"pipelineRun": run("True", "Succeeded")}).to_string();
    assert!(read(Source::TEKTON, &headers(TASK), body.as_bytes()).is_err());
    assert!(read(Source::TEKTON, &headers("com.example.thing"), body.as_bytes()).is_err());
    assert!(read(Source::TEKTON, &headers("dev.tekton.event."), body.as_bytes()).is_err());
    assert!(read(Source::TEKTON, &[("content-type", "application/json")], body.as_bytes()).is_err());
    let why = ignored(Source::TEKTON, &headers("dev.tekton.event.triggers.started.v1"), &json!({}));
    assert!(why.contains("triggers"), "{why}");
}

proptest! {
    #[test]
    fn whatever_comes_is_answered(bytes: Vec<u8>, with in any_json()) {
        let body = json!({"taskRun": run("False", "Failed")});
        survives(Source::TEKTON, &headers(TASK), &bytes, &body, &with);
    }
}

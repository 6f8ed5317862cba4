use homeostat_schema::types::{EventKind, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Source;
use crate::draft::Draft;
use crate::reading::Reading;
use crate::testing::{any_json, ignored, only, read, survives};

const NONE: &[(&str, &str)] = &[];

fn event(kind: &str, resource: Value) -> Value {
    json!({"id": "d-1", "eventType": kind, "createdDate": "2026-03-01T10:05:01Z", "resource": resource,
        "resourceContainers": {"collection": {"id": "c-1"}}})
}

fn build() -> Value {
    event(
        "build.complete",
        json!({
            "id": 479, "buildNumber": "20260301.2", "status": "completed", "result": "failed",
            "startTime": "2026-03-01T10:00:00Z", "finishTime": "2026-03-01T10:05:00.5Z",
            "sourceBranch": "refs/heads/main", "sourceVersion": "abc", "definition": {"name": "shop-ci"},
            "requestedFor": {"displayName": "Ann", "uniqueName": "ann@example.com"},
            "_links": {"web": {"href": "https://dev.azure.com/acme/_build/479"}},
        }),
    )
}

fn run(state: &str, result: Value) -> Value {
    event(
        "ms.vss-pipelines.run-state-changed-event",
        json!({
            "run": {"id": 479, "name": "20260301.2", "state": state, "result": result,
                "createdDate": "2026-03-01T10:00:00Z", "finishedDate": "2026-03-01T10:05:00Z",
                "resources": {"repositories": {"self": {"refName": "refs/heads/main", "version": "abc"}}}},
            "pipeline": {"name": "shop-ci", "folder": "\\"},
        }),
    )
}

fn step(kind: &str) -> Value {
    let mut resource = json!({"run": {"id": 479}, "pipeline": {"name": "shop-ci"},
        "stage": {"id": "00000000-0000-0000-0000-000000000000", "name": "Build", "state": "running"}});
    resource[kind] = json!({"id": "00000000-0000-0000-0000-000000000000", "name": "Compile", "attempt": 2,
        "state": "completed", "result": "failed", "startTime": "2026-03-01T10:00:00Z", "finishTime": "2026-03-01T10:01:00Z"});
    event(&format!("ms.vss-pipelines.{kind}-state-changed-event"), resource)
}

fn deployment(kind: &str, status: &str) -> Value {
    event(
        &format!("ms.vss-release.deployment-{kind}-event"),
        json!({
            "environment": {"id": 5, "name": "Prod", "status": status, "release": {"id": 1, "name": "Release-5"}},
            "release": {"id": 0, "name": null, "createdOn": "0001-01-01T00:00:00", "releaseDefinition": {"name": "Shop.CD"},
                "artifacts": [{"definitionReference": {"sourceVersion": {"id": "abc"}}}]},
            "project": {"name": "Acme"},
            "deployment": {"id": 77, "deploymentStatus": status, "startedOn": "2026-03-01T10:00:00Z",
                "completedOn": "2026-03-01T10:04:00Z", "requestedFor": {"displayName": "Ann"}},
        }),
    )
}

fn draft(body: &Value) -> Draft {
    only(Source::AZURE_DEVOPS, NONE, body)
}

#[test]
fn a_build_is_read() {
    let draft = draft(&build());
    let said = &draft.said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Run, &Status::Failure));
    assert_eq!((said.service_name.as_deref(), said.commit.as_deref()), (Some("shop-ci"), Some("abc")));
    assert_eq!((said.branch.as_deref(), said.actor.as_deref()), (Some("main"), Some("Ann")));
    assert_eq!((said.duration_ms, said.occurred_at_ms), (Some(300_500), Some(1_772_359_500_500)));
    assert_eq!(
        (said.delivery.as_deref(), said.url.as_deref()),
        (Some("d-1"), Some("https://dev.azure.com/acme/_build/479"))
    );
    assert!(!format!("{draft:?}").contains("ann@"));
}

#[test]
fn the_older_form_of_a_commit_is_read() {
    let check = |text: &str, commit: Option<&str>, branch: Option<&str>| {
        let mut body = build();
        let resource = body["resource"].as_object_mut().unwrap();
        resource.remove("sourceVersion");
        resource.remove("sourceBranch");
        resource.insert("sourceGetVersion".to_owned(), text.into());
        let said = draft(&body).said;
        assert_eq!((said.commit.as_deref(), said.branch.as_deref()), (commit, branch), "{text}");
    };
    check("LG:refs/heads/main:abc", Some("abc"), Some("main"));
    check("LG:refs/heads/a:b:abc", Some("abc"), Some("a:b"));
    check("C18", None, None);
    check("LG:", None, None);
    check("", None, None);
}

#[test]
fn a_run_and_its_build_are_one_subject() {
    let finished = draft(&run("completed", json!("failed")));
    let built = draft(&build());
    assert_eq!(finished.subject, built.subject);
    assert_eq!(finished.said.status, built.said.status);
    assert_eq!(
        (finished.said.commit.as_deref(), finished.said.branch.as_deref()),
        (Some("abc"), Some("main"))
    );
    let running = draft(&run("inProgress", json!(null)));
    assert_eq!((running.said.status, running.said.duration_ms), (Status::Running, None));
    assert_eq!(running.said.occurred_at_ms, Some(1_772_359_501_000));
}

#[test]
fn stages_and_jobs_belong_to_their_run() {
    let of = |kind: &str| draft(&step(kind));
    let job = of("job");
    assert_eq!((&job.said.kind, &job.said.status), (&EventKind::Job, &Status::Failure));
    assert_eq!((job.said.correlation.run.as_deref(), job.said.duration_ms), (Some("479"), Some(60_000)));
    let subject = job.subject.unwrap();
    assert_eq!(subject.id, "job:c-1/479/Build/Compile/00000000-0000-0000-0000-000000000000");
    assert_eq!(subject.attempt, 2);
    assert_ne!(of("stage").subject.unwrap().id, subject.id);
}

#[test]
fn deployments_start_and_end_in_an_environment() {
    let started = draft(&deployment("started", "queued"));
    assert_eq!((&started.said.kind, &started.said.status), (&EventKind::Deployment, &Status::Running));
    let done = draft(&deployment("completed", "succeeded"));
    let said = &done.said;
    assert_eq!((&said.status, said.env_name.as_deref()), (&Status::Success, Some("Prod")));
    assert_eq!((said.service_name.as_deref(), said.version.as_deref()), (Some("Shop.CD"), Some("Release-5")));
    assert_eq!((said.commit.as_deref(), said.duration_ms), (Some("abc"), Some(240_000)));
    assert_eq!(done.subject, started.subject);
    assert_eq!(draft(&deployment("completed", "rejected")).said.status, Status::Failure);
    assert_eq!(draft(&deployment("completed", "partiallySucceeded")).said.status, Status::Success);
}

#[test]
fn an_environment_deployed_to_again_is_told_apart_only_by_a_number() {
    let subject = |attempt: Value| {
        let mut body = deployment("completed", "succeeded");
        body["resource"].as_object_mut().unwrap().remove("deployment");
        body["resource"]["attemptId"] = attempt;
        draft(&body).subject
    };
    assert_eq!(subject(json!(null)), None);
    assert_eq!(subject(json!(0)), None);
    assert_eq!(
        subject(json!(2)).map(|subject| (subject.id, subject.attempt)),
        Some(("environment:c-1/5".to_owned(), 2))
    );
}

#[test]
fn pushes_are_changes_one_for_each_branch() {
    let push = |updates: Value| {
        event(
            "git.push",
            json!({"refUpdates": updates, "repository": {"name": "shop"},
        "date": "2026-03-01T10:00:00Z", "pushedBy": {"displayName": "Ann"}}),
        )
    };
    let body = push(
        json!([{"name": "refs/heads/main", "newObjectId": "abc"}, {"name": "refs/heads/b", "newObjectId": "def"},
        {"name": "refs/heads/gone", "newObjectId": "0".repeat(40)}]),
    );
    let Ok(Reading::Items(drafts)) =
        read(Source::AZURE_DEVOPS, NONE, body.to_string().as_bytes()).map(|read| read.reading)
    else {
        panic!("no items")
    };
    let told: Vec<_> =
        drafts.iter().map(|draft| (draft.said.branch.as_deref(), draft.said.delivery.as_deref())).collect();
    assert_eq!(told, [(Some("main"), Some("d-1")), (Some("b"), Some("d-1 1"))]);
    assert_eq!(drafts[0].said.kind, EventKind::Change);
    ignored(
        Source::AZURE_DEVOPS,
        NONE,
        &push(json!([{"name": "refs/heads/gone", "newObjectId": "0".repeat(40)}])),
    );
    assert!(read(Source::AZURE_DEVOPS, NONE, push(json!([])).to_string().as_bytes()).is_err());
}

#[test]
fn a_pull_request_is_merged_when_its_status_says_so() {
    let pull = |kind: &str, status: &str, fork: Value| {
        draft(&event(&format!("git.pullrequest.{kind}"), json!({
        "pullRequestId": 1, "status": status, "title": "t", "repository": {"name": "shop"}, "forkSource": fork,
        "sourceRefName": "refs/heads/topic", "lastMergeSourceCommit": {"commitId": "abc"}}))).said
    };
    assert_eq!(pull("created", "active", json!(null)).status, Status::Waiting);
    assert_eq!(pull("merged", "active", json!(null)).status, Status::Waiting);
    assert_eq!(pull("merged", "completed", json!(null)).status, Status::Success);
    let abandoned = pull("updated", "abandoned", json!({"name": "refs/heads/topic"}));
    assert_eq!((abandoned.status, abandoned.fork), (Status::Cancelled, true));
    assert_eq!(
        (abandoned.commit.as_deref(), abandoned.correlation.pull_request.as_deref()),
        (Some("abc"), Some("1"))
    );
}

#[test]
fn a_minimal_resource_is_not_understood_and_says_what_to_do() {
    for kind in [
        "build.complete",
        "ms.vss-pipelines.run-state-changed-event",
        "ms.vss-release.deployment-completed-event",
        "git.push",
    ] {
        for resource in [json!(null), json!({"url": "https://dev.azure.com/x"})] {
            let why =
                read(Source::AZURE_DEVOPS, NONE, event(kind, resource).to_string().as_bytes()).unwrap_err();
            assert!(why.to_string().contains("resource details to send"), "{kind}: {why}");
        }
    }
    ignored(Source::AZURE_DEVOPS, NONE, &event("workitem.created", json!({})));
    assert!(read(Source::AZURE_DEVOPS, NONE, b"{}").is_err());
}

proptest! {
    #[test]
    fn whatever_comes_is_answered(bytes: Vec<u8>, with in any_json()) {
        for body in [build(), run("completed", json!("succeeded")), step("job"), deployment("completed", "failed")] {
            survives(Source::AZURE_DEVOPS, NONE, &bytes, &body, &with);
        }
    }
}

//! Jobs, checks and statuses of commits.

use super::*;

pub(super) fn job() -> Value {
    json!({
        "action": "completed",
        "workflow_job": {
            "id": 41, "run_id": 30433642, "run_attempt": 2, "name": "test", "workflow_name": "Build",
            "run_url": "https://api.github.com/repos/acme/shop/actions/runs/30433642",
            "url": "https://api.github.com/repos/acme/shop/actions/jobs/41",
            "html_url": "https://github.com/acme/shop/actions/runs/30433642/job/41",
            "status": "completed", "conclusion": "failure", "head_sha": "acb5820c", "head_branch": "main",
            "created_at": "2026-03-01T10:00:00Z", "started_at": "2026-03-01T10:01:00Z",
            "completed_at": "2026-03-01T10:03:00Z", "steps": [],
        },
        "repository": repository(),
        "sender": {"login": "ann"},
    })
}

pub(super) fn check_suite() -> Value {
    json!({
        "action": "completed",
        "check_suite": {
            "id": 118578147, "status": "completed", "conclusion": "failure", "head_sha": "ec26c3e5",
            "head_branch": "main", "updated_at": "2026-03-01T10:05:00Z",
            "app": {"slug": "linter", "name": "The Linter"}, "pull_requests": [{"number": 2}],
        },
        "repository": repository(),
        "sender": {"login": "ann"},
    })
}

pub(super) fn check_run() -> Value {
    json!({
        "action": "completed",
        "check_run": {
            "id": 128620228, "name": "lint", "status": "completed", "conclusion": "success",
            "head_sha": "ec26c3e5", "html_url": "https://github.com/acme/shop/runs/128620228",
            "details_url": "https://linter.example/1", "started_at": "2026-03-01T10:00:00Z",
            "completed_at": "2026-03-01T10:05:00Z", "app": {"slug": "linter", "name": "The Linter"},
            "check_suite": {"id": 118578147, "head_branch": "main", "app": {"slug": "linter"}},
        },
        "repository": repository(),
        "sender": {"login": "ann"},
    })
}

pub(super) fn commit_status() -> Value {
    json!({
        "id": 6805126730_u64, "sha": "6113728f", "name": "acme/shop", "context": "ci/build",
        "state": "failure", "target_url": "https://ci.example/7", "description": null,
        "branches": [{"name": "main"}, {"name": "other"}],
        "created_at": "2026-03-01T10:00:00+00:00", "updated_at": "2026-03-01T10:00:01+00:00",
        "repository": repository(), "sender": {"login": "ann"},
    })
}

#[test]
fn a_job_is_read() {
    let draft = only("workflow_job", &job());
    assert_eq!(
        draft.subject.map(|subject| (subject.id, subject.attempt)),
        Some(("workflow_job:41".into(), 2))
    );
    let said = draft.said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Job, &Status::Failure));
    assert_eq!((said.title.as_deref(), said.branch.as_deref()), (Some("test"), Some("main")));
    assert_eq!((said.duration_ms, said.occurred_at_ms), (Some(120_000), Some(1_772_359_380_000)));
    assert_eq!((said.correlation.run.as_deref(), said.correlation.run_attempt), (Some("30433642"), Some(2)));
    let expected = [
        ("subject", "https://api.github.com/repos/acme/shop/actions/jobs/41"),
        ("pipeline", "acme/shop/Build/test"),
        ("pipeline-run", "https://api.github.com/repos/acme/shop/actions/runs/30433642/attempts/2"),
    ];
    assert_eq!(attributes(&said), expected);
}

#[test]
fn a_job_does_not_say_whose_code_it_runs() {
    assert!(drafted("workflow_job", &job()).fork);
}

#[test]
fn a_job_is_as_far_as_its_status_says_and_when() {
    let check = |status: &str, expected: Status, at: u64| {
        let mut body = changed(job(), "/workflow_job/status", json!(status));
        body["workflow_job"]["conclusion"] = json!(null);
        body["workflow_job"]["completed_at"] = json!(null);
        let said = drafted("workflow_job", &body);
        assert_eq!((said.status, said.occurred_at_ms), (expected, Some(at)), "{status}");
    };
    check("queued", Status::Queued, 1_772_359_200_000);
    check("waiting", Status::Waiting, 1_772_359_200_000);
    check("in_progress", Status::Running, 1_772_359_260_000);
    let unsaid = without(job(), "/workflow_job", "status");
    assert_eq!(drafted("workflow_job", &unsaid).status, Status::Failure, "by its action");
}

#[test]
fn a_job_of_a_guarded_environment_names_it() {
    let mut body = job();
    body["deployment"] = json!({"id": 1, "environment": "production"});
    assert_eq!(drafted("workflow_job", &body).env_name.as_deref(), Some("production"));
}

#[test]
fn checks_of_another_system_are_runs_and_jobs() {
    let suite = only("check_suite", &check_suite());
    assert_eq!((&suite.said.kind, &suite.said.status), (&EventKind::Run, &Status::Failure));
    assert_eq!(suite.said.title.as_deref(), Some("The Linter"));
    assert_eq!(suite.said.correlation.pull_request.as_deref(), Some("2"));
    let run = only("check_run", &check_run());
    assert_eq!((&run.said.kind, &run.said.status), (&EventKind::Job, &Status::Success));
    assert_eq!(run.said.correlation.run, suite.said.correlation.run);
    assert_eq!((run.said.title.as_deref(), run.said.duration_ms), (Some("lint"), Some(300_000)));
    assert!(!suite.said.fork && !run.said.fork);
}

#[test]
fn checks_of_githubs_own_workflows_count_as_the_run_that_tells_of_itself() {
    let check = |event: &str, app: Value, ignored: bool| {
        let (body, at) = match event {
            "check_suite" => (check_suite(), "/check_suite/app"),
            _ => (check_run(), "/check_run/app"),
        };
        let read = reading(event, &changed(body, at, app.clone()));
        assert_eq!(matches!(read, Ok(Reading::Ignored(_))), ignored, "{event} {app}");
    };
    for event in ["check_suite", "check_run"] {
        check(event, json!({"slug": "github-actions"}), true);
        check(event, json!({"name": "GitHub Actions"}), true);
        check(event, json!({"slug": "linter", "name": "GitHub Actions"}), false);
        check(event, json!({"name": "The Linter"}), false);
        check(event, json!(null), false);
    }
}

#[test]
fn a_check_that_is_asked_for_again_is_no_news_yet() {
    for (event, body) in [("check_suite", check_suite()), ("check_run", check_run())] {
        let again = changed(body, "/action", json!("rerequested"));
        assert!(matches!(reading(event, &again), Ok(Reading::Ignored(_))), "{event}");
    }
}

#[test]
fn a_check_off_the_branches_of_the_repository_is_a_forks() {
    let suite = changed(check_suite(), "/check_suite/head_branch", json!(null));
    assert!(drafted("check_suite", &suite).fork);
    let run = changed(check_run(), "/check_run/check_suite/head_branch", json!(null));
    assert!(drafted("check_run", &run).fork);
    assert!(drafted("check_run", &without(check_run(), "/check_run", "check_suite")).fork);
}

#[test]
fn a_second_failure_of_a_suite_is_another_event_and_a_redelivery_is_not() {
    let subject = |at: &str| {
        let body = changed(check_suite(), "/check_suite/updated_at", json!(at));
        only("check_suite", &body).subject
    };
    assert_eq!(subject("2026-03-01T10:05:00Z"), subject("2026-03-01T10:05:00Z"));
    assert_ne!(subject("2026-03-01T10:05:00Z"), subject("2026-03-01T11:05:00Z"));
}

#[test]
fn a_status_of_a_commit_is_a_run_of_another_system() {
    let draft = only("status", &commit_status());
    assert_eq!((&draft.said.kind, &draft.said.status), (&EventKind::Run, &Status::Failure));
    assert_eq!((draft.said.title.as_deref(), draft.said.branch.as_deref()), (Some("ci/build"), Some("main")));
    assert_eq!(draft.said.commit.as_deref(), Some("6113728f"));
    assert_eq!(draft.said.correlation.run.as_deref(), Some("status:6113728f:ci/build"));
    assert_eq!(draft.said.occurred_at_ms, Some(1_772_359_201_000));
    assert!(!draft.said.fork);
    let elsewhere = changed(commit_status(), "/branches", json!([]));
    assert!(drafted("status", &elsewhere).fork);
    let build = changed(commit_status(), "/target_url", json!("https://ci.example/8"));
    assert_ne!(only("status", &build).subject, draft.subject, "it ran again");
}

#[test]
fn only_a_workflows_run_has_a_number_to_run_again() {
    for (event, body) in bodies() {
        let Ok(Reading::Items(items)) = reading(event, &body) else { continue };
        for said in items.into_iter().map(|draft| draft.said) {
            let number =
                said.correlation.run.is_some_and(|run| run.bytes().all(|byte| byte.is_ascii_digit()));
            assert_eq!(number, matches!(event, "workflow_run" | "workflow_job"), "{event}");
        }
    }
}

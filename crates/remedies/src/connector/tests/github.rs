//! GitHub: runs with attempts, and deployments.

use homeostat_schema::types::GithubTarget;

use super::*;
use crate::testing::GOOD_COMMIT;

struct FakeGitHub {
    run_attempt: u64,
    deployments: Vec<Value>,
    /// The requests that came through, whole.
    seen: Vec<http::Request<Vec<u8>>>,
}

impl FakeGitHub {
    fn new() -> Self {
        Self { run_attempt: 1, deployments: Vec::new(), seen: Vec::new() }
    }

    fn deploy(&mut self, mut deployment: Value) -> http::Response<Vec<u8>> {
        deployment["id"] = json!(self.deployments.len() + 1);
        // GitHub gives an object back as it was, and older ones as text.
        if self.deployments.len().is_multiple_of(2) {
            deployment["payload"] = Value::String(deployment["payload"].to_string());
        }
        deployment["sha"] = deployment["ref"].clone();
        self.deployments.push(deployment);
        respond(201, &json!({}))
    }

    fn list(&self, query: &str) -> http::Response<Vec<u8>> {
        let wanted = |deployment: &&Value| {
            query.contains(&format!("sha={}", deployment["sha"].as_str().unwrap_or_default()))
        };
        respond(200, &json!(self.deployments.iter().filter(wanted).collect::<Vec<_>>()))
    }
}

impl Server for FakeGitHub {
    fn serve(&mut self, request: &http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        self.seen.push(request.clone());
        let query = request.uri().query().unwrap_or_default();
        match (request.method().as_str(), request.uri().path()) {
            ("GET", "/repos/acme/shop/actions/runs/42") => {
                respond(200, &json!({"run_attempt": self.run_attempt}))
            }
            ("POST", "/repos/acme/shop/actions/runs/42/rerun-failed-jobs") => {
                self.run_attempt += 1;
                respond(201, &json!({}))
            }
            ("POST", "/repos/acme/shop/deployments") => self.deploy(body(request)),
            ("GET", "/repos/acme/shop/deployments") => self.list(query),
            _ => respond(404, &json!({"message": "Not Found"})),
        }
    }
}

fn target() -> Target {
    Target::Github(GithubTarget { repository: "acme/shop".into(), environment: "stage one".into() })
}

fn check_rerun(
    look: LookFirst,
    attempt: u64,
    faults: &[Fault],
    result: AttemptResult,
    attempts_after: u64,
) -> Report {
    let mut github = FakeGitHub { run_attempt: attempt, ..FakeGitHub::new() };
    let report = carry(&mut open(&plan(Remedy::RerunFailedJobs, target()), look), &mut github, faults);
    assert_eq!((report.result, github.run_attempt), (result, attempts_after), "{faults:?} {report:?}");
    report
}

#[test]
fn failed_jobs_are_run_again_once_whatever_goes_wrong() {
    use AttemptResult::{Done, Failed, Unknown};
    use LookFirst::{No, Yes};
    check_rerun(No, 1, &[], Done, 2);
    check_rerun(No, 1, &[Fault::AnswerLost], Done, 2);
    check_rerun(No, 1, &[Fault::DoneBut502], Done, 2);
    check_rerun(No, 1, &[Fault::DoneBut502, Fault::Lost], Done, 2);
    check_rerun(No, 1, &[Fault::Huge], Unknown, 1);
    check_rerun(No, 1, &[Fault::Lost], Unknown, 1);
    check_rerun(No, 1, &[Fault::Status(503)], Unknown, 1);
    check_rerun(No, 1, &[Fault::AnswerLost, Fault::Lost, Fault::Lost], Unknown, 2);
    for status in [301, 400, 401, 403, 404, 422, 429] {
        check_rerun(No, 1, &[Fault::Status(status)], Failed, 1);
    }
    check_rerun(No, 1, &[Fault::NotSent], Failed, 1);
    check_rerun(No, 1, &[Fault::Denied], Failed, 1);
    // A worker died after its mark: look, and act only if it is not done.
    check_rerun(Yes, 2, &[], Done, 2);
    check_rerun(Yes, 1, &[], Done, 2);
    check_rerun(Yes, 1, &[Fault::Lost], Done, 2);
    check_rerun(Yes, 2, &[Fault::Lost, Fault::Lost], Unknown, 2);
    check_rerun(Yes, 2, &[Fault::Status(404)], Unknown, 2);
}

#[test]
fn what_is_said_is_recorded_and_plain() {
    let report = check_rerun(LookFirst::No, 1, &[Fault::DoneBut502], AttemptResult::Done, 2);
    assert_eq!(
        said(&report),
        ["POST /repos/acme/shop/actions/runs/42/rerun-failed-jobs", "GET /repos/acme/shop/actions/runs/42"]
    );
    assert_eq!(report.exchanges[0].status, 502);
    assert_eq!(report.exchanges[0].took, 7);
    assert_eq!(report.detail, "run 42 is at attempt 2, beyond the failed attempt 1");
    let refused = check_rerun(LookFirst::No, 1, &[Fault::Status(401)], AttemptResult::Failed, 1);
    assert_eq!(
        refused.detail,
        "GitHub refused to run them again: status 401 (the token was refused): as told"
    );
}

#[test]
fn a_look_that_cannot_tell_leads_to_no_second_call() {
    let mut plan = plan(Remedy::RerunFailedJobs, target());
    plan.correlation.run_attempt = None;
    let mut github = FakeGitHub::new();
    let report = carry(&mut open(&plan, LookFirst::Yes), &mut github, &[]);
    assert_eq!((report.result, github.run_attempt), (AttemptResult::Unknown, 1));
}

fn check_redeploy(
    look: LookFirst,
    before: usize,
    faults: &[Fault],
    result: AttemptResult,
    after: usize,
) -> Report {
    let plan = plan(Remedy::Redeploy, target());
    let mut github = FakeGitHub::new();
    for _ in 0..before {
        carry(&mut open(&plan, LookFirst::No), &mut github, &[]);
    }
    let report = carry(&mut open(&plan, look), &mut github, faults);
    assert_eq!((report.result, github.deployments.len()), (result, after), "{faults:?} {report:?}");
    report
}

#[test]
fn the_last_good_commit_is_deployed_once_whatever_goes_wrong() {
    use AttemptResult::{Done, Failed, Unknown};
    use LookFirst::{No, Yes};
    check_redeploy(No, 0, &[], Done, 1);
    check_redeploy(No, 0, &[Fault::AnswerLost], Done, 1);
    check_redeploy(No, 0, &[Fault::DoneBut502, Fault::Status(500)], Done, 1);
    check_redeploy(No, 0, &[Fault::Lost], Unknown, 0);
    check_redeploy(No, 0, &[Fault::Status(409)], Failed, 0);
    check_redeploy(No, 0, &[Fault::Status(202)], Failed, 0);
    check_redeploy(Yes, 1, &[], Done, 1);
    check_redeploy(Yes, 2, &[], Done, 2);
    check_redeploy(Yes, 0, &[], Done, 1);
    check_redeploy(Yes, 0, &[Fault::Huge, Fault::Lost], Unknown, 0);
}

#[test]
fn a_deployment_of_another_attempt_is_not_taken_for_ours() {
    let mut github = FakeGitHub::new();
    let first = plan(Remedy::Redeploy, target());
    let second = Plan { idempotency_key: "stage/shop/bad/redeploy/2".into(), ..first.clone() };
    carry(&mut open(&first, LookFirst::No), &mut github, &[]);
    carry(&mut open(&second, LookFirst::Yes), &mut github, &[]);
    assert_eq!(github.deployments.len(), 2);
}

#[test]
fn the_requests_are_what_github_documents() {
    let plan = plan(Remedy::Redeploy, target());
    let mut github = FakeGitHub::new();
    carry(&mut open(&plan, LookFirst::Yes), &mut github, &[]);
    let [look, act] = github.seen.as_slice() else { panic!("a look and an act") };
    assert_eq!(
        look.uri().query(),
        Some(format!("environment=stage%20one&sha={GOOD_COMMIT}&per_page=100").as_str())
    );
    for request in [look, act] {
        assert_eq!(request.headers()["accept"], "application/vnd.github+json");
        assert_eq!(request.headers()["x-github-api-version"], "2022-11-28");
        assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("homeostat/"));
        assert!(!request.headers().contains_key("authorization"), "the shell adds the secret");
    }
    assert_eq!(
        body(act),
        json!({
            "ref": GOOD_COMMIT, "environment": "stage one", "auto_merge": false, "required_contexts": [],
            "description": format!("homeostat: back to {GOOD_COMMIT}"),
            "payload": {"homeostat": {"attempt": "stage/shop/bad/rollback/1"}},
        })
    );
}

#[test]
fn a_dry_run_shows_the_request_that_the_preview_shows_and_sends_nothing() {
    for remedy in [Remedy::Redeploy, Remedy::RerunFailedJobs] {
        let plan = Plan { dry_run: true, ..plan(remedy, target()) };
        let mut github = FakeGitHub::new();
        let report = carry(&mut open(&plan, LookFirst::No), &mut github, &[]);
        assert_eq!(report.result, AttemptResult::DryRun);
        assert!(github.seen.is_empty());
        assert_eq!(report.exchanges.last().map(|e| e.request.clone()), preview(&plan, &endpoints()));
        assert_eq!(report.exchanges.last().map(|e| e.status), Some(0));
    }
}

#[test]
fn what_is_missing_is_refused_before_anything_is_sent() {
    let spoil = |change: fn(&mut Plan), remedy: Remedy| {
        let mut plan = plan(remedy, target());
        change(&mut plan);
        assert_eq!(preview(&plan, &endpoints()), None);
        Session::open(&plan, &endpoints(), LookFirst::No).unwrap_err()
    };
    assert_eq!(spoil(|plan| plan.correlation.run = None, Remedy::RerunFailedJobs), ConnectorError::NoRun);
    let evil = |plan: &mut Plan| plan.correlation.run = Some("42/../../../../orgs/acme".into());
    assert_eq!(spoil(evil, Remedy::RerunFailedJobs), ConnectorError::NoRun);
    assert_eq!(spoil(|plan| plan.last_good = None, Remedy::Redeploy), ConnectorError::NoLastGood);
}

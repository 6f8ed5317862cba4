//! Conversations with small stateful stand-ins that can be told to misbehave.

mod github;
mod kubernetes;
mod slack;

use std::collections::VecDeque;

use homeostat_schema::types::{
    AttemptResult, Choice, Decision, FindingKind, Plan, PolicyContext, Prediction, Remedy, Severity, Target,
    Verdict,
};
use serde_json::{Value, json};

use super::*;
use crate::testing::{START_MS, endpoints, finding};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Nothing.
    None,
    /// Refused or broken with this status, and nothing done.
    Status(u16),
    /// Done, and the answer lost.
    AnswerLost,
    /// Done, and something in between answers 502.
    DoneBut502,
    /// Lost on the way.
    Lost,
    NotSent,
    Denied,
    /// A body beyond the limit.
    Huge,
}

trait Server {
    fn serve(&mut self, request: &http::Request<Vec<u8>>) -> http::Response<Vec<u8>>;
}

/// Carries a session to its end, each request meeting the next fault.
fn carry(session: &mut Session, server: &mut impl Server, faults: &[Fault]) -> Report {
    let mut faults: VecDeque<Fault> = faults.iter().copied().collect();
    let mut next = session.next(None);
    for _ in 0..=EXCHANGES_MAX {
        let outgoing = match next {
            Next::Finished(report) => return report,
            Next::Send(outgoing) => outgoing,
        };
        let fault = faults.pop_front().unwrap_or(Fault::None);
        let answer = meet(server, &outgoing.request, fault);
        let response = answer.as_ref().map_err(|failure| *failure);
        next = session.next(Some(Reply { response, took_ms: 7 }));
    }
    panic!("the session asked for more than {EXCHANGES_MAX} requests");
}

fn meet(
    server: &mut impl Server,
    request: &http::Request<Vec<u8>>,
    fault: Fault,
) -> Result<http::Response<Vec<u8>>, TransportFailure> {
    match fault {
        Fault::None => Ok(server.serve(request)),
        Fault::Status(status) => Ok(respond(status, &json!({"message": "as told"}))),
        Fault::AnswerLost => {
            server.serve(request);
            Err(TransportFailure::NoAnswer)
        }
        Fault::DoneBut502 => {
            server.serve(request);
            Ok(respond(502, &Value::Null))
        }
        Fault::Lost => Err(TransportFailure::NoAnswer),
        Fault::NotSent => Err(TransportFailure::NotSent),
        Fault::Denied => Err(TransportFailure::Denied),
        Fault::Huge => {
            let body = vec![b' '; REPLY_BYTES_MAX + 1];
            Ok(http::Response::builder().status(200).body(body).expect("a response"))
        }
    }
}

fn respond(status: u16, body: &Value) -> http::Response<Vec<u8>> {
    http::Response::builder().status(status).body(body.to_string().into_bytes()).expect("a response")
}

fn body(request: &http::Request<Vec<u8>>) -> Value {
    serde_json::from_slice(request.body()).unwrap_or(Value::Null)
}

fn plan(remedy: Remedy, target: Target) -> Plan {
    let finding = finding("f1", FindingKind::DeploymentFailed);
    let context = PolicyContext {
        env: "stage".into(),
        kind: FindingKind::DeploymentFailed,
        severity: Severity::Critical,
    };
    Plan {
        id: "i1.p1".into(),
        incident: "i1".into(),
        parent: None,
        env: finding.env,
        service: finding.service,
        target,
        choice: Choice {
            context,
            allowed: vec![remedy.clone()],
            remedy: remedy.clone(),
            propensity: 1.0,
            policy_version: 0,
        },
        remedy,
        guards: Vec::new(),
        decision: Decision::Dispatched,
        prediction: Prediction { verdict: Verdict::Healthy, score_min: 40.0, after: 45_000 },
        preview: None,
        idempotency_key: "stage/shop/bad/rollback/1".into(),
        ordinal: 1,
        dry_run: false,
        version: finding.version,
        commit: finding.commit,
        last_good: finding.last_good,
        replicas: None,
        correlation: finding.correlation,
        reason: "the deployment failed".into(),
        made_at: START_MS,
        config_version: 1,
    }
}

fn open(plan: &Plan, look: LookFirst) -> Session {
    Session::open(plan, &endpoints(), look).expect("the plan can be asked for")
}

/// Method and path of every request, in order.
fn said(report: &Report) -> Vec<String> {
    let line = |exchange: &Exchange| {
        let uri: http::Uri = exchange.request.url.parse().expect("a URL");
        format!("{} {}", exchange.request.method, uri.path())
    };
    report.exchanges.iter().map(line).collect()
}

#[test]
fn a_plan_no_connector_knows_is_refused() {
    let error =
        Session::open(&plan(Remedy::Restart, Target::Slack), &endpoints(), LookFirst::No).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no connector can restart Slack: check the service's targets in homeostat.toml"
    );
}

#[test]
fn a_finished_session_says_the_same_again() {
    let mut session = open(&plan(Remedy::Notify, Target::Slack), LookFirst::Yes);
    let first = carry(&mut session, &mut slack::FakeSlack::default(), &[]);
    let Next::Finished(again) = session.next(None) else { panic!("it is finished") };
    assert_eq!(first, again);
    assert_eq!(first.result, AttemptResult::Unknown);
}

#[test]
fn a_reply_that_is_not_given_counts_as_no_answer() {
    let mut session = open(&plan(Remedy::Notify, Target::Slack), LookFirst::No);
    assert!(matches!(session.next(None), Next::Send(_)));
    let Next::Finished(report) = session.next(None) else { panic!("it is finished") };
    assert_eq!(report.result, AttemptResult::Unknown);
    assert_eq!(report.exchanges.len(), 1);
}

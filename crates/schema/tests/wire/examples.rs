//! One value of every type, and of every case of every variant, for the golden files.

use homeostat_schema::types::*;

/// 2025-11-27T12:00:00.123Z.
const AT: u64 = 1_764_244_800_123;

fn text(text: &str) -> String {
    text.to_owned()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(crate) fn correlation() -> Correlation {
    Correlation { run: some("77"), run_attempt: Some(2), deployment: some("9"), pull_request: some("3") }
}

pub(crate) fn no_correlation() -> Correlation {
    Correlation { run: None, run_attempt: None, deployment: None, pull_request: None }
}

pub(crate) fn trust() -> Trust {
    Trust { signed: true, fresh: true, fork: false, self_: false, late: true, test: false }
}

pub(crate) fn signal() -> Signal {
    Signal { name: text("error-rate"), value: 0.25, unit: text("1"), samples: 400 }
}

pub(crate) fn event() -> Event {
    Event {
        id: text("73cc409c-4fe8-8966-b20f-abd10838b575"),
        kind: EventKind::Deployment,
        source: text("github/team-a"),
        env: text("stage"),
        service: text("shop"),
        title: some("Deploy \"shop\""),
        version: some("1.3.0"),
        commit: some("4f1c2ab"),
        previous_version: some("1.2.9"),
        branch: some("main"),
        status: Status::Failure,
        duration: Some(61_500),
        latency: Some(2300.5),
        signals: vec![signal()],
        occurred_at: AT,
        received_at: AT + 877,
        actor: some("ann"),
        url: some("https://github.com/acme/shop/actions/runs/77"),
        correlation: correlation(),
        trust: trust(),
        irreversible: true,
        attributes: vec![(text("worker_id"), text("1")), (text("dataset"), text("student_scores.csv"))],
    }
}

/// With nothing that can be left out, unknown kinds, and the odd forms: a time beyond the year
/// 9999, an attribute given twice.
pub(crate) fn bare_event() -> Event {
    Event {
        kind: EventKind::Other(text("canary-analysis")),
        title: None,
        version: None,
        commit: None,
        previous_version: None,
        branch: None,
        status: Status::Other(text("inconclusive")),
        duration: None,
        latency: None,
        signals: Vec::new(),
        occurred_at: 0,
        received_at: u64::MAX,
        actor: None,
        url: None,
        correlation: no_correlation(),
        irreversible: false,
        attributes: vec![(text("label"), text("a")), (text("label"), text("b"))],
        ..event()
    }
}

pub(crate) fn evidence() -> Evidence {
    Evidence {
        metric: text("error-rate"),
        observed: 0.25,
        bound: 0.05,
        unit: text("1"),
        samples: 400,
        text: text("a quarter of the requests fail"),
        events: vec![text("e1"), text("e2")],
    }
}

pub(crate) fn health() -> Health {
    Health { verdict: Verdict::Bad, score: 12.5, because: vec![evidence()] }
}

pub(crate) fn release() -> Release {
    Release { version: some("1.2.9"), commit: some("0aa11bb"), at: AT - 3_600_000 }
}

pub(crate) fn plot() -> Plot {
    let point = |at: u64, canary: f64, statistic: f64| PlotPoint {
        at,
        baseline: 0.01,
        baseline_samples: 45_000,
        canary,
        canary_samples: 5_000,
        statistic,
    };
    Plot {
        metric: text("errors"),
        unit: text("1"),
        bound: 200.0,
        points: vec![point(AT - 10_000, 0.011, 1.25), point(AT - 5_000, 0.015, 231.5)],
    }
}

pub(crate) fn finding() -> Finding {
    Finding {
        id: text("f1"),
        kind: FindingKind::DeploymentFailed,
        severity: Severity::Critical,
        env: text("stage"),
        service: text("shop"),
        version: some("1.3.0"),
        commit: some("4f1c2ab"),
        last_good: Some(release()),
        health: health(),
        correlation: correlation(),
        trust: trust(),
        irreversible: false,
        found_at: AT,
        config_version: 3,
        plot: Some(plot()),
        cause: Some(cause()),
    }
}

pub(crate) fn cause() -> Cause {
    Cause {
        incident: text("cause-1f2e3d4c-1795000000"),
        findings: 2,
        answered: true,
        change: Some(text("600d1de")),
        service: Some(text("billing")),
        probability: 0.93,
        blamed: true,
        text: text("error-rate-high of shop is blamed on 600d1de of billing"),
    }
}

pub(crate) fn bare_finding() -> Finding {
    Finding {
        kind: FindingKind::Other(text("disk-full")),
        version: None,
        commit: None,
        last_good: None,
        health: Health { verdict: Verdict::Blind, score: 0.0, because: Vec::new() },
        correlation: no_correlation(),
        plot: None,
        cause: None,
        ..finding()
    }
}

pub(crate) fn assessment_request() -> AssessmentRequest {
    AssessmentRequest {
        attempt: text("a1"),
        incident: text("i1"),
        env: text("stage"),
        service: text("shop"),
        kind: FindingKind::LatencyHigh,
        correlation: correlation(),
        since: AT,
    }
}

pub(crate) fn assessment() -> Assessment {
    Assessment {
        attempt: text("a1"),
        incident: text("i1"),
        env: text("stage"),
        service: text("shop"),
        health: health(),
        at: AT,
    }
}

/// One of each case.
pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target::Github(GithubTarget { repository: text("acme/shop"), environment: text("production") }),
        Target::Kubernetes(KubernetesTarget { namespace: text("shop"), deployment: text("web") }),
        Target::Slack,
        Target::Other(text("nomad")),
        Target::Other(text("github")),
        Target::Other(text("other")),
    ]
}

pub(crate) fn choice() -> Choice {
    Choice {
        context: PolicyContext {
            env: text("stage"),
            kind: FindingKind::DeploymentFailed,
            severity: Severity::Critical,
        },
        allowed: vec![Remedy::Rollback, Remedy::Other(text("drain-node"))],
        remedy: Remedy::Rollback,
        propensity: 0.95,
        policy_version: 7,
    }
}

pub(crate) fn request() -> Request {
    Request {
        method: text("POST"),
        url: text("https://api.github.com/x"),
        body: text("{\"ref\":\"0aa11bb\"}"),
    }
}

pub(crate) fn plan() -> Plan {
    Plan {
        id: text("p2"),
        incident: text("i1"),
        parent: some("p1"),
        env: text("stage"),
        service: text("shop"),
        remedy: Remedy::Rollback,
        target: Target::Kubernetes(KubernetesTarget { namespace: text("shop"), deployment: text("web") }),
        choice: choice(),
        guards: vec![GuardCheck { guard: Guard::Cooldown, passed: true, reason: text("none in 300 s") }],
        decision: Decision::Dispatched,
        prediction: Prediction { verdict: Verdict::Healthy, score_min: 40.0, after: 45_000 },
        preview: Some(request()),
        idempotency_key: text("stage:shop:1.3.0:rollback:1:38af637240addb4f"),
        ordinal: 1,
        dry_run: false,
        version: some("1.3.0"),
        commit: some("4f1c2ab"),
        last_good: Some(release()),
        replicas: Some(5),
        correlation: correlation(),
        reason: text("the best known remedy"),
        made_at: AT,
        config_version: 3,
    }
}

pub(crate) fn bare_plan() -> Plan {
    Plan {
        parent: None,
        target: Target::Slack,
        remedy: Remedy::Other(text("drain-node")),
        guards: vec![GuardCheck { guard: Guard::Other(text("moon")), passed: false, reason: String::new() }],
        decision: Decision::HeldBack,
        preview: None,
        dry_run: true,
        version: None,
        commit: None,
        last_good: None,
        replicas: None,
        correlation: no_correlation(),
        ..plan()
    }
}

pub(crate) fn attempt() -> Attempt {
    Attempt {
        id: text("stage:shop:1.3.0:rollback:1:38af637240addb4f"),
        plan: text("p2"),
        incident: text("i1"),
        env: text("stage"),
        service: text("shop"),
        remedy: Remedy::Rollback,
        attempt_result: AttemptResult::Done,
        exchanges: vec![Exchange { request: request(), status: 201, took: 180 }],
        detail: text("created"),
        started_at: AT,
        ended_at: AT + 180,
    }
}

pub(crate) fn outcome() -> Outcome {
    Outcome {
        attempt: text("a1"),
        incident: text("i1"),
        kind: OutcomeKind::Cured,
        health: Health { verdict: Verdict::Healthy, score: 100.0, because: Vec::new() },
        reward: -0.5,
        text: text("healthy again"),
        at: AT,
    }
}

pub(crate) fn sample() -> Sample {
    Sample { incident: text("i1"), attempt: text("a1"), choice: choice(), reward: 1.0, at: AT }
}

pub(crate) fn operator_word() -> OperatorWord {
    OperatorWord {
        incident: text("i1"),
        verb: OperatorVerb::Approve,
        who: text("ann"),
        why: text("known"),
        at: AT,
    }
}

/// One item of each fact.
pub(crate) fn incident() -> Incident {
    let facts = [
        TimelineFact::Finding(finding()),
        TimelineFact::Plan(plan()),
        TimelineFact::Attempt(attempt()),
        TimelineFact::Outcome(outcome()),
        TimelineFact::Operator(operator_word()),
        TimelineFact::Note,
    ];
    Incident {
        id: text("019ac52f-4200-7ba7-9042-173fa63aecf4"),
        env: text("stage"),
        service: text("shop"),
        title: text("Deployment of 1.3.0 failed"),
        severity: Severity::Critical,
        state: IncidentState::Resolved,
        opened_at: AT,
        updated_at: AT + 60_000,
        closed_at: Some(AT + 60_000),
        cause: Some(cause()),
        timeline: facts.map(|fact| TimelineItem { at: AT, text: text("what happened"), fact }).into(),
    }
}

pub(crate) fn open_incident() -> Incident {
    Incident { state: IncidentState::Open, closed_at: None, cause: None, timeline: Vec::new(), ..incident() }
}

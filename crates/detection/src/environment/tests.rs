use homeostat_schema::types::{
    Correlation, Event, EventKind, Health, Severity, Signal, Status, Trust, Verdict,
};

use super::*;
use crate::{Settings, observe, score};
use homeostat_schema::config::Config;

fn event(kind: EventKind, status: Status, at_ms: u64, name: &str) -> Event {
    let correlation =
        Correlation { run: None, run_attempt: None, deployment: Some(name.to_owned()), pull_request: None };
    Event {
        id: format!("{name}-{at_ms}"),
        kind,
        source: "github".to_owned(),
        env: "stage".to_owned(),
        service: "shop".to_owned(),
        title: None,
        version: None,
        commit: Some(name.to_owned()),
        previous_version: None,
        branch: None,
        status,
        duration: None,
        latency: None,
        signals: Vec::new(),
        occurred_at: at_ms,
        received_at: at_ms,
        actor: None,
        url: None,
        correlation,
        trust: Trust { signed: true, fresh: true, fork: false, self_: false, late: false, test: false },
        irreversible: false,
        attributes: Vec::new(),
    }
}

fn after(events: &[Event]) -> ServiceState {
    let settings = Settings::of(&Config::default(), "stage", "shop", 1);
    events.iter().fold(ServiceState::default(), |state, event| {
        observe(state, event, &settings, event.received_at).state
    })
}

#[test]
fn what_is_wrong_is_told_until_it_is_over() {
    let failed = event(EventKind::Deployment, Status::Failure, 1_000, "two");
    let errors = Signal { name: "error-rate".to_owned(), value: 0.5, unit: "1".to_owned(), samples: 1_000 };
    let report = |at_ms: u64| Event {
        signals: vec![errors.clone()],
        ..event(EventKind::Observation, Status::Unknown, at_ms, "")
    };
    let mended = event(EventKind::Deployment, Status::Success, 3_000, "one");
    assert_eq!(troubles(&after(&[])), []);
    assert_eq!(troubles(&after(std::slice::from_ref(&failed))), [FindingKind::DeploymentFailed]);
    let both = [failed, report(2_000), report(2_500), mended];
    assert_eq!(troubles(&after(&both[..3])), [FindingKind::DeploymentFailed, FindingKind::ErrorRateHigh]);
    assert_eq!(troubles(&after(&both)), [], "a newer release is judged by itself");
}

#[test]
fn releases_are_told_in_order_and_unsigned_ones_are_not() {
    let mut forged = event(EventKind::Deployment, Status::Success, 3_000, "three");
    forged.trust.signed = false;
    let two = event(EventKind::Deployment, Status::Running, 2_000, "two");
    let one = event(EventKind::Deployment, Status::Success, 1_000, "one");
    let told: Vec<_> = releases(&after(&[two, one, forged])).map(|one| (one.id, one.at_ms)).collect();
    assert_eq!(told, [("one".to_owned(), 1_000), ("two".to_owned(), 2_000)]);
}

#[test]
fn only_a_comparison_splits() {
    let finding = |metric: &str, observed: f64| {
        let because = homeostat_schema::types::Evidence { observed, ..score::evidence(metric, "") };
        let one = event(EventKind::Observation, Status::Unknown, 0, "");
        Finding {
            id: String::new(),
            kind: FindingKind::ErrorRateHigh,
            severity: Severity::Critical,
            env: one.env,
            service: one.service,
            version: None,
            commit: None,
            last_good: None,
            health: Health { verdict: Verdict::Bad, score: 0.0, because: vec![because] },
            correlation: one.correlation,
            trust: one.trust,
            irreversible: false,
            found_at: 0,
            config_version: 1,
            plot: None,
            cause: None,
        }
    };
    assert_eq!(split(&finding("canary", std::f64::consts::E)), Some(1.0));
    assert_eq!(split(&finding("canary", 0.0)), None, "nothing is infinitely unlikely");
    assert_eq!(split(&finding("error-rate", 20.0)), None);
}

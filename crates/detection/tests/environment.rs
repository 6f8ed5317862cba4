//! What a service tells its environment.

mod common;

use common::{Service, deployment, errors, event};
use homeostat_detection::environment::{releases, split, troubles};
use homeostat_schema::types::{EventKind, Evidence, Finding, FindingKind, Health, Severity, Status, Verdict};

#[test]
fn what_is_wrong_is_told_until_it_is_over() {
    let mut all = vec![deployment("d2", "two", Status::Failure, 1_000)];
    all.extend((0..5).map(|i| errors(1.0, 1_000, 2_000 + 100 * i)));
    all.push(deployment("d1", "one", Status::Success, 3_000));
    let after = |count: usize| troubles(&Service::after(&all[..count]).state);
    assert_eq!(after(0), []);
    assert_eq!(after(1), [FindingKind::DeploymentFailed]);
    assert_eq!(after(5), [FindingKind::DeploymentFailed]);
    assert_eq!(after(6), [FindingKind::DeploymentFailed, FindingKind::ErrorRateHigh]);
    assert_eq!(after(7), [], "a newer release is judged by itself");
}

#[test]
fn releases_are_told_in_order_and_unsigned_ones_are_not() {
    let mut forged = deployment("d3", "three", Status::Success, 3_000);
    forged.trust.signed = false;
    let two = deployment("d2", "two", Status::Running, 2_000);
    let one = deployment("d1", "one", Status::Success, 1_000);
    let told: Vec<_> =
        releases(&Service::after(&[two, one, forged]).state).map(|one| (one.id, one.at_ms)).collect();
    assert_eq!(told, [("commit-of-one".to_owned(), 1_000), ("commit-of-two".to_owned(), 2_000)]);
}

#[test]
fn only_a_comparison_splits() {
    let finding = |metric: &str, observed: f64| {
        let because = Evidence {
            metric: metric.to_owned(),
            observed,
            bound: 1.0,
            unit: String::new(),
            samples: 1,
            text: String::new(),
            events: Vec::new(),
        };
        let one = event(EventKind::Observation, Status::Unknown, 0);
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

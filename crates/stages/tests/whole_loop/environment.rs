//! Several services of one environment: which change did it, what is one incident, what a disaster.

use homeostat_schema::config::Mode;
use homeostat_schema::types::{
    Correlation, Event, EventKind, Guard, Incident, IncidentState, Signal, Status, TimelineFact,
};

use super::World;

const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;

/// The shop and the cart ask billing.
const SERVICES: &str = r#"
[environments.stage]
mode = "act"
[[service]]
name = "billing"
github = { repository = "acme/billing" }
[[service]]
name = "cart"
calls = ["billing"]
github = { repository = "acme/cart" }
"#;

impl World {
    /// A hundred hours into the life of services whose releases are all old.
    fn of_services(more: &str) -> Self {
        let mut world = Self::new(&format!("{SERVICES}{more}"));
        let shop = world.config.services.iter_mut().find(|service| service.name == "shop").expect("the shop");
        shop.calls.push("billing".to_owned());
        world.store.advance_ms(100 * HOUR_MS);
        for (age_h, number) in [(90, 1), (80, 2)] {
            for (service, code) in [("shop", "50"), ("cart", "ca"), ("billing", "b1")] {
                world.release(service, &format!("{code}0000{number}"), age_h * HOUR_MS);
            }
        }
        world.settle();
        world
    }

    fn release(&self, service: &str, commit: &str, age_ms: u64) {
        let at_ms = self.store.now_ms() - age_ms;
        let correlation = Correlation {
            run: None,
            run_attempt: None,
            deployment: Some(commit.to_owned()),
            pull_request: None,
        };
        self.send(&Event {
            kind: EventKind::Deployment,
            service: service.to_owned(),
            commit: Some(commit.to_owned()),
            correlation,
            occurred_at: at_ms,
            ..self.run_ended(Status::Success, 1)
        });
    }

    /// Forty seconds of requests, of which so many per cent fail: enough to prove half of them.
    fn requests(&self, service: &str, bad: f64) {
        self.requests_seen(service, bad, 8);
    }

    /// So many observations, five seconds apart.
    fn requests_seen(&self, service: &str, bad: f64, times: u32) {
        for _ in 0..times {
            self.store.advance_ms(5_000);
            let signal = |name: &str, value: f64| Signal {
                name: name.to_owned(),
                value,
                unit: "{request}".to_owned(),
                samples: 1,
            };
            self.send(&Event {
                kind: EventKind::Observation,
                service: service.to_owned(),
                signals: vec![signal("requests", 100.0), signal("errors", bad)],
                correlation: Correlation { run: None, ..self.run_ended(Status::Unknown, 1).correlation },
                ..self.run_ended(Status::Unknown, 1)
            });
            self.settle();
        }
    }

    fn incident_of(&self, service: &str) -> Incident {
        let all = self.incidents();
        all.into_iter().find(|one| one.service == service).expect("an incident of this service")
    }
}

fn said(incident: &Incident, text: &str) -> bool {
    incident.timeline.iter().any(|item| item.text.contains(text))
}

/// What the guard said of each plan.
fn guard(incident: &Incident) -> Vec<(bool, String)> {
    let plans = incident.timeline.iter().filter_map(|item| match &item.fact {
        TimelineFact::Plan(plan) => Some(&plan.guards),
        _ => None,
    });
    let checks = plans.flatten().filter(|check| check.guard == Guard::Cause);
    checks.map(|check| (check.passed, check.reason.clone())).collect()
}

#[test]
fn a_release_that_did_it_is_taken_back() {
    let world = World::of_services("");
    world.release("shop", "5000003", 5 * MINUTE_MS);
    world.requests("shop", 50.0);
    let incident = world.incident_of("shop");
    let cause = incident.cause.clone().expect("a cause");
    assert_eq!((cause.change.as_deref(), cause.service.as_deref()), (Some("5000003"), Some("shop")));
    assert!(cause.blamed && cause.findings == 1, "{cause:?}");
    assert_eq!(guard(&incident).first().map(|(passed, _)| *passed), Some(true));
    assert_eq!(world.changes_asked(), 1, "{:#?}", incident.timeline);
}

#[test]
fn what_a_called_service_did_is_one_incident_and_takes_no_release_of_the_callers_away() {
    let world = World::of_services("");
    world.release("billing", "b100003", 5 * MINUTE_MS);
    world.requests("shop", 50.0);
    world.requests("cart", 50.0);
    let (shop, cart) = (world.incident_of("shop"), world.incident_of("cart"));
    let (first, second) = (shop.cause.clone().expect("a cause"), cart.cause.clone().expect("a cause"));
    assert_eq!((first.service.as_deref(), first.blamed), (Some("billing"), true), "{}", first.text);
    assert_eq!(first.incident, second.incident);
    assert_eq!((first.findings, second.findings), (1, 2));
    assert_eq!(world.changes_asked(), 0, "{:#?}", shop.timeline);
    for incident in [&shop, &cart] {
        assert_eq!(incident.state, IncidentState::Escalated);
        assert!(guard(incident).iter().all(|(passed, _)| !passed), "{:?}", guard(incident));
    }
    assert!(said(&shop, "nobody was told: no Slack webhook") && !said(&shop, "nobody is told again"));
    assert!(said(&cart, "nobody is told again") && !said(&cart, "nobody was told: no Slack webhook"));
}

#[test]
fn what_came_after_the_first_suspicion_is_not_blamed() {
    let cause_with = |seen_before: u32| {
        let world = World::of_services("");
        world.requests_seen("shop", 50.0, seen_before);
        world.release("billing", "b100003", 0);
        world.requests_seen("shop", 50.0, 8 - seen_before);
        world.incident_of("shop").cause.expect("a cause")
    };
    let (just_before, after) = (cause_with(1), cause_with(6));
    assert_eq!((just_before.service.as_deref(), just_before.blamed), (Some("billing"), true));
    assert_ne!((after.service.as_deref(), after.blamed), (Some("billing"), true), "{}", after.text);
    assert!(after.text.contains("suspicious before it already"), "{}", after.text);
}

#[test]
fn a_service_that_is_only_observed_does_not_keep_the_others_quiet() {
    let mut world = World::of_services("");
    let shop = world.config.services.iter_mut().find(|service| service.name == "shop").expect("the shop");
    shop.mode.insert("stage".to_owned(), Mode::Observe);
    world.release("billing", "b100003", 5 * MINUTE_MS);
    world.requests("shop", 50.0);
    world.requests("cart", 50.0);
    let (shop, cart) = (world.incident_of("shop"), world.incident_of("cart"));
    assert_eq!(shop.state, IncidentState::Open, "{:#?}", shop.timeline);
    let (first, second) = (shop.cause.expect("a cause"), cart.cause.clone().expect("a cause"));
    assert_eq!((first.incident, second.findings), (second.incident, 2));
    assert!(said(&cart, "nobody was told: no Slack webhook"), "{:#?}", cart.timeline);
}

#[test]
fn what_no_change_explains_is_left_to_a_person() {
    let check = |age_ms: u64, held: bool| {
        let world = World::of_services("");
        world.release("shop", "5000003", age_ms);
        world.requests("shop", 50.0);
        let incident = world.incident_of("shop");
        assert_eq!(said(&incident, "no change explains it"), held, "{:#?}", incident.timeline);
        assert_eq!(world.changes_asked(), usize::from(!held), "{age_ms}");
        assert_eq!(incident.state == IncidentState::Escalated, held);
    };
    check(9 * HOUR_MS, false);
    check(10 * HOUR_MS, true);
    check(73 * HOUR_MS, true);
}

#[test]
fn what_is_over_and_comes_back_is_weighed_anew() {
    let world = World::of_services("");
    world.requests("shop", 50.0);
    let first = world.incident_of("shop").cause.expect("a cause").incident;
    for _ in 0..6 {
        world.requests("shop", 0.0);
    }
    world.wait(HOUR_MS);
    assert_eq!(world.incident_of("shop").state, IncidentState::Resolved);
    world.requests("shop", 50.0);
    let again: Vec<_> = world.incidents().into_iter().filter_map(|one| one.cause).collect();
    assert!(again.iter().any(|cause| cause.incident != first), "{again:?}");
}

const DISASTER: &str = r#"
[[disaster]]
name = "region-loss"
playbook = "https://wiki.example/region-loss"
recovery_s = 600
calm_s = 60
trigger = [{ kind = "error-rate-high", services_min = 2 }]
"#;

#[test]
fn many_findings_at_once_are_a_disaster_with_a_playbook_and_a_measured_recovery() {
    let world = World::of_services(DISASTER);
    world.requests("shop", 50.0);
    assert!(world.incidents().iter().all(|one| !one.service.starts_with("disaster:")), "one is not enough");
    world.requests("cart", 50.0);
    let incident = world.incident_of("disaster:region-loss");
    assert_eq!(incident.title, "disaster:region-loss in stage");
    assert_eq!(incident.state, IncidentState::Escalated);
    assert!(said(&incident, "https://wiki.example/region-loss"), "{:#?}", incident.timeline);
    assert!(!said(&incident, "longer than the objective"));
    for _ in 0..12 {
        world.requests("shop", 50.0);
        world.requests("cart", 50.0);
        world.wait(1);
    }
    let overdue = world.incident_of("disaster:region-loss");
    assert!(said(&overdue, "longer than the objective of 10 min"), "{:#?}", overdue.timeline);
    for _ in 0..6 {
        world.requests("shop", 0.0);
        world.requests("cart", 0.0);
        world.wait(1);
    }
    let over = world.incident_of("disaster:region-loss");
    assert_eq!(over.state, IncidentState::Resolved, "{:#?}", over.timeline);
    assert!(said(&over, "region-loss is over: recovered in"), "{:#?}", over.timeline);
    assert!(said(&over, "beyond the objective of 10 min"), "{:#?}", over.timeline);
}

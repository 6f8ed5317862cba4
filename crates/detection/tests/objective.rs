//! A service with an objective, as events tell of it: what is found, what is not, and when an attempt
//! is said to have mended it.
#![allow(missing_docs, reason = "a test")]

mod common;

use common::{S, Service, deployment, errors, event};
use homeostat_detection::{ServiceState, burn::Objective};
use homeostat_schema::types::{Event, EventKind, FindingKind, Health, Signal, Status, Verdict};
use proptest::prelude::*;

const MINUTE: u64 = 60 * S;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Some day, at the start of a slot of every ring.
const START: u64 = 20_000 * DAY;
/// Observations come so often, of so many requests each.
const EVERY: u64 = 5 * S;
const REQUESTS: u64 = 1_000;
/// As in the module: 5,000 characters of counts, the release's and the usual state beside them.
const ENCODED_BYTES_MAX: usize = 24 * 1024;

fn held_to(percent: f64) -> Service {
    let objective = Objective::new(percent / 100.0, 30 * DAY).expect("an objective");
    Service { objective: Some(objective), now_ms: START, ..Service::default() }
}

fn counts(bad: u64, total: u64, at_ms: u64) -> Event {
    let signal = |name: &str, value: u64| Signal {
        name: name.into(),
        value: value as f64,
        unit: "{request}".into(),
        samples: 1,
    };
    let mut event = event(EventKind::Observation, Status::Unknown, at_ms);
    event.signals = vec![signal("requests", total), signal("errors", bad)];
    event
}

/// So many of a thousand requests fail in each report, for so long.
fn reports(service: &mut Service, for_ms: u64, bad: u64) -> u64 {
    let from_ms = service.now_ms + EVERY;
    for at_ms in (from_ms..from_ms + for_ms).step_by(EVERY as usize) {
        service.take(&counts(bad, REQUESTS, at_ms));
    }
    service.now_ms
}

fn words(health: &Health) -> String {
    health.because.first().map_or_else(String::new, |because| because.text.clone())
}

/// When the errors begin, after a day's shift at the usual rate of one in a thousand.
const BAD_FROM: u64 = START + 8 * HOUR;

/// Errors from [`BAD_FROM`] on, until they are found.
fn found(bad: u64) -> Service {
    let mut service = held_to(99.9);
    for at_ms in (START..BAD_FROM).step_by(30_000) {
        service.take(&counts(6, 6 * REQUESTS, at_ms));
    }
    assert_eq!(service.kinds(), []);
    service.now_ms = BAD_FROM - EVERY;
    while service.findings.is_empty() {
        reports(&mut service, EVERY, bad);
        assert!(service.now_ms < BAD_FROM + HOUR, "never found");
    }
    assert_eq!(service.kinds(), [FindingKind::ErrorRateHigh]);
    service
}

#[test]
fn a_page_opens_one_finding_that_says_why() {
    let mut service = found(500);
    let after_s = (service.now_ms - BAD_FROM) / S;
    // 1.44 % of an hour's requests, less the one in a thousand that is usual: 97 s of every other one.
    assert!((90..=110).contains(&after_s), "found after {after_s} s");
    let because = &service.findings[0].health.because[0];
    assert_eq!(because.metric, "error-budget");
    assert!(because.text.starts_with("page: in 1 h "), "{}", because.text);
    assert!(because.text.contains("an objective of 99.9 % over 30 days"), "{}", because.text);
    assert!(because.observed > 14.4 && (because.bound - 14.4).abs() < 1e-9, "{because:?}");
    assert_eq!(service.findings[0].health.verdict, Verdict::Bad);
    reports(&mut service, 10 * MINUTE, 500);
    assert_eq!(service.findings.len(), 1);
}

#[test]
fn with_an_objective_the_fixed_threshold_opens_nothing() {
    // A fifth fails: beyond 5 %, and no more than four times as fast as 95 % allow.
    let (mut with, mut without) = (held_to(95.0), Service { now_ms: START, ..Service::default() });
    reports(&mut with, HOUR, 200);
    reports(&mut without, HOUR, 200);
    assert_eq!(with.kinds(), []);
    assert_eq!(without.kinds(), [FindingKind::ErrorRateHigh]);
    // Rates that nobody counted cannot be taken from a budget.
    let mut uncounted = held_to(95.0);
    (1..=11).for_each(|i| uncounted.take(&errors(0.3, 1, START + i * 10 * S)));
    assert_eq!(uncounted.kinds(), [FindingKind::ErrorRateHigh]);
}

#[test]
fn a_ticket_is_seen_in_the_health_and_opens_nothing() {
    let mut service = held_to(99.9);
    reports(&mut service, 3 * HOUR, 4);
    assert_eq!(service.kinds(), []);
    assert_eq!(service.health().verdict, Verdict::Watching);
    let text = words(service.health());
    assert!(text.starts_with("ticket: in 1 d ") && text.contains("a burn rate of 4.0"), "{text}");
    let mut well = held_to(99.9);
    reports(&mut well, 3 * HOUR, 0);
    assert_eq!((well.health().verdict, well.health().score), (Verdict::Healthy, 100.0));
}

#[test]
fn it_closes_when_no_page_fires_any_more_and_may_open_again() {
    let mut service = found(500);
    reports(&mut service, 5 * MINUTE, 500);
    reports(&mut service, 20 * MINUTE, 1);
    assert_eq!(service.health().verdict, Verdict::Bad, "half an hour still burns");
    reports(&mut service, 20 * MINUTE, 1);
    assert_eq!(service.health().verdict, Verdict::Watching);
    assert!(words(service.health()).starts_with("ticket: "), "{}", words(service.health()));
    reports(&mut service, 10 * MINUTE, 500);
    assert_eq!(service.kinds(), [FindingKind::ErrorRateHigh, FindingKind::ErrorRateHigh]);
    assert_ne!(service.findings[0].id, service.findings[1].id);
}

#[test]
fn a_release_answers_for_its_own_errors_only() {
    let releases = |bad: u64| {
        let mut service = found(500);
        service.take(&deployment("d2", "v2", Status::Success, service.now_ms + S));
        reports(&mut service, HOUR, bad);
        service.findings.iter().map(|finding| finding.version.clone()).collect::<Vec<_>>()
    };
    assert_eq!(releases(0), [None]);
    assert_eq!(releases(1), [None]);
    assert_eq!(releases(500), [None, Some("v2".to_owned())]);
}

#[test]
fn what_came_back_is_proven_and_ends_the_finding() {
    let mut service = found(500);
    let attempt_ms = reports(&mut service, MINUTE, 500);
    // The usual rate is one in a thousand: boundary 2 %, and a few seconds prove it.
    reports(&mut service, MINUTE, 1);
    let answer = service.verify(attempt_ms);
    assert_eq!((answer.verdict, answer.score), (Verdict::Healthy, 100.0), "{answer:?}");
    let text = words(&answer);
    assert!(
        text.contains("back to usual after 10 s") && text.contains("before the attempt it was 50 %"),
        "{text}"
    );
    // An hour's page still fires, for errors that are mended.
    assert_eq!(service.health().verdict, Verdict::Watching);
    assert!(words(service.health()).ends_with("since the last release or finding"), "{:?}", service.health());
    reports(&mut service, 3 * MINUTE, 1);
    assert_eq!(service.findings.len(), 1);
    reports(&mut service, MINUTE, 500);
    assert_eq!(service.findings.len(), 2, "what comes back is found again");
}

#[test]
fn what_did_not_come_back_is_not_called_well() {
    let check = |bad: u64, verdict: Verdict, said: &str| {
        let mut service = found(300);
        let attempt_ms = reports(&mut service, MINUTE, 300);
        let findings = service.findings.len();
        reports(&mut service, 2 * MINUTE, bad);
        let answer = service.verify(attempt_ms);
        assert_eq!(answer.verdict, verdict, "{bad}: {answer:?}");
        assert!(words(&answer).contains(said), "{bad}: {answer:?}");
        assert_eq!(service.findings.len(), findings);
        answer.score
    };
    let before = found(300).findings[0].health.score;
    // As before: the next remedy, if there is one.
    assert!(check(300, Verdict::Bad, "neither is proven yet") > before - 10.0);
    // Far above the usual one, though well below 5 %.
    assert!(check(40, Verdict::Bad, "at most 1.44 % are allowed") > before - 10.0);
    // Between the boundary and the usual rate: time will tell.
    check(14, Verdict::Watching, "neither is proven yet");
    check(1, Verdict::Healthy, "back to usual");
    // Harm, by the planner's measure: ten points below the finding.
    assert_eq!(check(600, Verdict::Bad, "worse than before the attempt"), 0.0);
}

#[test]
fn without_a_clear_difference_the_threshold_answers() {
    // Bad from the first report on: nobody knows what is usual.
    let mut service = held_to(99.9);
    let attempt_ms = reports(&mut service, 2 * MINUTE, 30);
    assert_eq!(service.kinds(), [FindingKind::ErrorRateHigh]);
    reports(&mut service, MINUTE, 30);
    let answer = service.verify(attempt_ms);
    assert_eq!(answer.verdict, Verdict::Bad, "3 % is below 5 %, and burns: {answer:?}");
    assert!(words(&answer).ends_with("at most 1.44 % are allowed"), "{answer:?}");
    let attempt_ms = service.now_ms;
    reports(&mut service, MINUTE, 0);
    let answer = service.verify(attempt_ms);
    assert_eq!(answer.verdict, Verdict::Healthy, "{answer:?}");
    reports(&mut service, 5 * MINUTE, 0);
    assert_eq!(service.findings.len(), 1);
}

#[test]
fn nothing_heard_since_the_attempt_is_blind_and_one_batch_is_no_proof() {
    let mut service = found(500);
    let attempt_ms = reports(&mut service, MINUTE, 500) + 1;
    service.recheck(attempt_ms + 20 * S);
    assert_eq!(service.verify(attempt_ms).verdict, Verdict::Blind);
    service.take(&counts(0, REQUESTS, attempt_ms + 25 * S));
    assert_eq!(service.verify(attempt_ms).verdict, Verdict::Watching);
}

#[test]
fn an_attempt_after_an_hours_wait_is_held_against_what_was_before_it() {
    let mut service = found(500);
    reports(&mut service, HOUR, 500);
    reports(&mut service, 2 * MINUTE, 20);
    let attempt_ms = reports(&mut service, HOUR, 500);
    let answer = |service: &mut Service| service.verify(attempt_ms);
    reports(&mut service, 2 * MINUTE, 500);
    assert_eq!(answer(&mut service).verdict, Verdict::Bad);
    assert!(answer(&mut service).score > 0.0, "no worse than before");
    reports(&mut service, 10 * MINUTE, 1);
    assert_eq!(answer(&mut service).verdict, Verdict::Healthy);
}

#[test]
fn what_the_canary_does_is_not_taken_from_the_budget() {
    let arm = |name: &str, bad: u64| {
        let mut service = held_to(99.9);
        reports(&mut service, MINUTE, 0);
        for i in 1..=24 {
            let mut event = counts(bad, REQUESTS, START + 2 * MINUTE + i * EVERY);
            event.attributes = vec![("arm".into(), name.into())];
            service.take(&event);
        }
        let health = service.health().clone();
        health
            .because
            .iter()
            .any(|because| because.metric == "error-budget" && because.text.starts_with("page"))
    };
    assert!(arm("baseline", 300));
    assert!(!arm("canary", 300));
}

#[test]
fn an_objective_may_come_and_go() {
    let mut service = Service { now_ms: START, ..Service::default() };
    reports(&mut service, MINUTE, 300);
    assert_eq!(service.kinds(), [FindingKind::ErrorRateHigh]);
    // What the threshold opened closes by the budget, and its counts are of now.
    service.objective = held_to(99.0).objective;
    reports(&mut service, MINUTE, 0);
    assert_eq!(service.health().verdict, Verdict::Healthy, "{:?}", service.health());
    reports(&mut service, 10 * MINUTE, 500);
    assert_eq!(service.findings.len(), 2);
    let encoded = |service: &Service| String::from_utf8(service.state.encode()).expect("JSON");
    assert!(encoded(&service).contains("\"budget\""));
    service.objective = None;
    reports(&mut service, MINUTE, 0);
    assert_eq!(service.health().verdict, Verdict::Healthy);
    assert!(!encoded(&service).contains("\"budget\""));
}

#[test]
fn a_state_survives_being_stored_at_any_point_and_is_small() {
    let (mut straight, mut stored) = (held_to(99.9), held_to(99.9));
    let mut largest = 0;
    for i in 1..2_000 {
        let bad = if (800..1_200).contains(&i) { 123 } else { 1 };
        let event = counts(bad, 98_765, START + i * EVERY);
        straight.take(&event);
        let bytes = stored.state.encode();
        largest = largest.max(bytes.len());
        stored.state = ServiceState::decode(Some(&bytes)).expect("just written");
        stored.take(&event);
    }
    assert_eq!((straight.findings, straight.state), (stored.findings, stored.state));
    assert!(largest <= 9 * 1024, "{largest} bytes");
}

prop_compose! {
    /// Reports of any counts, often at one time, and now and then a release.
    fn events()(
        at in prop_oneof![6 => 0..20 * MINUTE, 2 => 0..3 * DAY, 1 => any::<u64>()],
        delay in prop_oneof![Just(0), 0..10 * S, any::<u64>()],
        counted in prop_oneof![
            (0..1_000_u64).prop_map(|bad| (bad, 1_000)),
            (any::<u64>(), any::<u64>()).prop_map(|(bad, total)| (bad.min(total), total)),
        ],
        id in "[a-z]{2}",
        kind in 0..12_u8,
    ) -> Event {
        let at_ms = START.saturating_add(at);
        let mut event = match kind {
            0 => deployment(&id, &id, Status::Success, at_ms),
            _ => counts(counted.0, counted.1, at_ms),
        };
        event.id = format!("{id}-{}", event.id);
        event.received_at = at_ms.saturating_add(delay);
        event
    }
}

proptest! {
    #[test]
    fn duplicates_change_nothing_and_any_counts_leave_a_sound_bounded_state(
        all in prop::collection::vec(events(), 1..120),
        percent in prop::sample::select(vec![95.0, 99.0, 99.9, 99.9999]),
    ) {
        let mut service = held_to(percent);
        for event in &all {
            service.take(event);
            let (state, found) = (service.state.clone(), service.findings.len());
            service.take(event);
            prop_assert_eq!((&service.state, service.findings.len()), (&state, found));
            let mut asked = Service { state, ..held_to(percent) };
            asked.now_ms = service.now_ms;
            for health in [asked.verify(event.occurred_at), service.health().clone()] {
                let finite = health.because.iter().all(|one| one.observed.is_finite() && one.bound.is_finite());
                prop_assert!(finite && (0.0..=100.0).contains(&health.score), "{health:?}");
            }
        }
        let bytes = service.state.encode();
        prop_assert!(bytes.len() <= ENCODED_BYTES_MAX, "{} bytes", bytes.len());
        prop_assert_eq!(ServiceState::decode(Some(&bytes)).expect("just written"), service.state);
    }

    #[test]
    fn a_service_at_its_objective_has_no_findings(per_report in 1..5_000_u64, every_s in 5..300_u64) {
        let mut service = held_to(99.0);
        let (mut requests, mut failed) = (0_u64, 0_u64);
        for i in 1..200 {
            requests += per_report;
            let bad = (requests / 100).saturating_sub(failed);
            failed += bad;
            service.take(&counts(bad, per_report, START + i * every_s * S));
        }
        prop_assert_eq!(service.kinds(), []);
    }
}

//! The old and the new version side by side, as events tell of them: one story each.
#![allow(missing_docs, reason = "a test")]

mod common;
mod simulate;

use common::{S, Service, deployment, event, settings};
use homeostat_detection::{ServiceState, comparison};
use homeostat_schema::types::{Correlation, Event, EventKind, Finding, FindingKind, Signal, Status, Verdict};
use simulate::Chance;

/// Observations come so often; also the judge's batch.
const EVERY_MS: u64 = 5 * S;
/// When the new version is out.
const OUT_MS: u64 = 1200 * S;

fn arm(name: &str, bad: u64, requests: u64, at_ms: u64) -> Event {
    let signal = |name: &str, value: u64| Signal {
        name: name.into(),
        value: value as f64,
        unit: "{request}".into(),
        samples: 1,
    };
    let mut event = event(EventKind::Observation, Status::Unknown, at_ms);
    event.id = format!("{name}-{at_ms}");
    event.attributes = vec![("arm".into(), name.into())];
    event.signals = vec![signal("requests", requests), signal("errors", bad)];
    event
}

fn failed_scrape(at_ms: u64) -> Event {
    let mut event = event(EventKind::Observation, Status::Unknown, at_ms);
    event.id = format!("scrape-{at_ms}");
    event.attributes = vec![("scrape".into(), "failed".into())];
    event
}

/// v1 runs, its errors come one by one, and v2 goes out beside it.
fn rollout() -> Service {
    rollout_after(&mut Chance::of(7), 1)
}

/// v1 runs, its errors come so many at once, and v2 goes out beside it.
fn rollout_after(chance: &mut Chance, burst: u64) -> Service {
    let mut service = Service::after(&[
        deployment("d1", "v1", Status::Running, S),
        deployment("d1", "v1", Status::Success, 2 * S),
    ]);
    for at_ms in (10 * S..OUT_MS).step_by(EVERY_MS as usize) {
        let old = chance.tally(450, 0.02, burst);
        service.take(&arm("baseline", old.bad, old.total, at_ms));
    }
    service.take(&deployment("d2", "v2", Status::Running, OUT_MS));
    service
}

/// Both versions report for so many batches, from `from_ms` on.
fn both(service: &mut Service, batches: u64, from_ms: u64, mut bad: impl FnMut() -> (u64, u64)) -> u64 {
    let to_ms = from_ms + batches * EVERY_MS;
    for at_ms in (from_ms..to_ms).step_by(EVERY_MS as usize) {
        let (old, new) = bad();
        service.take(&arm("baseline", old, 450, at_ms));
        service.take(&arm("canary", new, 50, at_ms));
    }
    to_ms
}

#[test]
fn a_canary_with_half_as_many_errors_again_is_found_once_and_goes_back_to_the_good_release() {
    let (mut service, mut chance) = (rollout(), Chance::of(11));
    let end =
        both(&mut service, 720, OUT_MS, || (chance.tally(450, 0.02, 1).bad, chance.tally(50, 0.03, 1).bad));
    let [finding] = service.findings.as_slice() else { panic!("{:?}", service.kinds()) };
    assert_eq!(finding.kind, FindingKind::ErrorRateHigh);
    assert_eq!((finding.version.as_deref(), finding.health.verdict), (Some("v2"), Verdict::Bad));
    assert_eq!(finding.last_good.as_ref().and_then(|good| good.version.as_deref()), Some("v1"));
    let because = &finding.health.because[0];
    assert_eq!(because.metric, "canary");
    assert!(because.observed >= because.bound, "{because:?}");
    is_explained(finding);
    // A minute after it was taken back nothing is held against the service any more.
    for at_ms in (end..end + 90 * S).step_by(EVERY_MS as usize) {
        service.take(&arm("baseline", 5, 450, at_ms));
    }
    let health = service.health();
    assert!(health.because.iter().all(|because| because.metric != "canary"), "{health:?}");
    assert_eq!(health.verdict, Verdict::Watching);
}

/// The plot shows both versions and the evidence, from the first batch to the decision.
fn is_explained(finding: &Finding) {
    let plot = finding.plot.as_ref().expect("a comparison has a plot");
    assert_eq!((plot.metric.as_str(), plot.unit.as_str()), ("errors", "1"));
    assert!((2..=60).contains(&plot.points.len()), "{}", plot.points.len());
    let (first, last) = (&plot.points[0], &plot.points[plot.points.len() - 1]);
    assert!((OUT_MS..OUT_MS + 4 * EVERY_MS).contains(&first.at), "{first:?}");
    assert!(first.statistic < plot.bound && last.statistic >= plot.bound, "{first:?} {last:?}");
    let (bad, all) = plot.points.iter().fold((0.0, 0), |(bad, all), point| {
        (bad + point.canary * point.canary_samples as f64, all + point.canary_samples)
    });
    let because = &finding.health.because[0];
    assert_eq!(all, because.samples);
    assert!(because.text.contains(&format!("({bad:.0} of {all})")), "{bad} of {all}: {}", because.text);
}

#[test]
fn an_equal_canary_is_called_healthy_and_nothing_is_found() {
    let (mut service, mut chance) = (rollout(), Chance::of(12));
    both(&mut service, 720, OUT_MS, || (chance.tally(450, 0.02, 1).bad, chance.tally(50, 0.02, 1).bad));
    assert_eq!(service.kinds(), []);
    let canary = service.health().because.iter().find(|because| because.metric == "canary");
    assert!(canary.expect("both were heard").text.starts_with("canary healthy"), "{canary:?}");
}

#[test]
fn errors_in_bursts_that_both_versions_have_are_left_alone() {
    let mut chance = Chance::of(13);
    let mut service = rollout_after(&mut chance, 8);
    both(&mut service, 720, OUT_MS, || (chance.tally(450, 0.02, 8).bad, chance.tally(50, 0.02, 8).bad));
    assert_eq!(service.kinds(), []);
}

#[test]
fn telemetry_that_fails_is_blind_at_once_and_never_bad() {
    let (mut service, mut chance) = (rollout(), Chance::of(14));
    let mut bad = || (chance.tally(450, 0.02, 1).bad, chance.tally(50, 0.02, 1).bad);
    let end = both(&mut service, 60, OUT_MS, &mut bad);
    for at_ms in (end..end + 600 * S).step_by(EVERY_MS as usize) {
        service.take(&failed_scrape(at_ms));
        assert_eq!(service.health().verdict, Verdict::Blind);
    }
    assert_eq!(service.kinds(), [FindingKind::Blind]);
    both(&mut service, 60, end + 600 * S, &mut bad);
    assert_eq!(service.kinds(), [FindingKind::Blind]);
    assert_ne!(service.health().verdict, Verdict::Blind);
}

#[test]
fn silence_of_both_versions_is_blind_within_a_minute() {
    let (mut service, mut chance) = (rollout(), Chance::of(15));
    let end =
        both(&mut service, 12, OUT_MS, || (chance.tally(450, 0.02, 1).bad, chance.tally(50, 0.02, 1).bad));
    let due = service.recheck_at_ms.expect("somebody looks again");
    assert!(due <= end + 60 * S, "{due}");
    service.recheck(due);
    assert_eq!(service.kinds(), [FindingKind::Blind]);
    assert_eq!(service.health().verdict, Verdict::Blind);
}

#[test]
fn a_new_version_that_says_nothing_is_a_failed_deployment() {
    let mut service = rollout();
    for at_ms in (OUT_MS..OUT_MS + 60 * S).step_by(EVERY_MS as usize) {
        service.take(&arm("baseline", 5, 450, at_ms));
        service.take(&arm("canary", 0, 50, at_ms));
    }
    for at_ms in (OUT_MS + 60 * S..OUT_MS + 1800 * S).step_by(EVERY_MS as usize) {
        service.take(&arm("baseline", 5, 450, at_ms));
    }
    assert_eq!(service.kinds(), [FindingKind::DeploymentFailed]);
    assert_eq!(service.findings[0].version.as_deref(), Some("v2"));
}

#[test]
fn a_bad_version_that_still_takes_traffic_is_not_cured() {
    let mut service = rollout();
    let attempt_ms = both(&mut service, 60, OUT_MS, || (5, 10));
    assert_eq!(service.kinds(), [FindingKind::ErrorRateHigh]);
    let nothing = || Correlation { run: None, run_attempt: None, deployment: None, pull_request: None };
    let kind = FindingKind::ErrorRateHigh;
    let end = both(&mut service, 6, attempt_ms, || (5, 10));
    assert_eq!(service.assess(kind.clone(), nothing(), attempt_ms).verdict, Verdict::Bad);
    for at_ms in (end..end + 60 * S).step_by(EVERY_MS as usize) {
        service.take(&arm("baseline", 5, 450, at_ms));
    }
    assert_eq!(service.assess(kind, nothing(), end).verdict, Verdict::Healthy);
}

#[test]
fn the_state_can_be_stored_after_any_event_and_told_twice() {
    let (mut straight, mut chance) = (rollout(), Chance::of(16));
    let mut stored = Service { state: straight.state.clone(), ..Service::default() };
    for at_ms in (OUT_MS..OUT_MS + 300 * S).step_by(EVERY_MS as usize) {
        let events = [
            arm("baseline", chance.tally(450, 0.02, 1).bad, 450, at_ms),
            arm("canary", chance.tally(50, 0.06, 1).bad, 50, at_ms),
        ];
        for event in &events {
            straight.take(event);
            stored.take(event);
            let bytes = stored.state.encode();
            stored.state = ServiceState::decode(Some(&bytes)).expect("just written");
            stored.take(event);
        }
    }
    assert_eq!(straight.findings, stored.findings);
    assert_eq!(straight.health(), stored.health());
    assert!(straight.state.encode().len() <= 24 * 1024, "{}", straight.state.encode().len());
}

#[test]
fn a_state_from_before_there_were_arms_is_read() {
    let before = r#"{"schema":1,"releases":[],"runs":[],"window":{"items":[],"from_ms":0,"from_event":""},
        "released_ms":0,"latency_open":false,"errors_open":false,"telemetry":{"last_at_ms":0,
        "last_seen_ms":0,"last_event":"","intervals_ms":[],"blind":false,"signed":false}}"#;
    let mut service = Service {
        state: ServiceState::decode(Some(before.as_bytes())).expect("form 1"),
        ..Service::default()
    };
    service.take(&arm("canary", 0, 50, S));
    assert_eq!(service.findings, []);
    assert_eq!(service.state.encode(), {
        let again = ServiceState::decode(Some(&service.state.encode())).expect("just written");
        again.encode()
    });
}

/// The verdict that a pipeline is told, and of which release.
fn gate(service: &Service) -> (Verdict, Option<String>) {
    let found = comparison(&service.state, &settings()).expect("arms were heard");
    (found.verdict, found.version)
}

fn version(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn a_healthy_verdict_is_never_of_the_release_before() {
    let (mut service, mut chance) = (rollout(), Chance::of(17));
    let mut equal = || (chance.tally(450, 0.02, 1).bad, chance.tally(50, 0.02, 1).bad);
    assert_eq!(gate(&service), (Verdict::Watching, version("v2")));
    let mut end = OUT_MS;
    while gate(&service).0 != Verdict::Healthy {
        assert!(end < OUT_MS + 3600 * S, "an equal one is not found healthy within the hour");
        end = both(&mut service, 1, end, &mut equal);
    }
    assert_eq!(gate(&service), (Verdict::Healthy, version("v2")));
    // The old canary still reports while the next release goes out within the same batch.
    service.take(&arm("canary", 0, 50, end));
    service.take(&deployment("d3", "v3", Status::Running, end + 1));
    assert_eq!(gate(&service), (Verdict::Watching, version("v3")));
    for _ in 0..6 {
        end = both(&mut service, 1, end, &mut equal);
        assert_eq!(gate(&service), (Verdict::Watching, version("v3")));
    }
}

#[test]
fn a_release_that_was_taken_back_stays_bad_until_the_next_one() {
    let mut service = rollout();
    let end = both(&mut service, 60, OUT_MS, || (5, 10));
    assert_eq!(gate(&service), (Verdict::Bad, version("v2")));
    for at_ms in (end..end + 90 * S).step_by(EVERY_MS as usize) {
        service.take(&arm("baseline", 5, 450, at_ms));
    }
    assert_eq!(gate(&service), (Verdict::Bad, version("v2")));
    let found = comparison(&service.state, &settings()).expect("arms were heard");
    assert!(found.because.observed >= found.because.bound, "{found:?}");
    service.take(&deployment("d3", "v3", Status::Running, end + 91 * S));
    assert_eq!(gate(&service), (Verdict::Watching, version("v3")));
}

#[test]
fn lost_telemetry_is_no_reason_to_promote() {
    let (mut service, mut chance) = (rollout(), Chance::of(18));
    let mut equal = || (chance.tally(450, 0.02, 1).bad, chance.tally(50, 0.02, 1).bad);
    let end = both(&mut service, 720, OUT_MS, &mut equal);
    assert_eq!(gate(&service).0, Verdict::Healthy);
    service.take(&failed_scrape(end));
    assert_eq!(gate(&service).0, Verdict::Blind);
    both(&mut service, 4, end + 5 * S, &mut equal);
    assert_eq!(gate(&service).0, Verdict::Healthy);
}

#[test]
fn nobody_is_told_of_a_comparison_that_never_began() {
    let service = Service::after(&[deployment("d1", "v1", Status::Success, S)]);
    assert_eq!(comparison(&service.state, &settings()), None);
}

//! What is found of what happened, one story each.
#![allow(missing_docs, reason = "a test")]

mod common;

use common::{S, Service, deployment, errors, event, latency, run};
use homeostat_detection::is_overtaken;
use homeostat_schema::types::{
    Correlation, Event, EventKind, FindingKind, Health, Severity, Status, Verdict,
};

fn of_run(name: &str, attempt: u32) -> Correlation {
    Correlation { run: Some(name.into()), run_attempt: Some(attempt), ..nothing() }
}

fn nothing() -> Correlation {
    Correlation { run: None, run_attempt: None, deployment: None, pull_request: None }
}

/// v1 went out well, then v2 failed at 20 s.
fn good_then_bad() -> Vec<Event> {
    vec![
        deployment("d1", "v1", Status::Running, S),
        deployment("d1", "v1", Status::Success, 10 * S),
        deployment("d2", "v2", Status::Running, 15 * S),
        deployment("d1", "v1", Status::Superseded, 16 * S),
        deployment("d2", "v2", Status::Failure, 20 * S),
    ]
}

fn observations(n: u64, from_ms: u64, make: impl Fn(u64) -> Event) -> Vec<Event> {
    (0..n).map(|i| make(from_ms + i * 10 * S)).collect()
}

#[test]
fn a_failed_deployment_names_itself_and_the_good_release_before() {
    let service = Service::after(&good_then_bad());
    let [finding] = service.findings.as_slice() else { panic!("{:?}", service.kinds()) };
    assert_eq!(finding.kind, FindingKind::DeploymentFailed);
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.version.as_deref(), Some("v2"));
    assert_eq!(finding.config_version, 3);
    let good = finding.last_good.as_ref().expect("v1 was good");
    assert_eq!((good.version.as_deref(), good.at), (Some("v1"), 10 * S));
    assert_eq!(finding.health.verdict, Verdict::Bad);
    assert_eq!(finding.health.because[0].events, ["d2-deployment-failure-20000"]);
    assert!(service.health().score < 30.0, "{}", service.health().score);
    assert_eq!((service.state.version(), service.state.commit()), (Some("v1"), Some("commit-of-v1")));
}

#[test]
fn a_remedy_that_failed_too_scores_as_before_it() {
    let mut events = observations(5, S, |at| latency(100.0, at));
    events.push(deployment("d1", "v1", Status::Failure, 60 * S));
    let mut service = Service::after(&events);
    let before = service.findings[0].health.score;
    service.take(&deployment("d2", "v0", Status::Failure, 90 * S));
    let after = service.assess(FindingKind::DeploymentFailed, nothing(), 80 * S).score;
    assert!((before - after).abs() < 1e-9, "{before} and {after}");
}

#[test]
fn the_worst_reason_comes_first() {
    let mut events = observations(5, S, |at| latency(9000.0, at));
    events.push(run("r", 1, Status::Success, 60 * S));
    let service = Service::after(&events);
    let metrics: Vec<_> = service.health().because.iter().map(|one| one.metric.as_str()).collect();
    assert_eq!(metrics, ["latency-ms", "run", "telemetry"]);
}

#[test]
fn severity_follows_the_environment() {
    let check = |env: &str, expected: Severity| {
        let mut bad = deployment("d", "v", Status::Failure, S);
        bad.env = env.into();
        assert_eq!(Service::after(&[bad]).findings[0].severity, expected, "{env}");
    };
    check("dev", Severity::Warning);
    check("stage", Severity::Warning);
    check("prod", Severity::Critical);
    check("unknown", Severity::Critical);
}

#[test]
fn a_later_success_restores_the_service() {
    let mut service = Service::after(&good_then_bad());
    service.take(&deployment("d3", "v1", Status::Success, 30 * S));
    assert_eq!(service.health().verdict, Verdict::Healthy);
    assert_eq!(service.health().score, 100.0);
    assert_eq!(service.findings.len(), 1);
}

#[test]
fn our_own_rollback_restores_it_too() {
    let mut service = Service::after(&good_then_bad());
    let mut own = deployment("d3", "v1", Status::Success, 30 * S);
    (own.kind, own.trust.self_) = (EventKind::Rollback, true);
    service.take(&own);
    assert_eq!(service.health().verdict, Verdict::Healthy);
}

#[test]
fn what_is_no_failure_opens_nothing() {
    let check = |event: Event| assert_eq!(Service::after(&[event]).kinds(), []);
    for status in [Status::Queued, Status::Superseded, Status::Cancelled, Status::Skipped, Status::Unknown] {
        check(deployment("d", "v", status.clone(), S));
        check(run("r", 1, status, S));
    }
    for spoil in [
        (|event| event.trust.test = true) as fn(&mut Event),
        |event| event.trust.late = true,
        |event| event.trust.fork = true,
    ] {
        let mut bad = deployment("d", "v", Status::Failure, S);
        spoil(&mut bad);
        check(bad);
    }
}

#[test]
fn a_failure_that_a_newer_success_overtook_opens_nothing() {
    let service = Service::after(&[
        deployment("d2", "v2", Status::Success, 30 * S),
        deployment("d1", "v1", Status::Failure, 20 * S),
    ]);
    assert_eq!(service.kinds(), []);
    assert_eq!(service.health().verdict, Verdict::Healthy);
}

#[test]
fn only_what_a_newer_state_of_its_own_subject_precedes_is_overtaken() {
    let service = Service::after(&[
        deployment("d1", "v1", Status::Success, 20 * S),
        run("r1", 2, Status::Running, 20 * S),
        run("r2", 1, Status::Failure, 20 * S),
    ]);
    let check = |event: Event, expected: bool| {
        assert_eq!(is_overtaken(&service.state, &event), expected, "{}", event.id);
    };
    check(deployment("d1", "v1", Status::Running, 10 * S), true);
    check(deployment("d1", "v1", Status::Running, 30 * S), true);
    check(deployment("d1", "v1", Status::Failure, 10 * S), true);
    check(deployment("d1", "v1", Status::Success, 20 * S), false);
    check(Event { id: "a copy".into(), ..deployment("d1", "v1", Status::Success, 20 * S) }, false);
    check(deployment("d1", "v1", Status::Superseded, 30 * S), false);
    check(deployment("d1", "v1", Status::Unknown, 10 * S), false);
    check(deployment("d0", "v0", Status::Running, 10 * S), false);
    check(run("r1", 1, Status::Failure, 10 * S), true);
    check(run("r1", 2, Status::Success, 30 * S), false);
    check(run("r2", 1, Status::Running, 10 * S), true);
    check(run("r3", 1, Status::Running, 10 * S), false);
    check(event(EventKind::Observation, Status::Unknown, S), false);
}

#[test]
fn each_release_that_fails_is_found_once() {
    let mut events = good_then_bad();
    events.push(deployment("d2", "v2", Status::Failure, 21 * S));
    events.push(deployment("d3", "v3", Status::Failure, 40 * S));
    let service = Service::after(&events);
    let versions: Vec<_> = service.findings.iter().map(|finding| finding.version.as_deref()).collect();
    assert_eq!(versions, [Some("v2"), Some("v3")]);
    assert_ne!(service.findings[0].id, service.findings[1].id);
    assert_eq!(service.findings[1].last_good.as_ref().unwrap().version.as_deref(), Some("v1"));
}

#[test]
fn a_release_that_had_to_be_healed_is_not_a_good_one() {
    let mut events =
        vec![deployment("d1", "v1", Status::Success, S), deployment("d2", "v2", Status::Success, 10 * S)];
    events.extend(observations(5, 20 * S, |at| latency(5000.0, at)));
    events.push(deployment("d3", "v3", Status::Failure, 100 * S));
    let service = Service::after(&events);
    assert_eq!(service.kinds(), [FindingKind::LatencyHigh, FindingKind::DeploymentFailed]);
    for finding in &service.findings {
        assert_eq!(finding.last_good.as_ref().unwrap().version.as_deref(), Some("v1"));
    }
}

#[test]
fn without_a_release_before_there_is_no_good_one() {
    let service = Service::after(&[deployment("d1", "v1", Status::Failure, S)]);
    assert_eq!(service.findings[0].last_good, None);
}

#[test]
fn a_redeploy_of_the_failed_version_does_not_make_it_good() {
    let mut events = good_then_bad();
    events.push(deployment("d3", "v2", Status::Failure, 30 * S));
    let service = Service::after(&events);
    assert_eq!(service.findings[1].last_good.as_ref().unwrap().version.as_deref(), Some("v1"));
}

#[test]
fn a_failed_run_is_found_once_per_attempt() {
    let service = Service::after(&[
        run("r1", 1, Status::Running, S),
        run("r1", 1, Status::Failure, 2 * S),
        run("r1", 1, Status::Failure, 3 * S),
        run("r1", 2, Status::Running, 5 * S),
        run("r1", 2, Status::Failure, 9 * S),
    ]);
    assert_eq!(service.kinds(), [FindingKind::RunFailed, FindingKind::RunFailed]);
    let attempts: Vec<_> = service.findings.iter().map(|finding| finding.correlation.run_attempt).collect();
    assert_eq!(attempts, [Some(1), Some(2)]);
    assert_eq!(service.findings[0].health.verdict, Verdict::Bad);
    assert_eq!(service.health().verdict, Verdict::Watching);
}

#[test]
fn a_run_of_a_fork_does_not_count_against_the_service() {
    let mut bad = run("r1", 1, Status::Failure, S);
    bad.trust.fork = true;
    let service = Service::after(&[bad]);
    assert_eq!(service.findings[0].severity, Severity::Info);
    assert!(service.findings[0].trust.fork);
    assert_eq!(service.health().score, 100.0);
}

#[test]
fn latency_needs_more_than_a_few_slow_observations() {
    let check = |values: &[f64], expected: &[FindingKind]| {
        let events: Vec<_> = (1..).zip(values).map(|(i, ms)| latency(*ms, i * 10 * S)).collect();
        assert_eq!(Service::after(&events).kinds(), expected, "{values:?}");
    };
    check(&[5000.0], &[]);
    check(&[5000.0, 5000.0, 5000.0], &[]);
    check(&[5000.0, 100.0, 5000.0, 100.0, 5000.0, 100.0], &[]);
    check(&[1000.0; 8], &[]);
    check(&[f64::NAN; 8], &[]);
    check(&[-1.0; 8], &[]);
    check(&[5000.0; 4], &[]);
    check(&[5000.0; 5], &[FindingKind::LatencyHigh]);
    check(&[5000.0; 20], &[FindingKind::LatencyHigh]);
    let (fine, slow) = ([100.0; 30], [5000.0; 5]);
    check(&[&fine[..], &slow[..4]].concat(), &[]);
    check(&[&fine[..], &slow].concat(), &[FindingKind::LatencyHigh]);
    // What left the window counts: every second one is slow.
    check(&[5000.0, 100.0].repeat(12), &[FindingKind::LatencyHigh]);
    check(&[&fine[..4], &slow[..1]].concat().repeat(5), &[]);
}

#[test]
fn latency_evidence_says_what_was_seen() {
    let mut service = Service::after(&observations(4, S, |at| latency(2300.0, at)));
    let text =
        |health: &Health| health.because.iter().find(|one| one.metric == "latency-ms").unwrap().text.clone();
    let told = "median 2300 ms of the last 4 observations; 4 of them above 1000 ms";
    let health = &service.health();
    let doubt = "; evidence ×8660.12 of the ×1e5 that would prove it";
    assert_eq!((text(health), health.verdict), (format!("{told}{doubt}"), Verdict::Watching));
    service.take(&latency(2300.0, 41 * S));
    let health = &service.findings[0].health;
    let evidence = health.because.iter().find(|one| one.metric == "latency-ms").unwrap();
    assert_eq!((evidence.observed, evidence.bound, evidence.samples), (2300.0, 1000.0, 5));
    let proof = "; evidence ×1e5 that this is more than chance";
    assert_eq!(text(health), format!("{}{proof}", told.replace('4', "5")));
    assert_eq!(evidence.events.len(), 5);
    assert_eq!(health.verdict, Verdict::Bad);
}

#[test]
fn latency_that_comes_down_closes_and_may_open_again() {
    let mut events = observations(5, S, |at| latency(5000.0, at));
    events.extend(observations(5, 60 * S, |at| latency(100.0, at)));
    let mut service = Service::after(&events);
    assert_eq!(service.health().verdict, Verdict::Healthy);
    observations(5, 120 * S, |at| latency(5000.0, at)).iter().for_each(|event| service.take(event));
    assert_eq!(service.kinds(), [FindingKind::LatencyHigh, FindingKind::LatencyHigh]);
    assert_ne!(service.findings[0].id, service.findings[1].id);
}

#[test]
fn a_new_release_starts_with_a_clean_slate() {
    let mut events = vec![deployment("d1", "v1", Status::Success, S)];
    events.extend(observations(5, 2 * S, |at| latency(5000.0, at)));
    events.push(deployment("d2", "v2", Status::Success, 60 * S));
    let mut service = Service::after(&events);
    assert_eq!(service.health().verdict, Verdict::Watching);
    observations(3, 70 * S, |at| latency(5000.0, at)).iter().for_each(|event| service.take(event));
    assert_eq!(service.findings.len(), 1);
    observations(2, 100 * S, |at| latency(5000.0, at)).iter().for_each(|event| service.take(event));
    let versions: Vec<_> = service.findings.iter().map(|finding| finding.version.as_deref()).collect();
    assert_eq!(versions, [Some("v1"), Some("v2")]);
}

#[test]
fn errors_need_more_than_chance() {
    let check = |values: &[(f64, u64)], expected: &[FindingKind]| {
        let numbered = (1..).zip(values);
        let events: Vec<_> = numbered.map(|(i, (rate, n))| errors(*rate, *n, i * 10 * S)).collect();
        assert_eq!(Service::after(&events).kinds(), expected, "{values:?}");
    };
    check(&[(1.0 / 3.0, 3)], &[]);
    check(&[(1.0 / 3.0, 3), (1.0 / 3.0, 3)], &[]);
    check(&[(0.05, 1000); 20], &[]);
    check(&[(0.06, 100); 8], &[]);
    // One burst is not enough, however large.
    check(&[(0.0, 100), (0.9, 1000), (0.0, 100)], &[]);
    // Nor are four in a row: requests of one burst fail together, however many they are.
    check(&[(1.0, 1_000_000); 4], &[]);
    check(&[(1.0, 1_000_000); 5], &[FindingKind::ErrorRateHigh]);
    check(&[(1.0, 1); 5], &[FindingKind::ErrorRateHigh]);
    check(&[(0.5, 100); 6], &[]);
    check(&[(0.5, 100); 7], &[FindingKind::ErrorRateHigh]);
    check(&[(0.5, 100); 20], &[FindingKind::ErrorRateHigh]);
    check(&[(0.2, 200); 10], &[]);
    check(&[(0.2, 200); 15], &[FindingKind::ErrorRateHigh]);
    check(&[(0.1, 200); 40], &[FindingKind::ErrorRateHigh]);
    // Nobody said how many requests.
    check(&[(0.3, 1); 7], &[]);
    check(&[(0.3, 1); 11], &[FindingKind::ErrorRateHigh]);
    check(&[(7.0, 100); 8], &[]);
    check(&[(f64::INFINITY, 100); 8], &[]);
}

#[test]
fn errors_that_stop_close_the_finding() {
    let mut events = observations(9, S, |at| errors(0.5, 100, at));
    events.extend(observations(3, 100 * S, |at| errors(0.0, 100, at)));
    let mut service = Service::after(&events);
    assert_eq!(service.health().verdict, Verdict::Healthy);
    // What was bad before makes no more bursts a finding.
    observations(6, 130 * S, |at| errors(0.5, 100, at)).iter().for_each(|event| service.take(event));
    assert_eq!(service.kinds(), [FindingKind::ErrorRateHigh]);
    service.take(&errors(0.5, 100, 190 * S));
    assert_eq!(service.kinds(), [FindingKind::ErrorRateHigh, FindingKind::ErrorRateHigh]);
}

#[test]
fn silence_is_blind_and_never_bad() {
    let mut service = Service::after(&observations(4, S, |at| latency(100.0, at)));
    let due = service.recheck_at_ms.expect("the rhythm is known");
    assert_eq!(due, 31 * S + 45 * S + 1);
    service.recheck(due - 2);
    assert_eq!(service.kinds(), []);
    service.recheck(due);
    assert_eq!(service.kinds(), [FindingKind::Blind]);
    assert_eq!(service.findings[0].severity, Severity::Warning);
    assert_eq!(service.health().verdict, Verdict::Blind);
    assert_eq!(service.recheck_at_ms, None);
    service.recheck(due + 1000 * S);
    assert_eq!(service.findings.len(), 1);
    service.take(&latency(100.0, due + 2000 * S));
    assert_eq!(service.health().verdict, Verdict::Healthy);
    assert!(service.recheck_at_ms.is_some());
}

#[test]
fn bad_numbers_before_a_silence_leave_it_blind() {
    let mut service = Service::after(&observations(5, S, |at| latency(9000.0, at)));
    assert_eq!(service.health().verdict, Verdict::Bad);
    service.recheck(1000 * S);
    assert_eq!(service.health().verdict, Verdict::Blind);
}

#[test]
fn a_slow_rhythm_is_not_silence() {
    let every_five_minutes: Vec<_> = (1..5).map(|i| latency(100.0, i * 300 * S)).collect();
    let service = Service::after(&every_five_minutes);
    assert_eq!(service.recheck_at_ms, Some(1200 * S + 900 * S + 1));
}

#[test]
fn a_service_that_never_reported_is_not_blind() {
    let mut service = Service::after(&[deployment("d1", "v1", Status::Success, S)]);
    assert_eq!(service.recheck_at_ms, None);
    service.recheck(1_000_000 * S);
    assert_eq!(service.kinds(), []);
}

#[test]
fn a_cured_deployment_is_told_from_one_that_is_not() {
    let check = |more: &[Event], expected: Verdict| {
        let mut events = good_then_bad();
        events.extend_from_slice(more);
        let health = Service::after(&events).assess(FindingKind::DeploymentFailed, nothing(), 25 * S);
        assert_eq!(health.verdict, expected, "{more:?}");
    };
    check(&[], Verdict::Blind);
    check(&[deployment("d3", "v1", Status::Running, 30 * S)], Verdict::Watching);
    check(&[deployment("d3", "v1", Status::Success, 30 * S)], Verdict::Healthy);
    check(&[deployment("d3", "v1", Status::Failure, 30 * S)], Verdict::Bad);
    // Reported while the call was still being answered.
    check(&[deployment("d3", "v1", Status::Success, 24 * S)], Verdict::Healthy);
    check(&observations(3, 26 * S, |at| latency(100.0, at)), Verdict::Healthy);
    check(&observations(2, 26 * S, |at| latency(100.0, at)), Verdict::Watching);
    check(&observations(4, 26 * S, |at| latency(9000.0, at)), Verdict::Bad);
}

#[test]
fn a_cured_run_is_told_from_one_that_is_not() {
    let check = |more: &[Event], expected: Verdict| {
        let mut events = vec![run("r0", 1, Status::Success, S), run("r1", 1, Status::Failure, 10 * S)];
        events.extend_from_slice(more);
        let health = Service::after(&events).assess(FindingKind::RunFailed, of_run("r1", 1), 12 * S);
        assert_eq!(health.verdict, expected, "{more:?}");
    };
    check(&[], Verdict::Blind);
    check(&[run("r1", 2, Status::Running, 13 * S)], Verdict::Watching);
    check(&[run("r1", 2, Status::Success, 20 * S)], Verdict::Healthy);
    check(&[run("r1", 2, Status::Failure, 20 * S)], Verdict::Bad);
    check(&[run("r2", 1, Status::Success, 20 * S)], Verdict::Healthy);
    let mut elsewhere = run("r2", 1, Status::Success, 20 * S);
    elsewhere.branch = Some("feature".into());
    check(&[elsewhere], Verdict::Blind);
}

#[test]
fn latency_is_judged_by_what_came_since() {
    let check = |more: &[Event], expected: Verdict| {
        let mut events = observations(5, S, |at| latency(9000.0, at));
        events.extend_from_slice(more);
        let health = Service::after(&events).assess(FindingKind::LatencyHigh, nothing(), 50 * S);
        assert_eq!(health.verdict, expected, "{more:?}");
    };
    check(&[], Verdict::Blind);
    check(&observations(3, 51 * S, |at| latency(100.0, at)), Verdict::Healthy);
    check(&observations(2, 51 * S, |at| latency(100.0, at)), Verdict::Watching);
    check(&observations(3, 51 * S, |at| latency(9000.0, at)), Verdict::Watching);
    check(&observations(4, 51 * S, |at| latency(9000.0, at)), Verdict::Bad);
    // A deployment alone says nothing about latency; a failed one does not help.
    check(&[deployment("d", "v", Status::Success, 60 * S)], Verdict::Blind);
    check(&[deployment("d", "v", Status::Failure, 60 * S)], Verdict::Bad);
}

#[test]
fn telemetry_that_is_back_cures_blindness() {
    let mut service = Service::after(&observations(4, S, |at| latency(100.0, at)));
    service.recheck(500 * S);
    assert_eq!(service.assess(FindingKind::Blind, nothing(), 500 * S).verdict, Verdict::Blind);
    observations(3, 600 * S, |at| latency(100.0, at)).iter().for_each(|event| service.take(event));
    assert_eq!(service.assess(FindingKind::Blind, nothing(), 500 * S).verdict, Verdict::Healthy);
}

#[test]
fn numbers_of_a_run_are_not_the_services() {
    let slow = |at| Event { latency: Some(90_000.0), ..event(EventKind::Run, Status::Success, at) };
    assert_eq!(Service::after(&observations(8, S, slow)).kinds(), []);
}

#[test]
fn deployments_that_nobody_named_do_not_hide_latency() {
    let slow = |at| Event { latency: Some(2300.0), ..event(EventKind::Deployment, Status::Success, at) };
    assert_eq!(Service::after(&observations(5, S, slow)).kinds(), [FindingKind::LatencyHigh]);
}

#[test]
fn a_good_release_on_its_way_back_is_not_blamed() {
    let mut events = vec![
        deployment("d1", "v1", Status::Success, S),
        deployment("d2", "v2", Status::Success, 10 * S),
        deployment("d3", "v1", Status::Running, 20 * S),
    ];
    events.extend(observations(5, 21 * S, |at| latency(9000.0, at)));
    events.push(deployment("d3", "v1", Status::Success, 100 * S));
    events.push(deployment("d4", "v3", Status::Failure, 200 * S));
    let service = Service::after(&events);
    assert_eq!(service.kinds(), [FindingKind::LatencyHigh, FindingKind::DeploymentFailed]);
    assert_eq!(service.findings[0].version.as_deref(), Some("v2"));
    for finding in &service.findings {
        assert_eq!(finding.last_good.as_ref().unwrap().version.as_deref(), Some("v1"));
    }
}

#[test]
fn a_made_up_time_does_not_stop_the_watch() {
    let mut events = observations(12, S, |at| Event { occurred_at: u64::MAX, ..latency(1.0, at) });
    let ahead = deployment("d1", "v1", Status::Success, 130 * S);
    events.push(Event { occurred_at: u64::MAX, ..ahead });
    events.extend(observations(5, 140 * S, |at| latency(9000.0, at)));
    events.push(deployment("d2", "v2", Status::Failure, 200 * S));
    let service = Service::after(&events);
    assert_eq!(service.kinds(), [FindingKind::LatencyHigh, FindingKind::DeploymentFailed]);
}

#[test]
fn signals_sent_one_by_one_are_one_beat() {
    let batch = |at: u64| [latency(100.0, at), errors(0.0, 10, at + 1), latency(100.0, at + 2)];
    let all: Vec<_> = (1..5).flat_map(|i| batch(i * 300 * S)).collect();
    let beat = 900 * S - 3 * 2;
    assert_eq!(Service::after(&all).recheck_at_ms, Some(1200 * S + 2 + beat + 1));
}

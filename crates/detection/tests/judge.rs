//! Stories of rollouts: what the judge says, line by line.

mod judge_told;

use homeostat_detection::judge::{Arm, Settings, Verdict};
use judge_told::{Told, minutes};

#[test]
fn a_canary_with_half_as_many_errors_again_is_caught() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.both(minutes(60), 20, 30);
    assert_eq!(told.last().verdict, Verdict::Bad);
    let because = &told.last().because[0];
    assert_eq!(because.metric, "errors");
    assert!((1.3..1.7).contains(&because.effect.unwrap()), "{because:?}");
    let (low, high) = because.interval.unwrap();
    assert!(low.unwrap() >= 1.0 && high.unwrap() <= 2.5, "{because:?}");
    assert!(because.text.contains("times as many"), "{}", because.text);
    assert!(told.last().score < 10.0 && told.last().evidence >= 100.0);
    assert!(told.at_s(Verdict::Bad) < minutes(20) + minutes(10));
}

#[test]
fn an_equal_canary_is_promoted() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.both(minutes(60), 20, 20);
    assert_eq!(told.last().verdict, Verdict::Healthy);
    assert!(told.never(Verdict::Bad));
    assert!(told.last().score > 85.0);
}

#[test]
fn a_canary_with_no_errors_at_all_is_promoted_beside_a_baseline_with_none() {
    let mut told = Told::new();
    told.history(minutes(5), 0);
    told.both(minutes(30), 0, 0);
    assert_eq!(told.last().verdict, Verdict::Healthy);
}

#[test]
fn an_outage_of_prometheus_is_blind_within_a_minute_and_nothing_is_rolled_back() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.both(minutes(5), 20, 20);
    let before_s = told.now_s();
    told.event("scrape_failed", minutes(10), 15);
    assert_eq!(told.last().verdict, Verdict::Blind);
    assert!(told.at_s(Verdict::Blind) <= before_s + 60);
    assert!(told.last().because[0].text.contains("scrape failed"));
    told.both(minutes(5), 20, 20);
    assert_ne!(told.last().verdict, Verdict::Blind, "telemetry is back");
    assert!(told.never(Verdict::Bad));
}

#[test]
fn when_everything_falls_silent_it_is_blind_from_then_on() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.both(minutes(5), 20, 20);
    let before_s = told.now_s();
    told.silence(minutes(10));
    told.both(minutes(1), 20, 20);
    assert!(told.at_s(Verdict::Blind) <= before_s + 60);
    assert!(told.never(Verdict::Bad));
    assert_ne!(told.last().verdict, Verdict::Blind);
}

#[test]
fn a_silent_canary_beside_a_baseline_that_reports_is_bad_and_never_healthy() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.both(minutes(10), 20, 20);
    assert_eq!(told.last().verdict, Verdict::Healthy);
    let (before_s, said) = (told.now_s(), told.said.len());
    told.baseline(minutes(20), 20);
    assert_eq!(told.last().verdict, Verdict::Bad);
    assert!(told.said.iter().skip(said).all(|decision| decision.verdict != Verdict::Healthy));
    assert_eq!(told.said[said].verdict, Verdict::Watching, "no longer healthy at the first silence");
    assert!(told.at_s(Verdict::Bad) <= before_s + minutes(6), "{}", told.at_s(Verdict::Bad));
    assert!(told.last().because[0].text.contains("new one has been silent"), "{:?}", told.last().because);
}

#[test]
fn a_silence_that_was_resolved_is_no_longer_held_against_the_canary() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.both(minutes(10), 20, 20);
    told.baseline(minutes(10), 20);
    assert_eq!(told.last().verdict, Verdict::Bad);
    told.event("resolved", 5, 5);
    let said = told.said.len();
    told.both(minutes(60), 20, 20);
    assert!(told.said.iter().skip(said).all(|decision| decision.verdict != Verdict::Bad));
    assert_eq!(told.last().verdict, Verdict::Healthy);
    // It is still expected: a second silence counts as the first did.
    told.baseline(minutes(10), 20);
    assert_eq!(told.last().verdict, Verdict::Bad);
}

#[test]
fn a_deployed_canary_that_never_reports_is_bad() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.event("deployed", 5, 5);
    told.baseline(minutes(20), 20);
    assert_eq!(told.last().verdict, Verdict::Bad);
}

#[test]
fn a_bursty_but_healthy_service_is_left_alone() {
    // Errors come in bunches of twenty, now in one arm and now in the other.
    for phase in 0..20 {
        let mut told = Told::new();
        let burst = |step: u64, of: u64| if (step * 7 + phase).is_multiple_of(of) { 20 } else { 0 };
        told.feed(minutes(20), |step| (Some(burst(step, 10)), None));
        told.feed(minutes(60), |step| (Some(burst(step, 10)), Some(burst(step + 5, 90))));
        assert!(told.never(Verdict::Bad), "phase {phase}: {:?}", told.last());
    }
}

#[test]
fn bad_stays_bad_until_the_next_deployment() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.both(minutes(5), 20, 100);
    assert_eq!(told.last().verdict, Verdict::Bad);
    told.both(minutes(10), 20, 20);
    assert_eq!(told.last().verdict, Verdict::Bad);
    assert_eq!(told.last().would_change, "a new deployment, or the event `resolved`");
    told.event("deployed", 5, 5);
    told.both(minutes(30), 20, 20);
    assert_eq!(told.last().verdict, Verdict::Healthy);
}

#[test]
fn a_regression_that_begins_late_is_found_soon_after() {
    let mut told = Told::new();
    told.history(minutes(20), 20);
    told.both(minutes(60), 20, 20);
    let onset_s = told.now_s();
    told.both(minutes(20), 20, 60);
    assert_eq!(told.last().verdict, Verdict::Bad);
    assert!(told.at_s(Verdict::Bad) <= onset_s + minutes(4), "{}", told.at_s(Verdict::Bad) - onset_s);
}

#[test]
fn a_stream_without_an_arm_is_judged_against_its_own_past() {
    let mut told = Told::new();
    told.alone(minutes(20), 20);
    assert!(told.said.is_empty() || told.never(Verdict::Bad));
    let onset_s = told.now_s();
    told.alone(minutes(20), 60);
    assert_eq!(told.last().verdict, Verdict::Bad);
    assert!(told.at_s(Verdict::Bad) <= onset_s + minutes(6));
    let mut calm = Told::new();
    calm.alone(minutes(600), 20);
    assert!(calm.never(Verdict::Bad) && calm.never(Verdict::Healthy), "absence proves nothing");
}

#[test]
fn a_slower_canary_is_caught_and_an_equal_one_promoted() {
    let mut slow = Told::new();
    slow.latencies(minutes(20), None);
    slow.latencies(minutes(10), Some(1.5));
    assert_eq!(slow.last().verdict, Verdict::Bad);
    let because = &slow.last().because[0];
    assert!((1.3..1.7).contains(&because.effect.unwrap()), "{because:?}");
    let mut equal = Told::new();
    equal.latencies(minutes(20), None);
    equal.latencies(minutes(60), Some(1.0));
    assert_eq!(equal.last().verdict, Verdict::Healthy, "{:?}", equal.last());
}

#[test]
fn a_stricter_budget_needs_more_evidence() {
    let caught_s = |alpha: f64| {
        let mut told = Told::with(Settings { alpha, ..Settings::default() });
        told.history(minutes(20), 20);
        told.both(minutes(60), 20, 40);
        told.at_s(Verdict::Bad)
    };
    assert!(caught_s(0.0001) > caught_s(0.01));
}

#[test]
fn a_higher_level_of_the_canary_is_caught_and_an_equal_one_proves_nothing() {
    let run = |canary: f64| {
        let mut told = Told::new();
        told.levels(minutes(20), &[(Some(Arm::Baseline), 10.0)], 2.0);
        let arms = [(Some(Arm::Baseline), 10.0), (Some(Arm::Canary), canary)];
        told.levels(minutes(20), &arms, 2.0);
        told
    };
    assert_eq!(run(15.0).last().verdict, Verdict::Bad);
    let equal = run(10.0);
    assert!(equal.never(Verdict::Bad) && equal.never(Verdict::Healthy));
    assert!(run(5.0).never(Verdict::Bad), "lower is no regression");
}

#[test]
fn a_level_without_an_arm_alarms_when_it_leaves_what_is_usual() {
    let run = |after: f64| {
        let mut told = Told::new();
        told.levels(minutes(60), &[(None, 10.0)], 2.0);
        told.levels(minutes(20), &[(None, after)], 2.0);
        told
    };
    assert_eq!(run(30.0).last().verdict, Verdict::Bad);
    let usual = run(10.0);
    assert!(usual.said.is_empty() || usual.never(Verdict::Bad));
    let mut still = Told::new();
    still.levels(minutes(60), &[(None, 0.0)], 0.0);
    still.levels(minutes(20), &[(None, 5.0)], 0.0);
    assert_eq!(still.last().verdict, Verdict::Bad, "what never moved and then does");
}

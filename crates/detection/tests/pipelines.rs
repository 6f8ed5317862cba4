//! Flaky or broken: what the finding of a failed run says of another try.
#![allow(missing_docs, reason = "a test")]

mod common;

use common::{S, Service, run};
use homeostat_detection::ServiceState;
use homeostat_schema::failed_tests;
use homeostat_schema::types::{Event, Evidence, Status};
use proptest::prelude::*;

/// What six pipelines that were told of a lot add to a state; the module keeps no more.
const PIPELINES_BYTES_MAX: usize = 8 * 1024;

/// A run of a commit, named after it, and how an attempt of it ended; each minute has its own.
fn ended(commit: &str, attempt: u32, status: Status, minute: u64) -> Event {
    let mut event = run(&format!("run-of-{commit}"), attempt, status, minute * 60 * S);
    event.commit = Some(commit.into());
    event
}

fn failed(commit: &str, attempt: u32, minute: u64) -> Event {
    ended(commit, attempt, Status::Failure, minute)
}

fn passed(commit: &str, attempt: u32, minute: u64) -> Event {
    ended(commit, attempt, Status::Success, minute)
}

/// The last finding's word on another run.
fn rerun(service: &Service) -> Option<&Evidence> {
    let because = &service.findings.last()?.health.because;
    because.iter().find(|evidence| evidence.metric == Evidence::RERUN)
}

fn after(events: impl IntoIterator<Item = Event>) -> Service {
    Service::after(&events.into_iter().collect::<Vec<_>>())
}

fn told(events: impl IntoIterator<Item = Event>) -> Evidence {
    rerun(&after(events)).expect("a run failed that is known").clone()
}

/// Commits that fail twice each: nothing is chance there.
fn broken(commits: u64) -> Vec<Event> {
    (0..commits)
        .flat_map(|n| [1, 2].map(|attempt| failed(&format!("bad-{n}"), attempt, 2 * n + u64::from(attempt))))
        .collect()
}

/// Commits that fail and pass when they are run again.
fn flaky(commits: u64) -> Vec<Event> {
    let one = |n: u64| {
        let commit = format!("flaky-{n}");
        [failed(&commit, 1, 2 * n + 1), passed(&commit, 2, 2 * n + 2)]
    };
    (0..commits).flat_map(one).collect()
}

fn green(commits: u64) -> Vec<Event> {
    (0..commits).map(|n| passed(&format!("green-{n}"), 1, n + 1)).collect()
}

#[test]
fn the_first_failure_of_a_pipeline_nobody_knows_is_worth_another_run() {
    let evidence = told([failed("a", 1, 1)]);
    assert!(evidence.observed > evidence.bound, "{evidence:?}");
    assert_eq!((evidence.bound, evidence.samples, evidence.unit.as_str()), (1.0, 1, "{run}"));
    assert_eq!(
        evidence.text,
        "1 of 1 run of this commit failed; by 1 run of this pipeline it is flaky with a chance of \
         8.9 %: another run, at 5.0 % of what a person's look costs, is worth 1.95 times its cost"
    );
}

#[test]
fn the_same_commit_that_failed_again_is_not() {
    let evidence = told([failed("a", 1, 1), failed("a", 2, 2)]);
    assert!(evidence.observed < evidence.bound, "{evidence:?}");
    assert!(evidence.text.starts_with("2 of 2 runs of this commit failed; by 2 runs"), "{}", evidence.text);
    assert!(evidence.text.contains("is worth only 0.03 times its cost"), "{}", evidence.text);
    // Whoever starts another run of the same commit gets no other answer.
    let mut again = failed("a", 1, 3);
    again.correlation.run = Some("another".into());
    let evidence = told([failed("a", 1, 1), failed("a", 2, 2), again]);
    assert!(evidence.observed < 0.01 && evidence.samples == 3, "{evidence:?}");
}

#[test]
fn a_pipeline_that_is_broken_again_and_again_is_not_run_again_at_all() {
    let mut events = broken(5);
    events.push(failed("next", 1, 60));
    let evidence = told(events.clone());
    assert!(evidence.observed < evidence.bound && evidence.samples == 11, "{evidence:?}");
}

#[test]
fn a_pipeline_that_was_mended_is_trusted_again_in_time() {
    let after_green = |bad: u64, good: u64| {
        let mended = (0..good).map(|n| passed(&format!("mended-{n}"), 1, 100 + n));
        let evidence = told(broken(bad).into_iter().chain(mended).chain([failed("next", 1, 900)]));
        evidence.observed > evidence.bound
    };
    // It pays while fewer than one of six commits break it.
    assert_eq!([10, 30].map(|good| after_green(5, good)), [false, true]);
    assert_eq!([80, 120].map(|good| after_green(20, good)), [false, true]);
}

/// With the names of the tests that failed, as an event carries them.
fn in_tests(names: &[&str], event: Event) -> Event {
    let told = failed_tests::told(names.iter().copied()).expect("a name");
    Event { attributes: vec![(failed_tests::ATTRIBUTE.into(), told)], ..event }
}

#[test]
fn a_test_that_is_known_to_be_flaky_is_run_again_and_another_is_not() {
    // One test of the pipeline fails by itself now and then; commits are seldom broken.
    let one = |n: u64| {
        let commit = format!("flaky-{n}");
        let first = in_tests(&["pays.Total"], failed(&commit, 1, 3 * n + 1));
        [first, passed(&commit, 2, 3 * n + 2), passed(&format!("green-{n}"), 1, 3 * n + 3)]
    };
    let past = || (0..10).flat_map(one);
    let next = |names: &[&str]| told(past().chain([in_tests(names, failed("next", 1, 90))]));
    let (known, other) = (next(&["pays.Total"]), next(&["pays.Cart"]));
    assert!(known.observed > 10.0 * other.observed, "{} and {}", known.observed, other.observed);
    assert!(known.text.contains("failed in a test that fails by itself in"), "{}", known.text);
    let both = next(&["pays.Total", "pays.Cart"]);
    assert!(both.text.contains("in 2 tests, of which one fails by itself in no more than"), "{}", both.text);
    assert!(both.observed < other.observed, "that both are chance is less likely than that one is");
    // More than a few are the run as a whole.
    let whole = told(past().chain([failed("next", 1, 90)]));
    assert_eq!(next(&["a", "b", "c", "d", "e", "f"]).observed, whole.observed);
    for evidence in [&known, &other, &both] {
        assert!(!evidence.text.contains("pays"), "{}", evidence.text);
    }
}

#[test]
fn which_tests_failed_is_taken_whatever_the_order_and_only_where_it_may_be_believed() {
    let of = |events: Vec<Event>| {
        let mut service = after(events);
        service.take(&passed("later", 1, 50));
        String::from_utf8(service.state.encode()).expect("JSON")
    };
    let named = || in_tests(&["pays.Total", "pays.Cart"], failed("a", 1, 1));
    let other = || in_tests(&["pays.Cart", "pays.Total"], failed("a", 1, 1));
    let tests = |state: &str| state.contains("\"tests\":{\"0\":[");
    assert!(tests(&of(vec![named()])));
    assert_eq!(of(vec![named(), failed("a", 1, 1)]), of(vec![named()]));
    assert_eq!(of(vec![other()]), of(vec![named()]));
    for change in [
        |event: &mut Event| event.trust.signed = false,
        |event: &mut Event| event.trust.fresh = false,
        |event: &mut Event| event.correlation.run_attempt = Some(9),
        |event: &mut Event| event.status = Status::Success,
        |event: &mut Event| event.attributes[0].1 = "pays.Total".into(),
    ] {
        let mut event = named();
        change(&mut event);
        assert!(!tests(&of(vec![event])));
    }
}

#[test]
fn a_flaky_pipeline_is_tried_longer() {
    let mut events = flaky(8);
    events.extend([failed("next", 1, 60), failed("next", 2, 61)]);
    let evidence = told(events);
    assert!(evidence.observed > evidence.bound, "{evidence:?}");
    let mut events = green(8);
    events.extend([failed("next", 1, 60), failed("next", 2, 61)]);
    let evidence = told(events);
    assert!(evidence.observed < evidence.bound, "{evidence:?}");
}

#[test]
fn what_passed_on_the_same_commit_is_flaky() {
    let mut again = failed("a", 1, 2);
    again.correlation.run = Some("another".into());
    let evidence = told([passed("a", 1, 1), again]);
    assert_eq!(evidence.text, "1 of 2 runs of this commit failed; as it passed too, it is flaky");
    assert!(evidence.observed > evidence.bound);
}

#[test]
fn four_failures_after_a_long_green_time_are_no_chance() {
    let mut events = green(90);
    events.extend([1, 2, 3, 4].map(|attempt| failed("bad", attempt, 100 + u64::from(attempt))));
    let evidence = told(events);
    assert_eq!(evidence.observed, 0.0);
    assert!(evidence.text.contains("so much oftener than on this branch before"), "{}", evidence.text);
    assert_eq!(evidence.samples, 94);
}

#[test]
fn branches_and_names_have_their_own_history() {
    let elsewhere = |change: fn(&mut Event)| {
        let mut other = failed("next", 1, 60);
        change(&mut other);
        told(broken(5).into_iter().chain([other]))
    };
    let fresh = told([failed("next", 1, 60)]);
    assert_eq!(elsewhere(|event| event.branch = Some("feature".into())), fresh);
    assert_eq!(elsewhere(|event| event.branch = None), fresh);
    assert_eq!(elsewhere(|event| event.title = Some("nightly".into())), fresh);
}

#[test]
fn a_run_without_a_name_has_no_history_at_all() {
    let mut nameless = failed("a", 1, 1);
    nameless.title = None;
    assert_eq!(rerun(&after([nameless])), None);
}

#[test]
fn a_run_without_a_commit_is_like_itself_only() {
    let nameless = |run: &str, attempt, minute| {
        let mut event = failed(run, attempt, minute);
        event.commit = None;
        event
    };
    let evidence = told([nameless("a", 1, 1), nameless("a", 2, 2)]);
    assert!(evidence.text.starts_with("2 of 2 runs"), "{}", evidence.text);
    let evidence = told([nameless("a", 1, 1), nameless("b", 1, 2)]);
    assert!(evidence.text.starts_with("1 of 1 run"), "{}", evidence.text);
}

#[test]
fn what_may_not_be_believed_teaches_nothing() {
    let next = || failed("next", 1, 900);
    let clean = told(green(3).into_iter().chain([next()]));
    let check = |spoil: fn(&mut Event)| {
        let mut spoilt = [broken(20), flaky(20)].concat();
        spoilt.iter_mut().for_each(spoil);
        // So many that each of the others had to make room.
        let events = green(3).into_iter().chain(spoilt).chain([next()]);
        assert_eq!(told(events), clean);
    };
    check(|event| event.trust.fork = true);
    check(|event| event.trust.test = true);
    check(|event| event.trust.late = true);
    check(|event| event.trust.signed = false);
    check(|event| event.trust.fresh = false);
}

#[test]
fn of_a_forks_run_nothing_is_said() {
    let mut fork = failed("a", 1, 1);
    fork.trust.fork = true;
    assert_eq!(rerun(&after([fork])), None);
    // Not even when only one of its deliveries said so.
    let mut fork = ended("a", 1, Status::Running, 1);
    fork.trust.fork = true;
    assert_eq!(rerun(&after([fork, failed("a", 1, 2)])), None);
}

#[test]
fn short_lived_branches_do_not_push_the_main_one_out() {
    let mut events = green(40);
    for n in 0..60 {
        let mut other = failed(&format!("feature-{n}"), 1, 100 + n);
        other.branch = Some(format!("feature-{n}"));
        events.push(other);
    }
    events.push(failed("next", 1, 500));
    assert_eq!(told(events).samples, 41);
}

#[test]
fn a_pipeline_not_heard_of_for_long_makes_room_first() {
    let on = |branch: &str, minute: u64, n: u64| {
        let mut event = passed(&format!("{branch}-{n}"), 1, minute + n);
        event.branch = Some(branch.to_owned());
        event
    };
    const MONTH: u64 = 40 * 24 * 60;
    let mut events: Vec<Event> = (0..20).map(|n| on("old", 0, n)).collect();
    for branch in 0..7 {
        events.extend((0..12).map(|n| on(&format!("new-{branch}"), MONTH + 100 * branch, n)));
    }
    let mut last = failed("next", 1, MONTH + 10_000);
    last.branch = Some("old".to_owned());
    events.push(last);
    assert_eq!(told(events).samples, 1);
}

#[test]
fn the_health_of_the_service_is_as_without_it() {
    let service = after([failed("a", 1, 1)]);
    let finding = &service.findings[0].health;
    let metrics: Vec<_> = finding.because.iter().map(|evidence| evidence.metric.as_str()).collect();
    assert_eq!(metrics, ["run", Evidence::RERUN]);
    // One part of five is wholly bad, and nothing is known of the others.
    assert_eq!(finding.score, 16.0);
    assert!(service.health().because.iter().all(|evidence| evidence.metric != Evidence::RERUN));
}

#[test]
fn states_from_before_are_read() {
    let old = br#"{"schema":1,"releases":[],"runs":[{"key":"r","mark":{"attempt":1,"progress":"failure","at_ms":1000,
        "seen_ms":1000,"event":"e"},"branch":"main","title":"ci","fork":false}],
        "window":{"items":[],"from_ms":0,"from_event":""},"released_ms":0,"latency_open":false,"errors_open":false,
        "telemetry":{"last_at_ms":0,"last_seen_ms":0,"last_event":"","intervals_ms":[],"blind":false,"signed":false}}"#;
    let mut service = Service { state: ServiceState::decode(Some(old)).unwrap(), ..Service::default() };
    service.take(&run("r", 2, Status::Failure, 60 * S));
    let evidence = rerun(&service).unwrap();
    assert!(evidence.text.starts_with("1 of 1 run of this commit failed"), "{}", evidence.text);
}

#[test]
fn what_is_kept_of_pipelines_is_small() {
    let without = after(green(12)).state.encode().len();
    let with = after(green(500)).state.encode().len();
    let mut many = Vec::new();
    for n in 0..600 {
        let mut event = failed(&format!("{n:040x}"), 1 + u32::try_from(n % 4).unwrap(), n);
        event.branch = Some(format!("branch-{}", n % 6));
        many.push(event);
    }
    let worst = after(many).state.encode().len();
    assert!(with - without <= PIPELINES_BYTES_MAX / 6, "{with} {without}");
    assert!(worst - without <= PIPELINES_BYTES_MAX, "{worst} {without}");
}

#[test]
fn a_state_with_pipelines_survives_being_stored_at_any_point() {
    let events = [broken(6), flaky(6), green(6)].concat();
    let whole = after(events.clone());
    let mut stored = Service::default();
    for event in &events {
        stored.take(event);
        stored.state = ServiceState::decode(Some(&stored.state.encode())).unwrap();
    }
    assert_eq!(stored.state, whole.state);
    assert_eq!(stored.findings, whole.findings);
}

/// Deliveries about a few runs, each with its own time, and the same in another order.
fn deliveries() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    let status =
        prop::sample::select(vec![Status::Running, Status::Success, Status::Failure, Status::Cancelled]);
    let one = (0..4_u8, 1..4_u32, status, 0..3_u8);
    prop::collection::vec(one, 1..16).prop_flat_map(|all| {
        let all = (1..).zip(all).map(|(minute, (run, attempt, status, commit))| {
            let mut event = ended(&format!("r{run}"), attempt, status, minute);
            // Runs share commits, each its own.
            event.commit = Some(format!("c{}", run % 2));
            event.trust.fork = commit == 0 && run == 3;
            event
        });
        let all: Vec<Event> = all.collect();
        (Just(all.clone()), Just(all).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn the_order_of_deliveries_does_not_change_what_is_thought((one, other) in deliveries()) {
        let last = failed("next", 1, 100);
        let told = |events: &[Event]| told(events.iter().cloned().chain([last.clone()]));
        prop_assert_eq!(told(&one), told(&other));
    }

    #[test]
    fn duplicates_do_not_change_what_is_thought((one, other) in deliveries()) {
        let last = failed("next", 1, 100);
        let once = told(one.iter().cloned().chain([last.clone()]));
        let twice = told(one.iter().cloned().chain(other).chain([last.clone(), ]));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn the_number_is_always_one(runs in prop::collection::vec((0..30_u8, 1..20_u32, any::<bool>()), 1..80)) {
        let mut service = Service::default();
        for (minute, (commit, attempt, passes)) in (1..).zip(runs) {
            let status = if passes { Status::Success } else { Status::Failure };
            service.take(&ended(&format!("c{commit}"), attempt, status, minute));
            if let Some(evidence) = rerun(&service) {
                prop_assert!((0.0..=1000.0).contains(&evidence.observed), "{evidence:?}");
                prop_assert!(evidence.samples > 0 && !evidence.text.contains("NaN"), "{evidence:?}");
            }
        }
    }
}

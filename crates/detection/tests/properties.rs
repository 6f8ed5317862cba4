//! What holds of any events in any order.
#![allow(missing_docs, reason = "a test")]

mod common;

use common::{ENV, S, SERVICE, Service, deployment, errors, event, latency, run, settings};
use homeostat_detection::{ServiceState, StoredError, health, observe, recheck};
use homeostat_schema::types::{Correlation, Event, EventKind, FindingKind, Health, Signal, Status, Verdict};
use proptest::prelude::*;

/// Beyond any state that real names make; the module header says why it is enough.
const ENCODED_BYTES_MAX: usize = 28 * 1024;

fn statuses() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![
        Status::Queued,
        Status::Waiting,
        Status::Running,
        Status::Success,
        Status::Failure,
        Status::Cancelled,
        Status::Skipped,
        Status::Superseded,
        Status::Firing,
        Status::Unknown,
        Status::Other("odd".into()),
    ])
}

fn kinds() -> impl Strategy<Value = EventKind> {
    prop::sample::select(vec![
        EventKind::Deployment,
        EventKind::Rollback,
        EventKind::Run,
        EventKind::Job,
        EventKind::Alert,
        EventKind::Observation,
        EventKind::Other("odd".into()),
    ])
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..1.0, 0.0..5000.0, any::<f64>(), Just(0.0), Just(1.0)]
}

fn times() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..600 * S, 1 => any::<u64>()]
}

fn names() -> impl Strategy<Value = Option<String>> {
    prop_oneof![4 => "[a-e]".prop_map(Some), 1 => ".{0,200}".prop_map(Some), 1 => Just(None)]
}

prop_compose! {
    fn signals()(
        name in prop::sample::select(vec!["latency-ms", "error-rate", "error_rate", "requests", "cpu"]),
        value in numbers(),
        samples in prop_oneof![Just(0), Just(1), 2..1000_u64, any::<u64>()],
        unit in prop::sample::select(vec!["1", "ms", "s", "%"]),
    ) -> Signal {
        Signal { name: name.into(), value, unit: unit.into(), samples }
    }
}

prop_compose! {
    fn events()(
        kind in kinds(),
        status in statuses(),
        at in times(),
        delay in prop_oneof![0..10 * S, any::<u64>()],
        version in names(),
        commit in names(),
        deployment in names(),
        run in names(),
        attempt in prop::option::of(any::<u32>()),
        latency in prop::option::of(numbers()),
        signals in prop::collection::vec(signals(), 0..4),
        flags in any::<[bool; 5]>(),
        id in "[a-z0-9]{1,3}|.{0,200}",
    ) -> Event {
        let mut event = event(kind, status, at);
        event.received_at = at.saturating_add(delay);
        (event.id, event.version, event.commit) = (id, version, commit);
        event.correlation = Correlation { run, run_attempt: attempt, deployment, pull_request: None };
        (event.latency, event.signals) = (latency, signals);
        let [fork, late, test, signed, irreversible] = flags;
        (event.trust.fork, event.trust.late, event.trust.test) = (fork, late && test, test && fork);
        (event.trust.signed, event.irreversible) = (signed, irreversible);
        event
    }
}

fn is_sound(health: &Health) -> bool {
    let sound = health.because.iter().all(|one| {
        one.observed.is_finite() && one.bound.is_finite() && one.events.len() <= 8 && !one.text.is_empty()
    });
    sound && (0.0..=100.0).contains(&health.score)
}

/// One subject's deliveries, attempts and all, each with its own time.
fn deliveries(make: fn(u32, Status, u64) -> Event) -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    let one = (1..4_u32, statuses(), 0..50_u64)
        .prop_map(move |(attempt, status, at)| make(attempt, status, at * S));
    prop::collection::vec(one, 1..12)
        .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
}

proptest! {
    #[test]
    fn a_runs_deliveries_end_in_the_same_state_in_any_order(
        (one, other) in deliveries(|attempt, status, at| run("r", attempt, status, at)),
    ) {
        prop_assert_eq!(Service::after(&one).state, Service::after(&other).state);
    }

    #[test]
    fn a_deployments_deliveries_end_in_the_same_state_in_any_order(
        (one, other) in deliveries(|_, status, at| deployment("d", "v", status, at)),
    ) {
        prop_assert_eq!(Service::after(&one).state, Service::after(&other).state);
    }

    #[test]
    fn observations_of_one_release_end_in_the_same_window(
        (one, other) in prop::collection::vec((0..50_u64, 0.0..900.0), 1..20)
            .prop_map(|all| all.into_iter().map(|(at, ms)| latency(ms, at * S)).collect::<Vec<_>>())
            .prop_map(|mut all| { all.dedup_by_key(|one| one.id.clone()); all })
            .prop_filter("one event per time", |all| {
                let mut ids: Vec<_> = all.iter().map(|one| &one.id).collect();
                ids.sort();
                ids.dedup();
                ids.len() == all.len()
            })
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let assess = |events: &[Event]| {
            let correlation = Correlation { run: None, run_attempt: None, deployment: None, pull_request: None };
            Service::after(events).assess(FindingKind::LatencyHigh, correlation, 0)
        };
        prop_assert_eq!(assess(&one), assess(&other));
    }

    #[test]
    fn duplicates_change_nothing(all in prop::collection::vec(events(), 1..30)) {
        let mut service = Service::default();
        for event in &all {
            service.take(event);
            let (state, found) = (service.state.clone(), service.findings.len());
            service.take(event);
            prop_assert_eq!(&service.state, &state);
            prop_assert_eq!(service.findings.len(), found);
        }
    }

    #[test]
    fn any_events_leave_a_sound_bounded_state(
        all in prop::collection::vec((events(), any::<u64>()), 1..60),
    ) {
        let mut state = ServiceState::default();
        for (event, now_ms) in &all {
            let observed = observe(state, event, &settings(), *now_ms);
            let after = health(&observed.state, &settings(), *now_ms);
            prop_assert!(is_sound(&after), "{after:?}");
            for finding in &observed.findings {
                prop_assert!(is_sound(&finding.health));
            }
            let rechecked = recheck(observed.state, ENV, SERVICE, &settings(), *now_ms);
            prop_assert!(is_sound(&health(&rechecked.state, &settings(), *now_ms)));
            let bytes = rechecked.state.encode();
            prop_assert!(bytes.len() <= ENCODED_BYTES_MAX, "{} bytes", bytes.len());
            state = ServiceState::decode(Some(&bytes)).expect("what was encoded");
            prop_assert_eq!(&state, &rechecked.state);
        }
        let mut service = Service::default();
        (service.state, service.now_ms) = (state, 600 * S);
        for kind in [FindingKind::DeploymentFailed, FindingKind::RunFailed, FindingKind::ErrorRateHigh] {
            let correlation = all[0].0.correlation.clone();
            prop_assert!(is_sound(&service.assess(kind, correlation, all[0].1)));
        }
    }

    #[test]
    fn silence_alone_is_never_bad(n in 3..20_u64, silence in 0..1_000_000 * S) {
        let all: Vec<_> = (1..=n).map(|i| latency(100.0, i * 10 * S)).collect();
        let mut service = Service::after(&all);
        service.recheck(n * 10 * S + silence);
        prop_assert_ne!(service.health().verdict, Verdict::Bad);
    }

    #[test]
    fn a_service_within_its_bounds_has_no_findings(
        all in prop::collection::vec((0.0..=1000.0, 0.0..=0.05, 1..10_000_u64), 1..60),
    ) {
        let mut service = Service::default();
        for (i, (ms, rate, samples)) in (1..).zip(all) {
            service.take(&latency(ms, i * 10 * S));
            service.take(&errors(rate, samples, i * 10 * S + 1));
        }
        prop_assert_eq!(service.kinds(), []);
    }
}

#[test]
fn a_usual_state_is_small() {
    let mut service = Service::default();
    for i in 1..=3 {
        service.take(&deployment(
            &format!("123456789{i}"),
            &format!("v1.2.{i}"),
            Status::Success,
            i * 1000 * S,
        ));
        service.take(&run(&format!("98765432{i}"), 1, Status::Failure, i * 1000 * S));
    }
    for i in 1..=20 {
        service.take(&latency(123.456, 4000 * S + i * 10 * S));
    }
    let bytes = service.state.encode().len();
    assert!(bytes <= 4096, "{bytes} bytes");
}

#[test]
fn what_is_no_state_is_refused() {
    assert_eq!(ServiceState::decode(None).unwrap(), ServiceState::default());
    assert!(matches!(ServiceState::decode(Some(b"")), Err(StoredError::Json { .. })));
    assert!(matches!(ServiceState::decode(Some(b"{}")), Err(StoredError::Json { .. })));
    assert!(matches!(ServiceState::decode(Some(b"{\"schema\":1}")), Err(StoredError::Json { .. })));
    assert!(matches!(
        ServiceState::decode(Some(b"{\"schema\":2,\"x\":1}")),
        Err(StoredError::UnknownForm { found: 2, .. })
    ));
    assert!(ServiceState::decode(Some(&[0xff; 64])).is_err());
}

#[test]
fn the_longest_names_leave_the_state_within_its_bound() {
    let mut service = Service::default();
    for i in 1..=100 {
        // Four bytes a character, quotes doubled by JSON: nothing is longer.
        let long = format!("{}{i}", "🜁\"".repeat(500));
        let mut bad = deployment(&long, &long, Status::Failure, i * S);
        (bad.id, bad.commit) = (long.clone(), Some(long.clone()));
        service.take(&bad);
        let mut bad = run(&long, 1, Status::Failure, i * S);
        let branch = format!("{}{}", i % 6, "🜁\"".repeat(500));
        (bad.id, bad.commit) = (long.clone(), Some(long.clone()));
        (bad.title, bad.branch) = (Some(branch.clone()), Some(branch));
        service.take(&bad);
        let mut slow = latency(f64::MAX, i * S);
        slow.id = long.clone();
        slow.signals = errors(0.123_456_789_012_345_67, u64::MAX, 0).signals;
        service.take(&slow);
    }
    let bytes = service.state.encode().len();
    assert!((4096..=ENCODED_BYTES_MAX).contains(&bytes), "{bytes} bytes");
}

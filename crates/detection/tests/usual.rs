//! What is usual of a service without a second version, learned and left.
#![allow(missing_docs, reason = "a test")]

mod common;
mod simulate;

use common::{S, SERVICE, Service, errors, event, latency};
use homeostat_detection::{ServiceState, Settings};
use homeostat_schema::config::Config;
use homeostat_schema::types::{Event, EventKind, Signal, Status, Verdict};
use simulate::Chance;

const STEP: u64 = 300 * S;
const DAY: u64 = 288;

/// Requests of five minutes, of which so many fail.
fn told(chance: &mut Chance, share: f64, step: u64) -> Event {
    let tally = chance.tally(3_000, share, 1);
    errors(tally.bad as f64 / tally.total as f64, tally.total, step * STEP)
}

fn reason(service: &Service) -> Option<&str> {
    let because = service.health().because.iter().find(|because| because.metric == "usual");
    because.map(|because| because.text.as_str())
}

#[test]
fn errors_far_above_the_usual_and_below_the_bound_are_told_and_open_nothing() {
    let (mut service, mut chance) = (Service::default(), Chance::of(1));
    let learned = 3 * DAY;
    for step in 1..learned {
        service.take(&told(&mut chance, 0.002, step));
        assert_eq!(reason(&service), None, "{step}");
    }
    let found = (learned..learned + 24).find(|step| {
        service.take(&told(&mut chance, 0.04, *step));
        reason(&service).is_some()
    });
    let found = found.expect("it is found within two hours");
    let text = reason(&service).expect("found").to_owned();
    assert!(text.contains("of requests fail, usually 0.2"), "{text}");
    assert_eq!((service.health().verdict, service.kinds().len()), (Verdict::Watching, 0));
    // The state is stored and read at any time, and an hour later it is the new usual.
    service.state = ServiceState::decode(Some(&service.state.encode())).expect("just written");
    assert!(service.state.encode().len() < 12 * 1024, "{}", service.state.encode().len());
    (found + 1..found + 14).for_each(|step| service.take(&told(&mut chance, 0.04, step)));
    assert_eq!(reason(&service), None);
}

#[test]
fn a_month_of_a_healthy_service_is_nothing_to_tell() {
    let (mut service, mut chance) = (Service::default(), Chance::of(2));
    for step in 1..30 * DAY {
        // Latency follows the time of day; a few requests fail, in some hours none.
        let daily = 100.0 + 40.0 * (step as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        let noise = (chance.tally(1000, 0.5, 1).bad as f64 - 500.0) / 10.0;
        service.take(&latency(daily + noise, step * STEP));
        let share = if step % 12 == 0 { 0.0 } else { 0.0005 };
        service.take(&told(&mut chance, share, step));
        assert_eq!(reason(&service), None, "{step}");
    }
}

#[test]
fn slower_than_usual_at_any_time_of_day_is_told() {
    let (mut service, mut chance) = (Service::default(), Chance::of(3));
    let learned = 6 * DAY;
    let mut at = |service: &mut Service, step: u64, times: f64| {
        let daily = 100.0 + 40.0 * (step as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        let noise = (chance.tally(1000, 0.5, 1).bad as f64 - 500.0) / 10.0;
        service.take(&latency(times * daily + noise, step * STEP));
    };
    (1..learned).for_each(|step| at(&mut service, step, 1.0));
    assert_eq!(reason(&service), None);
    let found = (learned..learned + 36).find(|step| {
        at(&mut service, *step, 2.5);
        reason(&service).is_some()
    });
    assert!(found.is_some(), "it is found within three hours");
    assert_eq!(service.kinds(), []);
}

#[test]
fn late_reports_and_those_told_twice_change_nothing() {
    let (mut service, mut chance) = (Service::default(), Chance::of(4));
    (1..50).for_each(|step| service.take(&told(&mut chance, 0.002, step)));
    let before = service.state.clone();
    let mut late = event(EventKind::Observation, Status::Unknown, 20 * STEP);
    late.signals = vec![Signal { name: "error-rate".into(), value: 0.9, unit: "1".into(), samples: 1000 }];
    late.received_at = 49 * STEP;
    service.take(&late);
    assert_eq!(service.state.encode(), before.encode());
}

#[test]
fn whether_the_time_of_day_matters_is_set_for_a_service() {
    let text = format!(
        "[environments.prod]\nseasonal = false\n[[service]]\nname = \"{SERVICE}\"\n\
         judge = {{ stage = {{ seasonal = false }} }}\n"
    );
    let config = Config::from_toml(&text, "homeostat.toml").expect("it is valid");
    let seasonal = |env: &str, service: &str| Settings::of(&config, env, service, 1).seasonal;
    assert_eq!([seasonal("prod", "a"), seasonal("stage", "a")], [false, true]);
    assert!(!seasonal("stage", SERVICE));
}

//! Capacity: when the queue passes, how many replicas, and no hurry to have fewer.

use homeostat_detection::capacity::{Ahead, Capacity, HOLD_MS, Judged, Now, Scale, Settings, Verdict};
use proptest::prelude::*;

const MINUTE: u64 = 60_000;

/// A replica takes 10 items a second; 6,000 may wait.
const SETTINGS: Settings =
    Settings { queue_max: 6_000.0, per_replica: 10.0, replicas_min: 2, replicas_max: 20 };

fn at(minute: u64, replicas: u32, queue: f64, load: f64) -> Now {
    Now { at_ms: minute * MINUTE, replicas, queue, load }
}

/// The same bound for the whole hour.
fn level(load_max: f64) -> Vec<Ahead> {
    vec![Ahead { in_ms: 60 * MINUTE, load_max }, Ahead { in_ms: 1, load_max }]
}

fn once(now: Now, ahead: &[Ahead]) -> Judged {
    Capacity::default().observe(&now, ahead, &SETTINGS)
}

#[test]
fn the_queue_passes_when_it_does_by_hand() {
    let check = |now: Now, ahead: &[Ahead], expected: Option<u64>| {
        let judged = once(now, ahead);
        assert_eq!(judged.passes_in_ms, expected, "{}", judged.text);
        let verdict = if expected.is_some() { Verdict::Passing } else { Verdict::Enough };
        assert_eq!(judged.verdict, verdict);
    };
    // 45/s arrive at most, 40/s are taken: 5/s remain, 6,000 after 20 min.
    check(at(0, 4, 0.0, 45.0), &level(45.0), Some(20 * MINUTE + 15_000));
    check(at(0, 4, 3_000.0, 45.0), &level(45.0), Some(10 * MINUTE + 15_000));
    check(at(0, 4, 0.0, 40.0), &level(40.0), None);
    // 1/s remains: 3,600 after the hour, and nobody knows further.
    check(at(0, 4, 0.0, 41.0), &level(41.0), None);
    check(at(0, 4, 6_001.0, 0.0), &level(0.0), Some(0));
    // From 40/s to 60/s within the hour: 20·t²/7200 = 6,000 after 1,469.7 s.
    check(at(0, 4, 0.0, 40.0), &[Ahead { in_ms: 60 * MINUTE, load_max: 60.0 }], Some(1_470_000));
    // The bound reaches ten minutes only.
    check(at(0, 4, 0.0, 45.0), &[Ahead { in_ms: 10 * MINUTE, load_max: 45.0 }], None);
    // No replica at all.
    check(at(0, 0, 0.0, 100.0), &level(100.0), Some(MINUTE + 15_000));
}

#[test]
fn more_replicas_are_wanted_at_once() {
    let check = |now: Now, ahead: &[Ahead], expected: Scale| {
        let judged = once(now, ahead);
        assert_eq!(judged.scale, expected, "{}", judged.text);
    };
    // 45/s at 7/s a replica.
    check(at(0, 4, 0.0, 45.0), &level(45.0), Scale::Up { by: 3, to: 7 });
    // What waits is worked off in ten minutes: 5/s more.
    check(at(0, 4, 3_000.0, 45.0), &level(45.0), Scale::Up { by: 4, to: 8 });
    check(at(0, 7, 0.0, 45.0), &level(45.0), Scale::Stay);
    check(at(0, 4, 0.0, 45.0), &level(1_000.0), Scale::Up { by: 16, to: 20 });
    check(at(0, 1, 0.0, 0.0), &level(0.0), Scale::Up { by: 1, to: 2 });
    // The load of an hour from now does not count before the queue is about to pass.
    let late = [Ahead { in_ms: 50 * MINUTE, load_max: 28.0 }, Ahead { in_ms: 60 * MINUTE, load_max: 60.0 }];
    check(at(0, 4, 0.0, 28.0), &late, Scale::Stay);
    let text = once(at(0, 4, 0.0, 45.0), &level(45.0)).text;
    assert_eq!(
        text,
        "the queue holds 0 of 6000 and passes its limit in 20 min: 45.0/s arrive, at most 45.0/s within 60 min, \
         4 replicas take 40.0/s; scale up by 3 to 7"
    );
}

#[test]
fn with_the_bound_at_the_load_it_is_what_kubernetes_would_scale_to() {
    for load in 1_u32..130 {
        let now = at(0, 9, 0.0, f64::from(load));
        // Multiples of 7 are left out: there its formula is a rounding error away from one more.
        // HPA: ceil(current · utilisation / target), utilisation = load / (current · capacity).
        let hpa = (9.0 * (f64::from(load) / 90.0) / 0.7_f64).ceil();
        let wanted = once(now, &level(f64::from(load))).wanted.unwrap();
        let expected = hpa.clamp(2.0, 20.0);
        assert!((f64::from(wanted) - expected).abs() < 1e-9 || load % 7 == 0, "{load}: {wanted} {expected}");
    }
}

#[test]
fn fewer_only_after_five_minutes_that_all_agree() {
    let mut capacity = Capacity::default();
    let mut look =
        |minute: u64, load: f64| capacity.observe(&at(minute, 10, 0.0, load), &level(load), &SETTINGS).scale;
    assert_eq!(look(0, 20.0), Scale::Stay);
    assert_eq!(
        (look(1, 20.0), look(2, 40.0), look(3, 20.0), look(4, 20.0)),
        (Scale::Stay, Scale::Stay, Scale::Stay, Scale::Stay)
    );
    // The most that was wanted in the five minutes: 40/s.
    assert_eq!(look(5, 20.0), Scale::Down { by: 4, to: 6 });
    // All ten were wanted in between: the five minutes begin anew.
    assert_eq!(look(6, 70.0), Scale::Stay);
    assert_eq!((look(7, 20.0), look(9, 20.0), look(11, 20.0)), (Scale::Stay, Scale::Stay, Scale::Stay));
    assert_eq!(look(12, 20.0), Scale::Down { by: 7, to: 3 });
    // And after a gap, since nobody knows.
    assert_eq!((look(40, 20.0), look(42, 20.0), look(44, 20.0)), (Scale::Stay, Scale::Stay, Scale::Stay));
    assert_eq!(look(45, 20.0), Scale::Down { by: 7, to: 3 });
}

#[test]
fn the_finding_closes_after_five_calm_minutes() {
    let mut capacity = Capacity::default();
    let mut look =
        |minute: u64, load: f64| capacity.observe(&at(minute, 4, 0.0, load), &level(load), &SETTINGS).verdict;
    assert_eq!(look(0, 30.0), Verdict::Enough);
    assert_eq!(look(1, 50.0), Verdict::Passing);
    let calm: Vec<_> = (2..8).map(|minute| look(minute, 30.0)).collect();
    assert_eq!(calm[..5], [Verdict::Passing; 5]);
    assert_eq!(calm[5], Verdict::Enough);
    assert_eq!(HOLD_MS, 5 * MINUTE);
}

#[test]
fn without_a_bound_it_is_blind() {
    let check = |now: Now, ahead: &[Ahead], settings: Settings| {
        let judged = Capacity::default().observe(&now, ahead, &settings);
        assert_eq!((judged.verdict, judged.scale, judged.wanted), (Verdict::Blind, Scale::Stay, None));
    };
    check(at(0, 4, 0.0, 10.0), &[], SETTINGS);
    check(at(0, 4, 0.0, 10.0), &level(f64::NAN), SETTINGS);
    check(at(0, 4, 0.0, f64::INFINITY), &level(10.0), SETTINGS);
    check(at(0, 4, 0.0, 10.0), &level(10.0), Settings { per_replica: 0.0, ..SETTINGS });
    check(at(0, 4, 0.0, 10.0), &level(1e300), Settings { per_replica: 1e-300, ..SETTINGS });
}

fn looks() -> impl Strategy<Value = Vec<(u64, u32, f64, f64)>> {
    proptest::collection::vec((1_u64..4, 0_u32..30, 0.0..9_000.0, 0.0..300.0), 1..40)
}

proptest! {
    #[test]
    fn storing_and_repeating_and_other_units_change_nothing(looks in looks(), cut: prop::sample::Index) {
        let cut = cut.index(looks.len());
        let run = |unit: f64, disturbed: bool| {
            let settings = Settings { queue_max: 6_000.0 * unit, per_replica: 10.0 * unit, ..SETTINGS };
            let (mut capacity, mut minute, mut said) = (Capacity::default(), 0, Vec::new());
            for (number, (minutes, replicas, queue, load)) in looks.iter().enumerate() {
                minute += minutes;
                let now = at(minute, *replicas, queue * unit, load * unit);
                if disturbed && number == cut {
                    let bytes = capacity.encode();
                    assert!(bytes.len() <= 200, "{}", bytes.len());
                    capacity = Capacity::decode(Some(&bytes)).unwrap();
                }
                let judged = capacity.observe(&now, &level(load * unit), &settings);
                if disturbed {
                    let again = capacity.observe(&now, &level(load * unit), &settings);
                    assert_eq!(again, judged);
                }
                said.push((judged.verdict, judged.passes_in_ms, judged.scale));
            }
            said
        };
        prop_assert_eq!(run(1.0, true), run(1.0, false));
        // A power of two, which is exact.
        prop_assert_eq!(run(1024.0, false), run(1.0, false));
    }

    #[test]
    fn any_numbers_are_answered_within_the_bounds(
        (queue, load, bound, limit, each) in (any::<f64>(), any::<f64>(), any::<f64>(), any::<f64>(), any::<f64>()),
        in_ms in any::<u64>(), at_ms in any::<u64>(), replicas in any::<u32>(),
    ) {
        let settings = Settings { queue_max: limit, per_replica: each, ..SETTINGS };
        let now = Now { at_ms, replicas, queue, load };
        let judged = Capacity::default().observe(&now, &[Ahead { in_ms, load_max: bound }], &settings);
        prop_assert!(judged.wanted.is_none_or(|wanted| (2..=20).contains(&wanted)));
    }
}

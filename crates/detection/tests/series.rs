//! What holds of one series judged from its past.
#![allow(missing_docs, reason = "a test")]

use homeostat_detection::StoredError;
use homeostat_detection::series::{Judged, Note, Series, Settings, Verdict};
use proptest::prelude::*;

const MINUTE_MS: i64 = 60_000;
/// So many values are learned from, as docs/detect.md says.
const LEARNING: usize = 100;

/// Regular noise that is no random number: the same in every run.
fn noise(step: i64) -> f64 {
    let mixed = (step.wrapping_mul(0x09E3_779B_97F4_A7C1) ^ 0x5DEE_CE66).wrapping_mul(0x2545_F491_4F6C_DD1D);
    f64::from(u32::try_from(mixed.cast_unsigned() >> 33).unwrap_or(0)) / f64::from(1_u32 << 31)
}

/// Judges values that come every minute.
fn judge(values: impl IntoIterator<Item = f64>) -> Vec<Judged> {
    let (mut series, settings) = (Series::default(), Settings::default());
    let rows = (0_i64..).zip(values);
    rows.map(|(step, value)| series.observe(step * MINUTE_MS, Some(value), &settings)).collect()
}

/// A quiet series with something else from a row on.
fn with(from: usize, until: usize, change: impl Fn(f64) -> f64) -> Vec<Judged> {
    judge((0..3_000_i64).map(|step| {
        let value = 50.0 + 5.0 * noise(step);
        if (from..until).contains(&usize::try_from(step).unwrap_or(0)) { change(value) } else { value }
    }))
}

fn first_anomaly(judged: &[Judged], from: usize) -> Option<usize> {
    (from..judged.len()).find(|row| judged[*row].verdict == Verdict::Anomaly)
}

#[test]
fn the_first_values_are_learned_from() {
    let judged = judge((0..150).map(noise));
    assert!(judged[..LEARNING].iter().all(|row| row.verdict == Verdict::Learning && row.score == 0.0));
    assert!(judged[LEARNING..].iter().all(|row| row.verdict != Verdict::Learning));
}

#[test]
fn a_quiet_series_stays_normal() {
    let judged = with(0, 0, |value| value);
    let anomalies = judged.iter().filter(|row| row.verdict == Verdict::Anomaly).count();
    assert!(anomalies <= 3, "{anomalies} of 3,000");
    assert!(judged.iter().all(|row| !row.moved));
}

/// The stated run length is 100,000 values: of each direction ten false alarms in a million at most.
#[test]
fn a_shift_is_not_found_where_there_is_none() {
    let judged = judge((0..1_000_000_i64).map(|step| {
        // Noise with rare bursts, over a day that goes up and down.
        let day = (step % 1_440 - 720).abs();
        let burst = if noise(step + 5) < 0.01 { 30.0 } else { 0.0 };
        100.0 + noise(step) + burst + f64::from(u16::try_from(day).unwrap_or(0)) / 100.0
    }));
    let moved = judged.iter().filter(|row| row.moved).count();
    assert!(moved <= 20, "{moved} in a million");
}

#[test]
fn a_spike_a_drop_and_a_shift_are_found_at_once() {
    for change in [|value: f64| value + 60.0, |value: f64| value - 45.0, |value: f64| value * 3.0] {
        assert_eq!(first_anomaly(&with(2_000, 2_003, change), 2_000), Some(2_000));
        assert_eq!(first_anomaly(&with(2_000, 3_000, change), 2_000), Some(2_000));
    }
}

#[test]
fn a_small_shift_that_lasts_is_found_by_its_evidence() {
    let judged = with(2_000, 3_000, |value| value + 4.0);
    let moved = judged.iter().position(|row| row.moved);
    assert!(moved.is_some_and(|row| (2_001..2_200).contains(&row)), "{moved:?}");
}

#[test]
fn a_value_that_is_usual_at_another_time_of_day_is_an_anomaly() {
    let night = |step: i64| step.rem_euclid(1_440) < 480;
    let value = |step: i64| if night(step) { 10.0 } else { 100.0 } + noise(step);
    let judged = judge((0..14 * 1_440).map(|step| {
        // On the last day, an hour of the night is as the day.
        if (13 * 1_440 + 120..13 * 1_440 + 180).contains(&step) { 100.0 + noise(step) } else { value(step) }
    }));
    let from = 13 * 1_440 + 120;
    assert!(first_anomaly(&judged, from).is_some_and(|row| row < from + 10));
    let before = judged[11 * 1_440..from].iter().filter(|row| row.verdict == Verdict::Anomaly).count();
    assert!(before <= 2, "{before} on the two days before");
}

#[test]
fn an_episode_is_not_told_with_every_value() {
    let judged = with(2_000, 2_100, |value| value + 60.0);
    let told = judged[2_000..2_100].iter().filter(|row| row.verdict == Verdict::Anomaly).count();
    assert!((1..=10).contains(&told), "{told} of 100");
}

/// What is new is held against all that is remembered.
#[test]
fn the_more_of_noise_was_seen_the_less_of_it_is_new() {
    let judged = judge((0..15_000).map(noise));
    let anomalies = |rows: &[Judged]| rows.iter().filter(|row| row.verdict == Verdict::Anomaly).count();
    let [first, second, third] = [&judged[..5_000], &judged[5_000..10_000], &judged[10_000..]].map(anomalies);
    assert!(first <= 10 && second + third <= first, "{first}, {second}, {third}");
}

#[test]
fn rows_without_a_value_or_out_of_order_are_blind_and_change_nothing() {
    let settings = Settings::default();
    let mut series = Series::default();
    for step in 0..200 {
        series.observe(step * MINUTE_MS, Some(noise(step)), &settings);
    }
    let before = series.encode();
    let at_ms = 199 * MINUTE_MS;
    for value in [None, Some(f64::NAN), Some(f64::INFINITY)] {
        let judged = series.observe(at_ms + MINUTE_MS, value, &settings);
        assert_eq!((judged.verdict, judged.score, judged.note), (Verdict::Blind, 0.0, Some(Note::Missing)));
        assert_eq!(series.encode(), before);
    }
    let again = series.observe(at_ms, Some(1e9), &settings);
    assert_eq!(again.note, Some(Note::Duplicate));
    assert_eq!(series.encode(), before);
    let late = series.observe(at_ms - 1, Some(1e9), &settings);
    assert_eq!((late.verdict, late.note), (Verdict::Blind, Some(Note::Late(1))));
}

#[test]
fn the_first_value_after_a_gap_is_blind_unless_it_is_an_anomaly() {
    let settings = Settings::default();
    let check = |value: f64, expected: Verdict| {
        let mut series = Series::default();
        for step in 0..1_000 {
            series.observe(step * MINUTE_MS, Some(noise(step)), &settings);
        }
        let judged = series.observe(1_100 * MINUTE_MS, Some(value), &settings);
        assert_eq!((judged.verdict, judged.note), (expected, Some(Note::Gap(101 * 60_000))));
        let next = series.observe(1_101 * MINUTE_MS, Some(noise(1_101)), &settings);
        assert_eq!(next.verdict, Verdict::Normal);
    };
    check(0.5, Verdict::Blind);
    check(1e6, Verdict::Anomaly);
}

#[test]
fn a_year_of_one_second_values_keeps_its_precision() {
    let (mut series, settings) = (Series::default(), Settings::default());
    const YEAR_S: i64 = 365 * 86_400;
    // Noise is a millionth of the value, and the spike after a year a twenty-thousandth.
    let value = |step: i64| 1e6 + noise(step);
    let mut anomalies = 0;
    for step in 0..YEAR_S {
        let judged = series.observe(step * 1000, Some(value(step)), &settings);
        anomalies += u32::from(judged.verdict == Verdict::Anomaly);
    }
    // About one value of pure noise in 3,600 is unusual.
    assert!(i64::from(anomalies) < YEAR_S / 2_000, "{anomalies} in a year");
    let judged = series.observe(YEAR_S * 1000, Some(1e6 + 50.0), &settings);
    assert_eq!(judged.verdict, Verdict::Anomaly, "{judged:?}");
    assert!(series.encode().len() <= Series::BYTES_MAX);
}

#[test]
fn the_state_stays_below_its_bound() {
    let (mut series, settings) = (Series::default(), Settings::default());
    let mut most = 0;
    for step in 0..40_000_i64 {
        let spread = 10_f64.powf(12.0 * noise(step) - 6.0);
        series.observe(step * 5 * MINUTE_MS, Some(spread * (noise(step + 7) - 0.5)), &settings);
        if step % 500 == 0 {
            most = most.max(series.encode().len());
        }
    }
    assert!(most <= Series::BYTES_MAX, "{most} bytes");
}

#[test]
fn a_state_of_another_form_is_refused() {
    let mut bytes = Series::default().encode();
    bytes[0] = 9;
    assert!(matches!(Series::decode(Some(&bytes)), Err(StoredError::UnknownForm { found: 9, .. })));
    assert!(matches!(Series::decode(Some(&[])), Err(StoredError::Packed { .. })));
    assert!(Series::decode(None).is_ok_and(|series| series == Series::default()));
}

fn numbers() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        6 => (-1000.0..1000.0).prop_map(Some),
        1 => any::<f64>().prop_map(Some),
        1 => Just(Some(0.0)),
        1 => Just(Some(f64::MAX)),
        1 => Just(Some(f64::MIN_POSITIVE)),
        1 => Just(None),
    ]
}

fn rows() -> impl Strategy<Value = Vec<(i64, Option<f64>)>> {
    let time = prop_oneof![8 => 0..200_i64, 1 => any::<i64>()];
    prop::collection::vec((time, numbers()), 1..400)
}

proptest! {
    #[test]
    fn any_rows_give_a_score_from_0_to_1_and_a_state_that_comes_back(rows in rows(), sorted: bool) {
        let mut rows = rows;
        if sorted {
            rows.sort_by_key(|(at_ms, _)| *at_ms);
        }
        let settings = Settings::default();
        let (mut series, mut stored) = (Series::default(), Series::default());
        for (at_ms, value) in rows {
            let judged = series.observe(at_ms, value, &settings);
            prop_assert!((0.0..=1.0).contains(&judged.score), "{judged:?}");
            prop_assert!(series.evidence().is_finite());
            prop_assert_eq!(stored.observe(at_ms, value, &settings), judged);
            stored = Series::decode(Some(&stored.encode())).expect("what was written is read");
            prop_assert!(stored == series);
        }
    }

    #[test]
    fn a_row_is_judged_from_what_came_before(values in prop::collection::vec(-10.0..10.0_f64, 150..300), cut in 120_usize..150) {
        let (whole, part) = (judge(values.clone()), judge(values[..cut].to_vec()));
        prop_assert_eq!(&whole[..cut], &part[..]);
    }

    #[test]
    fn other_units_change_nothing(values in prop::collection::vec(-10.0..10.0_f64, 101..400), power in -30_i32..30) {
        let unit = 2.0_f64.powi(power);
        let (one, other) = (judge(values.clone()), judge(values.iter().map(|value| value * unit)));
        for (one, other) in one.iter().zip(&other) {
            prop_assert!((one.score - other.score).abs() < 1e-6, "{one:?} {other:?}");
        }
    }

    #[test]
    fn rows_told_twice_change_nothing(values in prop::collection::vec(-10.0..10.0_f64, 1..300)) {
        let settings = Settings::default();
        let (mut once, mut twice) = (Series::default(), Series::default());
        for (step, value) in (0_i64..).zip(values) {
            let first = once.observe(step * MINUTE_MS, Some(value), &settings);
            prop_assert_eq!(twice.observe(step * MINUTE_MS, Some(value), &settings), first);
            let again = twice.observe(step * MINUTE_MS, Some(value), &settings);
            prop_assert_eq!((again.score, again.verdict), (first.score, first.verdict));
        }
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn bytes_that_are_no_state_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        if let Ok(mut series) = Series::decode(Some(&bytes)) {
            series.observe(0, Some(1.0), &Settings::default());
        }
    }
}

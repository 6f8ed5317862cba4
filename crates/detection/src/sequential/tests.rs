use proptest::prelude::*;

use super::*;

fn arms(canary: (u64, u64), baseline: (u64, u64)) -> Arms {
    let tally = |(total, bad)| Tally { total, bad };
    Arms { canary: tally(canary), baseline: tally(baseline) }
}

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
}

const BATCHES: [Arms; 5] = {
    const fn of(nc: u64, ec: u64, nb: u64, eb: u64) -> Arms {
        Arms { canary: Tally { total: nc, bad: ec }, baseline: Tally { total: nb, bad: eb } }
    }
    [of(100, 1, 900, 4), of(120, 3, 1080, 6), of(90, 2, 810, 3), of(110, 4, 990, 5), of(100, 3, 900, 4)]
};

#[test]
fn the_mixture_has_the_known_values() {
    let check = |ratio, tempering, expected: [f64; 5]| {
        let mut mixture = Mixture::new(Direction::Worse, ratio);
        for (batch, expected) in BATCHES.into_iter().zip(expected) {
            mixture.observe(batch, tempering);
            near(mixture.ln_e(), expected);
        }
    };
    check(
        1.0,
        1.0,
        [-0.016196457207490272, 1.3249905292153215, 2.5361061659674613, 5.504537115311384, 7.819745358383382],
    );
    check(
        1.25,
        1.0,
        [-0.16571621528418218, 0.84545266265704, 1.7858613297079684, 4.117415726122673, 5.933004941804303],
    );
    check(
        1.0,
        0.5,
        [-0.04009481166156628, 0.6022727663471515, 1.170497546553112, 2.537173938673258, 3.6098991610164752],
    );
}

#[test]
fn the_bet_has_the_known_values() {
    let mut bet = BoundedBet::new(0.0);
    let batches = [arms((100, 1), (900, 4)), arms((120, 3), (1080, 6)), arms((90, 4), (810, 3))];
    for (batch, expected) in
        batches.into_iter().zip([0.06583975749554297, 0.23783692489969285, 0.4542075007618304])
    {
        bet.observe(batch);
        near(bet.ln_e(), expected);
    }
}

#[test]
fn the_symmetric_test_has_the_known_values() {
    let mut test = Symmetric::new(60.0, 0.01);
    let differences = [1.0, 2.0, -1.0, 3.0, 2.0, 2.0, 1.0, 4.0, 2.0, 3.0];
    let expected = [
        0.25252361045078514,
        0.5972416404928734,
        0.3415330263392549,
        0.7000885622227321,
        0.9775427540715519,
        1.269470262147905,
        1.4482013320709808,
        1.846675897126747,
        2.139594569626009,
        2.5269759987403924,
    ];
    for (difference, expected) in differences.into_iter().zip(expected) {
        test.observe(difference);
        near(test.ln_e(), expected);
    }
}

#[test]
fn the_e_detector_has_the_known_values() {
    let mut detector = EDetector::new(0.05, 0.044);
    let errors = [1.0, 0.0, 2.0, 1.0, 6.0, 9.0, 12.0, 8.0, 15.0];
    let expected = [
        0.9777272727272727,
        1.4983772727272726,
        2.904485946280992,
        3.821434081806912,
        9.810700432890927,
        37.20335018023794,
        218.01302707806747,
        1012.9685795221094,
        9058.522887076935,
    ];
    for (errors, expected) in errors.into_iter().zip(expected) {
        detector.observe(errors / 500.0);
        assert!((detector.value() / expected - 1.0).abs() < 1e-9, "{} {expected}", detector.value());
    }
}

#[test]
fn the_normal_tail_joins_its_series() {
    near(number::ln_normal_cdf(0.0), 0.5_f64.ln());
    let (inside, beyond) = (number::ln_normal_cdf(-30.0), number::ln_normal_cdf(-30.0 - 1e-9));
    assert!((inside - beyond).abs() < 1e-5, "{inside} {beyond}");
    assert!(number::ln_normal_cdf(-1e6).is_finite());
}

#[test]
fn errors_one_by_one_are_not_bursty_and_bursts_are() {
    let estimate = |bad: fn(u64) -> u64| {
        let mut dispersion = Dispersion::default();
        (0..2_000).for_each(|at| dispersion.observe(Tally { total: 1_000, bad: bad(at) }));
        dispersion.estimate().unwrap()
    };
    near(estimate(|_| 10), 1.0);
    // Ten errors on average: none, or a hundred at once.
    let bursty = estimate(|at| if at * 7 % 10 == 0 { 100 } else { 0 });
    assert!((80.0..=110.0).contains(&bursty), "{bursty}");
    let mut young = Dispersion::default();
    young.observe(Tally { total: 10, bad: 1 });
    assert_eq!(young.tempering(), None);
}

#[test]
fn a_swapped_pair_of_arms_shows_improvement_and_no_regression() {
    let run = |swap: fn(Arms) -> Arms| {
        let mut worse = Mixture::new(Direction::Worse, 1.0);
        let mut not_worse = Mixture::new(Direction::NotWorse, 1.5);
        let mut bet = BoundedBet::new(0.02);
        for _ in 0..100 {
            let batch = swap(arms((500, 20), (500, 10)));
            worse.observe(batch, 1.0);
            not_worse.observe(batch, 1.0);
            bet.observe(batch);
        }
        (worse.ln_e(), not_worse.ln_e(), bet.ln_e())
    };
    let (worse, not_worse, bet) = run(|batch| batch);
    assert!(worse > 20.0 && not_worse < 0.0 && bet > 3.0, "{worse} {not_worse} {bet}");
    let (worse, not_worse, bet) = run(|batch| Arms { canary: batch.baseline, baseline: batch.canary });
    assert!(worse < 0.0 && not_worse > 20.0 && bet < 0.0, "{worse} {not_worse} {bet}");
}

#[test]
fn a_year_of_seconds_keeps_its_precision() {
    const YEAR: u64 = 365 * 24 * 3600;
    let batch = arms((50, 1), (50, 1));
    let (mut mixture, mut test) = (Mixture::new(Direction::Worse, 1.0), Symmetric::new(40.0, 0.01));
    for at in 0..YEAR {
        mixture.observe(batch, 1.0);
        test.observe(if at % 2 == 0 { 1.0 } else { -1.0 });
    }
    let mut one = Mixture::new(Direction::Worse, 1.0);
    one.observe(batch, 1.0);
    // The mildest ratio stands for all by now: a year is so many times its part in one second.
    let second: f64 = (1.25_f64 / 2.25).ln() + (1.0_f64 / 2.25).ln() - 2.0 * 0.5_f64.ln();
    let expected = 0.1_f64.ln() + second * crate::number::float(YEAR);
    assert!((mixture.ln_e() / expected - 1.0).abs() < 1e-9, "{} {expected}", mixture.ln_e());
    assert!(test.ln_e() < 0.0 && test.seen() == YEAR);
}

fn any_arms() -> impl Strategy<Value = Arms> {
    (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(a, b, c, d)| arms((a, b), (c, d)))
}

proptest! {
    #[test]
    fn no_finite_input_gives_a_number_that_is_none(
        batches in proptest::collection::vec((any_arms(), any::<f64>()), 0..40),
        ratio in any::<f64>(),
        share in any::<f64>(),
    ) {
        let mut mixture = Mixture::new(Direction::Worse, ratio);
        let (mut bet, mut test) = (BoundedBet::new(share), Symmetric::new(40.0, 0.01));
        let (mut detector, mut dispersion) = (EDetector::new(share, ratio), Dispersion::default());
        for (batch, value) in batches {
            mixture.observe(batch, 0.5);
            bet.observe(batch);
            test.observe(value);
            detector.observe(value);
            dispersion.observe(batch.baseline);
            for number in [mixture.ln_e(), bet.ln_e(), test.ln_e(), detector.value()] {
                prop_assert!(number.is_finite(), "{number} {mixture:?} {bet:?} {test:?} {detector:?}");
            }
        }
    }

    #[test]
    fn state_survives_its_form_at_any_point(
        batches in proptest::collection::vec((1_u64..1000, 0_u64..50, 1_u64..1000, 0_u64..50), 1..30),
        cut: prop::sample::Index,
    ) {
        let batches: Vec<_> = batches.into_iter().map(|(a, b, c, d)| arms((a, b), (c, d))).collect();
        let cut = cut.index(batches.len());
        let run = |interrupted: bool| {
            let mut mixture = Mixture::new(Direction::Worse, 1.0);
            for (at, batch) in batches.iter().enumerate() {
                if interrupted && at == cut {
                    let text = serde_json::to_string(&mixture).unwrap();
                    mixture = serde_json::from_str(&text).unwrap();
                }
                mixture.observe(*batch, 1.0);
            }
            mixture
        };
        prop_assert_eq!(run(true), run(false));
    }

    #[test]
    fn units_of_time_do_not_matter(bad in 0_u64..40, total in 40_u64..4000, parts in 2_u64..5) {
        // The same counts in one batch or in several of the same split.
        let mut whole = Mixture::new(Direction::Worse, 1.0);
        whole.observe(arms((total * parts, bad * parts), (total * parts, bad)), 1.0);
        let mut split = Mixture::new(Direction::Worse, 1.0);
        split.observe(arms((total, bad), (total, bad)), 1.0);
        (1..parts).for_each(|_| split.observe(arms((total, bad), (total, 0)), 1.0));
        prop_assert!((whole.ln_e() - split.ln_e()).abs() < 1e-6 * (1.0 + whole.ln_e().abs()));
    }
}

#[test]
fn all_the_stakes_of_any_onset_are_one() {
    // Bets that neither win nor lose keep the whole.
    let mut onset = Onset::any_time(0.8);
    let mut log = onset.ln_first();
    for _ in 0..1_000 {
        log = onset.next().joined_to(log);
        near(onset.with_what_is_left(log), 0.0);
    }
}

#[test]
fn what_begins_late_is_found_sooner_when_stakes_are_held_back() {
    let after = |mut mixture: Mixture| {
        (0..1_000).for_each(|_| mixture.observe(arms((500, 5), (500, 5)), 1.0));
        (1..).find(|_| {
            mixture.observe(arms((500, 15), (500, 5)), 1.0);
            mixture.ln_e() >= 100.0_f64.ln()
        })
    };
    let at_start = after(Mixture::new(Direction::Worse, 1.0)).unwrap();
    let any_time = after(Mixture::new(Direction::Worse, 1.0).with_onset(Onset::any_time(0.9))).unwrap();
    assert!(any_time * 5 < at_start, "{any_time} {at_start}");
}

#[test]
fn absence_is_evidence_and_presence_takes_it_back() {
    let mut absence = Absence::default();
    near(absence.ln_e(), 0.0);
    (0..100).for_each(|_| absence.heard());
    assert!(absence.ln_e() < 0.0);
    (0..10).for_each(|_| absence.silent());
    assert!(absence.ln_e() > 100.0_f64.ln(), "{}", absence.ln_e());
    (0..20).for_each(|_| absence.heard());
    assert!(absence.ln_e() < 1.0);
    // One slot in ten without a word is allowed.
    let mut lossy = Absence::default();
    (0..10_000).for_each(|at| if at % 10 == 0 { lossy.silent() } else { lossy.heard() });
    assert!(lossy.ln_e() < 0.0);
}

#[test]
fn the_interval_of_ratios_holds_the_true_one_and_narrows() {
    let mut ratios = Ratios::default();
    assert_eq!(ratios.interval(0.01), (None, None));
    (0..20).for_each(|_| ratios.observe(arms((100, 2), (900, 9)), 1.0));
    let (low, high) = ratios.interval(0.01);
    assert!(low.unwrap() < 2.0 && high.unwrap() > 2.0, "{low:?} {high:?}");
    (0..2_000).for_each(|_| ratios.observe(arms((100, 2), (900, 9)), 1.0));
    assert_eq!(ratios.interval(0.01), (Some(1.75), Some(2.5)));
}

#[test]
fn bursts_are_told_apart_from_what_both_arms_share() {
    let estimate = |arms_at: fn(u64) -> Arms| {
        let mut bursts = Bursts::default();
        (0..2_000).for_each(|at| bursts.observe(arms_at(at)));
        bursts.estimate()
    };
    // Both arms' errors rise and fall together by a factor of ten, in step with their traffic.
    let shared =
        estimate(|at| if at % 2 == 0 { arms((500, 1), (500, 1)) } else { arms((500, 10), (500, 10)) });
    assert!(shared < 1.2, "{shared}");
    // Ten errors on average: none, or a hundred at once, now in one arm and now in the other.
    let own = estimate(|at| {
        let bad = |salt: u64| if (at * 7 + salt).is_multiple_of(10) { 100 } else { 0 };
        arms((500, bad(0)), (500, bad(3)))
    });
    assert!(own > 60.0, "{own}");
    assert!(Bursts::default().estimate() > 5.0, "without history it is cautious");
}

//! Burn rates: known answers, how fast they fire, and quiet services.

mod simulate;

use homeostat_detection::{
    burn::{
        Burn, Counted, Judged, Objective, ObjectiveError, PAIRS, Taken, Urgency, Verdict, Window, factor,
        seconds_to_fire,
    },
    sequential::Tally,
};
use proptest::prelude::*;
use simulate::{Chance, measured};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Some day, at the start of a slot of every ring.
const START: u64 = 20_000 * DAY;

fn objective() -> Objective {
    Objective::new(0.999, 30 * DAY).unwrap()
}

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-9 * expected.abs().max(1.0), "{got} is not {expected}");
}

#[test]
fn factors_and_thresholds_are_the_known_ones() {
    let factors = PAIRS.map(|pair| objective().factor(&pair));
    for (got, expected) in factors.into_iter().zip([14.4, 6.0, 3.0, 1.0]) {
        near(got, expected);
    }
    let thresholds = factors.map(|factor| factor * objective().budget());
    for (got, expected) in thresholds.into_iter().zip([0.014400000000000001, 0.006, 0.003, 0.001]) {
        near(got, expected);
    }
    near(factor(0.02, 28 * DAY, HOUR), 13.44);
    near(seconds_to_fire(&objective(), 14.4, 0.01, Window::Hour), 5184.000000000001);
    near(seconds_to_fire(&objective(), 14.4, 1.0, Window::Hour), 51.84);
}

#[test]
fn an_objective_has_its_bounds() {
    assert_eq!(Objective::new(1.0, 30 * DAY), Err(ObjectiveError::Share(1.0)));
    assert!(Objective::new(f64::NAN, 30 * DAY).is_err());
    assert_eq!(Objective::new(0.99, DAY), Err(ObjectiveError::Period(1.0)));
    assert!(Objective::new(0.5, 3 * DAY).is_ok());
}

/// Reports every `every_ms` from START on, and looks after each; the first answer that `stop` likes.
fn run(
    burn: &mut Burn,
    every_ms: u64,
    until_ms: u64,
    mut next: impl FnMut(u64) -> Tally,
    mut stop: impl FnMut(&Judged) -> bool,
) -> Option<(u64, Judged)> {
    (0..until_ms).step_by(every_ms as usize).find_map(|since_ms| {
        let at_ms = START + since_ms;
        burn.observe(Counted { source: "p", at_ms, tally: next(since_ms) }, at_ms);
        let judged = burn.judge(at_ms);
        stop(&judged).then_some((since_ms, judged))
    })
}

fn page(judged: &Judged) -> bool {
    judged.firing.first().is_some_and(|firing| firing.pair.urgency == Urgency::Page)
}

/// Seconds until the first page of errors at `share`, after a day without, at 50 requests a second.
fn seconds_to_page(share: f64) -> Option<f64> {
    let mut burn = Burn::new(objective());
    let next = |since_ms| {
        let bad = if since_ms < DAY { 0.0 } else { 500.0 * share };
        Tally { total: 500, bad: bad as u64 }
    };
    run(&mut burn, 10_000, 2 * DAY, next, page).map(|(since_ms, _)| (since_ms - DAY) as f64 / 1000.0)
}

#[test]
fn a_page_comes_when_the_formula_says() {
    for share in [1.0, 0.5, 0.1, 0.02] {
        let expected = seconds_to_fire(&objective(), 14.4, share, Window::Hour);
        let got = seconds_to_page(share).unwrap();
        measured(format_args!("errors {share}: page after {got} s, by the formula {expected:.0} s"));
        // The hour is up to five minutes short, and reports come every ten seconds.
        assert!(got >= expected * 55.0 / 60.0 - 10.0 && got <= expected + 20.0, "{share}: {got} {expected}");
    }
    // One in a hundred is a burn rate of 10: only the pair of six hours sees it.
    let expected = seconds_to_fire(&objective(), 6.0, 0.01, Window::SixHours);
    let got = seconds_to_page(0.01).unwrap();
    measured(format_args!("errors 0.01: page after {got} s, by the formula {expected:.0} s"));
    assert!(got >= expected * 11.0 / 12.0 - 10.0 && got <= expected + 20.0, "{got} {expected}");
    assert_eq!(seconds_to_page(0.004), None, "a burn rate of 4 is a ticket");
}

#[test]
fn a_slow_burn_is_a_ticket_and_an_ended_one_closes() {
    let mut burn = Burn::new(objective());
    let mut first = None;
    let next = |since_ms| Tally { total: 1000, bad: if (DAY..3 * DAY).contains(&since_ms) { 4 } else { 0 } };
    run(&mut burn, MINUTE, 3 * DAY, next, |judged| {
        first = first.or(judged.firing.first().map(|firing| firing.pair.urgency));
        false
    });
    assert_eq!(first, Some(Urgency::Ticket));
    let judged = burn.judge(START + 3 * DAY);
    assert_eq!(judged.firing.len(), 2, "{}", judged.text);
    assert!(judged.text.starts_with("ticket: in 1 d "), "{}", judged.text);
    // The errors end; within the short window of the slowest pair the alert does too.
    for minute in 0..6 * 60 {
        let at_ms = START + 3 * DAY + minute * MINUTE;
        burn.observe(Counted { source: "p", at_ms, tally: Tally { total: 1000, bad: 0 } }, at_ms);
    }
    let judged = burn.judge(START + 3 * DAY + 6 * HOUR);
    assert_eq!((judged.verdict, judged.firing.len()), (Verdict::Within, 0), "{}", judged.text);
}

/// Pages in 300 days of a service with a request every `every_ms`, exactly at its objective.
fn pages_at_the_objective(every_ms: u64) -> (usize, usize) {
    let mut chance = Chance::of(every_ms);
    let mut burn = Burn::new(objective());
    let (mut pages, mut unguarded, mut on, mut on_unguarded) = (0, 0, false, false);
    run(
        &mut burn,
        every_ms,
        300 * DAY,
        |_| Tally { total: 1, bad: u64::from(chance.unit() < 0.001) },
        |judged| {
            let over = |window| judged.rates.iter().any(|rate| rate.window == window && rate.burn > 14.4);
            let now_unguarded = over(Window::Hour) && over(Window::FiveMinutes);
            unguarded += usize::from(now_unguarded && !on_unguarded);
            pages += usize::from(page(judged) && !on);
            (on, on_unguarded) = (page(judged), now_unguarded);
            false
        },
    );
    (pages, unguarded)
}

#[test]
fn a_quiet_service_within_its_objective_seldom_pages() {
    for every_ms in [10_000, MINUTE, 10 * MINUTE] {
        let (pages, unguarded) = pages_at_the_objective(every_ms);
        measured(format_args!(
            "a request every {} s: {pages} pages in 300 days, {unguarded} without the guard",
            every_ms / 1000
        ));
        assert!(pages <= 20, "{pages} in 300 days");
        assert!(
            every_ms == 10_000 || unguarded >= 5 * pages.max(1),
            "the guard guards nothing: {unguarded} {pages}"
        );
    }
}

#[test]
fn a_quiet_service_that_fails_wholly_pages() {
    let mut burn = Burn::new(objective());
    let next = |since_ms| Tally { total: 1, bad: u64::from(since_ms >= DAY) };
    let (since_ms, judged) = run(&mut burn, 2 * MINUTE, 2 * DAY, next, page).unwrap();
    measured(format_args!(
        "a request every 2 min, all fail: page after {} min; {}",
        (since_ms - DAY) / MINUTE,
        judged.text
    ));
    assert!(since_ms - DAY <= 10 * MINUTE, "{since_ms}");
}

#[test]
fn silence_is_blind_and_never_burning() {
    let mut burn = Burn::new(objective());
    assert_eq!(burn.judge(START).verdict, Verdict::Blind);
    burn.observe(Counted { source: "p", at_ms: START, tally: Tally { total: 1000, bad: 900 } }, START);
    assert_eq!(burn.judge(START).verdict, Verdict::Burning);
    assert!(!page(&burn.judge(START + 2 * HOUR)));
    let judged = burn.judge(START + 12 * HOUR);
    assert_eq!(judged.verdict, Verdict::Blind, "{}", judged.text);
    assert!(judged.text.contains("nothing can be said"));
}

#[test]
fn what_comes_twice_too_late_or_from_the_future_does_not_count() {
    let mut burn = Burn::new(objective());
    let mut take = |source, at_ms, now_ms| {
        burn.observe(Counted { source, at_ms, tally: Tally { total: 10, bad: 1 } }, now_ms)
    };
    assert_eq!(take("a", START, START), Taken::Counted);
    assert_eq!(take("a", START, START), Taken::Duplicate);
    assert_eq!(take("b", START, START), Taken::Counted);
    assert_eq!(take("a", START + HOUR, START), Taken::Ahead);
    assert_eq!(take("a", START - DAY, START), Taken::Counted);
    assert_eq!(take("a", START - 4 * DAY, START), Taken::Late);
    let rates = burn.judge(START).rates;
    assert!((rates[0].total - 20.0).abs() < 1e-9 && (rates[6].total - 30.0).abs() < 1e-9, "{rates:?}");
}

#[test]
fn a_year_of_seconds_fits_its_bounds_and_stays_exact() {
    let mut burn = Burn::new(objective());
    for second in 0..365 * 24 * 3600_u64 {
        let at_ms = START + second * 1000;
        burn.observe(Counted { source: "p", at_ms, tally: Tally { total: 100_000, bad: 50 } }, at_ms);
    }
    let judged = burn.judge(START + 365 * DAY - 1);
    assert!(judged.rates.iter().all(|rate| (rate.burn - 0.5).abs() < 1e-6), "{:?}", judged.rates);
    assert!(judged.evidence.is_finite());
    let bytes = burn.encode().len();
    measured(format_args!("{bytes} bytes"));
    assert!(bytes <= 2_000, "{bytes}");
}

#[test]
fn another_objective_keeps_the_counts() {
    let mut burn = Burn::new(objective());
    burn.observe(Counted { source: "p", at_ms: START, tally: Tally { total: 1000, bad: 20 } }, START);
    let loose = Objective::new(0.9, 30 * DAY).unwrap();
    let mut changed = Burn::decode(Some(&burn.encode()), loose).unwrap();
    assert_eq!(burn.judge(START).verdict, Verdict::Burning);
    assert_eq!(changed.judge(START).verdict, Verdict::Within);
    assert!((changed.judge(START).rates[0].total - 1000.0).abs() < 1e-9);
}

proptest! {
    #[test]
    fn neither_order_within_a_minute_nor_duplicates_nor_storing_matter(
        minutes in proptest::collection::vec(((0_u64..500, 0_u64..50), (0_u64..500, 0_u64..50)), 1..120),
        cut: prop::sample::Index,
    ) {
        let cut = cut.index(minutes.len());
        let run = |disturbed: bool| {
            let mut burn = Burn::new(objective());
            for (number, (one, other)) in minutes.iter().enumerate() {
                let at_ms = START + number as u64 * 7 * MINUTE;
                let of = |source, at_ms, (total, bad)| Counted { source, at_ms, tally: Tally { total, bad } };
                let (one, other) = (of("a", at_ms, *one), of("b", at_ms + 900, *other));
                let order = if disturbed { vec![other, one, one, other] } else { vec![one, other] };
                order.into_iter().for_each(|one| { burn.observe(one, at_ms + 1_000); });
                if disturbed && number == cut {
                    burn = Burn::decode(Some(&burn.encode()), objective()).unwrap();
                }
            }
            burn.judge(START + minutes.len() as u64 * 7 * MINUTE)
        };
        prop_assert_eq!(run(true), run(false));
    }

    #[test]
    fn more_requests_of_the_same_share_burn_as_fast(total in 20_u64..2_000, bad in 0_u64..20, times in 2_u64..50) {
        let burn = |times: u64| {
            let mut burn = Burn::new(objective());
            let tally = Tally { total: total * times, bad: bad * times };
            burn.observe(Counted { source: "a", at_ms: START, tally }, START);
            burn.judge(START + 2 * MINUTE)
        };
        let (one, many) = (burn(1), burn(times));
        for (one, many) in one.rates.iter().zip(many.rates) {
            prop_assert!((one.burn - many.burn).abs() < 1e-9 * (1.0 + one.burn));
        }
    }

    #[test]
    fn no_counts_give_a_number_that_is_none(
        reports in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..40), slo in any::<f64>(),
    ) {
        let Ok(objective) = Objective::new(slo.abs().fract(), 30 * DAY) else { return Ok(()) };
        let mut burn = Burn::new(objective);
        for (at_ms, total, bad) in reports {
            burn.observe(Counted { source: "a", at_ms, tally: Tally { total, bad } }, at_ms);
            let judged = burn.judge(at_ms);
            prop_assert!(judged.evidence.is_finite());
            prop_assert!(judged.rates.iter().all(|rate| rate.burn.is_finite() && rate.total.is_finite()));
            prop_assert!(Burn::decode(Some(&burn.encode()), objective).unwrap() == burn);
        }
    }
}

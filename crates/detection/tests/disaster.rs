//! Disasters: when one opens, when it is over, and how long it took.

mod simulate;

use homeostat_detection::disaster::{Change, FINDINGS_MAX, Recovery, Scenario, Told, Verdict, Watch};
use homeostat_schema::config::Trigger;
use proptest::prelude::*;
use simulate::{Chance, measured};

const MINUTE: u64 = 60_000;
const START: u64 = 1_000 * MINUTE;

fn trigger(kind: &str, services_min: u32) -> Trigger {
    Trigger { kind: kind.to_owned(), service: None, services_min }
}

/// Two of: errors in three services, blind in two, the database's deployment failed.
fn outage() -> Scenario {
    let database = Trigger { service: Some("database".to_owned()), ..trigger("deployment-failed", 1) };
    Scenario {
        name: "region-outage".to_owned(),
        triggers: vec![trigger("error-rate-high", 3), trigger("blind", 2), database],
        window_ms: 10 * MINUTE,
        playbook: "fail-over".to_owned(),
        recovery_ms: 30 * MINUTE,
        calm_ms: 5 * MINUTE,
    }
}

#[derive(Clone, Copy)]
enum Word<'a> {
    Opened(&'a str, &'a str, u64),
    Gone(&'a str, &'a str, u64),
}

fn tell(watch: &mut Watch, word: Word<'_>) {
    let told = |kind, service, minute: u64| Told { kind, service, at_ms: START + minute * MINUTE };
    match word {
        Word::Opened(kind, service, minute) => watch.opened(&told(kind, service, minute), &outage()),
        Word::Gone(kind, service, minute) => watch.gone(&told(kind, service, minute), &outage()),
    }
}

use Word::{Gone, Opened};

const ERRORS: &str = "error-rate-high";

fn errors_in_three(minute: u64) -> [Word<'static>; 3] {
    ["a", "b", "c"].map(|service| Opened(ERRORS, service, minute))
}

fn watched(words: &[Word<'_>]) -> Watch {
    let mut watch = Watch::default();
    words.iter().for_each(|word| tell(&mut watch, *word));
    watch
}

#[test]
fn a_majority_within_the_window_opens_it() {
    let check = |words: &[Word<'_>], expected: Verdict| {
        let judged = watched(words).judge(START + 60 * MINUTE, &outage());
        let change = (expected == Verdict::Open).then_some(Change::Opened);
        assert_eq!((judged.verdict, judged.change), (expected, change), "{}", judged.text);
    };
    let errors = errors_in_three(0);
    let with = |more: &[Word<'static>]| [&errors[..], more].concat();
    check(&errors, Verdict::Quiet);
    check(&with(&[Opened("blind", "x", 5)]), Verdict::Quiet);
    check(&with(&[Opened("blind", "x", 5), Opened("blind", "y", 9)]), Verdict::Open);
    check(&with(&[Opened("deployment-failed", "database", 9)]), Verdict::Open);
    check(&with(&[Opened("deployment-failed", "shop", 9)]), Verdict::Quiet);
    // Too late for the window, and gone before.
    check(&with(&[Opened("deployment-failed", "database", 11)]), Verdict::Quiet);
    check(&with(&[Gone(ERRORS, "a", 4), Opened("deployment-failed", "database", 9)]), Verdict::Quiet);
    // The same service twice is one.
    let twice = [Opened(ERRORS, "a", 0), Opened(ERRORS, "a", 1), Opened(ERRORS, "b", 1)];
    check(&[&twice[..], &[Opened("deployment-failed", "database", 2)]].concat(), Verdict::Quiet);
}

#[test]
fn a_recovery_is_measured_and_calm_is_waited_for() {
    let mut watch = watched(&errors_in_three(0));
    tell(&mut watch, Opened("deployment-failed", "database", 4));
    let at = |watch: &mut Watch, minute: u64| watch.judge(START + minute * MINUTE, &outage());
    let opened = at(&mut watch, 4);
    assert_eq!((opened.change, opened.began_ms), (Some(Change::Opened), Some(START)));
    assert_eq!(
        opened.text,
        "region-outage for 4 min: 2 of 3 triggers are tripped; playbook fail-over, to be over within 30 min"
    );
    assert_eq!(opened.recheck_at_ms, Some(START + 30 * MINUTE + 1));
    assert_eq!(at(&mut watch, 5).change, None, "told once");
    // One of two tripped is left: not over.
    tell(&mut watch, Gone("deployment-failed", "database", 10));
    assert_eq!(at(&mut watch, 20).verdict, Verdict::Open);
    // None left, and then it comes back within the calm.
    tell(&mut watch, Gone(ERRORS, "a", 21));
    assert_eq!(at(&mut watch, 22).recheck_at_ms, Some(START + 26 * MINUTE));
    tell(&mut watch, Opened(ERRORS, "a", 23));
    assert_eq!(at(&mut watch, 27).verdict, Verdict::Open);
    tell(&mut watch, Gone(ERRORS, "b", 28));
    assert_eq!(at(&mut watch, 32).change, None);
    let over = at(&mut watch, 33);
    let recovery = Recovery { began_ms: START, recovered_ms: START + 28 * MINUTE, objective_ms: 30 * MINUTE };
    assert_eq!((over.change, over.verdict), (Some(Change::Recovered(recovery)), Verdict::Quiet));
    assert!(recovery.is_met() && watch.last() == Some(recovery));
    assert_eq!((over.key, opened.key.is_some()), (opened.key.clone(), true));
    assert!(over.text.contains("recovered in 28 min, within the objective of 30 min"), "{}", over.text);
    assert_eq!(at(&mut watch, 34).change, None);
}

#[test]
fn what_takes_longer_than_its_objective_is_overdue_once() {
    let mut watch = watched(&errors_in_three(0));
    tell(&mut watch, Opened("deployment-failed", "database", 4));
    let mut at = |minute: u64| watch.judge(START + minute * MINUTE, &outage());
    assert_eq!(at(5).verdict, Verdict::Open);
    assert_eq!(at(30).change, None);
    let late = at(31);
    assert_eq!(
        (late.change, late.verdict, late.recheck_at_ms),
        (Some(Change::Overdue), Verdict::Overdue, None)
    );
    assert_eq!(at(500).change, None);
    assert!(at(501).text.contains("longer than the objective of 30 min"));
}

#[test]
fn silence_does_not_close_it_but_an_operator_does() {
    let mut watch = watched(&errors_in_three(0));
    tell(&mut watch, Opened("deployment-failed", "database", 4));
    watch.judge(START + 4 * MINUTE, &outage());
    assert_eq!(watch.judge(START + 10_000 * MINUTE, &outage()).verdict, Verdict::Overdue);
    let recovery = watch.close(START + 10_001 * MINUTE, &outage()).unwrap();
    assert!(!recovery.is_met());
    assert_eq!(watch.judge(START + 10_002 * MINUTE, &outage()).verdict, Verdict::Quiet);
    assert!(watch.close(START, &outage()).is_none());
}

#[test]
fn the_state_is_bounded_at_its_worst() {
    let mut watch = Watch::default();
    for number in 0..500_u64 {
        let (service, at_ms) = (format!("service-{number}"), u64::MAX / 2 + number);
        watch.opened(&Told { kind: ERRORS, service: &service, at_ms }, &outage());
        watch.gone(&Told { kind: "blind", service: &service, at_ms }, &outage());
    }
    let judged = watch.judge(u64::MAX, &outage());
    let bytes = watch.encode();
    measured(format_args!("{} bytes at the worst", bytes.len()));
    assert!(bytes.len() <= 4_096, "{}", bytes.len());
    assert_eq!(String::from_utf8(bytes.clone()).unwrap().matches("],[").count() + 1, FINDINGS_MAX);
    assert_eq!((judged.tripped, Watch::decode(Some(&bytes)).unwrap()), (1, watch));
}

fn words() -> impl Strategy<Value = Vec<(u8, u8, bool, u64)>> {
    proptest::collection::vec((0_u8..3, 0_u8..5, any::<bool>(), 0_u64..40), 0..40)
}

fn say((kind, service, is_open, minute): (u8, u8, bool, u64), watch: &mut Watch) {
    let kind = ["error-rate-high", "blind", "deployment-failed"][usize::from(kind)];
    let service = ["a", "b", "c", "d", "database"][usize::from(service)];
    tell(watch, if is_open { Opened(kind, service, minute) } else { Gone(kind, service, minute) });
}

proptest! {
    #[test]
    fn order_and_repetition_change_nothing(words in words(), seed in any::<u64>(), now in 0_u64..60) {
        let all = |words: &[(u8, u8, bool, u64)]| {
            let mut watch = Watch::default();
            words.iter().for_each(|word| say(*word, &mut watch));
            watch.judge(START + now * MINUTE, &outage())
        };
        let mut shuffled = [&words[..], &words[..]].concat();
        let mut chance = Chance::of(seed);
        (1..shuffled.len()).rev().for_each(|at| shuffled.swap(at, (chance.bits() % (at as u64 + 1)) as usize));
        prop_assert_eq!(all(&words), all(&shuffled));
    }

    #[test]
    fn openings_and_recoveries_alternate_and_storing_changes_nothing(mut words in words()) {
        words.sort_by_key(|(_, _, _, minute)| *minute);
        let (mut watch, mut stored, mut open) = (Watch::default(), Watch::default(), false);
        for word in words {
            say(word, &mut watch);
            say(word, &mut stored);
            let now_ms = START + word.3 * MINUTE;
            let judged = watch.judge(now_ms, &outage());
            stored = Watch::decode(Some(&stored.encode())).unwrap();
            prop_assert_eq!(&judged, &stored.judge(now_ms, &outage()));
            match judged.change {
                Some(Change::Opened) => { prop_assert!(!open); open = true; }
                Some(Change::Recovered(recovery)) => {
                    prop_assert!(open && recovery.recovered_ms >= recovery.began_ms);
                    open = false;
                }
                Some(Change::Overdue) => prop_assert!(open),
                None => {}
            }
        }
    }
}

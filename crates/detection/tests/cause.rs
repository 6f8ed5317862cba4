//! Blame: which change, how surely, and what belongs together.

mod simulate;

use homeostat_detection::cause::{
    Blame, CHANGES_MAX, Calls, Causes, Change, FAILURE_USUAL, SIGNATURES_MAX, SPLITS_MAX, Signal, Signature,
};
use proptest::prelude::*;
use simulate::{Chance, measured};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const NOW: u64 = 500 * HOUR;

fn changed<'a>(id: &'a str, service: &'a str, ago_ms: u64) -> Change<'a> {
    Change { id, service, at_ms: NOW - ago_ms, failure: FAILURE_USUAL }
}

fn errors(service: &str) -> Signature<'_> {
    Signature { service, kind: "error-rate-high", class: "" }
}

fn symptom(service: &str) -> Signal<'_> {
    Signal { signature: errors(service), began_ms: NOW, suspicious_ms: None, answered: true }
}

fn causes(changes: &[Change<'_>], signals: &[Signal<'_>]) -> Causes {
    let mut causes = Causes::default();
    changes.iter().for_each(|change| causes.change(change));
    signals.iter().for_each(|signal| causes.signal(signal));
    causes
}

fn shop() -> Calls {
    Calls::of([("web", "checkout"), ("checkout", "payments"), ("web", "search")])
}

fn posterior(blame: &Blame, id: &str) -> f64 {
    blame.suspects.iter().find(|suspect| suspect.change == id).map_or(0.0, |suspect| suspect.posterior)
}

#[test]
fn the_posterior_is_the_one_computed_by_hand() {
    let causes =
        causes(&[changed("a", "web", 5 * MINUTE), changed("b", "checkout", 10 * MINUTE)], &[symptom("web")]);
    let blame = causes.blame(&errors("web"), &shop()).unwrap();
    let density = |d: f64| {
        0.5 / 600.0 * (-d / 600.0).exp()
            + 0.3 / 7200.0 * (-d / 7200.0).exp()
            + 0.2 / 86400.0 * (-d / 86400.0).exp()
    };
    let weights = [0.15 * density(300.0), 0.15 * density(600.0) * 0.5, 0.3 / 259_200.0];
    let sum: f64 = weights.iter().sum();
    for (got, weight) in
        [posterior(&blame, "a"), posterior(&blame, "b"), blame.no_change].into_iter().zip(weights)
    {
        assert!((got - weight / sum).abs() < 1e-9, "{got} {}", weight / sum);
    }
}

#[test]
fn stories_of_blame() {
    let check =
        |changes: &[Change<'_>], at: &str, splits: &[(&str, f64)], early: u64, expected: Option<&str>| {
            let signal = Signal { suspicious_ms: Some(NOW - early), ..symptom(at) };
            let mut causes = causes(changes, &[signal]);
            splits.iter().for_each(|(id, ln_e)| causes.split(id, &errors(at), *ln_e));
            let blame = causes.blame(&errors(at), &shop()).unwrap();
            assert_eq!(blame.blamed().map(|suspect| suspect.change.as_str()), expected, "{}", blame.text);
        };
    // A change minutes before, and nothing else.
    check(&[changed("a", "web", 3 * MINUTE)], "web", &[], 0, Some("a"));
    // One of yesterday evening: rather nothing.
    check(&[changed("a", "web", 14 * HOUR)], "web", &[], 0, None);
    // It came after the symptom.
    check(&[Change { at_ms: NOW + 1000, ..changed("a", "web", 0) }], "web", &[], 0, None);
    check(&[], "web", &[], 0, None);
    // The symptom was there before, a little below the threshold.
    check(&[changed("a", "web", 20 * MINUTE)], "web", &[], HOUR, None);
    // Two at once on the same service: not to be told apart, until a split does it.
    let two = [changed("a", "web", 3 * MINUTE), changed("b", "web", 4 * MINUTE)];
    check(&two, "web", &[], 0, None);
    check(&two, "web", &[("b", 5.0)], 0, Some("b"));
    check(&two, "web", &[("a", -3.0)], 0, Some("b"));
    // What is called is blamed for its caller, but not what has nothing to do with it.
    check(&[changed("p", "payments", 3 * MINUTE)], "checkout", &[], 0, Some("p"));
    let far = [changed("p", "payments", 3 * MINUTE), changed("x", "elsewhere", 2 * MINUTE)];
    check(&far, "checkout", &[], 0, Some("p"));
    // A service whose changes never fail, beside one whose changes often do.
    let solid = Change { failure: 0.005, ..changed("a", "web", 3 * MINUTE) };
    let frail = Change { failure: 0.4, ..changed("b", "web", 3 * MINUTE) };
    check(&[solid, frail], "web", &[], 0, Some("b"));
}

#[test]
fn one_commit_in_two_services_is_two_changes_and_one_incident() {
    let old = changed("a", "web", 60 * HOUR);
    let new = changed("a", "payments", 3 * MINUTE);
    let mut causes = causes(&[old, new], &[symptom("checkout"), symptom("payments")]);
    let calls = shop();
    let blame = causes.blame(&errors("checkout"), &calls).unwrap();
    let blamed = blame.blamed().expect("the one of minutes ago");
    assert_eq!((blamed.change.as_str(), blamed.service.as_str()), ("a", "payments"), "{}", blame.text);
    let first = causes.incident(&errors("checkout"), &calls).unwrap();
    assert_eq!(causes.incident(&errors("payments"), &calls).unwrap().key, first.key);
}

#[test]
fn a_services_own_change_is_weighed_however_many_others_there_were_since() {
    let mut causes = Causes::default();
    for number in 0..2 * CHANGES_MAX as u64 {
        let id = format!("other{number}");
        causes.change(&changed(&id, "elsewhere", 20 * MINUTE - number * 1_000));
    }
    causes.own("web", [changed("a", "web", HOUR)]);
    causes.signal(&symptom("web"));
    let blame = causes.blame(&errors("web"), &shop()).unwrap();
    assert_eq!(blame.suspects.len(), CHANGES_MAX);
    assert_eq!(blame.leading().map(|leading| leading.change.as_str()), Some("a"), "{}", blame.text);
    causes.change(&changed("newest", "elsewhere", MINUTE));
    assert!(causes.encode().len() <= 4096);
}

#[test]
fn the_text_has_every_term() {
    let mut causes = causes(
        &[changed("4f2a", "payments", 5 * MINUTE), changed("91c0", "search", 12 * MINUTE)],
        &[Signal { suspicious_ms: Some(NOW - 8 * MINUTE), ..symptom("checkout") }],
    );
    causes.split("4f2a", &errors("checkout"), 4.0);
    let text = causes.blame(&errors("checkout"), &shop()).unwrap().text;
    for part in [
        "error-rate-high of checkout is blamed on 4f2a of payments",
        "5 min before",
        "fail in 15 %",
        "one call away (×0.5)",
        "those with it against those without: ×54.60",
        "suspicious before it already (×0.05)",
        "Next 91c0 of search",
        "no comparison of those with and without it",
        "No change:",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert!(Causes::default().blame(&errors("web"), &shop()).is_none());
}

#[test]
fn findings_of_one_change_are_one_incident() {
    let mut causes = causes(&[changed("a", "payments", 4 * MINUTE), changed("b", "search", 70 * HOUR)], &[]);
    let mut at = |service, kind, ago_ms: u64| {
        let signature = Signature { service, kind, class: "" };
        causes.signal(&Signal {
            signature,
            began_ms: NOW - 2 * MINUTE + ago_ms,
            suspicious_ms: None,
            answered: true,
        });
        causes.incident(&signature, &shop()).unwrap()
    };
    let first = at("payments", "latency-high", 0);
    let second = at("checkout", "error-rate-high", 3 * MINUTE);
    let later = at("web", "latency-high", 12 * MINUTE);
    assert_eq!((first.key.as_str(), first.findings), (second.key.as_str(), 1));
    assert_eq!((&second.key, second.findings, second.change.as_deref()), (&later.key, 2, Some("a")));
    // Told again: the same. Much later, with the same change leading: another one.
    assert_eq!(at("payments", "latency-high", 0).findings, 3);
    let other = at("payments", "error-rate-high", 30 * MINUTE);
    assert_ne!(other.key, first.key);
    // No change explains these two: each stands alone.
    let lone = at("mail", "latency-high", 60 * HOUR);
    let alone = at("mail", "error-rate-high", 60 * HOUR);
    assert_ne!(lone.key, alone.key);
    assert_eq!((lone.findings, lone.change), (1, None));
}

#[test]
fn one_incident_is_answered_where_another_of_its_findings_is() {
    let mut causes = causes(&[changed("a", "payments", 4 * MINUTE)], &[]);
    let mut tell = |service, answered| {
        causes.signal(&Signal { answered, ..symptom(service) });
        let grouped = causes.incident(&errors(service), &shop()).unwrap();
        (grouped.findings, grouped.answered)
    };
    assert_eq!(tell("payments", false), (1, false));
    assert_eq!(tell("checkout", true), (2, false), "the one before it is left alone, and this is itself");
    assert_eq!(tell("web", true), (3, true));
    assert_eq!(tell("payments", false), (3, true));
    assert_eq!(tell("web", false), (3, true));
    causes.cleared(&errors("checkout"));
    let left = causes.incident(&errors("payments"), &shop()).unwrap();
    assert_eq!((left.findings, left.answered), (2, false), "the one that was answered is over");
    let older: Causes =
        Causes::decode(Some(br#"{"schema":1,"changes":[],"signatures":[[7,5,0,null]],"splits":[]}"#))
            .unwrap();
    assert_ne!(older, Causes::default(), "a state from before findings were answered or not");
}

#[test]
fn what_is_cleared_is_gone() {
    let mut causes = causes(&[changed("a", "web", MINUTE)], &[symptom("web")]);
    causes.split("a", &errors("web"), 3.0);
    causes.cleared(&errors("web"));
    assert!(causes.blame(&errors("web"), &shop()).is_none());
    causes.signal(&symptom("web"));
    assert_eq!(causes.blame(&errors("web"), &shop()).unwrap().suspects[0].terms.split.abs(), 0.0);
}

#[test]
fn the_state_is_bounded_at_its_worst() {
    let mut causes = Causes::default();
    let name = |number: u64| format!("\"é{}{number}", "x".repeat(90));
    for number in 0..200 {
        let (id, service) = (name(number), name(number % 7));
        causes.change(&Change {
            id: &id,
            service: &service,
            at_ms: u64::MAX / 2 + number * 1000,
            failure: 1.0,
        });
    }
    for number in 0..200 {
        let (service, kind) = (name(number % 7), name(number));
        let signature = Signature { service: &service, kind: &kind, class: "" };
        let began_ms = NOW * 1_000 + number * 1000;
        causes.signal(&Signal { signature, began_ms, suspicious_ms: Some(0), answered: true });
        causes.incident(&signature, &shop());
        (0..200).for_each(|change| causes.split(&name(change), &signature, -20.0));
    }
    let bytes = causes.encode();
    measured(format_args!("{} bytes at the worst", bytes.len()));
    assert!(bytes.len() <= 4_096, "{}", bytes.len());
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches(",259200,[").count(), SIGNATURES_MAX);
    assert_eq!(text.matches("x~").count(), 2 * CHANGES_MAX);
    assert_eq!(text.matches("-1500]").count(), SPLITS_MAX);
    assert_eq!(Causes::decode(Some(text.as_bytes())).unwrap(), causes);
}

/// One incident of the simulated shop: ten services in a chain, a change every ten minutes on
/// average, and the symptom of one of them or of none.
struct World {
    causes: Causes,
    at: String,
    guilty: Option<String>,
}

fn world(seed: u64, guilty_at_all: bool) -> World {
    let mut chance = Chance::of(seed);
    let delay = |chance: &mut Chance, mean: f64| (-mean * (1.0 - chance.unit()).ln()) as u64;
    let pick = |chance: &mut Chance| chance.bits() % 10;
    let mut changes = Vec::new();
    let mut ago = 0;
    while changes.len() < 12 {
        ago += 1_000 + delay(&mut chance, 600_000.0);
        changes.push((format!("c{}", changes.len()), pick(&mut chance), NOW - ago));
    }
    let mean = [300_000.0, 300_000.0, 3_600_000.0][(chance.bits() % 3) as usize];
    let (began_ms, at, guilty) = if guilty_at_all {
        let (id, service, at_ms) = changes[(chance.bits() % 12) as usize].clone();
        let away = u64::from(chance.unit() < 0.3);
        (at_ms + 1_000 + delay(&mut chance, mean), service.saturating_sub(away), Some((id, service)))
    } else {
        (NOW - chance.bits() % (2 * HOUR), pick(&mut chance), None)
    };
    let names: Vec<String> = (0..10).map(|number| format!("s{number}")).collect();
    let mut causes = Causes::default();
    for (id, service, at_ms) in &changes {
        causes.change(&Change {
            id,
            service: &names[*service as usize],
            at_ms: *at_ms,
            failure: FAILURE_USUAL,
        });
    }
    let at = names[at as usize].clone();
    causes.signal(&Signal { signature: errors(&at), began_ms, suspicious_ms: None, answered: true });
    // Half of the changes on the symptom's own service go out in parts, and can be compared.
    for (id, _, _) in changes.iter().filter(|(_, service, _)| names[*service as usize] == at) {
        if chance.unit() < 0.5 {
            let worse = guilty.as_ref().is_some_and(|(guilty, _)| guilty == id);
            let noise = 2.0 * (chance.unit() + chance.unit() + chance.unit() - 1.5);
            causes.split(id, &errors(&at), noise + if worse { 4.0 } else { -1.0 });
        }
    }
    World { causes, at, guilty: guilty.map(|(id, _)| id) }
}

#[test]
fn in_a_busy_shop_blame_is_seldom_wrong() {
    let calls = Calls::of([
        ("s0", "s1"),
        ("s1", "s2"),
        ("s2", "s3"),
        ("s3", "s4"),
        ("s4", "s5"),
        ("s5", "s6"),
        ("s6", "s7"),
        ("s7", "s8"),
        ("s8", "s9"),
    ]);
    let (mut blamed, mut right, mut first, mut wrongly) = (0_u32, 0_u32, 0_u32, 0_u32);
    const RUNS: u64 = 2_000;
    for seed in 0..RUNS {
        let world = world(seed, true);
        let blame = world.causes.blame(&errors(&world.at), &calls).unwrap();
        let is_right = |id: &str| world.guilty.as_deref() == Some(id);
        first += u32::from(blame.leading().is_some_and(|suspect| is_right(&suspect.change)));
        blamed += u32::from(blame.blamed().is_some());
        right += u32::from(blame.blamed().is_some_and(|suspect| is_right(&suspect.change)));
    }
    for seed in RUNS..2 * RUNS {
        let world = world(seed, false);
        let blame = world.causes.blame(&errors(&world.at), &calls).unwrap();
        wrongly += u32::from(blame.blamed().is_some());
    }
    let share = |part: u32, all: f64| f64::from(part) / all;
    let precision = share(right, f64::from(blamed));
    let wrongly = share(wrongly, RUNS as f64);
    measured(format_args!(
        "a change to blame: first in {}, blamed in {}, of these right in {precision}; none to blame: blamed in {}",
        share(first, RUNS as f64),
        share(blamed, RUNS as f64),
        wrongly
    ));
    // A posterior of 0.8 must be right in 0.8.
    assert!(precision >= 0.8, "{precision}");
    assert!(share(blamed, RUNS as f64) >= 2.0 * wrongly, "it blames as often when there is nothing to blame");
}

#[derive(Debug, Clone)]
enum Told {
    Changed(u8, u64),
    Found(u8, u64, u64),
}

fn told() -> impl Strategy<Value = Vec<Told>> {
    let one = prop_oneof![
        (0_u8..20, 0..100 * HOUR).prop_map(|(id, ago)| Told::Changed(id, ago)),
        (0_u8..40, 0..100 * HOUR, 0..HOUR).prop_map(|(at, ago, early)| Told::Found(at, ago, early)),
    ];
    proptest::collection::vec(one, 1..60)
}

fn tell(causes: &mut Causes, told: &Told) {
    match told {
        Told::Changed(id, ago) => causes.change(&changed(&format!("c{id}"), &format!("s{}", id % 5), *ago)),
        Told::Found(at, ago, early) => causes.signal(&Signal {
            signature: errors(&format!("s{at}")),
            began_ms: NOW - ago,
            suspicious_ms: Some(NOW - ago - early),
            answered: true,
        }),
    }
}

proptest! {
    #[test]
    fn posteriors_sum_to_one_and_storing_changes_nothing(told in told(), ln_e in any::<f64>()) {
        let mut causes = Causes::default();
        told.iter().for_each(|told| tell(&mut causes, told));
        causes.split("c1", &errors("s1"), ln_e);
        prop_assert_eq!(&Causes::decode(Some(&causes.encode())).unwrap(), &causes);
        for at in 0..40 {
            let service = format!("s{at}");
            let Some(blame) = causes.blame(&errors(&service), &shop()) else { continue };
            let sum = blame.no_change + blame.suspects.iter().map(|suspect| suspect.posterior).sum::<f64>();
            prop_assert!((sum - 1.0).abs() < 1e-9, "{}", sum);
        }
    }

    #[test]
    fn telling_twice_and_in_another_order_changes_nothing(
        few in proptest::collection::vec((0_u8..16, 0..100 * HOUR, 0_u8..32, 0..100 * HOUR), 1..16), seed in any::<u64>(),
    ) {
        let told: Vec<_> = few
            .into_iter()
            .flat_map(|(id, ago, at, found)| [Told::Changed(id, ago), Told::Found(at, found, 0)])
            .collect();
        let mut shuffled: Vec<_> = told.iter().chain(&told).cloned().collect();
        let mut chance = Chance::of(seed);
        (1..shuffled.len()).rev().for_each(|at| shuffled.swap(at, (chance.bits() % (at as u64 + 1)) as usize));
        let all = |told: &[Told]| {
            let mut causes = Causes::default();
            told.iter().for_each(|told| tell(&mut causes, told));
            causes
        };
        prop_assert_eq!(all(&told), all(&shuffled));
    }
}

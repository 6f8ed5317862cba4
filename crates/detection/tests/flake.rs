//! Pipelines: what is broken, what is flaky, and when another run pays.

mod simulate;

use homeostat_detection::flake::{
    Advice, Judged, Outcome, Pipeline, Rest, Run, Settings, TESTS_MAX, Taken, Verdict, p_real, retry_pays,
};
use proptest::prelude::*;
use simulate::{Chance, measured};

fn settings() -> Settings {
    Settings::default()
}

fn failed<'a>(tests: &'a [&'a str]) -> Outcome<'a> {
    Outcome::Failed { tests, rest: Rest::Passed }
}

/// Runs by number, each told once.
struct Told {
    pipeline: Pipeline,
    number: u64,
    settings: Settings,
}

impl Told {
    fn new() -> Self {
        Self { pipeline: Pipeline::default(), number: 0, settings: settings() }
    }

    fn run(&mut self, commit: &str, outcome: Outcome<'_>) -> Judged {
        self.number += 1;
        let id = format!("run-{}", self.number);
        let taken = self.pipeline.observe(&Run { commit, id: &id, outcome }, &self.settings);
        assert_eq!(taken, Taken::Counted);
        self.pipeline.judge(commit, &self.settings).unwrap()
    }

    /// So many commits that pass at once.
    fn green(&mut self, commits: u64) {
        for commit in 0..commits {
            self.run(&format!("green-{}-{commit}", self.number), Outcome::Passed);
        }
    }
}

#[test]
fn the_chance_of_a_real_failure_has_its_values_by_hand() {
    let check = |pi: f64, f: f64, k: i32, expected: f64| {
        let got = p_real(pi, f, k);
        assert!((got - expected).abs() < 1e-9, "{got} {expected}");
    };
    check(0.15, 0.01, 1, 0.15 / (0.15 + 0.85 * 0.01));
    check(0.15, 0.2, 3, 0.15 / (0.15 + 0.85 * 0.008));
    check(0.5, 1.0, 7, 0.5);
    check(0.0, 0.0, 1, 0.0);
    // 0.85·0.2²/0.15 = 0.227 is above 0.05, 0.85·0.2³/0.15 = 0.045 is not.
    assert!(retry_pays(0.15, 0.2_f64.powi(2), &settings()));
    assert!(!retry_pays(0.15, 0.2_f64.powi(3), &settings()));
}

#[test]
fn a_test_that_never_flaked_is_tried_once_more_and_then_believed() {
    let mut told = Told::new();
    told.green(3);
    let first = told.run("c1", failed(&["cart::adds"]));
    assert_eq!((first.verdict, first.advice), (Verdict::Unsure, Advice::Retry), "{}", first.text);
    let second = told.run("c1", failed(&["cart::adds"]));
    assert_eq!((second.verdict, second.advice), (Verdict::Broken, Advice::Block), "{}", second.text);
    assert!(second.p_real > 0.99 && second.p_real > first.p_real);
    assert!(second.text.contains("cart::adds fails by itself in"), "{}", second.text);
}

#[test]
fn a_test_that_flakes_is_tried_longer() {
    let mut told = Told::new();
    for round in 0..12 {
        let commit = format!("flaky-{round}");
        told.run(&commit, failed(&["net::reconnects"]));
        let after = told.run(&commit, Outcome::Passed);
        assert_eq!((after.verdict, after.advice), (Verdict::Flaky, Advice::Nothing), "{}", after.text);
        assert!(after.text.contains("passed on this commit too"), "{}", after.text);
    }
    let tries =
        (1..=5).take_while(|_| told.run("next", failed(&["net::reconnects"])).advice == Advice::Retry);
    assert!(tries.count() >= 2, "more than the one that a steady test gets");
    let other = told.run("other", failed(&["cart::adds"]));
    assert!(other.tests[0].flake_rate < 0.02, "one test's flakes do not excuse another: {}", other.text);
}

#[test]
fn several_tests_at_once_are_hardly_chance_but_a_whole_run_may_be() {
    let mut told = Told::new();
    told.green(8);
    let few = told.run("few", failed(&["a", "b", "c"]));
    assert_eq!(few.verdict, Verdict::Broken, "{}", few.text);
    let all: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let whole = told.run("whole", failed(&all));
    assert_eq!((whole.verdict, whole.advice), (Verdict::Unsure, Advice::Retry), "{}", whole.text);
    let build = told.run("build", Outcome::Failed { tests: &[], rest: Rest::Unknown });
    assert_eq!(build.advice, Advice::Retry, "{}", build.text);
    assert_eq!(
        told.run("build", Outcome::Failed { tests: &[], rest: Rest::Unknown }).verdict,
        Verdict::Broken
    );
}

#[test]
fn a_test_that_passed_while_another_failed_is_flaky() {
    let mut told = Told::new();
    told.run("c", failed(&["a"]));
    let judged = told.run("c", failed(&["b"]));
    let real: Vec<_> = judged.tests.iter().map(|test| (test.name.as_str(), test.p_real > 0.0)).collect();
    assert_eq!(real, [("b", true), ("a", false)]);
    // But not when nobody knows whether it ran.
    let mut told = Told::new();
    told.run("c", Outcome::Failed { tests: &["a"], rest: Rest::Unknown });
    let judged = told.run("c", Outcome::Failed { tests: &["b"], rest: Rest::Unknown });
    assert!(judged.tests.iter().all(|test| test.p_real > 0.0));
}

#[test]
fn tries_are_bounded_and_then_a_person_decides() {
    let patient = Settings { retry_cost: 1e-12, alpha: 1e-9, ..settings() };
    let mut pipeline = Pipeline::default();
    let advice = |pipeline: &mut Pipeline, id: &str| {
        pipeline.observe(&Run { commit: "c", id, outcome: failed(&["a"]) }, &patient);
        pipeline.judge("c", &patient).unwrap().advice
    };
    let got = ["1", "2", "3", "4", "5"].map(|id| advice(&mut pipeline, id));
    assert_eq!(got, [Advice::Retry, Advice::Retry, Advice::Retry, Advice::Ask, Advice::Ask]);
    assert!(pipeline.judge("never", &patient).is_none());
}

#[test]
fn a_run_told_twice_counts_once() {
    let mut pipeline = Pipeline::default();
    let run = Run { commit: "c", id: "7.1", outcome: failed(&["a"]) };
    assert_eq!(pipeline.observe(&run, &settings()), Taken::Counted);
    let once = pipeline.clone();
    assert_eq!(pipeline.observe(&run, &settings()), Taken::Duplicate);
    assert_eq!(pipeline, once);
}

/// A branch with a flaky test: what is called broken, of good commits and of bad ones.
fn branch(flake: f64, commits: u64, seed: u64, settings: Settings) -> (f64, f64, f64) {
    let mut chance = Chance::of(seed);
    let mut told = Told { settings, ..Told::new() };
    let (mut good, mut good_blocked, mut bad, mut bad_blocked, mut reruns) =
        (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    for commit in 0..commits {
        let is_bad = chance.unit() < 0.1;
        let id = format!("{seed}-{commit}");
        let judged = loop {
            let mut tests = Vec::new();
            tests.extend(is_bad.then_some("broken::by_commit"));
            tests.extend((chance.unit() < flake).then_some("flaky::one"));
            let judged = told.run(&id, if tests.is_empty() { Outcome::Passed } else { failed(&tests) });
            if judged.advice != Advice::Retry {
                break judged;
            }
            reruns += 1;
        };
        let blocked = u32::from(judged.advice == Advice::Block);
        if is_bad {
            (bad, bad_blocked) = (bad + 1, bad_blocked + blocked)
        } else {
            (good, good_blocked) = (good + 1, good_blocked + blocked)
        }
    }
    let share = |part: u32, all: u32| f64::from(part) / f64::from(all.max(1));
    (share(good_blocked, good), share(bad_blocked, bad), share(reruns, good + bad))
}

#[test]
fn good_commits_of_a_flaky_branch_are_seldom_blocked_and_bad_ones_are() {
    for flake in [0.01, 0.05, 0.2] {
        let (good, bad, reruns) = branch(flake, 4_000, 7, settings());
        measured(format_args!(
            "flake {flake}: {good} of the good blocked, {bad} of the bad, {reruns} reruns a commit"
        ));
        assert!(good <= 0.02, "{flake}: {good}");
        assert!(bad >= 0.98, "{flake}: {bad}");
        assert!(reruns <= 0.5, "{flake}: {reruns}");
    }
    // The control: who never tries again blocks as many good ones as the test flakes.
    let impatient = Settings { retry_cost: 10.0, ..settings() };
    let (good, _, reruns) = branch(0.2, 4_000, 7, impatient);
    assert!((0.17..0.23).contains(&good) && reruns == 0.0, "{good} {reruns}");
}

#[test]
fn the_e_process_is_wrong_as_seldom_as_it_says() {
    // Every commit is alike: a run fails as a whole in one of five.
    let mut chance = Chance::of(3);
    let mut pipeline = Pipeline::default();
    let mut reached = 0_u32;
    const COMMITS: u32 = 10_000;
    for commit in 0..COMMITS {
        let id = format!("c{commit}");
        let mut highest = f64::NEG_INFINITY;
        for run in 0..4 {
            let failed = Outcome::Failed { tests: &[], rest: Rest::Unknown };
            let outcome = if chance.unit() < 0.2 { failed } else { Outcome::Passed };
            let run = format!("{commit}.{run}");
            pipeline.observe(&Run { commit: &id, id: &run, outcome }, &settings());
            highest = highest.max(pipeline.judge(&id, &settings()).unwrap().ln_e);
        }
        reached += u32::from(highest >= 5.0_f64.ln());
    }
    let share = f64::from(reached) / f64::from(COMMITS);
    measured(format_args!("e-values of 5 on alike commits: {share}"));
    assert!(share <= 0.2 && share > 0.0, "{share}");
    // And it is not blind: four failures where the branch had none in 64.
    let mut told = Told::new();
    told.green(70);
    let whole = Outcome::Failed { tests: &[], rest: Rest::Unknown };
    let e_values = [(); 4].map(|()| told.run("bad", whole).ln_e.exp());
    measured(format_args!("e-values of failures after 64 good runs: {e_values:.1?}"));
    assert!(e_values[3] >= 50.0, "{e_values:?}");
}

#[test]
fn the_state_is_bounded_at_its_worst() {
    let mut told = Told::new();
    let name = |number: u64| format!("\"é{}{number}", "x".repeat(90));
    for number in 0..400 {
        let names: Vec<String> = (0..4).map(|test| name(number * 4 + test)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let commit = name(number / 5);
        told.run(&commit, failed(&names));
    }
    let bytes = told.pipeline.encode();
    measured(format_args!("{} bytes at the worst", bytes.len()));
    assert!(bytes.len() <= 4_096, "{}", bytes.len());
    assert_eq!(String::from_utf8(bytes.clone()).unwrap().matches("\"name\":").count(), TESTS_MAX);
    assert_eq!(Pipeline::decode(Some(&bytes)).unwrap(), told.pipeline);
}

fn runs() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((0_u8..6, 0_u8..16), 1..80)
}

fn outcome(tests: u8) -> Vec<&'static str> {
    ["a", "b", "c", "d"]
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| tests >> bit & 1 == 1)
        .map(|(_, name)| name)
        .collect()
}

proptest! {
    #[test]
    fn storing_at_any_point_changes_nothing_and_chances_are_chances(runs in runs(), cut: prop::sample::Index) {
        let cut = cut.index(runs.len());
        let all = |stored: bool| {
            let mut told = Told::new();
            for (at, (commit, tests)) in runs.iter().enumerate() {
                if stored && at == cut {
                    told.pipeline = Pipeline::decode(Some(&told.pipeline.encode())).unwrap();
                }
                let names = outcome(*tests);
                let judged = told.run(&format!("c{commit}"), if names.is_empty() { Outcome::Passed } else { failed(&names) });
                assert!((0.0..=1.0).contains(&judged.p_real) && judged.ln_e.is_finite(), "{judged:?}");
            }
            told.pipeline
        };
        prop_assert_eq!(all(true), all(false));
    }

    #[test]
    fn the_order_of_a_commits_runs_does_not_change_what_is_flaky(tests in proptest::collection::vec(0_u8..16, 1..5)) {
        let verdict = |tests: &mut dyn Iterator<Item = &u8>| {
            let mut told = Told::new();
            let last = tests.map(|tests| {
                let names = outcome(*tests);
                told.run("c", if names.is_empty() { Outcome::Passed } else { failed(&names) })
            });
            let judged = last.last().unwrap();
            (judged.verdict == Verdict::Flaky, judged.verdict == Verdict::Passed)
        };
        prop_assert_eq!(verdict(&mut tests.iter()), verdict(&mut tests.iter().rev()));
    }
}

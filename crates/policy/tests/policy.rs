//! What the policy learns, chooses and keeps.
#![allow(missing_docs, reason = "a test")]

use homeostat_policy::{
    CONTEXTS_MAX, DecodeError, LESSONS_REMEMBERED_MAX, Policy, REMEDIES_MAX, VALUE_MAX, prior,
};
use homeostat_schema::{
    config::Learning,
    types::{Choice, FindingKind, PolicyContext, Remedy, Sample, Severity},
};
use proptest::prelude::*;

const ALLOWED: [Remedy; 4] = [Remedy::Rollback, Remedy::Redeploy, Remedy::Restart, Remedy::Notify];

fn context(env: &str) -> PolicyContext {
    PolicyContext { env: env.into(), kind: FindingKind::DeploymentFailed, severity: Severity::Critical }
}

fn choice(env: &str, remedy: Remedy) -> Choice {
    Choice { context: context(env), allowed: ALLOWED.to_vec(), remedy, propensity: 0.5, policy_version: 0 }
}

fn lesson(attempt: &str, remedy: Remedy, reward: f64) -> Sample {
    Sample { incident: "i".into(), attempt: attempt.into(), choice: choice("stage", remedy), reward, at: 0 }
}

fn value(policy: &Policy, remedy: &Remedy) -> f64 {
    policy.value(&context("stage"), remedy)
}

#[test]
fn a_lesson_moves_the_value_by_the_learning_rate() {
    let mut policy = Policy::default();
    policy.learn(&lesson("a", Remedy::Rollback, 1.0), &Learning::default());
    let before = prior(&FindingKind::DeploymentFailed, &Remedy::Rollback);
    assert!((value(&policy, &Remedy::Rollback) - (before + 0.2 * (1.0 - before))).abs() < 1e-12);
    let [row] = &policy.rows()[..] else { panic!("{:?}", policy.rows()) };
    assert_eq!((row.env.as_str(), row.kind.as_str()), ("stage", "deployment-failed"));
    assert_eq!((row.severity.as_str(), row.remedy.as_str(), row.visits), ("critical", "rollback", 1));
    assert_eq!(policy.version(), 1);
}

#[test]
fn a_replayed_lesson_counts_once() {
    let mut policy = Policy::default();
    for _ in 0..3 {
        policy.learn(&lesson("a", Remedy::Rollback, -1.0), &Learning::default());
    }
    assert_eq!((policy.version(), policy.rows()[0].visits), (1, 1));
    let mut policy = Policy::decode(Some(&policy.encode())).unwrap();
    policy.learn(&lesson("a", Remedy::Rollback, -1.0), &Learning::default());
    assert_eq!(policy.version(), 1);
}

#[test]
fn what_follows_counts_only_after_an_attempt_that_earned_nothing() {
    let learning = Learning { learning_rate: 1.0, discount: 0.5, ..Learning::default() };
    let check = |reward: f64, expected: f64| {
        let mut policy = Policy::default();
        policy.learn(&lesson("a", Remedy::Rollback, reward), &learning);
        assert!((value(&policy, &Remedy::Rollback) - expected).abs() < 1e-12, "{reward}");
    };
    // The best of the others is redeploy, at 0.5 before any lesson.
    check(1.0, 1.0);
    check(0.5, 0.5);
    check(0.0, 0.25);
    check(-1.0, -0.75);
    check(-7.0, -0.75);
}

#[test]
fn three_failures_in_a_row_overrule_the_prior() {
    let mut policy = Policy::default();
    let greedy = Learning { exploration: 0.0, ..Learning::default() };
    for attempt in ["a", "b", "c"] {
        policy.learn(&lesson(attempt, Remedy::Rollback, -1.0), &greedy);
    }
    let choice = policy.choose(&context("stage"), &ALLOWED, &greedy, 1).unwrap();
    assert_eq!(choice.remedy, Remedy::Redeploy);
    assert_eq!(choice.policy_version, 3);
    let elsewhere = policy.choose(&context("prod"), &ALLOWED, &greedy, 1).unwrap();
    assert_eq!(elsewhere.remedy, Remedy::Rollback);
}

/// A world in which restart cures 9 of 10 times and the others 1 of 10, against the priors.
fn simulate(seed: u64) -> (Policy, Vec<Remedy>) {
    let (mut policy, mut chosen) = (Policy::default(), Vec::new());
    let learning = Learning { exploration: 0.2, ..Learning::default() };
    for round in 0..600_u64 {
        let at = seed.wrapping_mul(1_000_003).wrapping_add(round);
        let choice = policy.choose(&context("stage"), &ALLOWED, &learning, at).unwrap();
        let cures_of_10 = if choice.remedy == Remedy::Restart { 9 } else { 1 };
        let reward = if at.wrapping_mul(7) % 10 < cures_of_10 { 1.0 } else { -1.0 };
        chosen.push(choice.remedy.clone());
        let sample = Sample { incident: "i".into(), attempt: format!("{round}"), choice, reward, at };
        policy.learn(&sample, &learning);
    }
    (policy, chosen)
}

#[test]
fn the_best_remedy_comes_to_be_chosen_mostly() {
    for seed in 0..20 {
        let (_, chosen) = simulate(seed);
        let late = &chosen[300..];
        let best = late.iter().filter(|remedy| **remedy == Remedy::Restart).count();
        assert!(best * 100 >= late.len() * 75, "seed {seed}: {best} of {}", late.len());
    }
}

#[test]
fn a_seed_replays_the_whole_history() {
    assert_eq!(simulate(5), simulate(5));
    assert_ne!(simulate(5).1, simulate(6).1);
}

#[test]
fn the_table_is_bounded() {
    let mut policy = Policy::default();
    for n in 0..CONTEXTS_MAX + 50 {
        let mut sample = lesson(&n.to_string(), Remedy::Rollback, 1.0);
        sample.choice.context.env = format!("env-{n}");
        policy.learn(&sample, &Learning::default());
    }
    assert_eq!(policy.rows().len(), CONTEXTS_MAX);
    for n in 0..REMEDIES_MAX + 50 {
        let playbook = Remedy::Other(format!("playbook-{n}"));
        policy.learn(&lesson(&format!("p{n}"), playbook, 1.0), &Learning::default());
    }
    let here = policy.rows().iter().filter(|row| row.env == "stage").count();
    assert_eq!(here, REMEDIES_MAX);
    assert_eq!(policy.version() as usize, CONTEXTS_MAX + REMEDIES_MAX + 100);
}

#[test]
fn only_the_last_lessons_are_remembered() {
    let mut policy = Policy::default();
    for n in 0..=LESSONS_REMEMBERED_MAX {
        policy.learn(&lesson(&n.to_string(), Remedy::Rollback, 1.0), &Learning::default());
    }
    let version = policy.version();
    policy.learn(&lesson("1", Remedy::Rollback, 1.0), &Learning::default());
    assert_eq!(policy.version(), version, "the oldest remembered");
    policy.learn(&lesson("0", Remedy::Rollback, 1.0), &Learning::default());
    assert_eq!(policy.version(), version + 1, "forgotten");
}

#[test]
fn what_is_no_policy_is_refused() {
    assert_eq!(Policy::decode(None).unwrap(), Policy::default());
    assert!(matches!(Policy::decode(Some(b"")), Err(DecodeError::Json(_))));
    assert!(matches!(Policy::decode(Some(b"{\"schema\":1}")), Err(DecodeError::Json(_))));
    assert!(matches!(Policy::decode(Some(b"{\"schema\":9}")), Err(DecodeError::UnknownForm(9))));
}

fn remedies() -> impl Strategy<Value = Remedy> {
    prop::sample::select(vec![
        Remedy::Rollback,
        Remedy::Redeploy,
        Remedy::RerunFailedJobs,
        Remedy::Restart,
        Remedy::Notify,
        Remedy::Other("own".into()),
    ])
}

proptest! {
    #[test]
    fn propensities_of_all_allowed_sum_to_one(
        allowed in prop::collection::vec(remedies(), 1..12),
        exploration in prop_oneof![0.0..=1.0, any::<f64>()],
    ) {
        let learning = Learning { exploration, ..Learning::default() };
        let first = Policy::default().choose(&context("stage"), &allowed, &learning, 0).unwrap();
        let mut chances = vec![None; first.allowed.len()];
        for seed in 0..400 {
            let choice = Policy::default().choose(&context("stage"), &allowed, &learning, seed).unwrap();
            let place = choice.allowed.iter().position(|one| *one == choice.remedy).unwrap();
            prop_assert!(choice.propensity > 0.0 && choice.propensity <= 1.0);
            chances[place] = Some(choice.propensity);
        }
        let sum: f64 = chances.iter().flatten().sum();
        prop_assert!(sum <= 1.0 + 1e-9);
        if chances.iter().all(Option::is_some) {
            prop_assert!((sum - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn values_stay_finite_and_bounded(
        lessons in prop::collection::vec((remedies(), any::<f64>()), 1..60),
        learning_rate in any::<f64>(),
        discount in any::<f64>(),
    ) {
        let learning = Learning { learning_rate, discount, exploration: 0.1 };
        let mut policy = Policy::default();
        for (n, (remedy, reward)) in lessons.into_iter().enumerate() {
            policy.learn(&lesson(&n.to_string(), remedy, reward), &learning);
        }
        prop_assert!(policy.rows().iter().all(|row| row.value.abs() <= VALUE_MAX));
        prop_assert_eq!(Policy::decode(Some(&policy.encode())).unwrap(), policy);
    }
}

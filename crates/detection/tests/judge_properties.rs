//! What holds of every rollout, whatever is told of it.

use homeostat_detection::judge::{Arm, Decision, Judge, Observation, Rollout, Settings, Verdict, What};
use proptest::prelude::*;

const EPOCH_MS: u64 = 1_767_225_600_000;

fn observation(at_ms: u64, arm: Option<Arm>, what: What) -> Observation {
    Observation { rollout: "r1".to_owned(), at_ms: EPOCH_MS + at_ms, arm, told_by: None, what }
}

fn counts(bad: u64, total: u64) -> What {
    What::Bernoulli { metric: "errors".to_owned(), bad: bad.min(total), total }
}

fn arms() -> impl Strategy<Value = Option<Arm>> {
    prop_oneof![Just(None), Just(Some(Arm::Baseline)), Just(Some(Arm::Canary))]
}

fn any_what() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => (0_u64..50, 1_u64..500).prop_map(|(bad, total)| counts(bad, total)),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(bad, total)| counts(bad, total)),
        4 => proptest::collection::vec(1.0_f64..1000.0, 0..40)
            .prop_map(|values| What::Sample { metric: "latency".to_owned(), values }),
        1 => proptest::collection::vec(any::<f64>(), 0..40)
            .prop_map(|values| What::Sample { metric: "latency".to_owned(), values }),
        1 => any::<f64>().prop_map(|value| What::Gauge { metric: "queue".to_owned(), value }),
        1 => prop_oneof![Just("deployed"), Just("scrape_failed"), Just("resolved"), Just("other")]
            .prop_map(|event| What::Event { event: event.to_owned() }),
    ]
}

/// Observations in order of time, some seconds apart, now and then minutes.
fn stories() -> impl Strategy<Value = Vec<Observation>> {
    let step = prop_oneof![10 => 0_u64..4_000, 1 => 60_000_u64..200_000];
    proptest::collection::vec((step, arms(), any_what()), 0..120).prop_map(|steps| {
        let mut at_ms = 0;
        let tell = |(step, arm, what)| {
            at_ms += step;
            observation(at_ms, arm, what)
        };
        steps.into_iter().map(tell).collect()
    })
}

fn told(story: &[Observation]) -> (Vec<Decision>, Rollout) {
    let settings = Settings::default();
    let mut rollout = Rollout::default();
    let said = story.iter().filter_map(|observation| rollout.observe(observation, &settings)).collect();
    (said, rollout)
}

/// A steady rhythm of reports of both arms, a second apart, with the errors given.
fn rhythm(batches: &[(u64, u64)]) -> Vec<Observation> {
    let mut story = Vec::new();
    for (batch, (baseline, canary)) in (0_u64..).zip(batches) {
        for second in 0..5 {
            let at_ms = (batch * 5 + second) * 1000;
            story.push(observation(at_ms, Some(Arm::Baseline), counts(*baseline, 200)));
            story.push(observation(at_ms + 100, Some(Arm::Canary), counts(*canary, 200)));
        }
    }
    story
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_number_that_is_told_is_finite_and_every_verdict_has_a_reason(story in stories()) {
        let (mut said, mut rollout) = told(&story);
        said.push(rollout.finish("r1", &Settings::default()));
        for decision in &said {
            prop_assert!((0.0..=100.0).contains(&decision.score), "{decision:?}");
            prop_assert!(decision.evidence.is_finite() && decision.evidence >= 0.0);
            prop_assert!(!decision.would_change.is_empty());
            for because in &decision.because {
                let effect = because.effect.unwrap_or(0.0);
                let numbers = [because.statistic, because.bound, because.weight, effect];
                prop_assert!(numbers.iter().all(|number| number.is_finite()), "{because:?}");
                prop_assert!(!because.text.is_empty(), "{because:?}");
            }
            let text = serde_json::to_string(decision).unwrap();
            prop_assert!(!text.contains("null,\"evidence\"") && !text.contains("NaN"));
        }
    }

    #[test]
    fn what_is_told_twice_counts_once(story in stories()) {
        let doubled: Vec<_> = story.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        let ((once, _), (twice, _)) = (told(&story), told(&doubled));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn the_order_within_a_batch_does_not_matter(
        batches in proptest::collection::vec((0_u64..20, 0_u64..20), 1..30),
        seed in any::<u64>(),
    ) {
        let story = rhythm(&batches);
        let mut mixed = story.clone();
        let mut dice = seed;
        for batch in mixed.chunks_mut(10) {
            for at in (1..batch.len()).rev() {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                batch.swap(at, (dice >> 33) as usize % (at + 1));
            }
        }
        let settings = Settings::default();
        let ((_, mut ordered), (_, mut mixed)) = (told(&story), told(&mixed));
        prop_assert_eq!(ordered.finish("r1", &settings), mixed.finish("r1", &settings));
        prop_assert_eq!(ordered, mixed);
    }

    #[test]
    fn a_state_survives_its_form_at_any_point(story in stories(), cut: prop::sample::Index) {
        prop_assume!(!story.is_empty());
        let cut = cut.index(story.len());
        let (whole, _) = told(&story);
        let settings = Settings::default();
        let mut rollout = Rollout::decode(None).unwrap();
        let mut said = Vec::new();
        for (at, observation) in story.iter().enumerate() {
            if at == cut {
                let bytes = rollout.encode();
                rollout = Rollout::decode(Some(&bytes)).unwrap();
            }
            said.extend(rollout.observe(observation, &settings));
        }
        prop_assert_eq!(whole, said);
    }

    #[test]
    fn any_bytes_are_a_state_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(mut rollout) = Rollout::decode(Some(&bytes)) {
            rollout.finish("r1", &Settings::default());
        }
    }

    #[test]
    fn silence_of_everything_is_never_bad(story in stories(), minutes in 1_u64..600) {
        let settings = Settings::default();
        let (said, mut rollout) = told(&story);
        prop_assume!(said.iter().all(|decision| decision.verdict != Verdict::Bad));
        let before = rollout.clone().finish("r1", &settings);
        prop_assume!(before.verdict != Verdict::Bad);
        let last_ms = story.last().map_or(0, |last| last.at_ms);
        for minute in 1..=minutes {
            rollout.tick("r1", last_ms + minute * 60_000, &settings);
            prop_assert_ne!(rollout.verdict(), Verdict::Bad);
        }
        prop_assert_ne!(rollout.finish("r1", &settings).verdict, Verdict::Bad);
    }

    #[test]
    fn the_unit_of_measurements_does_not_matter(
        batches in proptest::collection::vec(proptest::collection::vec(1.0_f64..1000.0, 20..40), 30..40),
        doublings in -12_i32..12,
    ) {
        let run = |unit: f64| {
            let story = (0_u64..).zip(&batches).flat_map(|(batch, values)| {
                let slow = values.iter().map(|value| value * unit * 1.3).collect();
                let usual = values.iter().map(|value| value * unit).collect();
                let sample = |values| What::Sample { metric: "latency".to_owned(), values };
                [
                    observation(batch * 5000, Some(Arm::Baseline), sample(usual)),
                    observation(batch * 5000, Some(Arm::Canary), sample(slow)),
                ]
            });
            let (said, _) = told(&story.collect::<Vec<_>>());
            said.into_iter().map(|one| (one.at, one.verdict, one.score, one.evidence)).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(1.0), run(f64::from(doublings).exp2()));
    }
}

#[test]
fn swapped_arms_are_an_improvement_and_no_regression() {
    let batches: Vec<_> = (0..600).map(|at| (4 + at % 3, 8 + at % 5)).collect();
    let verdict = |batches: &[(u64, u64)]| {
        let (said, mut rollout) = told(&rhythm(batches));
        let bad = said.iter().any(|decision| decision.verdict == Verdict::Bad);
        (bad, rollout.finish("r1", &Settings::default()).verdict)
    };
    assert_eq!(verdict(&batches), (true, Verdict::Bad));
    let swapped: Vec<_> = batches.iter().map(|(baseline, canary)| (*canary, *baseline)).collect();
    assert_eq!(verdict(&swapped), (false, Verdict::Healthy));
}

#[test]
fn nothing_but_zeros_is_never_bad() {
    let (said, _) = told(&rhythm(&[(0, 0); 400]));
    assert!(said.iter().all(|decision| decision.verdict != Verdict::Bad));
}

#[test]
fn late_observations_are_counted_and_not_used() {
    let mut story = rhythm(&[(2, 2); 10]);
    let (_, used) = told(&story);
    story.push(observation(1_500, Some(Arm::Canary), counts(200, 200)));
    let (_, rollout) = told(&story);
    assert_eq!((used.ignored().late, rollout.ignored().late), (0, 1));
    let settings = Settings::default();
    assert_eq!(used.clone().finish("r1", &settings), rollout.clone().finish("r1", &settings));
}

#[test]
fn a_grace_waits_for_the_late() {
    let settings = Settings { grace_ms: 10_000, ..Settings::default() };
    let mut rollout = Rollout::default();
    for observation in rhythm(&[(2, 2); 3]) {
        rollout.observe(&observation, &settings);
    }
    rollout.observe(&observation(1_500, Some(Arm::Canary), counts(200, 200)), &settings);
    assert_eq!(rollout.ignored().late, 0);
}

#[test]
fn a_metric_of_another_kind_than_before_does_not_fit() {
    let mut story = rhythm(&[(2, 2); 2]);
    let gauge = What::Gauge { metric: "errors".to_owned(), value: 1.0 };
    story.push(observation(11_000, Some(Arm::Canary), gauge));
    assert_eq!(told(&story).1.ignored().unfit, 1);
}

#[test]
fn states_keep_their_bounds() {
    let batches: Vec<_> = (0..2_000).map(|at| (at * 7 % 20, at * 11 % 20)).collect();
    let (_, rollout) = told(&rhythm(&batches));
    let bytes = rollout.encode().len();
    assert!(bytes <= 1024, "{bytes} bytes of counts");

    let mut rollout = Rollout::default();
    for at in 0..4_000_u64 {
        for arm in [Arm::Baseline, Arm::Canary] {
            let value = |index: u64| 10.0_f64.powf(((at * 37 + index * 1_009) % 5_000) as f64 / 1000.0 - 1.0);
            let what = What::Sample { metric: "latency".to_owned(), values: (0..50).map(value).collect() };
            rollout.observe(&observation(at * 5000, Some(arm), what), &Settings::default());
        }
    }
    let bytes = rollout.encode().len();
    assert!(bytes <= 4096, "{bytes} bytes of measurements");
}

#[test]
fn a_form_of_another_version_is_refused() {
    let mut bytes = Rollout::default().encode();
    bytes[0] += 1;
    let error = Rollout::decode(Some(&bytes)).unwrap_err().to_string();
    assert!(error.contains("form 2"), "{error}");
}

#[test]
fn more_rollouts_than_are_kept_finish_the_one_that_was_told_of_least_recently() {
    use homeostat_detection::judge::ROLLOUTS_MAX;
    let mut judge = Judge::new(Settings::default());
    let mut said = Vec::new();
    let mut tell = |judge: &mut Judge, rollout: String| {
        let one = Observation { rollout, ..observation(0, Some(Arm::Canary), counts(0, 9)) };
        judge.observe(&one, &mut |decision| said.push(decision));
    };
    for index in 0..ROLLOUTS_MAX {
        tell(&mut judge, format!("r{index}"));
    }
    tell(&mut judge, "r0".to_owned());
    tell(&mut judge, "new".to_owned());
    assert_eq!(said.len(), 1);
    assert!(said[0].last && said[0].rollout == "r1");
    judge.finish(&mut |decision| said.push(decision));
    assert_eq!(said.len(), ROLLOUTS_MAX + 1);
}

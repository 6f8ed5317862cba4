//! Does the judge keep its budget? Healthy lives with bursts and a level that wanders, by seed.
//!
//! The same lives show that an untempered test does not keep it: these tests can fail.

use homeostat_detection::judge::{Arm, Observation, Rollout, Settings, Verdict, What};
use homeostat_detection::sequential::{Arms, Direction, EDetector, Mixture, Tally};

const EPOCH_MS: u64 = 1_767_225_600_000;
const BATCHES: u64 = 360;
const HISTORY: u64 = 240;
const LIVES: u64 = 400;
/// Three standard deviations above 1 percent of the lives.
const FALSE_MAX: u64 = 4 + 6;

/// SplitMix64 (Steele, Lea and Flood 2014), and what is drawn from it.
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut product, mut count) = (self.share(), 0);
        while product > (-mean).exp() {
            product *= self.share();
            count += 1;
        }
        count
    }

    /// Bursts of geometric size, so that the variance is `spread` times the mean.
    fn bursty(&mut self, mean: f64, spread: f64) -> u64 {
        let size = (spread + 1.0) / 2.0;
        let bursts = self.poisson(mean / size);
        let stay = 1.0 - 1.0 / size;
        let mut count = 0;
        for _ in 0..bursts {
            count += 1;
            while self.share() < stay {
                count += 1;
            }
        }
        count
    }
}

/// A life: canary and baseline of each batch; the canary's rate is `ratio` times as high.
fn life(seed: u64, spread: f64, ratio: f64) -> Vec<Arms> {
    life_changing(seed, spread, spread, ratio)
}

/// The same, with errors of another variance over mean before the canary came.
fn life_changing(seed: u64, before: f64, spread: f64, ratio: f64) -> Vec<Arms> {
    let mut dice = Dice(seed);
    let mut level: f64 = 0.0;
    let batch = |at: u64| {
        // What both arms share: a level that wanders, and now and then an incident.
        level = 0.95 * level + 0.1 * (dice.share() - 0.5);
        let incident = if (400..460).contains(&at) && seed.is_multiple_of(2) { 10.0 } else { 1.0 };
        let rate = 0.005 * level.exp() * incident;
        let spread = if at < HISTORY { before } else { spread };
        let mut arm = |requests: u64, rate: f64| {
            let bad = dice.bursty(requests as f64 * rate, spread).min(requests);
            Tally { total: requests, bad }
        };
        let baseline = arm(450, rate);
        let canary = if at < HISTORY { Tally::default() } else { arm(50, rate * ratio) };
        Arms { canary, baseline }
    };
    (0..HISTORY + BATCHES).map(batch).collect()
}

/// The batch of the canary's life in which it was called bad.
fn called(life: &[Arms]) -> Option<usize> {
    let settings = Settings::default();
    let mut rollout = Rollout::default();
    let mut tell = |at: usize, arm, tally: Tally| {
        let what = What::Bernoulli { metric: "errors".to_owned(), bad: tally.bad, total: tally.total };
        let at_ms = EPOCH_MS + 5_000 * at as u64;
        rollout.observe(
            &Observation { rollout: String::new(), at_ms, arm: Some(arm), told_by: None, what },
            &settings,
        );
        rollout.verdict() == Verdict::Bad
    };
    let bad = |(at, arms): (usize, &Arms)| {
        let baseline = tell(at, Arm::Baseline, arms.baseline);
        let canary = arms.canary.total > 0 && tell(at, Arm::Canary, arms.canary);
        (baseline || canary).then_some(at)
    };
    life.iter().enumerate().find_map(bad)
}

fn crosses_untempered(life: &[Arms]) -> bool {
    let mut mixture = Mixture::new(Direction::Worse, 1.0);
    life.iter().any(|arms| {
        mixture.observe(*arms, 1.0);
        mixture.ln_e() >= 100.0_f64.ln()
    })
}

#[test]
fn healthy_canaries_are_called_bad_within_the_budget_however_bursty() {
    for spread in [1.0, 5.0, 10.0] {
        let called = (0..LIVES).filter(|seed| called(&life(*seed, spread, 1.0)).is_some()).count() as u64;
        assert!(called <= FALSE_MAX, "variance over mean {spread}: {called} of {LIVES}");
    }
}

#[test]
fn bursts_that_begin_when_the_canary_comes_cost_few_false_alarms() {
    // What the past says of bursts is wrong then, so that no budget is promised; it is kept all the
    // same, but for what chance adds. Without a bound on what one batch may gain it is half of all.
    for spread in [2.0, 4.0, 8.0, 16.0] {
        let life = |seed: u64| life_changing(seed, 1.0, spread, 1.0);
        let called = (0..LIVES).filter(|seed| called(&life(*seed)).is_some()).count() as u64;
        assert!(called <= 2 * FALSE_MAX, "variance over mean {spread}: {called} of {LIVES}");
    }
}

/// A healthy canary that has nine tenths of the traffic already, of a service with little of it.
fn nearly_rolled_out(seed: u64) -> Vec<Arms> {
    let mut dice = Dice(seed);
    let mut arm = |total: u64| Tally { total, bad: dice.poisson(0.005 * total as f64).min(total) };
    let before = (0..HISTORY).map(|_| 50).zip(std::iter::repeat(0));
    let beside = (0..BATCHES).map(|_| 5).zip(std::iter::repeat(45));
    before.chain(beside).map(|(old, new)| Arms { baseline: arm(old), canary: arm(new) }).collect()
}

#[test]
fn a_canary_that_has_most_of_the_traffic_is_not_held_against_the_few_that_are_left() {
    let called = (0..LIVES).filter(|seed| called(&nearly_rolled_out(*seed)).is_some()).count() as u64;
    assert!(called <= FALSE_MAX, "{called} of {LIVES}");
}

/// Requests of one arm in a batch, in milliseconds: as a rule between 50 and 150; in one batch of
/// twenty a pause makes three of ten of them five times as long, if `pauses`.
fn latencies(dice: &mut Dice, pauses: bool) -> Vec<f64> {
    let paused = dice.share() < 0.05 && pauses;
    let mut one = || {
        let ms = 50.0 + 100.0 * dice.share();
        let slow = dice.share() < 0.3;
        if paused && slow { 5.0 * ms } else { ms }
    };
    (0..50).map(|_| one()).collect()
}

/// Whether a canary whose machines pause as the old one's begin to is called slow.
fn called_slow(seed: u64) -> bool {
    let settings = Settings::default();
    let (mut rollout, mut dice) = (Rollout::default(), Dice(seed));
    (0..HISTORY + BATCHES).any(|at| {
        let is_here = at >= HISTORY;
        let arms = [Arm::Baseline, Arm::Canary].into_iter().take(1 + usize::from(is_here));
        arms.into_iter().any(|arm| {
            let what =
                What::Sample { metric: "latency-ms".to_owned(), values: latencies(&mut dice, is_here) };
            let at_ms = EPOCH_MS + 5_000 * at;
            rollout.observe(
                &Observation { rollout: String::new(), at_ms, arm: Some(arm), told_by: None, what },
                &settings,
            );
            rollout.verdict() == Verdict::Bad
        })
    })
}

#[test]
fn pauses_that_begin_when_the_canary_comes_cost_few_false_alarms() {
    let called = (0..LIVES).filter(|seed| called_slow(*seed)).count() as u64;
    assert!(called <= FALSE_MAX, "{called} of {LIVES}");
}

#[test]
fn a_test_that_knows_nothing_of_bursts_would_be_caught_here() {
    let called = (0..LIVES).filter(|seed| crosses_untempered(&life(*seed, 5.0, 1.0))).count() as u64;
    assert!(called > 3 * FALSE_MAX, "{called} of {LIVES}");
}

#[test]
fn canaries_with_three_times_the_errors_are_called_soon() {
    let mut delays: Vec<usize> =
        (0..100).map(|seed| called(&life(seed, 1.0, 3.0)).unwrap_or(usize::MAX)).collect();
    delays.sort_unstable();
    assert!(delays[50] <= 240 + 30, "{delays:?}");
    assert!(delays[99] < usize::MAX);
}

#[test]
fn a_stream_that_stays_healthy_seldom_reaches_the_run_length() {
    // On average at least 1,000 batches until it reaches 1,000: at most 60 in 100 do within 600.
    let reaches = |seed: u64| {
        let mut detector = EDetector::new(0.05, 0.11);
        life(seed, 5.0, 1.0).iter().any(|arms| {
            detector.observe(arms.baseline.share());
            detector.value() >= 1e3
        })
    };
    let calm = (0_u64..100).filter(|seed| !seed.is_multiple_of(2));
    let reached = calm.filter(|seed| reaches(*seed)).count();
    assert!(reached <= 30, "{reached} of 50");
}

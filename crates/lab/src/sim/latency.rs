//! S2: how long the requests of a canary and of its baseline take.
//!
//! Log-normal with a slow tail; each arm's level is disturbed a little in every tick; a fault makes
//! all of the canary's requests slower, or some of them much slower, or a share of them twice as
//! slow (two modes); a bias makes its machines a little faster or slower for the whole life.

use serde::Deserialize;

use crate::seed::Random;

/// The world of latency. Times are seconds, latencies milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// Seconds that one tick counts over.
    pub tick_s: u32,
    /// The baseline alone, before the canary.
    pub history_s: u32,
    /// The canary's life.
    pub life_s: u32,
    /// Requests a second, both arms together.
    pub requests_per_s: f64,
    /// The canary's share of them.
    pub canary_share: f64,
    /// Half of the requests take longer than this.
    pub median_ms: f64,
    /// Standard deviation of the logarithm.
    pub sd: f64,
    /// How many are in the slow tail.
    pub tail_share: f64,
    /// How much slower those are.
    pub tail_times: f64,
    /// Standard deviation of an arm's disturbance in a tick, of the logarithm.
    pub arm_sd: f64,
}

/// What is wrong with the canary.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slowdown {
    /// What all of its requests are slowed by; 1 is nothing.
    pub all: f64,
    /// What some of them are slowed by.
    #[serde(default = "unchanged")]
    pub some: f64,
    /// How many are some.
    #[serde(default)]
    pub share: f64,
    /// Standard deviation of the bias of its machines, of the logarithm.
    #[serde(default)]
    pub bias_sd: f64,
}

fn unchanged() -> f64 {
    1.0
}

impl Slowdown {
    /// Nothing is wrong.
    pub const NONE: Self = Self { all: 1.0, some: 1.0, share: 0.0, bias_sd: 0.0 };
}

/// What both arms measured in one tick, in milliseconds.
pub type Tick = super::Tick<Vec<f64>>;

/// The ticks of one life, the baseline's history first, made one by one.
pub struct Life<'a> {
    world: &'a Requests,
    slowdown: Slowdown,
    bias: f64,
    next: i64,
    random: Random,
}

impl<'a> Life<'a> {
    /// One life.
    pub fn new(world: &'a Requests, slowdown: Slowdown, mut random: Random) -> Self {
        let bias = slowdown.bias_sd * random.normal();
        let next = -i64::from(world.history_s) / i64::from(world.tick_s);
        Self { world, slowdown, bias, next, random }
    }

    fn requests(&mut self, share: f64, slowdown: Slowdown, bias: f64) -> Vec<f64> {
        let world = self.world;
        let count = self.random.count(world.requests_per_s * share * f64::from(world.tick_s));
        let level = libm::log(world.median_ms) + bias + world.arm_sd * self.random.normal();
        (0..count).map(|_| one(world, level, slowdown, &mut self.random)).collect()
    }
}

impl Iterator for Life<'_> {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        let at_s = self.next * i64::from(self.world.tick_s);
        if at_s >= i64::from(self.world.life_s) {
            return None;
        }
        self.next += 1;
        let share = if at_s < 0 { 0.0 } else { self.world.canary_share };
        let baseline = self.requests(1.0 - share, Slowdown::NONE, 0.0);
        let canary = if at_s < 0 { Vec::new() } else { self.requests(share, self.slowdown, self.bias) };
        Some(Tick { at_s, baseline, canary })
    }
}

fn one(world: &Requests, level: f64, slowdown: Slowdown, random: &mut Random) -> f64 {
    let mut ms = libm::exp(level + world.sd * random.normal()) * slowdown.all;
    if random.chance(world.tail_share) {
        ms *= world.tail_times;
    }
    if slowdown.share > 0.0 && random.chance(slowdown.share) {
        ms *= slowdown.some;
    }
    ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: Requests = Requests {
        tick_s: 5,
        history_s: 600,
        life_s: 1800,
        requests_per_s: 20.0,
        canary_share: 0.5,
        median_ms: 100.0,
        sd: 0.5,
        tail_share: 0.02,
        tail_times: 10.0,
        arm_sd: 0.05,
    };

    fn quantile(values: &mut [f64], q: f64) -> f64 {
        values.sort_by(f64::total_cmp);
        values[(values.len() as f64 * q) as usize]
    }

    #[test]
    fn a_shift_moves_the_median_and_a_tail_only_the_tail() {
        let check = |slowdown: Slowdown, median: f64, tail: f64| {
            let life: Vec<Tick> = Life::new(&WORLD, slowdown, Random::of(1, "latency", 0)).collect();
            assert_eq!(life.len(), 480);
            let mut canary: Vec<f64> = life.iter().flat_map(|tick| tick.canary.clone()).collect();
            let mut baseline: Vec<f64> = life.iter().flat_map(|tick| tick.baseline.clone()).collect();
            let times =
                |q, canary: &mut [f64], baseline: &mut [f64]| quantile(canary, q) / quantile(baseline, q);
            assert!((times(0.5, &mut canary, &mut baseline) - median).abs() < 0.05);
            let seen = times(0.96, &mut canary, &mut baseline);
            assert!((seen / tail - 1.0).abs() < 0.15, "{seen} of {tail}");
        };
        check(Slowdown::NONE, 1.0, 1.0);
        check(Slowdown { all: 1.5, ..Slowdown::NONE }, 1.5, 1.5);
        check(Slowdown { share: 0.1, some: 8.0, ..Slowdown::NONE }, 1.07, 3.4);
    }
}

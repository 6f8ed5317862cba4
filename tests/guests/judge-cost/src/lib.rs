//! What an observation costs the judge inside WebAssembly, and what its state weighs.
//!
//! Purpose: `GET /counts` and `GET /latency` judge a fixed load of one rollout and answer with a
//! line of JSON; docs/evaluation/README.md has the manifest and the command.
//! Does not: decide whether that is quick enough.
//! Invariant: the load is made before the clock starts, and is the same each time.

use std::time::Instant;

use homeostat_detection::judge::{Arm, Observation, Rollout, Settings, What};
use spin_sdk::http::{IntoResponse, Request, StatusCode};
use spin_sdk::http_service;

/// Ticks of 5 s, with an observation of each arm.
const TICKS: u64 = 20_000;
/// Fewer for latency: each observation has a hundred values.
const LATENCY_TICKS: u64 = 2_000;
const VALUES: u64 = 100;
/// A state is weighed once in so many ticks, outside of what is timed.
const WEIGH_EVERY: usize = 101;
/// Some time.
const START_MS: u64 = 1_704_067_200_000;
const TICK_MS: u64 = 5_000;

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    let load = match request.uri().path() {
        "/counts" => load(TICKS, counts),
        "/latency" => load(LATENCY_TICKS, latencies),
        _ => return (StatusCode::NOT_FOUND, "try /counts or /latency\n".to_owned()),
    };
    (StatusCode::OK, measure(&load))
}

fn measure(load: &[Observation]) -> String {
    let settings = Settings::default();
    let mut rollout = Rollout::default();
    let began = Instant::now();
    for observation in load {
        // What is decided does not matter here, only that it was.
        let _decision = rollout.observe(observation, &settings);
    }
    let each_us = began.elapsed().as_secs_f64() * 1e6 / load.len() as f64;
    let (mut weighed, mut bytes) = (Rollout::default(), 0);
    for (number, observation) in load.iter().enumerate() {
        let _decision = weighed.observe(observation, &settings);
        if number % WEIGH_EVERY == 0 {
            bytes = bytes.max(weighed.encode().len());
        }
    }
    format!("{{\"observations\":{},\"us_each\":{each_us:.3},\"state_bytes_max\":{bytes}}}\n", load.len())
}

fn load(ticks: u64, what: fn(&mut u64, Arm) -> What) -> Vec<Observation> {
    let mut draws = 1;
    let mut load = Vec::new();
    for tick in 0..ticks {
        for arm in [Arm::Baseline, Arm::Canary] {
            let at_ms = START_MS + (tick + 1) * TICK_MS - 1;
            let what = what(&mut draws, arm);
            load.push(Observation { rollout: "cost".to_owned(), at_ms, arm: Some(arm), told_by: None, what });
        }
    }
    load
}

/// About one error in a hundred requests, a tenth of them the canary's.
fn counts(draws: &mut u64, arm: Arm) -> What {
    let (total, most) = if arm == Arm::Canary { (50, 2) } else { (450, 10) };
    What::Bernoulli { metric: "errors".to_owned(), bad: draw(draws, most), total }
}

fn latencies(draws: &mut u64, _: Arm) -> What {
    let values = (0..VALUES).map(|_| 50.0 + draw(draws, 1_000) as f64 / 10.0).collect();
    What::Sample { metric: "latency_ms".to_owned(), values }
}

/// Below `end`, by a linear congruential generator (Knuth's MMIX): no randomness is needed, only
/// variety.
fn draw(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % end
}

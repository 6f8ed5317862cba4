//! The best setting of each peer on seeds 0 to 19: the quickest of a grid whose false rollbacks stay
//! at or below 1 % in each of the plain worlds at spread 1, else the one with the fewest.
//! What it prints is what `frozen.toml` calls `best`.
#![expect(clippy::disallowed_macros, clippy::print_stdout, reason = "an example is a program")]

use homeostat_lab::frozen::Frozen;
use homeostat_lab::peers::{Setting, TICK_S, argo, ewma, flagger, kayenta, lindon_malek, peeking, pipecd};
use homeostat_lab::seed::Random;
use homeostat_lab::sim::counts::{Fault, Tick, life};

const SEEDS: u64 = 20;
const LIVES: u64 = 10;
/// Worlds and faults whose median delays are added up.
const FAULTS: [(&str, f64); 4] = [("a", 5.0), ("a", 10.0), ("b", 2.0), ("b", 5.0)];
const WORLDS: [&str; 4] = ["a", "b", "c", "d"];
/// A life without a call counts as this long.
const NEVER_S: i64 = 7_200;
const FALSE_MAX: f64 = 0.01;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frozen = Frozen::embedded()?;
    let lives = |world: &str, ratio: f64| -> Vec<(Vec<Tick>, Vec<Tick>)> {
        let simulate = |part: &str, ratio, seed, number| {
            let mut random = Random::of(seed, &format!("tune/{world}/{part}/{ratio}"), number);
            life(&frozen.worlds[world], &frozen.counts, 1.0, Fault { ratio, ..Fault::NONE }, &mut random)
        };
        let each = (0..SEEDS).flat_map(|seed| (0..LIVES).map(move |number| (seed, number)));
        each.map(|(seed, number)| {
            (simulate("life", ratio, seed, number), simulate("before", 1.0, seed, number))
        })
        .collect()
    };
    let healthy: Vec<_> = WORLDS.map(|world| lives(world, 1.0)).into();
    let faulty: Vec<_> = FAULTS.map(|(world, ratio)| lives(world, ratio)).into();
    for (name, grid) in grids() {
        let score = |setting: &Setting| {
            let falsely = |lives: &Vec<(Vec<Tick>, Vec<Tick>)>| {
                let called = lives.iter().filter(|life| call(setting, life) < NEVER_S).count();
                called as f64 / lives.len() as f64
            };
            let worst = healthy.iter().map(falsely).fold(0.0, f64::max);
            let delay: i64 = faulty.iter().map(|lives| median(setting, lives)).sum();
            (worst, delay)
        };
        let mut scored: Vec<_> = grid.iter().map(|setting| (score(setting), *setting)).collect();
        scored.sort_by(|((worst_a, delay_a), _), ((worst_b, delay_b), _)| {
            let class = |worst: f64| if worst <= FALSE_MAX { 0.0 } else { worst };
            class(*worst_a).total_cmp(&class(*worst_b)).then(delay_a.cmp(delay_b))
        });
        if let Some(((worst, delay), setting)) = scored.first() {
            println!("{name}: worst false share {worst}, delays {delay} s: {setting:?}");
        }
    }
    Ok(())
}

fn call(setting: &Setting, (ticks, before): &(Vec<Tick>, Vec<Tick>)) -> i64 {
    let mut peer = setting.start(before);
    ticks.iter().find(|tick| peer.look(tick)).map_or(NEVER_S, |tick| tick.at_s + TICK_S)
}

fn median(setting: &Setting, lives: &[(Vec<Tick>, Vec<Tick>)]) -> i64 {
    let mut delays: Vec<i64> = lives.iter().map(|life| call(setting, life)).collect();
    delays.sort_unstable();
    delays[delays.len() / 2]
}

fn grids() -> Vec<(&'static str, Vec<Setting>)> {
    let mut kayenta_grid = Vec::new();
    for interval_s in [300, 600] {
        for quantile in [2.326_347_874_040_841, 3.090_232_306_167_813] {
            for allowed_increase in [1.0, 1.25, 1.5, 2.0] {
                let setting = kayenta::Setting { interval_s, tolerance: 0.25, quantile, allowed_increase };
                kayenta_grid.push(Setting::Kayenta(setting));
            }
        }
    }
    let mut flagger_grid = Vec::new();
    for threshold in [1, 2, 5, 10] {
        for success_min in [99.0, 98.0, 97.0, 95.0, 90.0] {
            flagger_grid.push(Setting::Flagger(flagger::Setting { interval_s: 60, threshold, success_min }));
        }
    }
    let mut argo_grid = Vec::new();
    for failure_limit in [0, 1, 3] {
        for success_min in [0.99, 0.98, 0.97, 0.95, 0.9] {
            argo_grid.push(Setting::Argo(argo::Setting { interval_s: 300, failure_limit, success_min }));
        }
    }
    let mut peeking_grid = Vec::new();
    for z in [2.326_347_874_040_841, 3.0, 3.5, 4.0, 4.5, 5.0] {
        peeking_grid.push(Setting::Peeking(peeking::Setting { interval_s: 10, z }));
    }
    let mut lindon_grid = Vec::new();
    for k in [2.0, 10.0, 30.0, 100.0, 300.0, 1000.0] {
        let setting = lindon_malek::Setting { interval_s: 10, k, alpha: 0.01 };
        lindon_grid.push(Setting::LindonMalek(setting));
    }
    let mut ewma_grid = Vec::new();
    for weight in [0.02, 0.05, 0.1] {
        for z in [5.0, 8.0, 12.0, 20.0] {
            ewma_grid.push(Setting::Ewma(ewma::Setting { interval_s: 10, weight, z }));
        }
    }
    vec![
        ("kayenta", kayenta_grid),
        ("flagger", flagger_grid),
        ("argo-rollouts", argo_grid),
        ("pipecd-threshold", pipecd_grid(pipecd::Strategy::Threshold, &[0.01, 0.02, 0.05, 0.1])),
        ("pipecd-previous", pipecd_grid(pipecd::Strategy::Previous, &[0.0])),
        ("pipecd-canary-baseline", pipecd_grid(pipecd::Strategy::CanaryBaseline, &[0.0])),
        ("lindon-malek", lindon_grid),
        ("peeking-z", peeking_grid),
        ("ewma-z", ewma_grid),
    ]
}

fn pipecd_grid(strategy: pipecd::Strategy, errors_max: &[f64]) -> Vec<Setting> {
    let mut grid = Vec::new();
    for interval_s in [300, 600] {
        for failure_limit in [0, 1, 2, 3] {
            for error_max in errors_max {
                let setting = pipecd::Setting { interval_s, failure_limit, strategy, error_max: *error_max };
                grid.push(Setting::Pipecd(setting));
            }
        }
    }
    grid
}

//! The best setting of each peer on seeds 0 to 19: the quickest of a grid whose false rollbacks stay
//! at or below 1 % in each plain world (S1 at spread 1, S2), else the one with the fewest.
//! What it prints is what `frozen.toml` calls `best`: `tune counts` or `tune latency`.
#![expect(clippy::disallowed_macros, clippy::disallowed_methods, reason = "an example is a program")]
#![expect(clippy::print_stdout, reason = "an example is a program")]

use homeostat_lab::frozen::Frozen;
use homeostat_lab::peers::{
    Seen, Setting, Statistic, TICK_S, argo, ewma, flagger, howard_ramdas, kayenta, lindon_malek, peeking,
    pipecd,
};
use homeostat_lab::seed::Random;
use homeostat_lab::sim::Tick;
use homeostat_lab::sim::counts::{self, Fault};
use homeostat_lab::sim::latency::{self, Slowdown};

const SEEDS: u64 = 20;
const COUNTS_LIVES: u64 = 10;
/// Each is thousands of latencies, kept.
const LATENCY_LIVES: u64 = 5;
/// Worlds and faults whose median delays are added up.
const FAULTS: [(&str, f64); 4] = [("a", 5.0), ("a", 10.0), ("b", 2.0), ("b", 5.0)];
const WORLDS: [&str; 4] = ["a", "b", "c", "d"];
/// The same of S2.
const SLOWDOWNS: [&str; 3] = ["x1.25", "x1.5", "tail3"];
/// A life without a call counts as this long.
const NEVER_S: i64 = 7_200;
const FALSE_MAX: f64 = 0.01;

/// A canary's life, and what the deployment before it showed.
type Life<S> = (Vec<Tick<S>>, Vec<Tick<S>>);
type Grids = Vec<(&'static str, Vec<Setting>)>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frozen = Frozen::embedded()?;
    match std::env::args().nth(1).as_deref() {
        Some("counts") => tune_counts(&frozen),
        Some("latency") => tune_latency(&frozen),
        _ => return Err("tune counts|latency".into()),
    }
    Ok(())
}

fn tune_counts(frozen: &Frozen) {
    let lives = |world: &str, ratio: f64| {
        let simulate = |part: &str, ratio, seed, number| {
            let mut random = Random::of(seed, &format!("tune/{world}/{part}/{ratio}"), number);
            let fault = Fault { ratio, ..Fault::NONE };
            counts::life(&frozen.worlds[world], &frozen.counts, 1.0, fault, &mut random)
        };
        each(COUNTS_LIVES, |seed, number| {
            (simulate("life", ratio, seed, number), simulate("before", 1.0, seed, number))
        })
    };
    let healthy = WORLDS.map(|world| lives(world, 1.0));
    let faulty = FAULTS.map(|(world, ratio)| lives(world, ratio));
    tell(counts_grids(), &healthy, &faulty);
}

fn tune_latency(frozen: &Frozen) {
    let lives = |name: &str, slowdown: Slowdown| {
        let simulate = |part: &str, slowdown, seed, number| -> Vec<latency::Tick> {
            let random = Random::of(seed, &format!("tune/{name}/{part}"), number);
            latency::Life::new(&frozen.latency, slowdown, random).collect()
        };
        each(LATENCY_LIVES, |seed, number| {
            (simulate("life", slowdown, seed, number), simulate("before", Slowdown::NONE, seed, number))
        })
    };
    let faulty = SLOWDOWNS.map(|name| lives(name, frozen.slowdowns[name]));
    tell(latency_grids(), &[lives("healthy", Slowdown::NONE)], &faulty);
}

fn each<S>(lives: u64, life: impl Fn(u64, u64) -> Life<S>) -> Vec<Life<S>> {
    (0..SEEDS)
        .flat_map(|seed| (0..lives).map(move |number| (seed, number)))
        .map(|(s, n)| life(s, n))
        .collect()
}

/// Prints the best of each grid.
fn tell<S: Seen>(grids: Grids, healthy: &[Vec<Life<S>>], faulty: &[Vec<Life<S>>]) {
    for (name, grid) in grids {
        let score = |setting: &Setting| {
            let falsely = |lives: &Vec<Life<S>>| {
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
}

fn call<S: Seen>(setting: &Setting, (ticks, before): &Life<S>) -> i64 {
    let Some(mut peer) = setting.start(before) else { return NEVER_S };
    ticks.iter().find(|tick| peer.look(tick)).map_or(NEVER_S, |tick| tick.at_s + TICK_S)
}

fn median<S: Seen>(setting: &Setting, lives: &[Life<S>]) -> i64 {
    let mut delays: Vec<i64> = lives.iter().map(|life| call(setting, life)).collect();
    delays.sort_unstable();
    delays[delays.len() / 2]
}

fn counts_grids() -> Grids {
    use Statistic::ErrorShare;
    use pipecd::Strategy;
    let lindon = [2.0, 10.0, 30.0, 100.0, 300.0, 1000.0]
        .map(|k| Setting::LindonMalek(lindon_malek::Setting { interval_s: 10, k, alpha: 0.01 }));
    vec![
        ("kayenta", kayenta_grid(&[300, 600], ErrorShare, &[1.0, 1.25, 1.5, 2.0])),
        ("flagger", flagger_grid(ErrorShare, &[0.01, 0.02, 0.03, 0.05, 0.1])),
        ("argo-rollouts", argo_grid(&[300], &[ErrorShare], &[0.01, 0.02, 0.03, 0.05, 0.1])),
        (
            "pipecd-threshold",
            pipecd_grid(&[300, 600], Strategy::Threshold, &[ErrorShare], &[0.01, 0.02, 0.05, 0.1]),
        ),
        ("pipecd-previous", pipecd_grid(&[300, 600], Strategy::Previous, &[ErrorShare], &[0.0])),
        ("pipecd-canary-baseline", pipecd_grid(&[300, 600], Strategy::CanaryBaseline, &[ErrorShare], &[0.0])),
        ("lindon-malek", lindon.to_vec()),
        ("peeking-z", peeking_grid()),
        ("ewma-z", ewma_grid(ErrorShare)),
    ]
}

/// Where the query is the operator's, the statistic is a part of the grid; so is judging every minute.
fn latency_grids() -> Grids {
    use Statistic::{Mean, Quantile};
    use pipecd::Strategy;
    let often = [60, 300, 600];
    let queries = [Mean, Quantile(0.5), Quantile(0.95), Quantile(0.99)];
    let thresholds = [110.0, 130.0, 150.0, 175.0, 200.0, 250.0, 300.0, 400.0, 500.0, 750.0, 1_000.0, 1_500.0];
    let p99s = [500.0, 750.0, 1_000.0, 1_250.0, 1_500.0, 1_750.0, 2_000.0, 2_500.0, 3_000.0];
    let mut bands = Vec::new();
    for alpha in [0.01, 0.05, 0.2] {
        for requests_min in [32.0, 100.0, 300.0] {
            let setting = howard_ramdas::Setting { interval_s: 10, alpha, requests_min };
            bands.push(Setting::HowardRamdas(setting));
        }
    }
    vec![
        ("kayenta-mean", kayenta_grid(&often, Mean, &[1.0, 1.1, 1.25])),
        ("kayenta-p99", kayenta_grid(&often, Quantile(0.99), &[1.0, 1.1, 1.25])),
        ("flagger", flagger_grid(Quantile(0.99), &p99s)),
        ("argo-rollouts", argo_grid(&often, &queries, &thresholds)),
        ("pipecd-threshold", pipecd_grid(&often, Strategy::Threshold, &queries, &thresholds)),
        ("pipecd-previous", pipecd_grid(&often, Strategy::Previous, &queries, &[0.0])),
        ("pipecd-canary-baseline", pipecd_grid(&often, Strategy::CanaryBaseline, &queries, &[0.0])),
        ("howard-ramdas", bands),
        ("peeking-z", peeking_grid()),
        ("ewma-z", [Mean, Quantile(0.5), Quantile(0.95)].into_iter().flat_map(ewma_grid).collect()),
    ]
}

fn kayenta_grid(intervals_s: &[u32], statistic: Statistic, increases: &[f64]) -> Vec<Setting> {
    let mut grid = Vec::new();
    for interval_s in intervals_s {
        for quantile in [2.326_347_874_040_841, 3.090_232_306_167_813] {
            for allowed_increase in increases {
                grid.push(Setting::Kayenta(kayenta::Setting {
                    interval_s: *interval_s,
                    tolerance: 0.25,
                    quantile,
                    allowed_increase: *allowed_increase,
                    statistic,
                }));
            }
        }
    }
    grid
}

fn flagger_grid(statistic: Statistic, most: &[f64]) -> Vec<Setting> {
    let mut grid = Vec::new();
    for threshold in [1, 2, 5, 10] {
        for max in most {
            let setting = flagger::Setting { interval_s: 60, threshold, statistic, max: *max };
            grid.push(Setting::Flagger(setting));
        }
    }
    grid
}

fn argo_grid(intervals_s: &[u32], statistics: &[Statistic], most: &[f64]) -> Vec<Setting> {
    let mut grid = Vec::new();
    for interval_s in intervals_s {
        for failure_limit in [0, 1, 3] {
            for statistic in statistics {
                for max in most {
                    let (interval_s, statistic, max) = (*interval_s, *statistic, *max);
                    grid.push(Setting::Argo(argo::Setting { interval_s, failure_limit, statistic, max }));
                }
            }
        }
    }
    grid
}

fn pipecd_grid(
    intervals_s: &[u32],
    strategy: pipecd::Strategy,
    statistics: &[Statistic],
    most: &[f64],
) -> Vec<Setting> {
    let mut grid = Vec::new();
    for interval_s in intervals_s {
        for failure_limit in [0, 1, 2, 3] {
            for statistic in statistics {
                for max in most {
                    let (interval_s, statistic, max) = (*interval_s, *statistic, *max);
                    let setting = pipecd::Setting { interval_s, failure_limit, strategy, statistic, max };
                    grid.push(Setting::Pipecd(setting));
                }
            }
        }
    }
    grid
}

fn peeking_grid() -> Vec<Setting> {
    let quantiles = [2.326_347_874_040_841, 3.0, 3.5, 4.0, 4.5, 5.0];
    quantiles.map(|z| Setting::Peeking(peeking::Setting { interval_s: 10, z })).to_vec()
}

fn ewma_grid(statistic: Statistic) -> Vec<Setting> {
    let mut grid = Vec::new();
    for weight in [0.02, 0.05, 0.1] {
        for z in [5.0, 8.0, 12.0, 20.0] {
            grid.push(Setting::Ewma(ewma::Setting { interval_s: 10, weight, z, statistic }));
        }
    }
    grid
}

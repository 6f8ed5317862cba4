//! Runs the cells whose names begin with one of the prefixes and writes a run for the scorer:
//! `run FOLDER FROM..TO LIVES PREFIX...`, with as many lives a seed as planned where LIVES is 0. For
//! tuning on seeds below 100, and for a part of a report; the report is made by
//! `homeostat eval detection`.
#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "an example is a program")]
#![expect(clippy::print_stderr, reason = "an example is a program")]

use std::fs;

use homeostat_lab::cell::{CONTROL_PAIR, Effort, FLEET_CELLS, all};
use homeostat_lab::frozen::Frozen;
use homeostat_lab::run::cell as run;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seeds, lives, prefixes @ ..] = arguments.as_slice() else {
        return Err("run FOLDER FROM..TO LIVES PREFIX...".into());
    };
    let (from, to) = seeds.split_once("..").ok_or("seeds are FROM..TO, as in 0..10")?;
    let (seeds, lives): (std::ops::Range<u64>, u32) = (from.parse()?..to.parse()?, lives.parse()?);
    let count = seeds.end - seeds.start;
    let frozen = Frozen::embedded()?;
    let mut cells = all(&frozen, Effort::Whole);
    cells.retain(|cell| prefixes.iter().any(|prefix| cell.name.starts_with(prefix.as_str())));
    if lives > 0 {
        cells.iter_mut().for_each(|cell| cell.lives_per_seed = lives);
    }
    fs::create_dir_all(folder)?;
    let [mut decisions, mut labels, mut forecasts, mut series] = [const { String::new() }; 4];
    for cell in &cells {
        let began = std::time::Instant::now();
        for seed in seeds.clone() {
            let lines = run(cell, seed, &frozen);
            decisions.push_str(&lines.decisions);
            labels.push_str(&lines.labels);
            forecasts.push_str(&lines.forecasts);
            series.push_str(&lines.series);
        }
        let each = began.elapsed().as_secs_f64() * 1e3 / (count as f64 * f64::from(cell.lives_per_seed));
        eprintln!("{each:.2} ms a life of {}", cell.name);
    }
    let described: Vec<_> = cells.iter().map(|cell| cell.described(count)).chain(FLEET_CELLS).collect();
    let [faulty, healthy] = CONTROL_PAIR;
    let described = serde_json::json!({
        "frozen": Frozen::hash(), "cells": described,
        "controls": {"faulty": faulty, "healthy": healthy, "silent_from_s": frozen.controls.blind_from_s},
    });
    fs::write(format!("{folder}/cells.json"), described.to_string())?;
    fs::write(format!("{folder}/decisions.jsonl"), decisions)?;
    fs::write(format!("{folder}/labels.jsonl"), labels)?;
    fs::write(format!("{folder}/forecasts.jsonl"), forecasts)?;
    fs::write(format!("{folder}/series.jsonl"), series)?;
    Ok(())
}

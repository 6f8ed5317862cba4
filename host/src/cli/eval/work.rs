//! The run: every cell under every seed, on some threads, into files.
//!
//! Does not: decide anything. Invariant: the scorer's answer does not depend on the order in which
//! threads finish, so lines are written as they come.

use std::fs::{self, File};
use std::io::{BufWriter, IsTerminal, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use homeostat_lab::cell::{CONTROL_PAIR, Cell, FLEET_CELLS};
use homeostat_lab::frozen::Frozen;
use homeostat_lab::record::Lines;
use homeostat_lab::run;
use serde_json::{Value, json};

/// Progress is shown no more often.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What is run.
pub(super) struct Run<'a> {
    pub(super) frozen: &'a Frozen,
    pub(super) cells: &'a [Cell],
    pub(super) seeds: Range<u64>,
    pub(super) jobs: usize,
}

impl Run<'_> {
    /// Runs all of it and writes its lines.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let mut files = Files::create(folder)?;
        let jobs: Vec<(&Cell, u64)> =
            self.cells.iter().flat_map(|cell| self.seeds.clone().map(move |seed| (cell, seed))).collect();
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::sync_channel::<Lines>(self.jobs);
        std::thread::scope(|scope| -> Result<()> {
            for _ in 0..self.jobs {
                let (sender, jobs, next) = (sender.clone(), &jobs, &next);
                scope.spawn(move || {
                    while let Some((cell, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if sender.send(run::cell(cell, *seed, self.frozen)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut progress = Progress::new(jobs.len());
            for lines in receiver {
                files.add(&lines)?;
                progress.step();
            }
            Ok(())
        })?;
        files.finish()
    }
}

/// Tells the scorer what was run.
pub(super) fn describe(folder: &Path, run: &Run<'_>, measured: &Value) -> Result<()> {
    let seeds = run.seeds.end - run.seeds.start;
    let cells: Vec<_> = run.cells.iter().map(|cell| cell.described(seeds)).chain(FLEET_CELLS).collect();
    let [faulty, healthy] = CONTROL_PAIR;
    let described = json!({
        "frozen": Frozen::hash(),
        "cells": cells,
        "controls": {"faulty": faulty, "healthy": healthy, "silent_from_s": run.frozen.controls.blind_from_s},
        "measured": measured,
    });
    let path = folder.join("cells.json");
    fs::write(&path, described.to_string()).with_context(|| format!("cannot write {}", path.display()))
}

struct Files([BufWriter<File>; 4]);

impl Files {
    fn create(folder: &Path) -> Result<Self> {
        let create = |name: &str| -> Result<BufWriter<File>> {
            let path = folder.join(name);
            Ok(BufWriter::new(
                File::create(&path).with_context(|| format!("cannot write {}", path.display()))?,
            ))
        };
        Ok(Self([
            create("decisions.jsonl")?,
            create("labels.jsonl")?,
            create("forecasts.jsonl")?,
            create("series.jsonl")?,
        ]))
    }

    fn add(&mut self, lines: &Lines) -> Result<()> {
        let texts = [&lines.decisions, &lines.labels, &lines.forecasts, &lines.series];
        for (file, text) in self.0.iter_mut().zip(texts) {
            file.write_all(text.as_bytes()).context("cannot write the run's lines")?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.0.iter_mut().try_for_each(|file| file.flush().context("cannot write the run's lines"))
    }
}

/// How far it is, on standard error when that is a terminal.
struct Progress {
    all: usize,
    done: usize,
    began: Instant,
    shown: Option<Instant>,
}

impl Progress {
    fn new(all: usize) -> Self {
        let shown = std::io::stderr().is_terminal().then(Instant::now);
        Self { all, done: 0, began: Instant::now(), shown }
    }

    fn step(&mut self) {
        self.done += 1;
        let due = |shown: Instant| shown.elapsed() >= PROGRESS_EVERY || self.done == self.all;
        if self.shown.is_some_and(due) {
            self.shown = Some(Instant::now());
            let end = if self.done == self.all { "\n" } else { "" };
            let seconds = self.began.elapsed().as_secs();
            // A terminal that went away is no reason to stop.
            let _gone =
                write!(std::io::stderr(), "\r{} of {} parts, {seconds} s{end}", self.done, self.all).is_err();
        }
    }
}

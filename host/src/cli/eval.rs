//! `homeostat eval`: run the laboratory, and write what it found.
//!
//! Does not: score (a Python program of its own does, which this one starts), or hold a parameter.
//! Invariant: the same seeds give the same report, on however many threads; a report is written even
//! when a control failed, and the command fails.

mod measure;
mod scorer;
mod work;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use homeostat_lab::cell::{Effort, all};
use homeostat_lab::frozen::Frozen;
use homeostat_lab::report::scores::{Reached, Scores};
use homeostat_lab::report::{Made, Report, draw};

use super::{CliError, output};

const EXAMPLES: &str = "\
Examples:
  homeostat eval detection                         all of it, some twenty minutes of one core: writes
                                                   docs/evaluation/detection.md and its pictures
  homeostat eval detection --quick --out /tmp/e    a little of everything, in seconds
  homeostat eval detection --seeds 0..10           other seeds; 0..100 are for tuning
  homeostat eval detection --keep /tmp/run         keep decisions, labels and scores as JSON

Needs python3 (3.9 or newer, nothing installed).

Exit codes: 0 written; 1 something failed, or a control that must fail did not; 2 the arguments are
wrong";

/// The seeds of the report; those before them are for tuning.
const SEEDS: &str = "100..200";
/// The seeds of a quick look.
const QUICK_SEEDS: &str = "0..2";

/// The arguments of `homeostat eval`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The judge and others' rules on simulated lives: false rollbacks, delays, proofs
    #[command(after_help = EXAMPLES)]
    Detection(Detection),
}

#[derive(Args)]
struct Detection {
    /// A little of everything, in seconds: does the laboratory work?
    #[arg(long)]
    quick: bool,
    /// Seeds, the last one not included [default: 100..200; 0..2 when quick]
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Option<Seeds>,
    /// Where the report goes
    #[arg(long, value_name = "FOLDER", default_value = "docs/evaluation")]
    out: PathBuf,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Keep decisions, labels and scores here
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

/// From the first to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seeds {
    from: u64,
    to: u64,
}

impl Seeds {
    fn told(self) -> String {
        let Self { from, to } = self;
        let rehearsal =
            if from < TUNING_END { ", some of which are for tuning: **a rehearsal**" } else { "" };
        format!("{from} to {}{rehearsal}", to - 1)
    }
}

/// Seeds before this one are for tuning.
const TUNING_END: u64 = 100;

/// More seeds than this are a mistake: the run would take days.
const SEEDS_MAX: u64 = 10_000;

fn seeds(text: &str) -> Result<Seeds, String> {
    let parsed = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    match parsed {
        Some((from, to)) if from < to && to - from <= SEEDS_MAX => Ok(Seeds { from, to }),
        _ => Err(format!("expected A..B with A below B and at most {SEEDS_MAX} apart, as in {SEEDS}")),
    }
}

/// Runs the laboratory.
///
/// # Errors
/// When a file cannot be written, python3 is missing, the scorer refuses the run, or a control
/// failed.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let What::Detection(arguments) = &arguments.what;
    let scores = arguments.scored()?;
    let report = draw(&scores, &arguments.made()).map_err(anyhow::Error::from)?;
    let written = write(&arguments.out, &report)?;
    tell(&scores, &written);
    match scores.failed_controls().as_slice() {
        [] => Ok(()),
        [first, ..] => {
            Err(anyhow::anyhow!("FAILED CONTROL: {} ({}); the report is void", first.name, first.text).into())
        }
    }
}

impl Detection {
    fn seeds(&self) -> Result<Seeds, CliError> {
        let default = if self.quick { QUICK_SEEDS } else { SEEDS };
        self.seeds.map_or_else(|| seeds(default).map_err(CliError::Usage), Ok)
    }

    fn made(&self) -> Made {
        let seeds = self.seeds().map_or_else(|_| String::new(), Seeds::told);
        let mut command = "homeostat eval detection".to_owned();
        if self.quick {
            command.push_str(" --quick");
        }
        if let Some(Seeds { from, to }) = self.seeds {
            command.push_str(&format!(" --seeds {from}..{to}"));
        }
        Made { command, seeds, revision: revision(), quick: self.quick }
    }

    fn scored(&self) -> Result<Scores, CliError> {
        let frozen = Frozen::embedded().map_err(anyhow::Error::from)?;
        let cells = all(&frozen, if self.quick { Effort::Quick } else { Effort::Whole });
        let scratch = tempfile::tempdir().context("no temporary folder")?;
        let folder = self.keep.as_deref().unwrap_or(scratch.path());
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let seeds = self.seeds()?;
        let run =
            work::Run { frozen: &frozen, cells: &cells, seeds: seeds.from..seeds.to, jobs: self.jobs() };
        run.write(folder)?;
        let measured = measure::measure(&frozen, self.quick)?;
        work::describe(folder, &run, &measured)?;
        Ok(scorer::score(folder, scratch.path())?)
    }

    fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.unwrap_or_else(processors).max(1)
    }
}

/// The commit of the checkout one is in; none elsewhere, or without git.
fn revision() -> Option<String> {
    let mut git = std::process::Command::new("git");
    let answer = git.args(["describe", "--always", "--dirty", "--exclude", "*"]).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn write(folder: &Path, report: &Report) -> Result<PathBuf, CliError> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let markdown = folder.join("detection.md");
    let files = report.pictures.iter().map(|(name, svg)| (folder.join(name), svg));
    for (path, text) in files.chain([(markdown.clone(), &report.markdown)]) {
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(markdown)
}

fn tell(scores: &Scores, written: &Path) {
    let rows: Vec<Vec<String>> = scores
        .targets
        .iter()
        .map(|target| {
            let reached = match target.reached {
                Reached::Best => "ahead",
                Reached::Must => "reached",
                Reached::Missed => "NOT REACHED",
                Reached::Missing => "not run",
            };
            let value = target.value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
            vec![target.number.clone(), reached.to_owned(), value, target.unit.clone(), target.claim.clone()]
        })
        .collect();
    output::line(&output::table(&["#", "", "FOUND", "UNIT", "CLAIM"], &rows));
    output::line(&format!("parameters {}", scores.frozen));
    output::line(&format!("written to {}", written.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range() {
        assert_eq!(seeds("100..200"), Ok(Seeds { from: 100, to: 200 }));
        for wrong in ["", "5", "5..5", "6..5", "a..b", "0..99999999"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
        assert!(seeds(SEEDS).is_ok() && seeds(QUICK_SEEDS).is_ok());
    }

    /// The whole way, python3 included.
    #[test]
    fn a_quick_look_is_written_and_its_controls_are_sound() -> Result<(), Box<dyn std::error::Error>> {
        let out = tempfile::tempdir()?;
        let detection =
            Detection { quick: true, seeds: None, out: out.path().to_owned(), jobs: None, keep: None };
        run(&Arguments { what: What::Detection(detection) }).map_err(|error| error.to_string())?;
        let report = fs::read_to_string(out.path().join("detection.md"))?;
        assert!(report.contains(&Frozen::hash()), "{report}");
        assert!(report.contains("A quick look"));
        assert!(out.path().join("delays.svg").exists());
        Ok(())
    }
}

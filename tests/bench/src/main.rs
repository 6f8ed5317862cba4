//! Benches: each a ratio or a distribution within one run, on loopback, bounded in count and time.
//!
//! What this does not do: build anything, or judge the app beyond its stated targets; `cargo xtask
//! bench` builds and calls it. What was measured is kept in `docs/benchmarks.md`.
//!
//! Invariant: a number is printed with the circumstances that made it; what was not measured is
//! not printed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to people")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

mod app;
mod cost;
mod drain;
mod footprint;
mod ingest;
mod latency;
mod load;
mod machine;
mod mixed;
mod native;
mod report;

use machine::Pins;
use report::Report;

const EXAMPLES: &str = "Examples:
  cargo xtask bench                  all of it, some two minutes
  cargo xtask bench ingest           requests per second, wasm against native
  cargo xtask bench latency --json   from a webhook to its remedy, as JSON
  cargo xtask bench ingest --pin none   let the scheduler place the processes

Exit codes: 0 measured (whether or not a target was met), 1 could not be measured, 2 wrong arguments";

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Measure the running app", after_help = EXAMPLES)]
struct Arguments {
    /// What to measure
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
    /// Place the server on processor 0, and Redis and the load on processor 1; or let the
    /// scheduler place them
    #[arg(long, value_enum, default_value_t = Pins::Split)]
    pin: Pins,
    /// The binary `homeostat`, built with --release
    #[arg(long, value_name = "FILE")]
    host: Option<PathBuf>,
    /// The folder of the components; dist/components of this repository when left out
    #[arg(long, value_name = "FOLDER")]
    components: Option<PathBuf>,
    #[command(subcommand)]
    internal: Option<Internal>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Requests per second through wasm, against a native server that does the same
    Ingest,
    /// Time from a webhook's arrival to the remedy's request
    Latency,
    /// Events per second that one detector works off
    Drain,
    /// Start-up time and memory
    Footprint,
    /// All sources at a steady rate, with duplicates and forgeries
    Mixed,
    /// All of them
    All,
}

#[derive(Subcommand)]
enum Internal {
    /// The native server that ingest is compared with
    #[command(hide = true)]
    NativeServer(native::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> Result<()> {
    if let Some(Internal::NativeServer(server)) = arguments.internal {
        return native::serve(server).await;
    }
    let bench = app::Bench::new(arguments.host, arguments.components, arguments.pin)?;
    let mut report = Report::new(arguments.pin);
    let wanted = |what| arguments.what == what || arguments.what == What::All;
    if wanted(What::Ingest) {
        report.add(ingest::measure(&bench).await?);
    }
    if wanted(What::Latency) {
        report.add(latency::measure(&bench).await?);
    }
    if wanted(What::Drain) {
        report.add(drain::measure(&bench).await?);
    }
    if wanted(What::Footprint) {
        report.add(footprint::measure(&bench).await?);
    }
    if wanted(What::Mixed) {
        report.add(mixed::measure(&bench).await?);
    }
    println!("{}", if arguments.json { report.json()? } else { report.text() });
    Ok(())
}

//! The command line: one module for each subcommand.
//!
//! Purpose: read arguments, set up the log, run the subcommand, turn its end into an exit code.
//! Does not: hold what a subcommand does; a new one is a module with `Arguments` and `run`, a
//! variant of [`Command`], and a line in [`dispatch`].
//! Invariant: exit codes are 0 done, 1 failed, 2 the arguments or a configuration file are wrong.

pub mod apply;
pub mod approve;
mod call;
mod client;
pub mod dead;
pub mod demo;
pub mod detect;
pub mod doctor;
pub mod eval;
pub mod incidents;
pub mod judge;
mod log;
mod output;
mod plot;
pub mod send;
pub mod tick;
pub mod up;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app::{AppError, OnReady};
use crate::state_dir::REDIS_ADDRESS_FILE;
use crate::ticker::Ticker;

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

/// What the binary plugs into the subcommands, so that this library needs no knowledge of it.
#[derive(Clone, Default)]
pub struct Composition {
    /// What a tick does.
    pub ticker: Option<Ticker>,
    /// What to do once the application listens: apply `--config`.
    pub on_ready: Option<OnReady>,
    /// Checks `--config` before anything is started.
    pub read_config: Option<ReadConfig>,
}

/// Reads a configuration file; an error says file, line and what is expected.
pub type ReadConfig = Arc<dyn Fn(&Path) -> Result<(), String> + Send + Sync>;

const EXAMPLES: &str = "\
Examples:
  homeostat up                                     start everything on http://127.0.0.1:3000
  homeostat up --variable dev_mode=true            the same, unsigned webhooks allowed
  homeostat up --redis redis://10.0.0.5:6379       with a Redis server of your own
  homeostat incidents                              what is wrong, and what was done about it

Exit codes:
  0  done
  1  failed
  2  the arguments or a configuration file are wrong";

#[derive(Parser)]
#[command(name = "homeostat", version, about = "Self-healing CI/CD: webhooks in, verified remedies out", after_help = EXAMPLES)]
struct Arguments {
    /// How to write the log to standard error
    #[arg(long, value_enum, default_value_t = log::Format::Human, global = true)]
    log_format: log::Format,
    /// What to log: error, warn, info, debug, trace, or rules as in `info,homeostat=debug`
    #[arg(long, env = "HOMEOSTAT_LOG", default_value = log::DEFAULT, global = true)]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the application: components, Redis, ticks
    Up(up::Arguments),
    /// Tell a story on real payloads: a good deployment, a bad one, a failing pipeline
    Demo(demo::Arguments),
    /// Sign a payload as its sender would, and send it
    Send(send::Arguments),
    /// Check a configuration, show what it changes, put it in force
    Apply(apply::Arguments),
    /// List incidents, or show one with its whole timeline
    Incidents(incidents::Arguments),
    /// Approve, reject or resolve an incident
    Approve(approve::Arguments),
    /// Show what was given up, and put it on its way again
    Dead(dead::Arguments),
    /// Judge a series from a CSV file, each row from the rows before it
    Detect(detect::Arguments),
    /// Judge rollouts from observations as JSON lines: canary against baseline, or against the past
    Judge(judge::Arguments),
    /// Run the laboratory: simulated services, others' rules beside ours, exact intervals
    Eval(eval::Arguments),
    /// Ring what has work and no worker
    Tick(tick::Arguments),
    /// Look at everything that must fit, and say how to mend what does not
    Doctor(doctor::Arguments),
}

/// How a subcommand fails.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments or a configuration file are wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Anything else: exit code 1.
    #[error("{0:#}")]
    Failure(anyhow::Error),
}

impl From<AppError> for CliError {
    fn from(error: AppError) -> Self {
        if error.is_usage() { Self::Usage(error.to_string()) } else { Self::Failure(error.into()) }
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failure(error)
    }
}

/// Runs the command line of this process to its end.
pub fn run(composition: Composition) -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = log::init(arguments.log_format, &arguments.log) {
        return fail(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&CliError::Failure(error.into())),
    };
    match runtime.block_on(dispatch(arguments.command, composition)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn dispatch(command: Command, composition: Composition) -> Result<(), CliError> {
    match command {
        Command::Up(arguments) => up::run(arguments, composition).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Send(arguments) => send::run(arguments).await,
        Command::Apply(arguments) => apply::run(arguments).await,
        Command::Incidents(arguments) => incidents::run(arguments).await,
        Command::Approve(arguments) => approve::run(arguments).await,
        Command::Dead(arguments) => dead::run(arguments).await,
        Command::Detect(arguments) => detect::run(&arguments),
        Command::Judge(arguments) => judge::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Tick(arguments) => tick::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments).await,
    }
}

/// The Redis server of the operator's own that the app of a state folder was last started with.
fn redis_named_in(folder: &Path) -> Option<String> {
    let kept = std::fs::read_to_string(folder.join(REDIS_ADDRESS_FILE)).ok()?;
    Some(kept.trim().to_owned()).filter(|address| !address.is_empty())
}

/// The private Redis server that was last started on a state folder.
fn redis_of_folder(folder: &Path) -> Option<String> {
    let port = std::fs::read_to_string(folder.join("redis/port")).ok()?;
    port.trim().parse::<u16>().ok().map(|port| format!("redis://127.0.0.1:{port}"))
}

#[expect(clippy::print_stderr, reason = "the last word to the operator, whatever the log does")]
fn fail(error: &CliError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(match error {
        CliError::Usage(_) => USAGE,
        CliError::Failure(_) => FAILURE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_documented_flags_are_there() {
        let line = "homeostat up --listen 127.0.0.1:0 --state-dir s --redis redis://h:1 --config c.toml \
                    --variable a=1 --variable b=2=3 --from spin.toml --runtime-config-file r.toml \
                    --request-timeout 5 --log-format json";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).map(|arguments| arguments.command);
        assert!(matches!(arguments, Ok(Command::Up(_))));
        for line in [
            "homeostat dead list --json --limit 5 --url http://h --token t --state-dir s",
            "homeostat dead --json --url http://h list",
            "homeostat dead replay --event e1 --json",
        ] {
            let arguments = Arguments::try_parse_from(line.split_whitespace());
            assert!(matches!(arguments.map(|arguments| arguments.command), Ok(Command::Dead(_))), "{line}");
        }
        let bad = Arguments::try_parse_from(["homeostat", "up", "--variable", "no-equals-sign"]);
        assert!(bad.is_err());
    }
}

//! The command line: one module for each subcommand.
//!
//! Purpose: read arguments, set up the log, run the subcommand, turn its end into an exit code.
//! Does not: hold what a subcommand does; a new one is a module with `Arguments` and `run`, a
//! variant of [`Command`], and a line in [`dispatch`].
//! Invariant: exit codes are 0 done, 1 failed, 2 the arguments or a configuration file are wrong;
//! with `--json` standard output is one document, which names the error where there is one.

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
  2  the arguments or a configuration file are wrong

With --json the answer is one document on standard output, also when it is an error:
{\"error\":{\"message\":…,\"exit_code\":1 or 2,\"status\":of HTTP, where the app answered}}. A list is
{\"items\":[…],\"next\":the cursor of the next page, or null}, as the API gives it. `detect` and `judge`
write an object a line.";

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
    #[error("{}", explained(.0))]
    Failure(anyhow::Error),
    /// A failure that the answer on standard output tells of: exit code 1.
    #[error("{0}")]
    Answered(String),
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Failure(_) | Self::Answered(_) => FAILURE,
        }
    }
}

/// The error and what it came from, without what it has said already.
fn explained(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).fold(error.to_string(), |text, cause| {
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
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
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if wants_json && error.use_stderr() => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
            return fail(&CliError::Usage(text.to_owned()), wants_json);
        }
        Err(error) => error.exit(),
    };
    if let Err(error) = log::init(arguments.log_format, &arguments.log) {
        return fail(&error, wants_json);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&CliError::Failure(error.into()), wants_json),
    };
    match runtime.block_on(dispatch(arguments.command, composition)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, wants_json),
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
fn fail(error: &CliError, wants_json: bool) -> ExitCode {
    eprintln!("error: {error}");
    if wants_json && !matches!(error, CliError::Answered(_)) {
        output::line(&serde_json::json!({ "error": Told::of(error) }).to_string());
    }
    ExitCode::from(error.exit_code())
}

/// An error for a program.
#[derive(serde::Serialize)]
struct Told {
    message: String,
    exit_code: u8,
    /// Of the app's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

impl Told {
    fn of(error: &CliError) -> Self {
        let status = match error {
            CliError::Failure(error) => error.downcast_ref().and_then(client::ClientError::status),
            CliError::Usage(_) | CliError::Answered(_) => None,
        };
        Self { message: error.to_string(), exit_code: error.exit_code(), status }
    }
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
    fn an_error_says_nothing_twice() {
        let check = |error: anyhow::Error, expected: &str| assert_eq!(explained(&error), expected);
        let refused = || anyhow::anyhow!("connection refused");
        check(
            refused().context("Redis does not answer: connection refused"),
            "Redis does not answer: connection refused",
        );
        check(refused().context("the word was not taken"), "the word was not taken: connection refused");
    }

    #[test]
    fn an_error_for_a_program_tells_its_code_and_the_app_s_answer() {
        let refused = client::ClientError::Refused {
            url: "http://h".to_owned(),
            status: http::StatusCode::CONFLICT,
            why: "nothing to approve".to_owned(),
        };
        let told = serde_json::to_value(Told::of(&refused.into())).expect("JSON");
        assert_eq!((&told["exit_code"], &told["status"]), (&1.into(), &409.into()), "{told}");
        let told = serde_json::to_value(Told::of(&CliError::Usage("no".to_owned()))).expect("JSON");
        assert_eq!(told, serde_json::json!({"message": "no", "exit_code": 2}));
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

//! The log: human lines or JSON, to standard error.
//!
//! Invariant: nothing of the log goes to standard output, which is for answers.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::CliError;

/// What is logged unless told otherwise: the engine's own notes only when something is wrong.
pub(super) const DEFAULT: &str = "info,wasmtime=warn,cranelift=warn";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One readable line for each event.
    Human,
    /// One JSON object for each event.
    Json,
}

pub(super) fn init(format: Format, rules: &str) -> Result<(), CliError> {
    let filter =
        EnvFilter::try_new(rules).map_err(|error| CliError::Usage(format!("--log {rules}: {error}")))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match format {
        Format::Human => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => log.json().flatten_event(true).try_init(),
    };
    set.map_err(|error| CliError::Failure(anyhow::anyhow!("log: {error}")))
}

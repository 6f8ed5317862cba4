//! `homeostat doctor`: look at everything that must fit, and say how to mend what does not.
//!
//! Purpose: one command before the first start, and when something is odd; with the app running or
//! not, on its machine or from elsewhere.
//! Does not: change anything; ask a connector for more than who we are, and whether what the
//! configuration names can be read.
//! Invariant: no secret and no token is printed, only the names of their variables.

mod app;
mod backlog;
mod connectors;
mod finding;
mod known;
mod machine;
mod redis;
mod secrets;
mod setup;
mod webhooks;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::client::Connection;
use super::up::variable;
use super::{CliError, output};
use finding::{Finding, Level};
use known::Known;
use setup::Setup;

const EXAMPLES: &str = "\
Examples:
  homeostat doctor                                   this machine, and the app on port 3000 if it runs
  homeostat doctor --config homeostat.toml           the file too, against what is in force
  homeostat doctor --variable github_token=...       asks GitHub too, where the shell has no token
  homeostat doctor --url https://homeostat.example --token TOKEN     an app elsewhere
  homeostat doctor --json | jq '.items[] | select(.level != \"ok\")'

Levels: ok; skip, could not be looked at; warn, works and may surprise; wrong, mend it.
docs/runbooks says more about each.

Exit codes: 0 nothing is wrong (warnings allowed), 1 something is wrong, 2 the arguments are wrong";

/// The arguments of `homeostat doctor`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration to check [default: homeostat.toml, when it is there]
    #[arg(long, value_name = "homeostat.toml")]
    config: Option<PathBuf>,
    /// The Redis server [default: the app's variable redis_url, else the state folder's own]
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis: Option<String>,
    /// The manifest, for the names of its variables
    #[arg(long, default_value = "spin.toml", value_name = "FILE")]
    from: PathBuf,
    /// As given to `homeostat up`, for variables it sets
    #[arg(long, env = "RUNTIME_CONFIG_FILE", value_name = "FILE")]
    runtime_config_file: Option<PathBuf>,
    /// A variable as given to `homeostat up`, so that its connector can be asked; may be repeated
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// A source that sent nothing for this long is a warning, hours
    #[arg(long, default_value_t = 24, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=8760))]
    silent_hours: u32,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Looks at everything and reports.
///
/// # Errors
/// When something is wrong.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let client = arguments.connection.open()?;
    let mut findings = machine::versions().await;
    let setup = Setup::read(&arguments, &mut findings);
    let seen = app::look(&client, &arguments.connection, &mut findings).await;
    let direct = redis::look(&setup, &seen, &mut findings).await;
    app::readiness(&seen, direct.is_some(), &mut findings);
    findings.extend(backlog::look(&seen, direct).await);
    let known = Known::new(&setup, &seen);
    secrets::look(&arguments, &known, &mut findings);
    app::configuration(&seen, &setup, &mut findings);
    connectors::look(&known, &mut findings).await;
    webhooks::look(&client, &seen, &known, arguments.silent_hours, &mut findings).await;
    report(&findings, arguments.json)
}

fn report(findings: &[Finding], json: bool) -> Result<(), CliError> {
    let wrong = findings.iter().filter(|finding| finding.level == Level::Wrong).count();
    let warned = findings.iter().filter(|finding| finding.level == Level::Warn).count();
    let summary = match wrong {
        0 => None,
        1 => Some("1 thing is wrong; what to do is said below it".to_owned()),
        _ => Some(format!("{wrong} things are wrong; what to do is said below each")),
    };
    if json {
        let error = summary.as_deref().map(|message| json!({ "message": message, "exit_code": 1 }));
        output::json(&json!({ "items": findings, "next": null, "error": error }))?;
    } else {
        findings.iter().for_each(|finding| output::line(&finding.to_string()));
        output::line(&format!("{} looked at: {wrong} wrong, {warned} to know about", findings.len()));
    }
    summary.map_or(Ok(()), |summary| Err(CliError::Answered(summary)))
}

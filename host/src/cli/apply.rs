//! `homeostat apply`: check a configuration, show what it changes, put it in force.
//!
//! Does not: merge; the file is the whole configuration, and what it leaves out has its default.
//! Invariant: what is replaced is the version that was shown, or nothing is.

use std::path::PathBuf;

use clap::Args;
use homeostat_schema::config::Config;
use http::header::{ETAG, IF_MATCH};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::client::{Answered, Client, ClientError, Connection};
use super::{CliError, output};
use crate::compose::read_config;
pub(super) use difference::{Change, difference};

mod difference;

const EXAMPLES: &str = "\
Examples:
  homeostat apply homeostat.toml --dry-run       what would change
  homeostat apply homeostat.toml
  homeostat apply homeostat.toml --url https://homeostat.example --token TOKEN

homeostat.example.toml has every setting, with unit and default.

Exit codes: 0 in force (also when nothing changed), 1 refused or no answer, 2 the file is wrong: the
error says file, line and what is expected";

/// The arguments of `homeostat apply`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration: the whole of it
    #[arg(value_name = "homeostat.toml")]
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the changes and the version as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Report {
    /// The version in force now.
    version: u64,
    /// Whether this call put it in force.
    applied: bool,
    /// Whether webhooks read it already.
    published: bool,
    changes: Vec<Change>,
}

const UNPUBLISHED: &str = "the copy that webhooks read could not be written: once the key-value store answers, \
                           `homeostat tick --internal-token TOKEN` writes it";

/// Checks, shows, applies.
///
/// # Errors
/// When the file is wrong, or the app refuses it or does not answer.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let wanted = read_config(&arguments.file).map_err(CliError::Usage)?;
    let client = arguments.connection.open()?;
    let (version, current) = in_force(&client).await?;
    let changes = difference(&current, &wanted);
    let applied = !changes.is_empty() && !arguments.dry_run;
    let before = version;
    let (version, published) = if applied { put(&client, &wanted, version).await? } else { (version, true) };
    if arguments.json {
        return output::json(&Report { version, applied, published, changes });
    }
    show(&changes, before, arguments.dry_run);
    if applied {
        output::line(&format!("in force as version {version}"));
    }
    if !published {
        output::line(UNPUBLISHED);
    }
    Ok(())
}

/// The configuration in force and its version.
///
/// # Errors
/// When the app refuses or does not answer, or it is no Homeostat.
pub(super) async fn in_force(client: &Client) -> Result<(u64, Config), ClientError> {
    let answer = client.get("/api/v1/config", &[]).await?;
    let unversioned = || ClientError::Foreign {
        url: answer.url.clone(),
        why: "it names no version of its configuration".to_owned(),
    };
    let version = version(&answer).ok_or_else(unversioned)?;
    Ok((version, answer.json()?))
}

fn version(answer: &Answered) -> Option<u64> {
    answer.headers.get(ETAG)?.to_str().ok()?.trim_matches('"').parse().ok()
}

fn show(changes: &[Change], version: u64, dry_run: bool) {
    if changes.is_empty() {
        return output::line(&format!("nothing to change: version {version} says the same"));
    }
    let count = changes.len();
    let verb = if dry_run { "would change" } else { "changed" };
    output::line(&format!(
        "{count} {} against version {version} {verb}:",
        if count == 1 { "line" } else { "lines" }
    ));
    for change in changes {
        output::line(&format!("  {change}"));
    }
}

async fn put(client: &Client, wanted: &Config, version: u64) -> Result<(u64, bool), CliError> {
    #[derive(Deserialize)]
    struct Applied {
        version: u64,
        published: bool,
    }
    let request = client.request(Method::PUT, "/api/v1/config").header(IF_MATCH, format!("\"{version}\""));
    let answer = client.send_json(request, wanted).await?;
    if answer.status == StatusCode::PRECONDITION_FAILED {
        return Err(CliError::Failure(anyhow::anyhow!(
            "somebody else changed the configuration meanwhile, and nothing was applied ({}); run this again to see \
             what it would change now",
            answer.reason()
        )));
    }
    if !answer.status.is_success() {
        return Err(client.refusal(&answer).into());
    }
    let applied: Applied = answer.json()?;
    Ok((applied.version, applied.published))
}

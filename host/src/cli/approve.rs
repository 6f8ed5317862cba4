//! `homeostat approve`: an operator's word on an incident.
//!
//! Does not: decide anything; the incident's case does, and asks every guard again before it acts.
//! Invariant: a word names who said it and why; both are in the timeline for ever.

use clap::Args;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::client::{ClientError, Connection};
use super::{CliError, output};

const EXAMPLES: &str = "\
Examples:
  homeostat approve inc-80e8061d-2be9-8f20-b261-a40b69a5d13e --who ann --why 'checked the diff'
  homeostat approve ID --reject --who ann --why 'the database is being moved'
  homeostat approve ID --resolve --who ann --why 'mended by hand'

`homeostat incidents` shows the ids, and `homeostat incidents ID` what would be sent.

Exit codes: 0 the word was taken, 1 it was refused or the app does not answer, 2 the arguments are wrong";

/// The arguments of `homeostat approve`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The incident's id
    #[arg(value_name = "ID", value_parser = incident_id)]
    id: String,
    /// Your name, for the timeline
    #[arg(long, env = "HOMEOSTAT_WHO", value_name = "NAME", value_parser = said)]
    who: String,
    /// Your reason, for the timeline
    #[arg(long, value_name = "REASON", value_parser = said)]
    why: String,
    /// Say no instead: the waiting remedy is dropped and the incident goes to a person
    #[arg(long, conflicts_with = "resolve")]
    reject: bool,
    /// Close the incident instead: it is over
    #[arg(long)]
    resolve: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// An id as the API gives them; nothing else may become part of a path.
pub(super) fn incident_id(text: &str) -> Result<String, String> {
    /// A UUID has 36.
    const LENGTH_MAX: usize = 64;
    let fits = (1..=LENGTH_MAX).contains(&text.len());
    let known = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits && known {
        Ok(text.to_owned())
    } else {
        Err("an incident's id is letters, digits and dashes".to_owned())
    }
}

/// A text that says something.
fn said(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("it is for the timeline, and may not be empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

#[derive(Serialize)]
struct Said<'a> {
    who: &'a str,
    why: &'a str,
}

#[derive(Deserialize, Serialize)]
struct Heard {
    incident: String,
    verb: String,
    duplicate: bool,
}

/// Says it.
///
/// # Errors
/// When the app refuses it or does not answer.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let client = arguments.connection.open()?;
    let verb = match (arguments.reject, arguments.resolve) {
        (true, _) => "reject",
        (_, true) => "resolve",
        _ => "approve",
    };
    let id = &arguments.id;
    let request = client
        .request(Method::POST, &format!("/api/v1/incidents/{id}/{verb}"))
        .header("idempotency-key", output::random_id()?);
    let said = Said { who: &arguments.who, why: &arguments.why };
    let answer = client.send_json(request, &said).await?;
    if !answer.status.is_success() {
        return Err(refused(client.refusal(&answer), answer.status, id));
    }
    let heard: Heard = answer.json()?;
    if arguments.json {
        return output::json(&heard);
    }
    output::line(&format!("{verb}: taken. What became of it: homeostat incidents {id}"));
    Ok(())
}

fn refused(error: ClientError, status: StatusCode, id: &str) -> CliError {
    let next = match status {
        StatusCode::NOT_FOUND => "`homeostat incidents` lists those there are".to_owned(),
        StatusCode::CONFLICT => format!("look at it first: homeostat incidents {id}"),
        _ => return error.into(),
    };
    let text = format!("the word was not taken: {error}; {next}");
    CliError::Failure(anyhow::Error::from(error).context(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_become_part_of_a_path() {
        for (text, expected) in [
            ("inc-80e8061d-2be9-8f20-b261-a40b69a5d13e", true),
            ("", false),
            ("../config", false),
            ("a/b", false),
            ("a?b", false),
        ] {
            assert_eq!(incident_id(text).is_ok(), expected, "{text}");
        }
        assert!(incident_id(&"a".repeat(65)).is_err());
    }
}

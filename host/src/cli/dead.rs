//! `homeostat dead`: what was given up, and putting it on its way again.
//!
//! Does not: mend what stood in the way; replay before that ends where it ended before.
//! Invariant: a letter is gone only once its content is stored.

use clap::{Args, Subcommand};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::{Client, Connection};
use super::{CliError, output};

const EXAMPLES: &str = "\
Examples:
  homeostat dead list                              what was given up, the newest first
  homeostat dead list --kind ingest                webhooks that were verified and not understood
  homeostat dead show ingest-1767225600000-0       one, with what was kept of it
  homeostat dead replay ingest-1767225600000-0     once what stood in its way is mended

Webhooks are kept for replay only with a key in the variable body_key (openssl rand -hex 32), for
[retention] bodies_hours.

Exit codes: 0 done, 1 refused or no answer, 2 the arguments are wrong";

/// The arguments of `homeostat dead`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Verb {
    /// List them, the newest first
    List {
        /// Of one kind only: ingest, stage
        #[arg(long, value_parser = ["ingest", "stage"])]
        kind: Option<String>,
    },
    /// Show one with what was kept of it
    Show {
        /// As `list` shows it
        #[arg(value_parser = letter_id)]
        id: String,
    },
    /// Put one on its way again
    Replay {
        /// As `list` shows it
        #[arg(value_parser = letter_id)]
        id: String,
    },
}

/// An id as the API gives them; nothing else may become part of a path.
fn letter_id(text: &str) -> Result<String, String> {
    let known = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let kind = text.starts_with("ingest-") || text.starts_with("stage-");
    if known && kind && text.len() <= 64 {
        Ok(text.to_owned())
    } else {
        Err("a letter's id begins with ingest- or stage-; `homeostat dead list` shows them".to_owned())
    }
}

#[derive(Deserialize, Serialize)]
struct Page {
    items: Vec<Map<String, Value>>,
}

/// Lists, shows or replays.
///
/// # Errors
/// When the app refuses it or does not answer.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let client = arguments.connection.open()?;
    match &arguments.verb {
        Verb::List { kind } => list(&client, kind.as_deref(), arguments.json).await,
        Verb::Show { id } => show(&client, id, arguments.json).await,
        Verb::Replay { id } => replay(&client, id, arguments.json).await,
    }
}

async fn list(client: &Client, kind: Option<&str>, json: bool) -> Result<(), CliError> {
    let query = kind.map(|kind| format!("?kind={kind}")).unwrap_or_default();
    let page: Page = get(client, &format!("/api/v1/dead-letters{query}")).await?;
    if json {
        return output::json(&page);
    }
    if page.items.is_empty() {
        output::line("nothing was given up");
    }
    for item in &page.items {
        output::line(&line(item));
    }
    Ok(())
}

async fn show(client: &Client, id: &str, json: bool) -> Result<(), CliError> {
    let letter: Map<String, Value> = get(client, &format!("/api/v1/dead-letters/{id}")).await?;
    if json {
        return output::json(&letter);
    }
    for (name, value) in &letter {
        match value {
            Value::String(text) => output::line(&format!("{name}: {}", output::plain(text))),
            Value::Null => {}
            other => output::line(&format!("{name}: {}", output::plain(&other.to_string()))),
        }
    }
    Ok(())
}

async fn replay(client: &Client, id: &str, json: bool) -> Result<(), CliError> {
    let request = client.request(Method::POST, &format!("/api/v1/dead-letters/{id}/replay"));
    let answer = client.send(request, Vec::new()).await?;
    if !answer.status.is_success() {
        return Err(client.refusal(&answer).into());
    }
    let told: Map<String, Value> = answer.json()?;
    if json {
        return output::json(&told);
    }
    let duplicate = told.get("duplicate").and_then(Value::as_bool).unwrap_or_default();
    output::line(if duplicate {
        "it had been stored before; the letter is gone"
    } else {
        "on its way again; the letter is gone"
    });
    Ok(())
}

async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, CliError> {
    let answer = client.send(client.request(Method::GET, path), Vec::new()).await?;
    if answer.status != StatusCode::OK {
        return Err(client.refusal(&answer).into());
    }
    Ok(answer.json()?)
}

/// A letter in one line.
fn line(item: &Map<String, Value>) -> String {
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(output::plain).unwrap_or_default();
    let (at, place) = match text("kind").as_str() {
        "ingest" => (text("received_at"), format!("{} {}", text("source"), text("event"))),
        _ => (text("at"), format!("{} {}", text("stage"), text("shard"))),
    };
    format!("{}  {at}  {}  {}", text("id"), place.trim_end(), text("why"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_letters_become_part_of_a_path() {
        for (text, expected) in [
            ("ingest-1767225600000-0", true),
            ("stage-1-0", true),
            ("", false),
            ("1-0", false),
            ("ingest-../config", false),
            ("ingest-1?x", false),
        ] {
            assert_eq!(letter_id(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_letter_is_one_line() {
        let check = |json: &str, expected: &str| {
            let item: Map<String, Value> = serde_json::from_str(json).expect("an object");
            assert_eq!(line(&item), expected);
        };
        check(
            r#"{"kind":"ingest","id":"ingest-1-0","received_at":"2026-01-01T00:00:00Z","source":"github","event":"push","why":"not JSON"}"#,
            "ingest-1-0  2026-01-01T00:00:00Z  github push  not JSON",
        );
        check(
            r#"{"kind":"stage","id":"stage-2-0","at":"2026-01-01T00:00:00Z","stage":"detect","shard":"s1","why":"lost"}"#,
            "stage-2-0  2026-01-01T00:00:00Z  detect s1  lost",
        );
    }
}

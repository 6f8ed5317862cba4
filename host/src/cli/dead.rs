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
  homeostat dead replay --event ID                 the delivery an event came with, once a rule is mended

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

const LIST_EXAMPLES: &str = "\
Examples:
  homeostat dead list --kind ingest --limit 10
  homeostat dead list --json | jq -r '.items[].id'";

const SHOW_EXAMPLES: &str = "\
Example:
  homeostat dead show ingest-1767225600000-0";

const REPLAY_EXAMPLES: &str = "\
Examples:
  homeostat dead replay stage-1767225600000-0
  homeostat dead replay --event 0199d2a4-5b6c-8def-8123-456789abcdef";

#[derive(Subcommand)]
enum Verb {
    /// List them, the newest first
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Of one kind only: ingest, stage
        #[arg(long, value_parser = ["ingest", "stage"])]
        kind: Option<String>,
        /// How many of each kind at most
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Show one with what was kept of it
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// As `list` shows it
        #[arg(value_parser = letter_id)]
        id: String,
    },
    /// Put one on its way again, or read the delivery of an event again
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay {
        /// As `list` shows it
        #[arg(value_parser = letter_id, required_unless_present = "event", conflicts_with = "event")]
        id: Option<String>,
        /// The event whose delivery is read again: the first of those that came with it
        #[arg(long, value_name = "ID", value_parser = event_id)]
        event: Option<String>,
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

/// The same for an event's id.
fn event_id(text: &str) -> Result<String, String> {
    let known = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if known && !text.is_empty() && text.len() <= 64 {
        Ok(text.to_owned())
    } else {
        Err("an event's id is a UUID; GET /api/v1/events shows them".to_owned())
    }
}

#[derive(Deserialize, Serialize)]
struct Page {
    items: Vec<Map<String, Value>>,
    next: Option<String>,
}

/// Lists, shows or replays.
///
/// # Errors
/// When the app refuses it or does not answer.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let client = arguments.connection.open()?;
    match &arguments.verb {
        Verb::List { kind, limit } => list(&client, kind.as_deref(), *limit, arguments.json).await,
        Verb::Show { id } => show(&client, id, arguments.json).await,
        Verb::Replay { event: Some(id), .. } => replay_event(&client, id, arguments.json).await,
        Verb::Replay { id: Some(id), .. } => replay(&client, id, arguments.json).await,
        // Not reached: clap asks for one of the two.
        Verb::Replay { .. } => Ok(()),
    }
}

async fn list(client: &Client, kind: Option<&str>, limit: u16, json: bool) -> Result<(), CliError> {
    let kind = kind.map(|kind| ("kind", kind.to_owned()));
    let query: Vec<_> = kind.into_iter().chain([("limit", limit.to_string())]).collect();
    let page: Page = client.get("/api/v1/dead-letters", &query).await?.json()?;
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
    let told: Map<String, Value> = post(client, &format!("/api/v1/dead-letters/{id}/replay")).await?;
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

/// What became of a delivery that was read again.
#[derive(Deserialize, Serialize)]
struct Again {
    accepted: Vec<String>,
    duplicates: usize,
    ignored: Vec<String>,
}

async fn replay_event(client: &Client, id: &str, json: bool) -> Result<(), CliError> {
    let told: Again = post(client, &format!("/api/v1/events/{id}/replay")).await?;
    if json {
        return output::json(&told);
    }
    again(&told).iter().for_each(|line| output::line(line));
    Ok(())
}

fn again(told: &Again) -> Vec<String> {
    let new = told.accepted.iter().map(|id| format!("stored: {}", output::plain(id)));
    let known = (told.duplicates > 0).then(|| format!("had been stored before: {}", told.duplicates));
    let ignored = told.ignored.iter().map(|why| format!("no event: {}", output::plain(why)));
    new.chain(known).chain(ignored).collect()
}

async fn post<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, CliError> {
    let answer = client.send(client.request(Method::POST, path), Vec::new()).await?;
    if !answer.status.is_success() {
        return Err(client.refusal(&answer).into());
    }
    Ok(answer.json()?)
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
    fn an_event_s_id_is_plain_too() {
        for (text, expected) in [
            ("0199d2a4-5b6c-8def-8123-456789abcdef", true),
            ("", false),
            ("a/b", false),
            ("..", false),
            (&"a".repeat(65) as &str, false),
        ] {
            assert_eq!(event_id(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_replay_tells_new_from_known() {
        let told =
            Again { accepted: vec!["e1".to_owned()], duplicates: 2, ignored: vec!["a ping".to_owned()] };
        assert_eq!(again(&told), ["stored: e1", "had been stored before: 2", "no event: a ping"]);
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

//! `homeostat send`: sign a payload as its sender would, and send it.
//!
//! Purpose: try a webhook without its sender, replay one by hand, or tell of an event from a
//! script.
//! Does not: read the payload; its bytes are sent as they are.
//! Invariant: the secret is used for the signature and shown nowhere.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use homeostat_schema::secret::{Secret, SecretList};
use homeostat_sources::Source;
use homeostat_sources::authenticate::{GENERIC_SIGNATURE, GITHUB_SIGNATURE, sign};
use homeostat_sources::generic::IDEMPOTENCY_KEY;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::client::{Address, Answered, Client};
use super::{CliError, output};
use crate::variables::environment_name;

const EXAMPLES: &str = "\
Examples:
  homeostat send github deployment_status.json --event deployment_status
  HOMEOSTAT_WEBHOOK_SECRET=s3cret homeostat send github push.json --event push
  echo '{\"event\":\"deployment\",\"env\":\"stage\",\"service\":\"shop\",\"status\":\"failure\"}' | homeostat send generic -
  homeostat send github push.json --event push --delivery 72d3162e-cc78-11e3-81ab-4c9367dc0958
  homeostat send generic event.json --dry-run      the request, sent nowhere

Sources: github, generic. With no secret the payload goes unsigned, which only an app in dev mode on
this machine takes.

Exit codes: 0 taken (also when it was a duplicate or is of no interest), 1 refused or no answer, 2 the
arguments or the file are wrong";

/// The arguments of `homeostat send`. No `Debug`: it holds the secret.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Whose webhook it is: github or generic
    #[arg(value_name = "SOURCE", value_parser = source)]
    source: Source,
    /// The payload; `-` reads standard input
    #[arg(value_name = "payload.json")]
    payload: PathBuf,
    /// GitHub's name of the event, as in X-GitHub-Event: deployment_status, workflow_run, push
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// The delivery's id; the same one again is a duplicate [default: a new one]
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
    /// The source's secret; better in the environment, which other users cannot read
    /// [default: SPIN_VARIABLE_WEBHOOK_SECRET_<SOURCE>]
    #[arg(long, env = "HOMEOSTAT_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    secret: Option<String>,
    /// Print the request, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

fn source(name: &str) -> Result<Source, String> {
    let known = Source::ALL.iter().map(|source| source.name()).collect::<Vec<_>>().join(", ");
    Source::named(name).ok_or_else(|| format!("no such source; there are {known}"))
}

/// What is sent.
struct Delivery {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

#[derive(Deserialize, Serialize)]
struct Report {
    #[serde(default)]
    accepted: Vec<String>,
    #[serde(default)]
    duplicate: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ignored: Option<String>,
}

/// Signs and sends.
///
/// # Errors
/// When the file cannot be read, or the app refuses it or does not answer.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let client = arguments.address.open()?;
    let source = arguments.source;
    let body = read(&arguments.payload, source.body_max())?;
    let secret = secret(source, arguments.secret.as_deref());
    let id = match &arguments.delivery {
        Some(id) => id.clone(),
        None => output::random_id()?,
    };
    let delivery = delivery(source, arguments.event.as_deref(), id, body, secret.as_ref())?;
    if arguments.dry_run {
        output::line(&shown(client.base(), &delivery));
        return Ok(());
    }
    let mut request = client.request(Method::POST, &delivery.path);
    for (name, value) in &delivery.headers {
        request = request.header(*name, value);
    }
    let answer = client.send(request, delivery.body).await?;
    if !answer.status.is_success() {
        return Err(refused(&client, source, secret.is_some(), &answer));
    }
    let report: Report = answer.json()?;
    if arguments.json {
        return output::json(&report);
    }
    output::line(&told(&report));
    Ok(())
}

/// The payload, up to what its source may send.
fn read(path: &Path, max: usize) -> Result<Vec<u8>, CliError> {
    let wrong = |why: String| CliError::Usage(format!("{}: {why}", path.display()));
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?)
    };
    let mut body = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    source.take(limit).read_to_end(&mut body).map_err(|error| wrong(error.to_string()))?;
    if body.len() > max {
        return Err(wrong(format!("longer than the {max} bytes that this source may send")));
    }
    Ok(body)
}

/// The secret given, else the first of those the app is given in the same shell.
fn secret(source: Source, given: Option<&str>) -> Option<Secret> {
    let kept = || std::env::var(environment_name(&source.secret_variable())).ok();
    let list = SecretList::parse(&given.map(str::to_owned).or_else(kept).unwrap_or_default());
    list.iter().next().cloned()
}

fn delivery(
    source: Source,
    event: Option<&str>,
    id: String,
    body: Vec<u8>,
    secret: Option<&Secret>,
) -> Result<Delivery, CliError> {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    let signature = match (source == Source::GITHUB, event) {
        (true, Some(event)) => {
            headers.extend([("x-github-event", event.to_owned()), ("x-github-delivery", id)]);
            GITHUB_SIGNATURE
        }
        (true, None) => {
            let why =
                "--event is needed: GitHub says in a header which event it is, such as deployment_status";
            return Err(CliError::Usage(why.to_owned()));
        }
        (false, None) => {
            headers.push((IDEMPOTENCY_KEY, id));
            GENERIC_SIGNATURE
        }
        (false, Some(_)) => {
            let why = "--event is for github; a generic payload names its event in the field `event`";
            return Err(CliError::Usage(why.to_owned()));
        }
    };
    let signed = secret.and_then(|secret| sign(&body, secret.expose()));
    headers.extend(signed.map(|value| (signature, value)));
    Ok(Delivery { path: format!("/webhooks/{}", source.name()), headers, body })
}

/// The request as it would go out.
fn shown(base: &str, delivery: &Delivery) -> String {
    let mut text = format!("POST {base}{}\n", delivery.path);
    for (name, value) in &delivery.headers {
        // Writing to a text cannot fail.
        let _never = writeln!(text, "{name}: {value}").is_err();
    }
    let _never = writeln!(text, "content-length: {}\n", delivery.body.len()).is_err();
    text.push_str(&String::from_utf8_lossy(&delivery.body));
    text
}

fn told(report: &Report) -> String {
    let (count, ids) = (report.accepted.len(), report.accepted.join(" "));
    match &report.ignored {
        Some(why) => format!("taken and ignored: {}", output::plain(why)),
        None if report.duplicate => {
            "a duplicate: it was taken before, and nothing was stored again".to_owned()
        }
        None => format!("accepted {count} {}: {ids}", if count == 1 { "event" } else { "events" }),
    }
}

fn refused(client: &Client, source: Source, signed: bool, answer: &Answered) -> CliError {
    let (base, name, variable) = (client.base(), source.name(), source.secret_variable());
    let why = match (answer.status, signed) {
        (StatusCode::UNAUTHORIZED, true) => format!(
            "{base} refused the signature: its {variable} is another secret, or none, in which case {name} is \
             refused whatever the signature"
        ),
        (StatusCode::UNAUTHORIZED, false) => format!(
            "{base} refused the payload, which went unsigned: give its {variable} with --secret or \
             HOMEOSTAT_WEBHOOK_SECRET (unsigned ones are taken on this machine with --variable dev_mode=true)"
        ),
        (StatusCode::SERVICE_UNAVAILABLE, _) => {
            format!("{base} cannot store anything now ({}); run `homeostat doctor`", answer.reason())
        }
        _ => return client.refusal(answer).into(),
    };
    CliError::Failure(anyhow::anyhow!(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"Hello, World!";
    const SECRET: &str = "It's a Secret to Everybody";
    /// The vector GitHub publishes for this secret and body.
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn made(source: Source, event: Option<&str>, secret: Option<&str>) -> Result<Delivery, CliError> {
        delivery(source, event, "d-1".to_owned(), BODY.to_vec(), secret.map(Secret::new).as_ref())
    }

    #[test]
    fn a_delivery_is_what_its_sender_would_send() -> Result<(), CliError> {
        let check = |delivery: Delivery, path: &str, expected: &[(&str, &str)]| {
            let headers: Vec<_> =
                delivery.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!((delivery.path.as_str(), headers.as_slice()), (path, expected));
        };
        let json = ("content-type", "application/json");
        let (event, id) = (("x-github-event", "push"), ("x-github-delivery", "d-1"));
        let signed = made(Source::GITHUB, Some("push"), Some(SECRET))?;
        check(signed, "/webhooks/github", &[json, event, id, ("x-hub-signature-256", SIGNATURE)]);
        check(made(Source::GITHUB, Some("push"), None)?, "/webhooks/github", &[json, event, id]);
        let key = ("idempotency-key", "d-1");
        let signed = made(Source::GENERIC, None, Some(SECRET))?;
        check(signed, "/webhooks/generic", &[json, key, ("x-homeostat-signature-256", SIGNATURE)]);
        Ok(())
    }

    #[test]
    fn the_event_is_named_for_github_and_for_nobody_else() {
        assert!(matches!(made(Source::GITHUB, None, None), Err(CliError::Usage(_))));
        assert!(matches!(made(Source::GENERIC, Some("push"), None), Err(CliError::Usage(_))));
    }

    #[test]
    fn the_request_is_shown_without_the_secret() -> Result<(), CliError> {
        let text = shown("http://h", &made(Source::GITHUB, Some("push"), Some(SECRET))?);
        assert!(text.starts_with("POST http://h/webhooks/github\n"), "{text}");
        assert!(text.ends_with("content-length: 13\n\nHello, World!"), "{text}");
        assert!(text.contains(SIGNATURE) && !text.contains(SECRET), "{text}");
        Ok(())
    }

    #[test]
    fn what_became_of_it_is_told() {
        let check = |json: &str, expected: &str| {
            let report: Report = serde_json::from_str(json).expect("a report");
            assert_eq!(told(&report), expected);
        };
        check(r#"{"accepted":["e1"],"duplicate":false}"#, "accepted 1 event: e1");
        check(r#"{"accepted":["e1","e2"],"duplicate":false,"items":[]}"#, "accepted 2 events: e1 e2");
        check(
            r#"{"accepted":[],"duplicate":true}"#,
            "a duplicate: it was taken before, and nothing was stored again",
        );
        check(r#"{"ignored":"a ping"}"#, "taken and ignored: a ping");
    }

    #[test]
    fn a_payload_longer_than_its_source_may_send_is_not_read_whole() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("payload.json");
        std::fs::write(&file, BODY)?;
        assert!(read(&file, BODY.len()).is_ok_and(|body| body == BODY));
        assert!(matches!(read(&file, BODY.len() - 1), Err(CliError::Usage(_))));
        assert!(matches!(read(&folder.path().join("none"), 1), Err(CliError::Usage(_))));
        Ok(())
    }
}

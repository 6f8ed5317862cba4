//! `homeostat send`: sign a payload as its sender would, and send it.
//!
//! Purpose: try a webhook without its sender, replay one by hand, or tell of an event from a
//! script.
//! Does not: read the payload; its bytes are sent as they are.
//! Invariant: the secret is used for the signature and shown nowhere.

mod request;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use homeostat_schema::config::{self, Config, SchemeName};
use homeostat_schema::secret::SecretList;
use homeostat_sources::{Instance, Source};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{Address, Answered, Client};
use super::{CliError, output};
use crate::variables::environment_name;
use request::{Wanted, as_json, delivery, shown};

const EXAMPLES: &str = "\
Examples:
  homeostat send github deployment_status.json --event deployment_status
  HOMEOSTAT_WEBHOOK_SECRET=s3cret homeostat send gitlab pipeline.json --event 'Pipeline Hook'
  homeostat send github/team-a push.json --event push
  echo '{\"event\":\"deployment\",\"env\":\"stage\",\"service\":\"shop\",\"status\":\"failure\"}' | homeostat send generic -
  homeostat send alertmanager firing.json --scheme basic --secret name:password
  homeostat send github push.json --event push --delivery 72d3162e-cc78-11e3-81ab-4c9367dc0958
  homeostat send generic event.json --dry-run      the request, sent nowhere

The payload is signed as homeostat.toml says of the instance, where it is given with --config, else in
the sender's usual way. With no secret it goes unsigned, which only an app in dev mode on this machine
takes.

Exit codes: 0 taken (also when it was a duplicate or is of no interest), 1 refused, no answer, or not
understood and kept as a dead letter, 2 the arguments or the file are wrong";

/// The arguments of `homeostat send`. No `Debug`: it holds the secret.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Whose webhook it is: github, gitlab, generic, … or a further instance, github/team-a
    #[arg(value_name = "SOURCE", value_parser = instance)]
    source: String,
    /// The payload; `-` reads standard input
    #[arg(value_name = "payload.json")]
    payload: PathBuf,
    /// The sender's name of the event, where it is in a header: deployment_status, 'Pipeline Hook', repo:push
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// The delivery's id; the same one again is a duplicate [default: a new one]
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
    /// A further header, or another value for one; may be given again
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The instance's secret; better in the environment, which other users cannot read
    /// [default: SPIN_VARIABLE_WEBHOOK_SECRET_<SOURCE>]
    #[arg(long, env = "HOMEOSTAT_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    secret: Option<String>,
    /// How to prove it: hmac-body, hmac-timestamped, standard-webhooks, token, basic, bearer
    /// [default: as the configuration says, else the sender's usual way]
    #[arg(long, value_name = "SCHEME", value_parser = scheme)]
    scheme: Option<SchemeName>,
    /// The configuration, for what it says of the instance
    #[arg(long, value_name = "homeostat.toml")]
    config: Option<PathBuf>,
    /// Print the request, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

fn instance(name: &str) -> Result<String, String> {
    let known = || Source::ALL.iter().map(|source| source.name()).collect::<Vec<_>>().join(", ");
    match Source::named(name.split('/').next().unwrap_or_default()) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("no such source; there are {}", known())),
    }
}

/// Those that a shell can sign with, and `oidc`, which a sender's own tokens prove.
const SCHEMES: &str = "hmac-body, hmac-timestamped, standard-webhooks, token, basic, bearer, oidc";

fn scheme(name: &str) -> Result<SchemeName, String> {
    serde_json::from_value(name.into()).map_err(|_| format!("no such scheme; there are {SCHEMES}"))
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| "expected NAME: VALUE".to_owned())?;
    let name: http::HeaderName = name.trim().parse().map_err(|_| "not a header's name".to_owned())?;
    Ok((name.as_str().to_owned(), value.trim().to_owned()))
}

/// What the configuration says of the instance, with the scheme asked for.
fn settings(arguments: &Arguments) -> Result<Config, CliError> {
    let mut config = Config::default();
    if let Some(file) = &arguments.config {
        let wrong = |why: String| CliError::Usage(why);
        let text =
            std::fs::read_to_string(file).map_err(|error| wrong(format!("{}: {error}", file.display())))?;
        config = Config::from_toml(&text, &file.display().to_string())
            .map_err(|error| wrong(error.to_string()))?;
    }
    let name = &arguments.source;
    if !config.sources.iter().any(|source| source.name == *name) {
        config.sources.push(config::Source::named(name));
    }
    for source in config.sources.iter_mut().filter(|source| source.name == *name) {
        source.scheme = arguments.scheme.or(source.scheme);
    }
    config.validate().map_err(|invalid| CliError::Usage(invalid.to_string()))?;
    Ok(config)
}

#[derive(Deserialize, Serialize)]
struct Report {
    #[serde(default)]
    accepted: Vec<String>,
    #[serde(default)]
    duplicate: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ignored: Option<String>,
    /// What became of each part of a batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    items: Vec<Part>,
    /// What the command says of it; the app says nothing here.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

#[derive(Deserialize, Serialize)]
struct Part {
    result: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Report {
    /// Why it, or the first part of it, was not understood. A ping is of no interest, which is
    /// answered 200.
    fn not_understood(&self, status: StatusCode) -> Option<&str> {
        let whole = self.ignored.as_deref().filter(|_| status == StatusCode::ACCEPTED);
        let part = || self.items.iter().find(|part| part.result == "ignored")?.why.as_deref();
        whole.or_else(part)
    }
}

/// Signs and sends.
///
/// # Errors
/// When the file cannot be read, or the app refuses it or does not answer.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let client = arguments.address.open()?;
    let config = settings(&arguments)?;
    let missing = || CliError::Usage("no such instance of a source".to_owned());
    let source = Instance::of(&config, &arguments.source).ok_or_else(missing)?;
    let body = read(&arguments.payload, source.body_max())?;
    let secrets = secrets(source, arguments.secret.as_deref());
    let id = match &arguments.delivery {
        Some(id) => id.clone(),
        None => output::random_id()?,
    };
    let now_ms = output::now_ms();
    let secret = secrets.live(now_ms).next().map(|(_, secret)| secret.clone());
    let wanted = Wanted {
        event: arguments.event.as_deref(),
        id: &id,
        headers: &arguments.headers,
        scheme: source.scheme(&secrets),
        secret: secret.as_ref(),
        now_ms,
    };
    let delivery = delivery(source, &wanted, body)?;
    if arguments.dry_run && arguments.json {
        return output::json(&as_json(client.base(), &delivery));
    }
    if arguments.dry_run {
        output::line(&shown(client.base(), &delivery));
        return Ok(());
    }
    let mut request = client.request(Method::POST, &delivery.path);
    for (name, value) in &delivery.headers {
        request = request.header(name, value);
    }
    let answer = client.send(request, delivery.body).await?;
    if !answer.status.is_success() {
        return Err(refused(&client, source, secret.is_some(), &answer));
    }
    let report: Report = answer.json()?;
    finished(report, answer.status, arguments.json)
}

/// Prints what became of it, and fails when it was not understood.
fn finished(mut report: Report, status: StatusCode, json: bool) -> Result<(), CliError> {
    let why = report.not_understood(status).map(output::plain);
    let wrong = why.map(|why| format!("not understood: {why}; kept: `homeostat dead list --kind ingest`"));
    if json {
        report.error = wrong.as_ref().map(|message| json!({ "message": message, "exit_code": 1 }));
        output::json(&report)?;
    } else if wrong.is_none() || !report.accepted.is_empty() {
        output::line(&told(&report));
    }
    wrong.map_or(Ok(()), |wrong| Err(CliError::Answered(wrong)))
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

/// The secrets given, else those the app is given in the same shell.
fn secrets(source: Instance<'_>, given: Option<&str>) -> SecretList {
    let kept = || std::env::var(environment_name(&source.secret_variable())).ok();
    SecretList::parse(&given.map(str::to_owned).or_else(kept).unwrap_or_default())
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

fn refused(client: &Client, source: Instance<'_>, signed: bool, answer: &Answered) -> CliError {
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
        (StatusCode::NOT_FOUND, _) if name.contains('/') => format!(
            "{base} has no instance {name}: add `[[source]] name = \"{name}\"` to its configuration, and apply it"
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
    fn what_was_not_understood_is_told_from_what_is_of_no_interest() {
        let check = |status: u16, json: &str, expected: Option<&str>| {
            let report: Report = serde_json::from_str(json).expect("a report");
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(report.not_understood(status), expected, "{json}");
        };
        check(200, r#"{"ignored":"a ping"}"#, None);
        check(202, r#"{"accepted":["e1"]}"#, None);
        check(202, r#"{"accepted":[],"ignored":"not JSON"}"#, Some("not JSON"));
        check(
            202,
            r#"{"accepted":["e1"],"items":[{"result":"accepted","id":"e1"},{"result":"ignored","why":"no time"}]}"#,
            Some("no time"),
        );
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

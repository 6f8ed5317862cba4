//! The app itself, over HTTP: there, ready, configured.
//!
//! Does not: need the app; whether it runs is one of the things looked at.

use std::collections::BTreeSet;

use homeostat_schema::config::Config;
use http::StatusCode;
use serde::Deserialize;

use super::finding::Finding;
use super::redis;
use super::setup::Setup;
use crate::cli::apply::{self, Change};
use crate::cli::client::{Client, ClientError, Connection, is_local};
use crate::durability::Told;
use crate::state_dir::SERVING_FILE;

const CHECK: &str = "app";
const NOT_READY: &str = "docs/runbooks/not-ready.md";

/// What the app told.
#[derive(Default)]
pub(super) struct Seen {
    readiness: Option<Readiness>,
    /// Prometheus text.
    pub(super) metrics: Option<String>,
    config: Option<(u64, Config)>,
    dev_mode: bool,
    serves_here: bool,
    /// Names of the variables it has, where it tells them.
    pub(super) variables: Option<BTreeSet<String>>,
}

impl Seen {
    /// The configuration in force, when it was told.
    pub(super) fn in_force(&self) -> Option<&Config> {
        self.config.as_ref().map(|(_, config)| config)
    }

    /// Whether it serves on this machine.
    pub(super) fn serves_here(&self) -> bool {
        self.serves_here
    }
}

/// What says that the app should be there.
enum Expected {
    /// Nothing does.
    Not,
    /// Address or token were given, or it is on another machine.
    Named,
    /// The state folder says that it was started on this address and not stopped.
    Left(String),
}

impl Expected {
    fn of(connection: &Connection) -> Self {
        let kept = std::fs::read_to_string(connection.folder().join(SERVING_FILE));
        if connection.is_named() {
            return Self::Named;
        }
        kept.map_or(Self::Not, |address| Self::Left(address.trim().to_owned()))
    }
}

#[derive(Deserialize)]
struct Health {
    version: String,
    #[serde(default)]
    dev_mode: bool,
}

/// As of `/ready`, whatever its status.
#[derive(Deserialize)]
struct Readiness {
    ready: bool,
    #[serde(default)]
    problems: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
    /// Whether Redis answered it.
    #[serde(default)]
    redis: bool,
    /// What Redis told it.
    #[serde(default)]
    durability: Told,
    /// Of the copy that webhooks read.
    #[serde(default)]
    config_version: Option<u64>,
}

/// Asks the app what it is and how it is.
pub(super) async fn look(client: &Client, connection: &Connection, findings: &mut Vec<Finding>) -> Seen {
    let mut seen = Seen::default();
    let health = match client.get("/health", &[]).await {
        Ok(answer) => answer.json::<Health>(),
        Err(error) => Err(error),
    };
    let health = match health {
        Ok(health) => health,
        Err(error) => {
            findings.push(absent(client.base(), &error, &Expected::of(connection)));
            return seen;
        }
    };
    seen.dev_mode = health.dev_mode;
    seen.serves_here = connection.address.parse().is_ok_and(|url| is_local(&url));
    findings.push(served(client.base(), &health.version));
    seen.readiness = client.look_at("/ready").await;
    seen.metrics = client
        .get("/metrics", &[])
        .await
        .ok()
        .map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
    seen.variables = variables(client).await;
    match apply::in_force(client).await {
        Ok(config) => seen.config = Some(config),
        Err(error) => findings.push(untold(&error)),
    }
    seen
}

/// The names of its variables; `None` where it does not know them, as under Spin.
async fn variables(client: &Client) -> Option<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Names {
        known: bool,
        items: BTreeSet<String>,
    }
    let names: Names = client.get("/api/v1/variables", &[]).await.ok()?.json().ok()?;
    names.known.then_some(names.items)
}

/// Nothing, or something else, is at the address.
fn absent(base: &str, error: &ClientError, expected: &Expected) -> Finding {
    match (error, expected) {
        (ClientError::NotRunning { .. }, Expected::Not) => Finding::skip(
            CHECK,
            format!("nothing serves {base}: the port is free, and `homeostat up` can take it"),
        ),
        (ClientError::NotRunning { why, .. }, Expected::Named) => Finding::wrong(
            CHECK,
            format!("nothing answers at {base} ({why})"),
            format!("start the app there, or mend the address or the way to it; {NOT_READY}"),
        ),
        (ClientError::NotRunning { why, .. }, Expected::Left(address)) => Finding::wrong(
            CHECK,
            format!(
                "the app of this folder was started on {address} and not stopped, but {base} does not answer ({why})"
            ),
            format!(
                "if it serves there: --url {address}; else it crashed: look at its log, `homeostat up` starts it again"
            ),
        ),
        (ClientError::NoAnswer { why, .. }, _) => Finding::wrong(
            CHECK,
            format!("{base} gives no answer: {why}"),
            format!(
                "look at the app's log and at what is between here and there, or is it another program? {NOT_READY}"
            ),
        ),
        (other, _) => Finding::wrong(
            CHECK,
            format!("another program seems to serve {base}: {other}"),
            "stop that program, or give `homeostat up` another address with --listen",
        ),
    }
}

/// It is there, and does not tell its configuration.
fn untold(error: &ClientError) -> Finding {
    let mend = match error {
        ClientError::Unauthorised(_) | ClientError::Token(_) => {
            "give the right --token or --state-dir".to_owned()
        }
        ClientError::Refused { status, .. } if *status == StatusCode::SERVICE_UNAVAILABLE => {
            "Redis does not answer the app; docs/runbooks/redis-unreachable.md".to_owned()
        }
        ClientError::Refused { status, .. } if status.is_server_error() => {
            format!("what is stored cannot be read: look at the app's log; {NOT_READY}")
        }
        _ => format!("look at the app's log; {NOT_READY}"),
    };
    Finding::wrong(CHECK, format!("its API does not tell the configuration: {error}"), mend)
}

fn served(base: &str, version: &str) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    let text = format!("homeostat {version} serves {base}");
    if version == ours {
        Finding::ok(CHECK, text)
    } else {
        Finding::warn(CHECK, format!("{text}, but this is {ours}"), "use commands of the app's own version")
    }
}

/// What it says about its own readiness. What Redis says itself is not repeated.
pub(super) fn readiness(seen: &Seen, redis_was_asked: bool, findings: &mut Vec<Finding>) {
    let Some(readiness) = &seen.readiness else { return };
    if readiness.ready {
        findings.push(Finding::ok(CHECK, "it is ready"));
    }
    let problem = |problem: &String| Finding::wrong(CHECK, problem.clone(), NOT_READY);
    findings.extend(readiness.problems.iter().map(problem));
    if seen.dev_mode {
        let text = "it is in dev mode: this machine needs no token and no signature";
        findings.push(Finding::warn(
            CHECK,
            text,
            "start it without --variable dev_mode=true before anyone relies on it",
        ));
    }
    if readiness.redis && !redis_was_asked {
        findings.extend(redis::durability(&readiness.durability));
    }
    // Said above in other words.
    let known =
        |warning: &&String| ["dev mode", "Redis", "appendfsync"].iter().any(|words| warning.contains(words));
    let told = readiness.warnings.iter().filter(|warning| !known(warning));
    findings.extend(told.map(|warning| Finding::warn(CHECK, warning.clone(), NOT_READY)));
}

/// What is in force, and whether the file says the same.
pub(super) fn configuration(seen: &Seen, setup: &Setup, findings: &mut Vec<Finding>) {
    let Some((version, in_force)) = &seen.config else { return };
    if in_force.kill_switch {
        let text = format!("the kill switch is on in version {version}: nothing is carried out");
        findings.push(Finding::warn("config", text, "set kill_switch = false and apply, once it is time"));
    }
    let copy = seen.readiness.as_ref().and_then(|readiness| readiness.config_version);
    if let Some(copy) = copy.filter(|copy| copy != version) {
        let text = format!("version {version} is in force, but webhooks read a copy of version {copy}");
        findings.push(Finding::warn(
            "config",
            text,
            "`homeostat tick --internal-token TOKEN` writes the copy anew",
        ));
    }
    let Some(file) = &setup.config else {
        findings.push(Finding::ok("config", format!("version {version} is in force")));
        return;
    };
    findings.push(compared(*version, &apply::difference(in_force, file)));
}

fn compared(version: u64, changes: &[Change]) -> Finding {
    match changes {
        [] => Finding::ok("config", format!("version {version} is in force and says what the file says")),
        _ => Finding::warn(
            "config",
            format!(
                "the file and version {version}, which is in force, differ in {} settings",
                changes.len()
            ),
            "`homeostat apply FILE --dry-run` shows them, without --dry-run it puts the file in force",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn how_durable_redis_is_is_told_once_and_at_one_level_whoever_was_asked() {
        let told = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let seen = |problems: &[&str]| Seen {
            readiness: Some(Readiness {
                ready: problems.is_empty(),
                problems: problems.iter().map(|text| (*text).to_owned()).collect(),
                warnings: vec!["dev mode is on".to_owned(), "Redis keeps nothing".to_owned()],
                redis: true,
                durability: [told("appendonly", "no"), told("maxmemory-policy", "noeviction")].into(),
                config_version: None,
            }),
            dev_mode: true,
            ..Seen::default()
        };
        let check = |problems: &[&str], asked: bool, expected: &[Level]| {
            let mut findings = Vec::new();
            readiness(&seen(problems), asked, &mut findings);
            assert_eq!(findings.iter().map(|finding| finding.level).collect::<Vec<_>>(), expected);
        };
        check(&[], true, &[Level::Ok, Level::Warn]);
        check(&[], false, &[Level::Ok, Level::Warn, Level::Wrong, Level::Ok]);
        check(&["no key-value store"], true, &[Level::Wrong, Level::Warn]);
    }

    #[test]
    fn an_app_that_should_be_there_and_is_not_is_wrong() {
        let url = || "http://h".to_owned();
        let away = || ClientError::NotRunning { url: url(), why: "refused".to_owned() };
        let check = |error: ClientError, expected: Expected, level, says: &str| {
            let finding = absent("http://h", &error, &expected);
            assert_eq!(finding.level, level, "{finding}");
            assert!(finding.to_string().contains(says), "{finding}");
        };
        check(away(), Expected::Not, Level::Skip, "the port is free");
        check(away(), Expected::Named, Level::Wrong, "nothing answers");
        check(
            away(),
            Expected::Left("http://127.0.0.1:9".to_owned()),
            Level::Wrong,
            "--url http://127.0.0.1:9",
        );
        let silent = ClientError::NoAnswer { url: url(), why: "no answer in time".to_owned() };
        check(silent, Expected::Not, Level::Wrong, "no answer");
        let taken = ClientError::Foreign { url: url(), why: "not JSON".to_owned() };
        check(taken, Expected::Not, Level::Wrong, "another program");
    }

    #[test]
    fn what_to_do_depends_on_why_the_configuration_is_not_told() {
        let refused = |status| ClientError::Refused { url: String::new(), status, why: String::new() };
        let check = |error: ClientError, says: &str| {
            let finding = untold(&error);
            assert!(finding.mend.is_some_and(|mend| mend.contains(says)), "{error}");
        };
        check(ClientError::Unauthorised("wrong".to_owned()), "--token");
        check(refused(StatusCode::SERVICE_UNAVAILABLE), "redis-unreachable.md");
        check(refused(StatusCode::INTERNAL_SERVER_ERROR), "what is stored cannot be read");
        check(refused(StatusCode::NOT_FOUND), "log");
    }
}

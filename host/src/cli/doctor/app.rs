//! The app itself, over HTTP: there, ready, configured, and hearing its sources.
//!
//! Does not: need the app; whether it runs is one of the things looked at.

use homeostat_schema::config::Config;
use homeostat_schema::time;
use homeostat_sources::Source;
use serde::Deserialize;
use serde_json::Value;

use super::finding::Finding;
use super::setup::Setup;
use crate::cli::apply::{self, Change};
use crate::cli::client::{Client, ClientError};
use crate::cli::output;

const CHECK: &str = "app";

/// What the app told.
#[derive(Default)]
pub(super) struct Seen {
    readiness: Option<Readiness>,
    /// Prometheus text.
    pub(super) metrics: Option<String>,
    config: Option<(u64, Config)>,
    dev_mode: bool,
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
    /// Of the copy that webhooks read.
    #[serde(default)]
    config_version: Option<u64>,
}

/// Asks the app what it is and how it is.
pub(super) async fn look(client: &Client, findings: &mut Vec<Finding>) -> Seen {
    let mut seen = Seen::default();
    let health = match client.get("/health", &[]).await {
        Ok(answer) => answer.json::<Health>(),
        Err(error) => Err(error),
    };
    let health = match health {
        Ok(health) => health,
        Err(error) => {
            findings.push(absent(client.base(), &error));
            return seen;
        }
    };
    seen.dev_mode = health.dev_mode;
    findings.push(served(client.base(), &health.version));
    seen.readiness = client.look_at("/ready").await;
    seen.metrics = client
        .get("/metrics", &[])
        .await
        .ok()
        .map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
    match apply::in_force(client).await {
        Ok(config) => seen.config = Some(config),
        Err(error) => findings.push(Finding::wrong(
            CHECK,
            format!("its API does not tell the configuration: {error}"),
            "give the right --token or --state-dir, or look at the app's log",
        )),
    }
    seen
}

/// Nothing, or something else, is at the address.
fn absent(base: &str, error: &ClientError) -> Finding {
    match error {
        ClientError::NotRunning { .. } => Finding::skip(
            CHECK,
            format!("nothing serves {base}: the port is free, and `homeostat up` can take it"),
        ),
        other => Finding::wrong(
            CHECK,
            format!("another program seems to serve {base}: {other}"),
            "stop that program, or give `homeostat up` another address with --listen",
        ),
    }
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
    let mend = "docs/runbooks/not-ready.md";
    findings.extend(readiness.problems.iter().map(|problem| Finding::wrong(CHECK, problem.clone(), mend)));
    if seen.dev_mode {
        let text = "it is in dev mode: this machine needs no token and no signature";
        findings.push(Finding::warn(
            CHECK,
            text,
            "start it without --variable dev_mode=true before anyone relies on it",
        ));
    }
    // Durability is told without naming Redis in every line.
    let known = |warning: &str| {
        let of_redis = warning.contains("Redis") || warning.contains("appendfsync");
        warning.contains("dev mode") || (redis_was_asked && of_redis)
    };
    let told = readiness.warnings.iter().filter(|warning| !known(warning));
    findings.extend(told.map(|warning| Finding::warn(CHECK, warning.clone(), mend)));
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

/// Sources that sent nothing for long.
pub(super) async fn silence(client: &Client, seen: &Seen, silent_hours: u64, findings: &mut Vec<Finding>) {
    if seen.config.is_none() {
        findings.push(Finding::skip("webhooks", "the app could not be asked when it heard its sources last"));
        return;
    }
    for source in Source::ALL.iter().copied() {
        let query = [("source", source.name().to_owned()), ("limit", "1".to_owned())];
        let Ok(answer) = client.get("/api/v1/events", &query).await else { continue };
        let page: Value = answer.json().unwrap_or_default();
        let last =
            page.pointer("/items/0/received_at").and_then(Value::as_str).and_then(|at| time::parse(at).ok());
        findings.push(heard(source, last, output::now_ms(), silent_hours));
    }
}

fn heard(source: Source, last_ms: Option<u64>, now_ms: u64, silent_hours: u64) -> Finding {
    let name = source.name();
    let mend = format!("docs/runbooks/silent-source.md: look at the sender's deliveries to /webhooks/{name}");
    let Some(last) = last_ms else {
        let text = format!("{name} never sent anything that is kept");
        // A script of one's own that sends nothing is nothing to wait for.
        return if source == Source::GENERIC {
            Finding::ok("webhooks", text)
        } else {
            Finding::warn("webhooks", text, mend)
        };
    };
    let ago = now_ms.saturating_sub(last);
    let text = format!("{name} was heard {} ago", output::span(ago));
    if ago > silent_hours.saturating_mul(3_600_000) {
        Finding::warn("webhooks", text, mend)
    } else {
        Finding::ok("webhooks", text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_source_that_is_silent_for_long_is_a_warning() {
        const NOW: u64 = 1_764_244_800_000;
        const DAY: u64 = 24 * 3_600_000;
        let check = |source, last, level| assert_eq!(heard(source, last, NOW, 24).level, level, "{last:?}");
        check(Source::GITHUB, Some(NOW - DAY), Level::Ok);
        check(Source::GITHUB, Some(NOW - DAY - 1), Level::Warn);
        check(Source::GITHUB, Some(NOW + 1), Level::Ok);
        check(Source::GITHUB, None, Level::Warn);
        check(Source::GENERIC, None, Level::Ok);
    }

    #[test]
    fn what_redis_said_itself_is_not_said_twice() {
        let seen = |problems: &[&str]| Seen {
            readiness: Some(Readiness {
                ready: problems.is_empty(),
                problems: problems.iter().map(|text| (*text).to_owned()).collect(),
                warnings: vec!["dev mode is on".to_owned(), "Redis keeps nothing".to_owned()],
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
        check(&[], false, &[Level::Ok, Level::Warn, Level::Warn]);
        check(&["no key-value store"], true, &[Level::Wrong, Level::Warn]);
    }

    #[test]
    fn a_free_port_is_no_fault_and_a_taken_one_is() {
        let url = || "http://h".to_owned();
        let free = absent("http://h", &ClientError::NotRunning { url: url(), why: "refused".to_owned() });
        assert_eq!(free.level, Level::Skip);
        let taken = absent("http://h", &ClientError::Foreign { url: url(), why: "not JSON".to_owned() });
        assert_eq!(taken.level, Level::Wrong);
    }
}

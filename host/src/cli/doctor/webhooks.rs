//! The sources that are expected to send: when each was heard last.
//!
//! Does not: wait for a source that nobody set up; those are told in one line.

use std::collections::BTreeSet;

use homeostat_schema::config::Config;
use homeostat_schema::time;
use homeostat_sources::{Instance, Source};
use serde_json::Value;

use super::app::Seen;
use super::finding::Finding;
use super::known::Known;
use crate::cli::client::Client;
use crate::cli::output;

const CHECK: &str = "webhooks";

const HOUR_MS: u64 = 3_600_000;

/// Sources that sent nothing for long.
pub(super) async fn look(
    client: &Client,
    seen: &Seen,
    known: &Known<'_>,
    silent_hours: u32,
    findings: &mut Vec<Finding>,
) {
    let Some(config) = seen.in_force() else {
        findings.push(Finding::skip(CHECK, "the app could not be asked when it heard its sources last"));
        return;
    };
    let (named, now_ms) = (named(config), output::now_ms());
    let silent_ms = u64::from(silent_hours) * HOUR_MS;
    let mut unused = Vec::new();
    for instance in Instance::all(config) {
        let Some(last) = last_heard(client, instance.name()).await else { continue };
        let expected = named.contains(instance.name()) || known.is_set(&instance.secret_variable());
        if last.is_some() || expected {
            findings.push(heard(instance, last, now_ms, silent_ms));
        } else {
            unused.push(instance.name());
        }
    }
    findings.extend(not_waited_for(&unused));
}

/// The instances that a configuration speaks of.
fn named(config: &Config) -> BTreeSet<&str> {
    let settings = config.sources.iter().map(|source| source.name.as_str());
    let rules = config.services.iter().flat_map(|service| &service.matches);
    settings.chain(rules.map(|rule| rule.source.as_str())).collect()
}

/// When its newest kept event came, milliseconds since the epoch; the outer `None` when the app
/// does not say.
async fn last_heard(client: &Client, name: &str) -> Option<Option<u64>> {
    let query = [("source", name.to_owned()), ("limit", "1".to_owned())];
    let page: Value = client.get("/api/v1/events", &query).await.ok()?.json().ok()?;
    let at = page.pointer("/items/0/received_at").and_then(Value::as_str);
    Some(at.and_then(|at| time::parse(at).ok()))
}

fn heard(instance: Instance<'_>, last_ms: Option<u64>, now_ms: u64, silent_ms: u64) -> Finding {
    let name = instance.name();
    let mend = format!("docs/runbooks/silent-source.md: look at the sender's deliveries to /webhooks/{name}");
    let Some(last) = last_ms else {
        let text = format!("{name} never sent anything that is kept");
        // A script of one's own that sends nothing is nothing to wait for.
        return if instance.source() == Source::GENERIC {
            Finding::ok(CHECK, text)
        } else {
            Finding::warn(CHECK, text, mend)
        };
    };
    let ago = now_ms.saturating_sub(last);
    let text = format!("{name} was heard {} ago", output::span(ago));
    if ago > silent_ms { Finding::warn(CHECK, text, mend) } else { Finding::ok(CHECK, text) }
}

fn not_waited_for(unused: &[&str]) -> Option<Finding> {
    let text = format!(
        "{} sources have no secret, no mention in the configuration and no event: {}",
        unused.len(),
        unused.join(", ")
    );
    (!unused.is_empty()).then(|| Finding::ok(CHECK, text))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const NOW: u64 = 1_764_244_800_000;
    const DAY: u64 = 24 * HOUR_MS;

    #[test]
    fn a_source_that_is_silent_for_long_is_a_warning() {
        let check = |source: Source, last, level| {
            assert_eq!(heard(source.into(), last, NOW, DAY).level, level, "{last:?}");
        };
        check(Source::GITHUB, Some(NOW - DAY), Level::Ok);
        check(Source::GITHUB, Some(NOW - DAY - 1), Level::Warn);
        check(Source::GITHUB, Some(NOW + 1), Level::Ok);
        check(Source::GITHUB, None, Level::Warn);
        check(Source::GENERIC, None, Level::Ok);
    }

    #[test]
    fn a_configuration_speaks_of_its_sources_and_of_those_its_rules_match() {
        let toml = "[[source]]\nname = \"github/team-a\"\n[[service]]\nname = \"shop\"\n\
                    match = [{ source = \"argocd\", name = \"shop\" }, { name = \"any\" }]\n";
        let config = Config::from_toml(toml, "homeostat.toml").expect("a configuration");
        let named = named(&config);
        assert!(named.contains("github/team-a") && named.contains("argocd"), "{named:?}");
        assert!(!named.contains("github") && !named.contains("gitlab"), "{named:?}");
    }

    #[test]
    fn what_nobody_set_up_is_one_line() {
        let finding = not_waited_for(&["gitlab", "jenkins"]).expect("a line");
        assert_eq!(finding.level, Level::Ok);
        assert!(finding.text.starts_with("2 sources") && finding.text.ends_with("gitlab, jenkins"));
        assert!(not_waited_for(&[]).is_none());
    }
}

//! A component's line about an internal event, as an event of the host's own log.
//!
//! Purpose: `event`, `component` and the event's fields stand beside each other in the log, as they
//! do for events of the host.
//! Does not: judge what a component says. A plug-in shares its component's log, so a line of the
//! component `webhook-plugin` is as trustworthy as the plug-in.
//! Invariant: only fields named here are taken; a line with others is no such line.

use serde::Deserialize;

/// The longest name of an event, in characters.
const EVENT_CHARS_MAX: usize = 40;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Info,
    Warn,
}

/// Every field of every event of a component, as `crates/stages` has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    event: String,
    level: Level,
    /// By the component's clock; the log has a time of its own.
    #[serde(rename = "at_ms")]
    _at_ms: Option<u64>,
    env: Option<String>,
    service: Option<String>,
    finding: Option<String>,
    kind: Option<String>,
    severity: Option<String>,
    incident: Option<String>,
    state: Option<String>,
    plan: Option<String>,
    remedy: Option<String>,
    decision: Option<String>,
    guards: Option<String>,
    attempt: Option<String>,
    result: Option<String>,
    requests: Option<u64>,
    took_ms: Option<u64>,
    verb: Option<String>,
    who: Option<String>,
    version: Option<u64>,
    kill_switch: Option<bool>,
    source: Option<String>,
    why: Option<String>,
    count: Option<u64>,
    total: Option<u64>,
}

impl Told {
    /// What a line tells; `None` for one that is no event's.
    pub(super) fn read(line: &str) -> Option<Self> {
        let told: Self = line.starts_with('{').then(|| serde_json::from_str(line).ok()).flatten()?;
        let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        (told.event.len() <= EVENT_CHARS_MAX && told.event.chars().all(is_name)).then_some(told)
    }

    /// Into the log, under its component's name.
    pub(super) fn log(&self, component: &str) {
        /// A level is part of an event's place in the code, so there is a place for each.
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    target: "component",
                    $level,
                    event = self.event,
                    component,
                    env = self.env,
                    service = self.service,
                    finding = self.finding,
                    kind = self.kind,
                    severity = self.severity,
                    incident = self.incident,
                    state = self.state,
                    plan = self.plan,
                    remedy = self.remedy,
                    decision = self.decision,
                    guards = self.guards,
                    attempt = self.attempt,
                    result = self.result,
                    requests = self.requests,
                    took_ms = self.took_ms,
                    verb = self.verb,
                    who = self.who,
                    version = self.version,
                    kill_switch = self.kill_switch,
                    source = self.source,
                    why = self.why,
                    count = self.count,
                    total = self.total,
                    "{}",
                    self.event.replace('_', " ")
                )
            };
        }
        match self.level {
            Level::Info => log!(tracing::Level::INFO),
            Level::Warn => log!(tracing::Level::WARN),
        }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_stages::log::{DeliveryRefused, Text, line};

    use super::Told;
    use crate::telemetry::captured;

    #[test]
    fn an_events_fields_stand_beside_its_component() {
        let refused = DeliveryRefused { source: Text("git\nhub"), why: Text("no proof"), count: 3, total: 7 };
        let written = line(&refused).replacen('{', "{\"at_ms\":5,", 1);
        let told = captured(|| Told::read(&written).expect("an event").log("webhook-ingest"));
        for (field, expected) in [
            ("event", "delivery_refused"),
            ("component", "webhook-ingest"),
            ("level", "WARN"),
            ("source", "git\\u{a}hub"),
            ("message", "delivery refused"),
        ] {
            assert_eq!(told[field], expected, "{told}");
        }
        assert_eq!((told["count"].as_u64(), told["total"].as_u64()), (Some(3), Some(7)), "{told}");
        assert!(told.get("incident").is_none(), "{told}");
    }

    #[test]
    fn any_other_line_is_none() {
        for line in [
            "",
            "thread 'main' panicked",
            "{}",
            r#"{"event":"x"}"#,
            r#"{"event":"x","level":"loud"}"#,
            r#"{"event":"Not A Name","level":"info"}"#,
            r#"{"event":"x","level":"info","body":"secret"}"#,
            r#"{"event":"x","level":"info","env":{"deep":1}}"#,
        ] {
            assert!(Told::read(line).is_none(), "{line}");
        }
    }
}

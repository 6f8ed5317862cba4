//! The notification form of Prometheus Alertmanager, which Grafana has taken over and extended.
//!
//! One notification carries a group of alerts; each becomes an event of its own. An alert is known
//! by its fingerprint and the time it started, so that repetitions, and the copies of a
//! high-availability pair, are one event. What is not about a service's health is not told as an
//! alert: a watchdog that always fires, and an alert that says the data is missing, become
//! observations of the monitor.
//!
//! What this does not do: read numbers out of annotations; take the group's key for an id.
//!
//! Invariant: missing data is never told as a firing alert.

use std::collections::BTreeMap;

use homeostat_schema::types::{EventKind, Signal, Status};
use homeostat_schema::wire::flat::{self, SIGNALS_MAX};
use serde::Deserialize;

use crate::draft::Draft;
use crate::labels::{Address, Firsts, LabelNames, Pairs, link};
use crate::lenient::{Count, Moment, Part, Word};
use crate::reading::{NotUnderstood, Reading};
use crate::said::{attribute, span};

/// Alerts taken of one notification: as many as one step of the loop takes.
pub(crate) const ALERTS_MAX: usize = flat::ITEMS_MAX;

/// Alerts that fire for as long as the alerting pipeline works, in lower case.
const HEARTBEATS: &[&str] = &["watchdog", "deadmansswitch", "deadmanswitch", "deadman"];
/// What Grafana calls the alert it raises in place of one it could not evaluate.
const NO_EVALUATION: &[&str] = &["DatasourceNoData", "DatasourceError"];
/// Labels that help people, kept as attributes.
const TELLING_LABELS: &[&str] = &["severity", "namespace", "cluster", "instance"];

/// A notification, as far as it is read.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Notification {
    receiver: Word,
    status: Word,
    alerts: Option<Firsts<Alert, ALERTS_MAX>>,
    #[serde(rename = "externalURL")]
    external_url: Address,
    #[serde(rename = "truncatedAlerts")]
    truncated_alerts: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Alert {
    status: Word,
    labels: Option<Pairs>,
    annotations: Option<Pairs>,
    #[serde(rename = "startsAt")]
    starts_at: Moment,
    #[serde(rename = "endsAt")]
    ends_at: Moment,
    fingerprint: Word,
    #[serde(rename = "generatorURL")]
    generator_url: Address,
    // Grafana's own.
    #[serde(rename = "panelURL")]
    panel_url: Address,
    #[serde(rename = "dashboardURL")]
    dashboard_url: Address,
    values: Part<BTreeMap<String, Option<f64>>>,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A condition of a service.
    Condition,
    /// It fires for as long as the monitor works.
    Heartbeat,
    /// The monitor could not see.
    Blind,
}

/// Expands a notification into its alerts.
///
/// # Errors
/// [`NotUnderstood`] when it does not have this form, as with a custom template.
pub(crate) fn read(notification: Notification, names: LabelNames<'_>) -> Result<Reading, NotUnderstood> {
    let Some(alerts) = notification.alerts else {
        return Err(NotUnderstood::missing("alerts"));
    };
    if alerts.items.is_empty() {
        return Ok(Reading::Ignored("a notification without alerts".to_owned()));
    }
    let left_out = notification.truncated_alerts.0.unwrap_or(0).saturating_add(alerts.beyond);
    let group = Group {
        status: notification.status,
        receiver: notification.receiver,
        url: notification.external_url,
        left_out: (left_out > 0).then(|| left_out.to_string()),
        names,
    };
    alerts.items.into_iter().map(|alert| group.draft(alert)).collect::<Result<_, _>>().map(Reading::Items)
}

/// What the alerts of one notification have in common.
struct Group<'a> {
    status: Word,
    receiver: Word,
    url: Address,
    left_out: Option<String>,
    names: LabelNames<'a>,
}

impl Group<'_> {
    fn draft(&self, alert: Alert) -> Result<Draft, NotUnderstood> {
        let labels = alert.labels.as_ref().ok_or_else(|| NotUnderstood::missing("alerts[].labels"))?;
        let started = alert.starts_at.0.ok_or_else(|| NotUnderstood::missing("alerts[].startsAt"))?;
        let status = status(alert.status.as_str().or(self.status.as_str()));
        let mut said = flat::Draft::saying(EventKind::Alert, status.clone());
        self.names.describe(&mut said, labels);
        said.title = labels.first(&["alertname"]);
        said.test = is_test(labels);
        said.url = alert.best_url().or_else(|| link(&self.url));
        let ended = alert.ends_at.0.filter(|_| status == Status::Resolved);
        said.duration_ms = span(Some(started), ended);
        said.occurred_at_ms = if status == Status::Resolved { ended } else { Some(started) };
        self.annotate(&mut said, &alert, labels);
        let subject = format!("alert:{}:{started}", alert.fingerprint(labels));
        Ok(by_meaning(meaning(&alert, labels), Draft::of(said).about(subject, 1), &alert, labels))
    }

    fn annotate(&self, said: &mut flat::Draft, alert: &Alert, labels: &Pairs) {
        for name in TELLING_LABELS {
            attribute(said, name, labels.get(name));
        }
        attribute(said, "fingerprint", Some(&alert.fingerprint(labels)));
        attribute(said, "folder", labels.get("grafana_folder"));
        attribute(said, "summary", alert.annotation("summary"));
        attribute(said, "state-reason", alert.annotation("grafana_state_reason"));
        attribute(said, "receiver", self.receiver.as_str());
        attribute(said, "truncated-alerts", self.left_out.as_deref());
    }
}

impl Alert {
    fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name)
    }

    fn best_url(&self) -> Option<String> {
        let all = [&self.generator_url, &self.panel_url, &self.dashboard_url];
        all.into_iter().find_map(link)
    }

    /// The sender's, else the one it would have: versions before 0.19 sent none.
    fn fingerprint(&self, labels: &Pairs) -> String {
        self.fingerprint.0.clone().unwrap_or_else(|| fingerprint(labels))
    }

    /// The numbers behind it, by Grafana's names for them. Their unit is not said.
    fn signals(&self) -> Vec<Signal> {
        let values = self.values.0.iter().flatten();
        let signal = |(name, value): (&String, &Option<f64>)| {
            let (name, value) = (flat::bounded(name)?, value.filter(|value| value.is_finite())?);
            Some(Signal { name, value, unit: String::new(), samples: 1 })
        };
        values.filter_map(signal).take(SIGNALS_MAX).collect()
    }
}

fn status(theirs: Option<&str>) -> Status {
    theirs.map_or(Status::Unknown, Status::named)
}

/// Grafana's button "Test" sends this alert.
fn is_test(labels: &Pairs) -> bool {
    labels.get("alertname") == Some("TestAlert")
}

fn meaning(alert: &Alert, labels: &Pairs) -> Meaning {
    let name = labels.get("alertname").unwrap_or_default();
    let reason = alert.annotation("grafana_state_reason").unwrap_or_default();
    if NO_EVALUATION.contains(&name) || reason.starts_with("NoData") || reason.starts_with("Error") {
        return Meaning::Blind;
    }
    if HEARTBEATS.contains(&name.to_lowercase().as_str()) { Meaning::Heartbeat } else { Meaning::Condition }
}

fn by_meaning(meaning: Meaning, draft: Draft, alert: &Alert, labels: &Pairs) -> Draft {
    match meaning {
        Meaning::Condition => {
            let said = flat::Draft { signals: alert.signals(), ..draft.said };
            Draft { said, ..draft }
        }
        Meaning::Heartbeat => heartbeat(draft),
        Meaning::Blind => blind(draft, labels.first(&["rulename"])),
    }
}

/// The monitor says that it lives, each time anew: a reading, not a state. When it is resolved, the
/// monitor stopped, which says nothing about a service.
fn heartbeat(mut draft: Draft) -> Draft {
    let alive = draft.said.status != Status::Resolved;
    draft.said.kind = EventKind::Observation;
    draft.said.status = if alive { Status::Success } else { Status::Unknown };
    attribute(&mut draft.said, "monitor", Some(if alive { "alive" } else { "silent" }));
    if alive {
        draft.said.occurred_at_ms = None;
        draft.subject = None;
    }
    draft
}

/// Data is missing, or is back; neither is a verdict on the service.
pub(crate) fn blind(mut draft: Draft, rule: Option<String>) -> Draft {
    let back = draft.said.status == Status::Resolved;
    draft.said.kind = EventKind::Observation;
    draft.said.status = if back { Status::Success } else { Status::Unknown };
    draft.said.title = rule.or(draft.said.title);
    attribute(&mut draft.said, "telemetry", Some(if back { "back" } else { "missing" }));
    draft
}

/// Alertmanager's fingerprint of labels: FNV-1a of 64 bits over each name and value in order of the
/// names, each ended by the byte 255 (`model.LabelSet.Fingerprint` of prometheus/common).
fn fingerprint(labels: &Pairs) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let texts = labels.0.iter().flat_map(|(name, value)| [name, value]);
    let bytes = texts.flat_map(|text| text.bytes().chain([u8::MAX]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests;

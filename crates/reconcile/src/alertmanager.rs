//! Alertmanager's firing alerts: what was not taken in before is put into the form of its own
//! webhook, and taken in like one.
//! Source: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.
//!
//! What this does not do: notice that an alert ended while its webhook was lost; the list holds
//! only what fires.

use std::collections::BTreeSet;

use homeostat_schema::time;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::memory::{ALERTS_MAX, Memory};
use crate::wire::{Heard, heard, request};
use crate::{Answer, Auth, Next, Origins, Report};

/// An alert younger than this may have its webhook under way still, milliseconds.
const GRACE_MS: u64 = 60_000;
/// Alerts taken in at one look; the rest at the next ones. A webhook of so many is within its cap.
const TAKEN_MAX: usize = 100;
const PATH: &str = "/api/v2/alerts?active=true&silenced=false&inhibited=false&unprocessed=false";

#[derive(Debug, Clone, Deserialize)]
struct Alert {
    #[serde(default)]
    labels: Map<String, Value>,
    #[serde(default)]
    annotations: Map<String, Value>,
    #[serde(rename = "startsAt")]
    starts_at: String,
    fingerprint: String,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
}

#[derive(Serialize)]
struct Webhook<'a> {
    version: &'static str,
    #[serde(rename = "groupKey")]
    group_key: &'static str,
    status: &'static str,
    receiver: &'static str,
    alerts: Vec<Firing<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Firing<'a> {
    status: &'static str,
    labels: &'a Map<String, Value>,
    annotations: &'a Map<String, Value>,
    starts_at: &'a str,
    ends_at: &'static str,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: &'a str,
}

/// One look at what fires.
#[derive(Debug)]
pub(crate) struct Alerts {
    origin: String,
    now_ms: u64,
    report: Report,
    /// What is remembered once it was taken in.
    firing: BTreeSet<String>,
}

impl Alerts {
    pub(crate) fn new(origins: &Origins, memory: Memory, now_ms: u64) -> Self {
        let report = Report { memory, ..Report::default() };
        Self { origin: origins.alertmanager.clone(), now_ms, report, firing: BTreeSet::new() }
    }

    pub(crate) fn next(&mut self, answer: Answer) -> Next {
        match answer {
            Answer::Begin => match request(Method::GET, &self.origin, PATH, Auth::None) {
                Some(outgoing) => Next::Send(outgoing),
                None => self.failed("there is no origin to ask: set alertmanager_origin".to_owned(), None),
            },
            Answer::Response(response) => match heard::<Vec<Alert>>(response, self.now_ms) {
                Heard::Ok((alerts, _)) => self.listed(&alerts),
                Heard::Refused(why) => self.failed(why, None),
                Heard::Later(why, wait_ms) => self.failed(why, wait_ms),
            },
            Answer::TakenIn(Ok(taken)) => {
                self.report.asked = taken;
                self.finish()
            }
            Answer::TakenIn(Err(why)) | Answer::Failed(why) => self.failed(why, None),
            Answer::Arrived(_) | Answer::Came(_) => {
                self.failed("another answer was expected".to_owned(), None)
            }
        }
    }

    fn listed(&mut self, alerts: &[Alert]) -> Next {
        self.report.seen = alerts.len();
        let known = &self.report.memory.alerts;
        let old = |alert: &&Alert| {
            time::parse(&alert.starts_at).is_ok_and(|at| at.saturating_add(GRACE_MS) <= self.now_ms)
        };
        let new: Vec<&Alert> =
            alerts.iter().filter(old).filter(|alert| !known.contains(&alert.key())).take(TAKEN_MAX).collect();
        let still = alerts.iter().map(Alert::key).filter(|key| known.contains(key));
        self.firing = still.chain(new.iter().map(|alert| alert.key())).take(ALERTS_MAX).collect();
        self.report.missing = new.len();
        if new.is_empty() {
            return self.finish();
        }
        let webhook = Webhook {
            version: "4",
            group_key: "homeostat-reconcile",
            status: "firing",
            receiver: "homeostat",
            alerts: new.into_iter().map(Alert::firing).collect(),
        };
        match serde_json::to_vec(&webhook) {
            Ok(body) => Next::TakeIn(body),
            Err(_) => self.failed("the alerts have no JSON form".to_owned(), None),
        }
    }

    fn finish(&mut self) -> Next {
        self.report.memory.alerts = std::mem::take(&mut self.firing);
        self.report.memory.failures = 0;
        Next::Finished(Box::new(self.report.clone()))
    }

    fn failed(&mut self, why: String, wait_ms: Option<u64>) -> Next {
        self.report.problem = Some(why);
        self.report.wait_ms = wait_ms;
        self.report.memory.failures = self.report.memory.failures.saturating_add(1);
        Next::Finished(Box::new(self.report.clone()))
    }
}

impl Alert {
    /// The same alert that fires again is another.
    fn key(&self) -> String {
        format!("{}@{}", self.fingerprint, self.starts_at)
    }

    fn firing(&self) -> Firing<'_> {
        Firing {
            status: "firing",
            labels: &self.labels,
            annotations: &self.annotations,
            starts_at: &self.starts_at,
            // How Alertmanager writes "not yet".
            ends_at: "0001-01-01T00:00:00Z",
            generator_url: &self.generator_url,
            fingerprint: &self.fingerprint,
        }
    }
}

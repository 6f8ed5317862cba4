//! The read models: everything the API lists, by key, and how long it is kept.
//!
//! Keys are relative to the flow's read-model prefix.

use homeostat_flow::Write;
use homeostat_schema::{types, wire};
use serde::{Deserialize, Serialize};

/// Ranking of event ids by time of receipt.
pub const EVENTS: &str = "events";
/// Ranking of incident ids by time of opening.
pub const INCIDENTS: &str = "incidents";
/// Ranking of `<env>/<service>` by time of the last change.
pub const SERVICES: &str = "services";
/// The learned policy, in its own encoding.
pub const POLICY: &str = "policy";
/// A stream of samples for training.
pub const SAMPLES: &str = "samples";

/// Events listed; older ones are found in the senders.
const EVENTS_KEPT: u32 = 10_000;
/// How long one event can be read; as long as senders allow a redelivery, and some days more.
const EVENT_TTL_MS: u64 = 7 * 24 * 3600 * 1000;
/// Incidents listed.
const INCIDENTS_KEPT: u32 = 10_000;
/// How long one incident can be read: a quarter, for the review after it.
const INCIDENT_TTL_MS: u64 = 92 * 24 * 3600 * 1000;
/// Services listed.
const SERVICES_KEPT: u32 = 10_000;
/// About how many samples stay for training.
const SAMPLES_KEPT: u32 = 100_000;

/// The key of one event.
pub fn event_key(id: &str) -> String {
    format!("event:{id}")
}

/// The key of one incident.
pub fn incident_key(id: &str) -> String {
    format!("incident:{id}")
}

/// The key of one service.
pub fn service_key(env: &str, service: &str) -> String {
    format!("service:{env}/{service}")
}

/// The key of what a pipeline is told of one service's newest release.
pub fn comparison_key(env: &str, service: &str) -> String {
    format!("comparison:{env}/{service}")
}

/// What a pipeline is told that asks whether to promote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonView {
    /// The environment.
    pub env: String,
    /// The service.
    pub service: String,
    /// Healthy: promote. Watching, blind: wait. Bad: do not.
    pub verdict: wire::Verdict,
    /// 100 times the probability that the release is good.
    pub score: f64,
    /// Why, in plain words.
    pub text: String,
    /// What would change the verdict; empty when nobody can say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub would_change: String,
    /// The evidence against the release, and what makes it bad.
    pub statistic: f64,
    /// See `statistic`.
    pub bound: f64,
    /// Requests or measurements of the new version.
    pub samples: u64,
    /// The release, when a deployment told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When the new version was heard of last, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<String>,
    /// How it went, once both versions were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plot: Option<wire::Plot>,
}

/// What the API shows of a service.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServiceView {
    /// The environment.
    pub env: String,
    /// The service.
    pub service: String,
    /// Verdict, score and reasons.
    pub health: wire::Health,
    /// The release last seen deployed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// Its commit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    /// RFC 3339.
    pub updated_at: String,
}

/// Records an event; `json` is its form as it came, when that is at hand.
pub(crate) fn event(event: &types::Event, json: Option<&[u8]>) -> Vec<Write> {
    let value = json.map_or_else(|| wire::encode(event), <[u8]>::to_vec);
    listed(EVENTS, &event.id, event.received_at, EVENTS_KEPT, event_key(&event.id), value, Some(EVENT_TTL_MS))
}

/// Records an incident as it now stands.
pub(crate) fn incident(incident: &types::Incident) -> Vec<Write> {
    let value = crate::entry::encode(&wire::Incident::from(incident.clone()));
    let key = incident_key(&incident.id);
    listed(INCIDENTS, &incident.id, incident.opened_at, INCIDENTS_KEPT, key, value, Some(INCIDENT_TTL_MS))
}

/// Records a service's health.
pub(crate) fn service(view: &ServiceView, now_ms: u64) -> Vec<Write> {
    let member = format!("{}/{}", view.env, view.service);
    let key = service_key(&view.env, &view.service);
    listed(SERVICES, &member, now_ms, SERVICES_KEPT, key, crate::entry::encode(view), None)
}

/// Records where a service's newest release stands.
pub(crate) fn comparison(view: &ComparisonView) -> Write {
    let key = comparison_key(&view.env, &view.service);
    Write::Set { key, value: crate::entry::encode(view), ttl_ms: None }
}

/// Records a lesson and the policy it led to.
pub(crate) fn lesson(policy: Vec<u8>, sample: Vec<u8>) -> Vec<Write> {
    vec![
        Write::Set { key: POLICY.to_owned(), value: policy, ttl_ms: None },
        Write::Append { key: SAMPLES.to_owned(), payload: sample, keep: SAMPLES_KEPT },
    ]
}

fn listed(
    list: &str,
    member: &str,
    score: u64,
    keep: u32,
    key: String,
    value: Vec<u8>,
    ttl_ms: Option<u64>,
) -> Vec<Write> {
    vec![
        Write::Set { key, value, ttl_ms },
        Write::Rank { key: list.to_owned(), member: member.to_owned(), score, keep },
    ]
}

//! What happened: events and what they carry.

pub use crate::types::{EventKind, Status};

use super::attributes::Attributes;
use super::mirror::record;

record!(Signal { name: String, value: f64, unit: String, samples: u64 });

record!(Trust {
    signed: bool,
    fresh: bool,
    fork: bool,
    #[serde(rename = "self")]
    self_: bool,
    late: bool,
    test: bool,
});

record!(Correlation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pull_request: Option<String>,
});

record!(Event {
    id: String,
    kind: EventKind,
    source: String,
    env: String,
    service: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency: Option<f64>,
    #[serde(default)]
    signals: Vec<Signal>,
    #[serde(with = "crate::time")]
    occurred_at: u64,
    #[serde(with = "crate::time")]
    received_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    correlation: Correlation,
    trust: Trust,
    irreversible: bool,
    #[serde(default)]
    attributes: Attributes,
});

//! Incidents: an operator's word, the timeline, the whole.

pub use crate::types::{IncidentState, OperatorVerb};

use super::fact::TimelineFact;
use super::judge::{Cause, Severity};
use super::mirror::record;

record!(OperatorWord {
    incident: String,
    verb: OperatorVerb,
    who: String,
    why: String,
    #[serde(with = "crate::time")]
    at: u64,
});

record!(TimelineItem {
    #[serde(with = "crate::time")]
    at: u64,
    text: String,
    fact: TimelineFact,
});

record!(Incident {
    id: String,
    env: String,
    service: String,
    title: String,
    severity: Severity,
    state: IncidentState,
    #[serde(with = "crate::time")]
    opened_at: u64,
    #[serde(with = "crate::time")]
    updated_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::optional")]
    closed_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(default)]
    timeline: Vec<TimelineItem>,
});

//! Incidents: an operator's word, the timeline, the whole.

pub use crate::types::{IncidentState, OperatorVerb};

use super::fact::TimelineFact;
use super::judge::{Cause, Severity};
use super::mirror::record;
use super::plan::{Decision, Plan};

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

/// How often the time to a look doubles at most.
const DOUBLINGS_MAX: u32 = 6;

/// How the note begins that an attempt could not be judged yet.
pub const LOOKED_AGAIN: &str = "cannot tell yet";

impl Incident {
    /// Until when the attempt in flight is watched before it is judged, milliseconds since the
    /// epoch; `None` unless the incident is verifying. Each look that cannot tell doubles the time.
    pub fn verifying_until(&self) -> Option<u64> {
        if self.state != IncidentState::Verifying {
            return None;
        }
        let attempted =
            self.timeline.iter().rposition(|item| matches!(item.fact, TimelineFact::Attempt(_)))?;
        let (before, since) = self.timeline.split_at(attempted);
        let after = before.iter().rev().find_map(|item| dispatched(&item.fact))?.prediction.after;
        let looks = since.iter().filter(|item| item.text.starts_with(LOOKED_AGAIN));
        let from = looks.clone().next_back().or(since.first())?.at;
        let doublings = u32::try_from(looks.count()).unwrap_or(DOUBLINGS_MAX).min(DOUBLINGS_MAX);
        Some(from.saturating_add(after.saturating_mul(1 << doublings)))
    }
}

fn dispatched(fact: &TimelineFact) -> Option<&Plan> {
    match fact {
        TimelineFact::Plan(plan) if plan.decision == Decision::Dispatched => Some(plan),
        _ => None,
    }
}

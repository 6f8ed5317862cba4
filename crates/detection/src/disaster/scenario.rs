//! What an operator calls a disaster, as its watch sees it: times in milliseconds.
//!
//! What this does not do: check; the configuration it is made of was checked when it was read.

use homeostat_schema::config::{Disaster, Trigger};

/// A set of findings that together are a disaster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// A majority of these trips it.
    pub triggers: Vec<Trigger>,
    /// The findings open within this of each other, milliseconds.
    pub window_ms: u64,
    /// What is to be done.
    pub playbook: String,
    /// The recovery time objective: so long it may take, milliseconds.
    pub recovery_ms: u64,
    /// It must stay calm for so long until it counts as over, milliseconds.
    pub calm_ms: u64,
}

impl Scenario {
    /// More than half of the triggers.
    pub fn majority(&self) -> usize {
        self.triggers.len() / 2 + 1
    }
}

impl From<&Disaster> for Scenario {
    fn from(disaster: &Disaster) -> Self {
        Self {
            name: disaster.name.clone(),
            triggers: disaster.triggers.clone(),
            window_ms: disaster.window_s.saturating_mul(1000),
            playbook: disaster.playbook.clone(),
            recovery_ms: disaster.recovery_s.saturating_mul(1000),
            calm_ms: disaster.calm_s.saturating_mul(1000),
        }
    }
}

//! What findings together are a disaster: a scenario, its playbook and the time to recover in.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::validate::{Checked, at_most, within};
use super::validate_outside::own_name;
use super::{Config, Invalid};
use crate::types::FindingKind;

/// Each is watched in every environment it is for.
const DISASTERS_MAX: usize = 8;
/// Triggers of one disaster.
const TRIGGERS_MAX: usize = 8;
/// What is kept of the services in trouble is bounded.
const SERVICES_MIN: RangeInclusive<u32> = 1..=16;
/// A day at most, seconds.
const SPAN_S: RangeInclusive<u64> = 1..=86_400;
/// Longest playbook, bytes: a few steps, or an address.
const PLAYBOOK_BYTES_MAX: usize = 1_024;

/// A set of findings that together are one incident, with a playbook of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disaster {
    /// Our name for it: lower-case letters, digits and `-`.
    pub name: String,
    /// The environment's name; `*` is any, each for itself. Default: `*`.
    #[serde(default = "super::any")]
    pub env: String,
    /// More than half of these open it.
    #[serde(rename = "trigger")]
    pub triggers: Vec<Trigger>,
    /// The findings open within this of each other; seconds, 1 to 86,400. Default: 600.
    #[serde(default = "ten_minutes")]
    pub window_s: u64,
    /// What is to be done, or where that is written.
    pub playbook: String,
    /// The recovery time objective; seconds, 1 to 86,400.
    pub recovery_s: u64,
    /// It must stay calm for so long until it counts as over; seconds, 1 to 86,400. Default: 300.
    #[serde(default = "five_minutes")]
    pub calm_s: u64,
}

/// A kind of finding, in one service or in so many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The finding's kind, such as `error-rate-high`.
    pub kind: String,
    /// In this service. Default: in any.
    #[serde(default)]
    pub service: Option<String>,
    /// In at least so many services; 1 to 16, and 1 for a named service. Default: 1.
    #[serde(default = "one")]
    pub services_min: u32,
}

impl Disaster {
    /// Whether it is watched for in this environment.
    pub fn concerns(&self, env: &str) -> bool {
        self.env == "*" || self.env == env
    }
}

impl Config {
    pub(super) fn validate_disasters(&self) -> Checked {
        at_most("disaster", self.disasters.len(), DISASTERS_MAX)?;
        let mut names = BTreeSet::new();
        for (index, disaster) in self.disasters.iter().enumerate() {
            let path = format!("disaster[{index}]");
            own_name(&format!("{path}.name"), &disaster.name, &mut names)?;
            if disaster.env != "*" {
                self.validate_env_reference(&format!("{path}.env"), &disaster.env)?;
            }
            self.validate_disaster(&path, disaster)?;
        }
        Ok(())
    }

    fn validate_disaster(&self, path: &str, disaster: &Disaster) -> Checked {
        if disaster.triggers.is_empty() {
            return Err(Invalid::new(format!("{path}.trigger"), "at least one is needed"));
        }
        at_most(&format!("{path}.trigger"), disaster.triggers.len(), TRIGGERS_MAX)?;
        for (index, trigger) in disaster.triggers.iter().enumerate() {
            self.validate_trigger(&format!("{path}.trigger[{index}]"), trigger)?;
        }
        if disaster.playbook.trim().is_empty() || disaster.playbook.len() > PLAYBOOK_BYTES_MAX {
            let reason = format!("what is to be done is expected, at most {PLAYBOOK_BYTES_MAX} bytes");
            return Err(Invalid::new(format!("{path}.playbook"), reason));
        }
        within(&format!("{path}.window_s"), disaster.window_s, SPAN_S)?;
        within(&format!("{path}.recovery_s"), disaster.recovery_s, SPAN_S)?;
        within(&format!("{path}.calm_s"), disaster.calm_s, SPAN_S)
    }

    fn validate_trigger(&self, path: &str, trigger: &Trigger) -> Checked {
        let mut kinds = FindingKind::NAMES.to_vec();
        kinds.retain(|kind| *kind != FindingKind::Disaster.name());
        if !kinds.contains(&trigger.kind.as_str()) {
            let reason = format!("no finding is of this kind; there are {}", kinds.join(", "));
            return Err(Invalid::new(format!("{path}.kind"), reason));
        }
        within(&format!("{path}.services_min"), trigger.services_min, SERVICES_MIN)?;
        let Some(name) = &trigger.service else { return Ok(()) };
        if !self.services.iter().any(|service| service.name == *name) {
            return Err(Invalid::new(format!("{path}.service"), format!("no [[service]] is named `{name}`")));
        }
        within(&format!("{path}.services_min"), trigger.services_min, 1..=1)
    }
}

fn one() -> u32 {
    1
}

fn ten_minutes() -> u64 {
    600
}

fn five_minutes() -> u64 {
    300
}

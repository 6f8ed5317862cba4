//! What an operator calls a disaster.

use serde::{Deserialize, Serialize};

/// Triggers of a scenario.
pub const TRIGGERS_MAX: usize = 8;
/// More services than this are not counted for one trigger: what is kept is bounded.
const SERVICES_MAX: u32 = 16;
const DAY_MS: u64 = 86_400_000;

/// What cannot be a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It has no name, or its playbook has none.
    #[error("a scenario needs a name and a playbook")]
    Unnamed,
    /// No triggers, or too many.
    #[error("scenario {name} has {triggers} triggers; from 1 to {TRIGGERS_MAX} are possible")]
    Triggers {
        /// Which.
        name: String,
        /// How many it has.
        triggers: usize,
    },
    /// A trigger counts no services, or too many.
    #[error(
        "a trigger of scenario {name} counts {services} services; from 1 to {SERVICES_MAX} are possible, and 1 for a named one"
    )]
    Services {
        /// Which.
        name: String,
        /// How many it counts.
        services: u32,
    },
    /// The window or the objective is none.
    #[error(
        "scenario {name} needs a window and a recovery time above 0 and at most a day, and calm for at most a day"
    )]
    Times {
        /// Which.
        name: String,
    },
}

/// A kind of finding in so many services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The finding's kind.
    pub kind: String,
    /// In this service; in any if there is none.
    #[serde(default)]
    pub service: Option<String>,
    /// In at least so many services, 1 to 16.
    #[serde(default = "one")]
    pub services_min: u32,
}

fn one() -> u32 {
    1
}

/// A set of findings that together are a disaster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

    /// Whether it can be watched.
    ///
    /// # Errors
    /// [`ScenarioError`] when it cannot.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let name = self.name.clone();
        if self.name.is_empty() || self.playbook.is_empty() {
            return Err(ScenarioError::Unnamed);
        }
        if !(1..=TRIGGERS_MAX).contains(&self.triggers.len()) {
            return Err(ScenarioError::Triggers { name, triggers: self.triggers.len() });
        }
        let fits = |trigger: &&Trigger| {
            let most = if trigger.service.is_some() { 1 } else { SERVICES_MAX };
            !(1..=most).contains(&trigger.services_min)
        };
        if let Some(trigger) = self.triggers.iter().find(fits) {
            return Err(ScenarioError::Services { name, services: trigger.services_min });
        }
        let possible = 1..=DAY_MS;
        if !possible.contains(&self.window_ms)
            || !possible.contains(&self.recovery_ms)
            || self.calm_ms > DAY_MS
        {
            return Err(ScenarioError::Times { name });
        }
        Ok(())
    }
}

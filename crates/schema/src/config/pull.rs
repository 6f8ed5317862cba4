//! Which numbers of which service Prometheus is asked for, and what that must satisfy.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::validate::{Checked, at_most, within};
use super::validate_outside::own_name;
use super::{Config, Invalid};

/// All are asked in turn by one worker.
const PULLS_MAX: usize = 32;
/// Longest expression, bytes: it becomes a part of an address, three times as long at worst.
const EXPRESSION_BYTES_MAX: usize = 2_048;
/// Longest name or value of a label, bytes.
const LABEL_BYTES_MAX: usize = 128;
/// More often would be load; beyond it what was found would be old; seconds.
const EVERY_S: RangeInclusive<u64> = 5..=300;
/// Prometheus scrapes no more often than each second; seconds.
const STEP_S: RangeInclusive<u64> = 1..=300;
/// Steps between two looks, so that a look that fails leaves them to the next.
const STEPS_BETWEEN_MAX: u64 = 60;

/// Numbers of one service in one environment, asked of Prometheus at `prometheus_origin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pull {
    /// Our name for it: lower-case letters, digits and `-`.
    pub id: String,
    /// The service the numbers are about: the name of a `[[service]]`.
    pub service: String,
    /// Its environment.
    pub env: String,
    /// Seconds between two looks; 5 to 300, at most 60 steps. Default: 15.
    #[serde(default = "every")]
    pub every_s: u64,
    /// The length of a step: each becomes one observation of each arm; seconds, 1 to 300.
    /// Default: 5.
    #[serde(default = "step")]
    pub step_s: u64,
    /// PromQL: requests in the step that ends at the time it is evaluated at, one series an arm.
    pub requests: String,
    /// PromQL: those of them that failed.
    pub errors: String,
    /// PromQL: a latency in milliseconds, such as a quantile. Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<String>,
    /// PromQL: 0 where the scrape failed, of all or of one arm. Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<String>,
    /// PromQL: items that wait in the service's queue, one series. Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// PromQL: items that arrive in a second; asked with `queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// PromQL: replicas that work; asked with `queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<String>,
    /// The label that tells the arms of a rollout apart. Default: `arm`.
    #[serde(default = "arm")]
    pub arm_label: String,
    /// Its value for what ran before. Default: `baseline`.
    #[serde(default = "baseline")]
    pub baseline: String,
    /// Its value for what is tried. Default: `canary`.
    #[serde(default = "canary")]
    pub canary: String,
}

impl Pull {
    fn validate(&self, path: &str) -> Checked {
        within(&format!("{path}.every_s"), self.every_s, EVERY_S)?;
        within(&format!("{path}.step_s"), self.step_s, STEP_S)?;
        if self.every_s > self.step_s.saturating_mul(STEPS_BETWEEN_MAX) {
            let reason = format!("at most {STEPS_BETWEEN_MAX} steps may lie between two looks");
            return Err(Invalid::new(format!("{path}.every_s"), reason));
        }
        let named = [("requests", Some(&self.requests)), ("errors", Some(&self.errors))];
        let optional = [
            ("latency_ms", self.latency_ms.as_ref()),
            ("up", self.up.as_ref()),
            ("queue", self.queue.as_ref()),
            ("load", self.load.as_ref()),
            ("replicas", self.replicas.as_ref()),
        ];
        for (field, expression) in named.into_iter().chain(optional) {
            if expression.is_some_and(|text| text.trim().is_empty() || text.len() > EXPRESSION_BYTES_MAX) {
                let reason = format!("PromQL is expected, at most {EXPRESSION_BYTES_MAX} bytes");
                return Err(Invalid::new(format!("{path}.{field}"), reason));
            }
        }
        let of_queue = [("queue", &self.queue), ("load", &self.load), ("replicas", &self.replicas)];
        let missing = of_queue.iter().find(|(_, expression)| expression.is_none());
        match missing.filter(|_| of_queue.iter().any(|(_, expression)| expression.is_some())) {
            Some((field, _)) => {
                let reason = "`queue`, `load` and `replicas` are asked together, or none of them";
                Err(Invalid::new(format!("{path}.{field}"), reason))
            }
            None => self.validate_arms(path),
        }
    }

    fn validate_arms(&self, path: &str) -> Checked {
        if !is_label(&self.arm_label) {
            let reason = "a label's name has letters, digits and `_`, and does not begin with a digit";
            return Err(Invalid::new(format!("{path}.arm_label"), reason));
        }
        for (field, value) in [("baseline", &self.baseline), ("canary", &self.canary)] {
            if value.is_empty() || value.len() > LABEL_BYTES_MAX {
                let reason = format!("a label's value is expected, at most {LABEL_BYTES_MAX} bytes");
                return Err(Invalid::new(format!("{path}.{field}"), reason));
            }
        }
        if self.baseline == self.canary {
            return Err(Invalid::new(format!("{path}.canary"), "is the value of `baseline` too"));
        }
        Ok(())
    }
}

impl Config {
    pub(super) fn validate_pulls(&self) -> Checked {
        at_most("pull", self.pulls.len(), PULLS_MAX)?;
        let mut ids = BTreeSet::new();
        let mut places = BTreeMap::new();
        for (index, pull) in self.pulls.iter().enumerate() {
            let path = format!("pull[{index}]");
            own_name(&format!("{path}.id"), &pull.id, &mut ids)?;
            // By its exact name: what is observed goes to the service of this name.
            if !self.services.iter().any(|service| service.name == pull.service) {
                let reason = format!("no [[service]] is named `{}`", pull.service);
                return Err(Invalid::new(format!("{path}.service"), reason));
            }
            self.validate_env_reference(&format!("{path}.env"), &pull.env)?;
            if let Some(first) = places.insert((&pull.env, &pull.service), index) {
                let reason = format!("pull[{first}] asks for this service in this environment already");
                return Err(Invalid::new(format!("{path}.service"), reason));
            }
            pull.validate(&path)?;
        }
        Ok(())
    }
}

fn is_label(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= LABEL_BYTES_MAX
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && name.bytes().all(plain)
}

fn every() -> u64 {
    15
}

fn step() -> u64 {
    5
}

fn arm() -> String {
    "arm".to_owned()
}

fn baseline() -> String {
    "baseline".to_owned()
}

fn canary() -> String {
    "canary".to_owned()
}

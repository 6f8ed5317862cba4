//! What a service's queue may hold and its replicas can take.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::validate::{Checked, within};
use super::{Config, Invalid, Service};

/// Of items, and of items a second: from one in three years to more than anybody has.
const ITEMS: RangeInclusive<f64> = 1e-8..=1e15;
/// Replicas of one service.
const REPLICAS: RangeInclusive<u32> = 1..=10_000;

/// What a service can carry in one environment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// The queue's limit, in items, above 0.
    pub queue_max: f64,
    /// What one replica takes at full load, items a second, above 0.
    pub per_replica: f64,
    /// Never fewer; 1 to 10,000. Default: 1.
    #[serde(default = "one")]
    pub replicas_min: u32,
    /// Never more; 1 to 10,000. Default: 100.
    #[serde(default = "hundred")]
    pub replicas_max: u32,
}

impl Config {
    /// What a service can carry in an environment (both by canonical name), if somebody said so.
    pub fn capacity(&self, env: &str, service: &str) -> Option<Capacity> {
        self.service(service)?.capacity.get(env).copied()
    }

    pub(super) fn validate_capacity(&self, path: &str, service: &Service) -> Checked {
        for (env, capacity) in &service.capacity {
            let path = format!("{path}.capacity.{env}");
            self.validate_env_reference(&path, env)?;
            within(&format!("{path}.queue_max"), capacity.queue_max, ITEMS)?;
            within(&format!("{path}.per_replica"), capacity.per_replica, ITEMS)?;
            within(&format!("{path}.replicas_min"), capacity.replicas_min, REPLICAS)?;
            within(&format!("{path}.replicas_max"), capacity.replicas_max, REPLICAS)?;
            if capacity.replicas_min > capacity.replicas_max {
                let reason = format!("more than `replicas_max`, which is {}", capacity.replicas_max);
                return Err(Invalid::new(format!("{path}.replicas_min"), reason));
            }
        }
        Ok(())
    }
}

fn one() -> u32 {
    1
}

fn hundred() -> u32 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(capacity: &str) -> Result<Config, String> {
        let text = format!("[[service]]\nname = \"mail\"\n[service.capacity.{capacity}");
        Config::from_toml(&text, "test").map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_service_can_carry_has_defaults_and_bounds() {
        let config = read("prod]\nqueue_max = 500\nper_replica = 20").unwrap();
        let expected = Capacity { queue_max: 500.0, per_replica: 20.0, replicas_min: 1, replicas_max: 100 };
        assert_eq!(config.capacity("prod", "mail"), Some(expected));
        assert_eq!((config.capacity("stage", "mail"), config.capacity("prod", "shop")), (None, None));
        let refused = |text: &str, expected: &str| {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        refused("prod]\nqueue_max = 0\nper_replica = 20", "service[0].capacity.prod.queue_max");
        refused("prod]\nqueue_max = 5\nper_replica = nan", "service[0].capacity.prod.per_replica");
        refused("prod]\nqueue_max = 5\nper_replica = 1\nreplicas_max = 0", "replicas_max");
        refused("prod]\nqueue_max = 5\nper_replica = 1\nreplicas_min = 200", "more than `replicas_max`");
        refused("prod]\nqueue_max = 5", "per_replica");
        refused("nowhere]\nqueue_max = 5\nper_replica = 1", "nowhere");
    }
}

//! The thresholds of one environment.

use std::borrow::Cow;

use homeostat_schema::config::{Config, Environment};

/// What a service of one environment is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// A health score below this is bad; 0 to 100.
    pub score_min: f64,
    /// Silence beyond this is blind; milliseconds.
    pub timeout_ms: u64,
    /// Latency above this is too high; milliseconds.
    pub latency_ms_max: f64,
    /// A share of failed requests above this is too high; 0 to 1.
    pub error_rate_max: f64,
    /// The configuration these come from.
    pub config_version: u64,
}

impl Settings {
    /// The settings of an environment by its canonical name. One that the configuration does not
    /// know gets those of `unknown`.
    pub fn of(config: &Config, env: &str, config_version: u64) -> Self {
        let known = config.environments.get(env).or_else(|| config.environments.get("unknown"));
        let environment = known.map_or_else(|| Cow::Owned(Environment::named(env)), Cow::Borrowed);
        Self {
            score_min: environment.score_min,
            timeout_ms: environment.timeout_s.saturating_mul(1000),
            latency_ms_max: environment.latency_ms_max,
            error_rate_max: environment.error_rate_max,
            config_version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_environment_has_its_own_thresholds() {
        let check = |env: &str, score_min: f64, timeout_ms: u64| {
            let settings = Settings::of(&Config::default(), env, 7);
            assert_eq!((settings.score_min, settings.timeout_ms), (score_min, timeout_ms));
            assert_eq!(settings.config_version, 7);
        };
        check("dev", 30.0, 30_000);
        check("stage", 40.0, 45_000);
        check("prod", 50.0, 60_000);
        check("never-heard-of", 50.0, 60_000);
    }
}

//! The thresholds of one environment.

use std::borrow::Cow;

use homeostat_schema::config::{Capacity, Config, Environment, Judging};

use crate::{burn::Objective, capacity, flake, judge};

const DAY_MS: u64 = 86_400_000;

/// What a service of one environment is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// A health score below this is bad; 0 to 100.
    pub score_min: f64,
    /// Silence beyond this is blind; milliseconds.
    pub timeout_ms: u64,
    /// Latency above this is too high; milliseconds.
    pub latency_ms_max: f64,
    /// A share of failed requests above this is too high, unless there is an objective; 0 to 1.
    pub error_rate_max: f64,
    /// What share of requests must go well.
    pub objective: Option<Objective>,
    /// What a new version is compared with the old one by.
    pub judge: judge::Settings,
    /// Whether the time of day may matter.
    pub seasonal: bool,
    /// What another run of a failed pipeline costs.
    pub flake: flake::Settings,
    /// What its queue may hold and its replicas can take.
    pub capacity: Option<capacity::Settings>,
    /// The configuration these come from.
    pub config_version: u64,
}

impl Settings {
    /// The settings of a service in an environment by its canonical name. One that the configuration
    /// does not know gets those of `unknown`.
    pub fn of(config: &Config, env: &str, service: &str, config_version: u64) -> Self {
        let known = config.environments.get(env).or_else(|| config.environments.get("unknown"));
        let environment = known.map_or_else(|| Cow::Owned(Environment::named(env)), Cow::Borrowed);
        Self {
            score_min: environment.score_min,
            timeout_ms: environment.timeout_s.saturating_mul(1000),
            latency_ms_max: environment.latency_ms_max,
            error_rate_max: environment.error_rate_max,
            objective: objective(config, env, service),
            judge: judging(config, env, service, &environment),
            seasonal: own(config, env, service).seasonal.unwrap_or(environment.seasonal),
            flake: flaking(config, service),
            capacity: capacity(config, env, service),
            config_version,
        }
    }
}

/// One that cannot be, which no configuration that was checked has, leaves the threshold in force.
fn objective(config: &Config, env: &str, service: &str) -> Option<Objective> {
    let written = config.objective(env, service)?;
    Objective::new(written.percent / 100.0, written.days.saturating_mul(DAY_MS)).ok()
}

fn capacity(config: &Config, env: &str, service: &str) -> Option<capacity::Settings> {
    let Capacity { queue_max, per_replica, replicas_min, replicas_max } = config.capacity(env, service)?;
    Some(capacity::Settings { queue_max, per_replica, replicas_min, replicas_max })
}

fn judging(config: &Config, env: &str, service: &str, environment: &Environment) -> judge::Settings {
    let Judging { false_rollback_max, error_margin, latency_margin, .. } = own(config, env, service);
    judge::Settings {
        alpha: false_rollback_max.unwrap_or(environment.false_rollback_max),
        margin: error_margin.unwrap_or(environment.error_margin),
        sample_margin: latency_margin.unwrap_or(environment.latency_margin),
        ..judge::Settings::default()
    }
}

/// What is set for the service alone.
fn own(config: &Config, env: &str, service: &str) -> Judging {
    let service = config.services.iter().find(|known| known.name == service);
    service.and_then(|service| service.judge.get(env)).copied().unwrap_or_default()
}

fn flaking(config: &Config, service: &str) -> flake::Settings {
    let service = config.services.iter().find(|known| known.name == service);
    match service.and_then(|service| service.rerun_cost) {
        Some(cost) => flake::Settings { retry_cost: cost, block_cost: 1.0, ..flake::Settings::default() },
        None => flake::Settings::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_environment_has_its_own_thresholds() {
        let check = |env: &str, score_min: f64, timeout_ms: u64| {
            let settings = Settings::of(&Config::default(), env, "shop", 7);
            assert_eq!((settings.score_min, settings.timeout_ms), (score_min, timeout_ms));
            assert_eq!(settings.config_version, 7);
        };
        check("dev", 30.0, 30_000);
        check("stage", 40.0, 45_000);
        check("prod", 50.0, 60_000);
        check("never-heard-of", 50.0, 60_000);
    }

    #[test]
    fn a_service_may_say_what_a_run_costs() {
        let text = "[[service]]\nname = \"shop\"\nrerun_cost = 0.2\n[[service]]\nname = \"checkout\"\n";
        let config = Config::from_toml(text, "homeostat.toml").unwrap();
        let check = |service: &str, expected: f64| {
            let flake = Settings::of(&config, "stage", service, 1).flake;
            assert!((flake.retry_cost / flake.block_cost - expected).abs() < 1e-12, "{flake:?}");
        };
        check("shop", 0.2);
        check("checkout", 0.05);
        check("never-heard-of", 0.05);
    }

    #[test]
    fn a_service_may_be_compared_by_its_own_settings() {
        let text = "[environments.stage]\nerror_margin = 0.2\n[[service]]\nname = \"shop\"\n\
                    judge = { prod = { false_rollback_max = 0.001, seasonal = false } }\n";
        let config = Config::from_toml(text, "homeostat.toml").unwrap();
        let check = |env: &str, service: &str, alpha: f64, margin: f64| {
            let judge = Settings::of(&config, env, service, 1).judge;
            assert_eq!((judge.alpha, judge.margin), (alpha, margin), "{env}/{service}");
            assert_eq!(judge.check(), Ok(()));
        };
        check("prod", "shop", 0.001, 0.0);
        check("prod", "checkout", 0.005, 0.0);
        check("stage", "shop", 0.02, 0.2);
        assert!(!Settings::of(&config, "prod", "shop", 1).seasonal);
        assert!(Settings::of(&config, "prod", "checkout", 1).seasonal);
    }

    #[test]
    fn what_a_configuration_accepts_is_an_objective() {
        let check = |percent: &str, days: u64, slo: f64| {
            let text = format!("[environments.prod]\nobjective = {percent}\nobjective_days = {days}\n");
            let config = Config::from_toml(&text, "homeostat.toml").unwrap();
            let objective = Settings::of(&config, "prod", "shop", 1).objective.unwrap();
            assert!((objective.slo() - slo).abs() < 1e-12, "{}", objective.slo());
            assert_eq!(objective.period_ms(), days * DAY_MS);
        };
        check("99.9", 30, 0.999);
        check("99.9999", 366, 0.999_999);
        check("99.9999", 3, 0.999_999);
        check("50", 3, 0.5);
        assert_eq!(Settings::of(&Config::default(), "prod", "shop", 1).objective, None);
    }
}

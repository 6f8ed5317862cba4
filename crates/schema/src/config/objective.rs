//! Objectives: what share of a service's requests must go well, and over which period.
//!
//! What this does not do: count requests or know when a budget burns too fast; the detector does.
//!
//! Invariant: an objective that was accepted can be missed so badly that it is found.

use std::ops::RangeInclusive;

use super::validate::{Checked, within};
use super::{Config, Environment, Invalid, Service};

/// Without errors allowed there is no budget; below a half there is nothing to keep. Per cent.
const PERCENT: RangeInclusive<f64> = 50.0..=99.9999;
/// The longest window that is watched is three days; a year is the longest period anybody reports on.
const DAYS: RangeInclusive<u64> = 3..=366;
/// Of the budget, in six hours: what is found at the slowest (Site Reliability Workbook, chapter 5).
const FOUND_PART: f64 = 0.05;
/// Six hours, in days.
const FOUND_WITHIN_DAYS: f64 = 0.25;

/// What a service is held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// The part of requests that must go well, per cent; 50 to 99.9999.
    pub percent: f64,
    /// Over how many days; 3 to 366.
    pub days: u64,
}

impl Config {
    /// The objective of a service in an environment (both by canonical name): the service's own
    /// word, else the environment's; `None` when neither has one.
    pub fn objective(&self, env: &str, service: &str) -> Option<Objective> {
        self.objective_of(self.environment(env), env, self.service(service))
    }

    fn objective_of(&self, environment: &Environment, env: &str, own: Option<&Service>) -> Option<Objective> {
        let percent = own.and_then(|own| own.objective.get(env).copied()).or(environment.objective)?;
        let days = own.and_then(|own| own.objective_days.get(env).copied());
        Some(Objective { percent, days: days.unwrap_or(environment.objective_days) })
    }

    pub(super) fn validate_environment_objective(&self, path: &str, environment: &Environment) -> Checked {
        within(&format!("{path}.objective_days"), environment.objective_days, DAYS)?;
        let field = format!("{path}.objective");
        self.objective_of(environment, "", None).map_or(Ok(()), |objective| objective.validate(&field))
    }

    pub(super) fn validate_service_objectives(&self, path: &str, service: &Service) -> Checked {
        for (env, days) in &service.objective_days {
            let field = format!("{path}.objective_days.{env}");
            self.validate_env_reference(&field, env)?;
            within(&field, *days, DAYS)?;
            let Some(objective) = self.objective_of(self.environment(env), env, Some(service)) else {
                return Err(Invalid::new(field, "there is no `objective` that these could be the days of"));
            };
            objective.validate(&field)?;
        }
        for env in service.objective.keys() {
            let field = format!("{path}.objective.{env}");
            self.validate_env_reference(&field, env)?;
            let objective = self.objective_of(self.environment(env), env, Some(service));
            objective.map_or(Ok(()), |objective| objective.validate(&field))?;
        }
        Ok(())
    }
}

impl Objective {
    fn validate(&self, field: &str) -> Checked {
        if !PERCENT.contains(&self.percent) {
            let reason = format!(
                "{} is not within {} to {} per cent, such as 99.9",
                self.percent,
                PERCENT.start(),
                PERCENT.end()
            );
            return Err(Invalid::new(field, reason));
        }
        // Whole days up to 366 are exact.
        let longest = self.days as f64;
        let found_from = (1.0 - self.percent / 100.0) * FOUND_PART * longest / FOUND_WITHIN_DAYS;
        if found_from < 1.0 {
            return Ok(());
        }
        let reason = format!(
            "{} over {} days allows so many errors that six hours in which every request fails would not \
             be found; take a higher objective or fewer days",
            self.percent, self.days
        );
        Err(Invalid::new(field, reason))
    }
}

//! What a configuration must satisfy beyond its types.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::{BUILT_IN_ALIASES, Config, Environment, Invalid, Learning, Mode, Service, UNKNOWN, Window};
use crate::identity::{ENV_NAME_CHARS_MAX, NAME_CHARS_MAX, UNASSIGNED};
use crate::time;

/// A budget of none would call nothing bad; half is a coin.
const FALSE_ROLLBACK: RangeInclusive<f64> = 0.0001..=0.5;
/// Eleven times as much is no margin any more.
const MARGIN: RangeInclusive<f64> = 0.0..=10.0;
/// A run that costs nothing would be tried without end; one that costs more than a person, never.
const RERUN_COST: RangeInclusive<f64> = 0.001..=1.0;
/// More environments than anyone has; metrics carry a label for each.
const ENVIRONMENTS_MAX: usize = 64;
/// Services are looked through one after another for every event.
const SERVICES_MAX: usize = 5_000;
/// Further names of one environment or service.
const NAMES_MAX: usize = 100;
/// Windows are looked through for every attempt.
const WINDOWS_MAX: usize = 1_000;
/// A week, in seconds: a longer wait would outlive what is kept of an incident.
const WEEK_S: u64 = 7 * 86_400;
/// Longer silences are somebody's holiday, not a deployment; seconds.
const TIMEOUT_S_MAX: u64 = 86_400;
/// A day, in milliseconds.
const LATENCY_MS_MAX: f64 = 86_400_000.0;
/// Values of a policy that discounts by 1 may grow without end.
const DISCOUNT_MAX: f64 = 0.999;
/// More would not be a budget.
const ATTEMPTS_MAX: u32 = 100;

pub(super) type Checked = Result<(), Invalid>;

impl Config {
    /// Checks ranges, names, and that no rule contradicts another.
    ///
    /// # Errors
    /// The first thing wrong, by its path.
    pub fn validate(&self) -> Checked {
        at_most("environments", self.environments.len(), ENVIRONMENTS_MAX)?;
        at_most("service", self.services.len(), SERVICES_MAX)?;
        at_most("maintenance", self.windows.len(), WINDOWS_MAX)?;
        for (name, environment) in &self.environments {
            self.validate_environment(name, environment)?;
        }
        self.validate_aliases()?;
        for (index, service) in self.services.iter().enumerate() {
            self.validate_service(&format!("service[{index}]"), service)?;
        }
        self.validate_service_names()?;
        self.validate_matches()?;
        for (index, window) in self.windows.iter().enumerate() {
            self.validate_window(&format!("maintenance[{index}]"), window)?;
        }
        super::source::validate(&self.sources)?;
        self.validate_outside()?;
        self.validate_pulls()?;
        self.validate_disasters()?;
        self.validate_calls()?;
        self.retention.validate()?;
        validate_learning(&self.learning)
    }

    fn validate_environment(&self, name: &str, environment: &Environment) -> Checked {
        let path = format!("environments.{name}");
        if let Some((_, canonical)) = BUILT_IN_ALIASES.iter().find(|(alias, _)| *alias == name) {
            let reason = format!("is another name of `{canonical}`; write [environments.{canonical}]");
            return Err(Invalid::new(path, reason));
        }
        if !is_env_name(name) {
            let reason = format!(
                "an environment's name has lower-case letters, digits, `-` and `_`, at most {ENV_NAME_CHARS_MAX}"
            );
            return Err(Invalid::new(path, reason));
        }
        if name == UNKNOWN && environment.mode == Mode::Act {
            let reason = "`act` cannot be set for what no rule knows; name the environment first";
            return Err(Invalid::new(format!("{path}.mode"), reason));
        }
        at_most(&format!("{path}.aliases"), environment.aliases.len(), NAMES_MAX)?;
        let field = |field: &str| format!("{path}.{field}");
        within(&field("score_min"), environment.score_min, 0.0..=100.0)?;
        within(&field("timeout_s"), environment.timeout_s, 1..=TIMEOUT_S_MAX)?;
        above_zero(&field("latency_ms_max"), environment.latency_ms_max, LATENCY_MS_MAX)?;
        within(&field("error_rate_max"), environment.error_rate_max, 0.0..=1.0)?;
        self.validate_environment_objective(&path, environment)?;
        within(&field("false_rollback_max"), environment.false_rollback_max, FALSE_ROLLBACK)?;
        within(&field("error_margin"), environment.error_margin, MARGIN)?;
        within(&field("latency_margin"), environment.latency_margin, MARGIN)?;
        within(&field("cooldown_s"), environment.cooldown_s, 0..=WEEK_S)?;
        within(&field("attempts_max"), environment.attempts_max, 0..=ATTEMPTS_MAX)?;
        within(&field("attempts_window_s"), environment.attempts_window_s, 1..=WEEK_S)
    }

    /// Every name leads to one environment, and `production` only ever to `prod`.
    fn validate_aliases(&self) -> Checked {
        let mut owners: BTreeMap<String, &str> =
            self.environments.keys().map(|name| (name.clone(), name.as_str())).collect();
        owners.extend(BUILT_IN_ALIASES.map(|(alias, canonical)| (alias.to_owned(), canonical)));
        for (name, environment) in &self.environments {
            for (index, alias) in environment.aliases.iter().enumerate() {
                let path = format!("environments.{name}.aliases[{index}]");
                let folded = alias.trim().to_lowercase();
                if folded.is_empty() {
                    return Err(Invalid::new(path, "a name cannot be empty"));
                }
                match owners.insert(folded, name) {
                    Some(owner) if owner != name => {
                        return Err(Invalid::new(path, format!("`{alias}` already means `{owner}`")));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn validate_service(&self, path: &str, service: &Service) -> Checked {
        if !is_service_name(&service.name) {
            let reason = format!(
                "a service's name has letters, digits, `-`, `_`, `.` and `/`, begins and ends with a \
                 letter or digit, at most {NAME_CHARS_MAX}, and does not begin with `{UNASSIGNED}/`"
            );
            return Err(Invalid::new(format!("{path}.name"), reason));
        }
        at_most(&format!("{path}.match"), service.matches.len(), NAMES_MAX)?;
        for (index, rule) in service.matches.iter().enumerate() {
            for (field, value) in [("source", &rule.source), ("name", &rule.name)] {
                if value.trim().is_empty() {
                    return Err(Invalid::new(format!("{path}.match[{index}].{field}"), "cannot be empty"));
                }
            }
        }
        for (env, judging) in &service.judge {
            let field = |field: &str| format!("{path}.judge.{env}.{field}");
            let inner = |value: Option<f64>, least: f64| value.unwrap_or(least);
            within(&field("false_rollback_max"), inner(judging.false_rollback_max, 0.5), FALSE_ROLLBACK)?;
            within(&field("error_margin"), inner(judging.error_margin, 0.0), MARGIN)?;
            within(&field("latency_margin"), inner(judging.latency_margin, 0.0), MARGIN)?;
        }
        self.validate_service_objectives(path, service)?;
        self.validate_capacity(path, service)?;
        for (env, mode) in &service.mode {
            let field = format!("{path}.mode.{env}");
            self.validate_env_reference(&field, env)?;
            if env == UNKNOWN && *mode == Mode::Act {
                return Err(Invalid::new(field, "`act` cannot be set for what no rule knows"));
            }
        }
        if let Some(env) = &service.pipeline_env {
            self.validate_env_reference(&format!("{path}.pipeline_env"), env)?;
        }
        if let Some(cost) = service.rerun_cost {
            within(&format!("{path}.rerun_cost"), cost, RERUN_COST)?;
        }
        self.validate_targets(path, service)
    }

    /// What goes into the path of a request of ours holds nothing that could lead it elsewhere.
    fn validate_targets(&self, path: &str, service: &Service) -> Checked {
        if let Some(github) = &service.github {
            let parts: Vec<&str> = github.repository.split('/').collect();
            if parts.len() != 2 || !parts.iter().all(|part| is_path_part(part)) {
                let reason = "a repository is written `owner/name`";
                return Err(Invalid::new(format!("{path}.github.repository"), reason));
            }
            for (env, theirs) in &github.environments {
                let field = format!("{path}.github.environments.{env}");
                self.validate_env_reference(&field, env)?;
                if theirs.trim().is_empty() || theirs.chars().any(char::is_control) {
                    return Err(Invalid::new(field, "GitHub's name of the environment is expected"));
                }
            }
        }
        for (env, kubernetes) in &service.kubernetes {
            let field = format!("{path}.kubernetes.{env}");
            self.validate_env_reference(&field, env)?;
            for (name, value) in
                [("namespace", &kubernetes.namespace), ("deployment", &kubernetes.deployment)]
            {
                if !is_path_part(value) {
                    let reason = "a Kubernetes name has lower-case letters, digits, `-` and `.`";
                    return Err(Invalid::new(format!("{field}.{name}"), reason));
                }
            }
        }
        Ok(())
    }

    fn validate_calls(&self) -> Checked {
        for (index, service) in self.services.iter().enumerate() {
            let path = format!("service[{index}].calls");
            at_most(&path, service.calls.len(), NAMES_MAX)?;
            for (at, called) in service.calls.iter().enumerate() {
                if !self.services.iter().any(|known| known.name == *called) {
                    let reason = format!("no [[service]] is named `{called}`");
                    return Err(Invalid::new(format!("{path}[{at}]"), reason));
                }
            }
        }
        Ok(())
    }

    fn validate_service_names(&self) -> Checked {
        let mut seen = BTreeMap::new();
        for (index, service) in self.services.iter().enumerate() {
            if let Some(first) = seen.insert(service.name.to_lowercase(), index) {
                let reason = format!("`{}` is already the name of service[{first}]", service.name);
                return Err(Invalid::new(format!("service[{index}].name"), reason));
            }
        }
        Ok(())
    }

    /// No rule is unreachable behind another service's, and none takes another service's name.
    fn validate_matches(&self) -> Checked {
        let names: BTreeMap<String, usize> = self
            .services
            .iter()
            .enumerate()
            .map(|(index, service)| (service.name.to_lowercase(), index))
            .collect();
        let mut rules: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (index, service) in self.services.iter().enumerate() {
            for (at, rule) in service.matches.iter().enumerate() {
                let name = rule.name.trim().to_lowercase();
                let source = rule.source.trim().to_lowercase();
                let any = ("*".to_owned(), name.clone());
                let owner = [names.get(&name), rules.get(&(source.clone(), name.clone())), rules.get(&any)]
                    .into_iter()
                    .flatten()
                    .find(|owner| **owner != index);
                if let Some(owner) = owner {
                    let reason = format!("`{}` already leads to service[{owner}]", rule.name);
                    return Err(Invalid::new(format!("service[{index}].match[{at}].name"), reason));
                }
                rules.insert((source, name), index);
            }
        }
        Ok(())
    }

    fn validate_window(&self, path: &str, window: &Window) -> Checked {
        if window.env != "*" {
            self.validate_env_reference(&format!("{path}.env"), &window.env)?;
        }
        let unassigned = window.service.starts_with(&format!("{UNASSIGNED}/"));
        if window.service != "*" && !unassigned && self.service(&window.service).is_none() {
            let reason = format!("no [[service]] is named `{}`", window.service);
            return Err(Invalid::new(format!("{path}.service"), reason));
        }
        let parse = |field: &str, text: &str| {
            time::parse(text).map_err(|error| Invalid::new(format!("{path}.{field}"), error.to_string()))
        };
        let (from, until) = (parse("from", &window.from)?, parse("until", &window.until)?);
        if from < until {
            return Ok(());
        }
        Err(Invalid::new(format!("{path}.until"), format!("must be after `from`, {}", window.from)))
    }

    pub(super) fn validate_env_reference(&self, path: &str, env: &str) -> Checked {
        if self.environments.contains_key(env) {
            return Ok(());
        }
        let known = self.environments.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Err(Invalid::new(path, format!("no environment is named `{env}`; there are {known}")))
    }
}

fn validate_learning(learning: &Learning) -> Checked {
    above_zero("learning.learning_rate", learning.learning_rate, 1.0)?;
    within("learning.discount", learning.discount, 0.0..=DISCOUNT_MAX)?;
    within("learning.exploration", learning.exploration, 0.0..=1.0)
}

/// Not a number is in no range.
pub(super) fn within<T: PartialOrd + std::fmt::Display>(
    field: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Checked {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Invalid::new(field, format!("{value} is not within {} to {}", range.start(), range.end())))
}

/// Above 0 and at most `most`.
fn above_zero(field: &str, value: f64, most: f64) -> Checked {
    if value > 0.0 && value <= most {
        return Ok(());
    }
    Err(Invalid::new(field, format!("{value} is not above 0 and at most {most}")))
}

pub(super) fn at_most(field: &str, count: usize, max: usize) -> Checked {
    if count <= max {
        return Ok(());
    }
    Err(Invalid::new(field, format!("{count} are given, but at most {max} are allowed")))
}

fn is_env_name(name: &str) -> bool {
    let fits = (1..=ENV_NAME_CHARS_MAX).contains(&name.len());
    fits && name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

fn is_service_name(name: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    name.len() <= NAME_CHARS_MAX
        && ends(name.bytes().next())
        && ends(name.bytes().last())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        && name.split('/').all(|segment| !segment.bytes().all(|byte| byte == b'.'))
        && !name.split('/').next().is_some_and(|first| first.eq_ignore_ascii_case(UNASSIGNED))
}

/// One segment of a path: not empty, not `.` or `..`, and nothing to escape.
pub(super) fn is_path_part(part: &str) -> bool {
    (1..=253).contains(&part.len())
        && !part.bytes().all(|byte| byte == b'.')
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

//! From a file's text to a checked configuration.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::error::Place;
use super::{
    Config, ConfigError, Disaster, Environment, Invalid, Learning, Mode, Pull, Reconcile, Retention, Service,
    Sink, Source, Window, suggest,
};
use crate::wire::within_depth;

/// A configuration larger than this is a mistake; it is read whole on every change.
pub const CONFIG_BYTES_MAX: usize = 1024 * 1024;

/// The file as written: what is left out is still known to be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    kill_switch: bool,
    #[serde(default)]
    environments: BTreeMap<String, Overrides>,
    #[serde(default, rename = "service")]
    services: Vec<Service>,
    #[serde(default, rename = "source")]
    sources: Vec<Source>,
    #[serde(default, rename = "maintenance")]
    windows: Vec<Window>,
    #[serde(default)]
    learning: Learning,
    #[serde(default)]
    retention: Retention,
    #[serde(default, rename = "sink")]
    sinks: Vec<Sink>,
    #[serde(default, rename = "reconcile")]
    reconcilers: Vec<Reconcile>,
    #[serde(default, rename = "pull")]
    pulls: Vec<Pull>,
    #[serde(default, rename = "disaster")]
    disasters: Vec<Disaster>,
}

/// What a file says of one environment, to be laid over the defaults of its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Overrides {
    aliases: Option<Vec<String>>,
    mode: Option<Mode>,
    score_min: Option<f64>,
    timeout_s: Option<u64>,
    latency_ms_max: Option<f64>,
    error_rate_max: Option<f64>,
    objective: Option<f64>,
    objective_days: Option<u64>,
    false_rollback_max: Option<f64>,
    error_margin: Option<f64>,
    latency_margin: Option<f64>,
    seasonal: Option<bool>,
    cooldown_s: Option<u64>,
    attempts_max: Option<u32>,
    attempts_window_s: Option<u64>,
    dry_run: Option<bool>,
}

impl Overrides {
    fn over(self, base: Environment) -> Environment {
        Environment {
            aliases: self.aliases.unwrap_or(base.aliases),
            mode: self.mode.unwrap_or(base.mode),
            score_min: self.score_min.unwrap_or(base.score_min),
            timeout_s: self.timeout_s.unwrap_or(base.timeout_s),
            latency_ms_max: self.latency_ms_max.unwrap_or(base.latency_ms_max),
            error_rate_max: self.error_rate_max.unwrap_or(base.error_rate_max),
            objective: self.objective.or(base.objective),
            objective_days: self.objective_days.unwrap_or(base.objective_days),
            false_rollback_max: self.false_rollback_max.unwrap_or(base.false_rollback_max),
            error_margin: self.error_margin.unwrap_or(base.error_margin),
            latency_margin: self.latency_margin.unwrap_or(base.latency_margin),
            seasonal: self.seasonal.unwrap_or(base.seasonal),
            cooldown_s: self.cooldown_s.unwrap_or(base.cooldown_s),
            attempts_max: self.attempts_max.unwrap_or(base.attempts_max),
            attempts_window_s: self.attempts_window_s.unwrap_or(base.attempts_window_s),
            dry_run: self.dry_run.unwrap_or(base.dry_run),
        }
    }
}

impl From<File> for Config {
    fn from(file: File) -> Self {
        let mut environments = Self::default().environments;
        for (name, overrides) in file.environments {
            let environment = overrides.over(Environment::named(&name));
            environments.insert(name, environment);
        }
        Self {
            kill_switch: file.kill_switch,
            environments,
            services: file.services,
            sources: file.sources,
            windows: file.windows,
            learning: file.learning,
            retention: file.retention,
            sinks: file.sinks,
            reconcilers: file.reconcilers,
            pulls: file.pulls,
            disasters: file.disasters,
        }
    }
}

impl Config {
    /// Reads and checks `homeostat.toml`; `file` is what to call it in an error.
    ///
    /// # Errors
    /// The first thing wrong, with line and column, what is expected, and the name probably meant.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, ConfigError> {
        within_size(text.len(), file)?;
        let config: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map(|span| span.start);
            malformed(Place::at(file, text, offset), error.message())
        })?;
        config.validate().map_err(|invalid| {
            let offset = offset_of(text, &invalid.field);
            ConfigError::Invalid { place: Place::at(file, text, offset), invalid }
        })?;
        Ok(config)
    }

    /// Reads and checks the JSON form, which has the same fields; `name` is what to call it in an
    /// error.
    ///
    /// # Errors
    /// The first thing wrong, with line and column where they are known.
    pub fn from_json(json: &[u8], name: &str) -> Result<Self, ConfigError> {
        within_size(json.len(), name)?;
        let place = |position| Place { file: name.to_owned(), position };
        if !within_depth(json) {
            return Err(malformed(place(None), "arrays and objects nest too deep"));
        }
        let config: Self = serde_json::from_slice(json).map_err(|error| {
            let position = Some((error.line(), error.column()));
            malformed(place(position), &without_position(&error))
        })?;
        config.validate().map_err(|invalid| ConfigError::Invalid { place: place(None), invalid })?;
        Ok(config)
    }
}

fn within_size(bytes: usize, file: &str) -> Result<(), ConfigError> {
    if bytes <= CONFIG_BYTES_MAX {
        return Ok(());
    }
    Err(ConfigError::TooLarge { file: file.to_owned(), bytes, max: CONFIG_BYTES_MAX })
}

fn malformed(place: Place, reason: &str) -> ConfigError {
    let suggestion = suggest::from_message(reason);
    ConfigError::Malformed { place, reason: reason.to_owned(), suggestion }
}

/// serde_json ends its messages with a position, which the place says already.
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => message,
    }
}

/// Where in a TOML text a path such as `service[0].match[1].name` is written, or the nearest part
/// of it that is.
fn offset_of(text: &str, path: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
    let (key, value) = table.get_ref().get_key_value(steps.next()?)?;
    let (mut offset, mut value) = (key.span().start, value.get_ref());
    for step in steps {
        let found = match value {
            DeValue::Table(table) => {
                table.get_key_value(step).map(|(key, value)| (key.span().start, value.get_ref()))
            }
            DeValue::Array(list) => step
                .parse::<usize>()
                .ok()
                .and_then(|index| list.get(index))
                .map(|item| (item.span().start, item.get_ref())),
            _ => None,
        };
        let Some(found) = found else { break };
        (offset, value) = found;
    }
    Some(offset)
}

impl Invalid {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

//! What the files and the environment here say: variables, configuration, the address of Redis.
//!
//! Does not: know what an app that was started elsewhere was given; what is said here is of this
//! shell.
//! Invariant: a value leaves this module only by [`Setup::variable`], and no secret is printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use homeostat_schema::config::Config;

use super::Arguments;
use super::finding::Finding;
use crate::cli::{redis_named_in, redis_of_folder};
use crate::compose::read_config;
use crate::manifest::Manifest;
use crate::runtime_config::RuntimeConfig;
use crate::variables::VariableSources;

const CONFIG_DEFAULT: &str = "homeostat.toml";

/// How it is known where Redis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// By `--redis` or `REDIS_URL`.
    Given,
    /// By the variable `redis_url`.
    Variable,
    /// The state folder names a server of the operator's own.
    Named,
    /// It is the state folder's private one.
    Private,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "as given",
            Self::Variable => "of the variable redis_url",
            Self::Named => "as kept in the state folder",
            Self::Private => "of the state folder",
        })
    }
}

/// What was found. No `Debug`: variables hold secrets.
pub(super) struct Setup {
    sources: VariableSources,
    manifest: Option<Manifest>,
    /// The configuration file, when there is one and it is right.
    pub(super) config: Option<Config>,
    /// Where Redis is, and how that is known.
    pub(super) redis: Option<(String, Origin)>,
}

impl Setup {
    /// Reads the files.
    pub(super) fn read(arguments: &Arguments, findings: &mut Vec<Finding>) -> Self {
        let sources = VariableSources {
            providers: providers(arguments.runtime_config_file.as_deref(), findings),
            environment: environment(),
            flags: arguments.variables.iter().cloned().collect(),
        };
        let manifest = manifest(&arguments.from, findings);
        let config = config(arguments.config.as_deref(), findings);
        let redis = redis(arguments, &sources);
        Self { sources, manifest, config, redis }
    }

    /// A variable's value here, else its default; `None` when that is empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let default = || self.manifest.as_ref()?.variables.get(name)?.default.as_ref();
        let value = self.sources.given(name).or_else(default)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Whether the manifest was read.
    pub(super) fn has_manifest(&self) -> bool {
        self.manifest.is_some()
    }
}

fn redis(arguments: &Arguments, sources: &VariableSources) -> Option<(String, Origin)> {
    let folder = arguments.connection.folder();
    let given = arguments.redis.clone().map(|url| (url, Origin::Given));
    let variable = || Some((sources.given("redis_url")?.clone(), Origin::Variable));
    let named = || Some((redis_named_in(folder)?, Origin::Named));
    let private = || Some((redis_of_folder(folder)?, Origin::Private));
    given.or_else(variable).or_else(named).or_else(private)
}

fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("SPIN_VARIABLE_")).collect()
}

fn providers(file: Option<&Path>, findings: &mut Vec<Finding>) -> Vec<BTreeMap<String, String>> {
    let Some(file) = file else { return Vec::new() };
    let name = file.display().to_string();
    let read = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"));
    match read.and_then(|text| RuntimeConfig::parse(&name, &text).map_err(|error| error.to_string())) {
        Ok(config) => config.variables,
        Err(error) => {
            findings.push(Finding::wrong(
                "config",
                error,
                "mend the runtime configuration; `homeostat up` refuses it",
            ));
            Vec::new()
        }
    }
}

fn manifest(file: &Path, findings: &mut Vec<Finding>) -> Option<Manifest> {
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            findings.push(Finding::skip("config", format!("{name}: {error}; --from names the manifest")));
            return None;
        }
    };
    match Manifest::parse(&name, &text) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            findings.push(Finding::wrong(
                "config",
                error.to_string(),
                "mend the manifest; `homeostat up` refuses it",
            ));
            None
        }
    }
}

fn config(named: Option<&Path>, findings: &mut Vec<Finding>) -> Option<Config> {
    let file = named.unwrap_or(Path::new(CONFIG_DEFAULT));
    if named.is_none() && !file.exists() {
        findings.push(Finding::skip("config", "no homeostat.toml here; --config names the configuration"));
        return None;
    }
    match read_config(file) {
        Ok(config) => {
            let count = config.services.len();
            let services = if count == 1 { "service" } else { "services" };
            findings.push(Finding::ok("config", format!("{} is right: {count} {services}", file.display())));
            Some(config)
        }
        Err(error) => {
            findings.push(Finding::wrong(
                "config",
                error,
                "mend the file; homeostat.example.toml has every setting",
            ));
            None
        }
    }
}

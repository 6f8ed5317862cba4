//! From files and flags to what will run: variables filled in, grants resolved.
//!
//! Does not: start anything but the key-value file.
//! Invariant: every template of the manifest is filled in exactly once, here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{AppError, Options, Progress, STATE_DIR_DEFAULT};
use crate::allowed_hosts::AllowedHosts;
use crate::config_file::{ConfigError, Located};
use crate::engine::{ComponentState, EPOCH_TICK, INSTANCE_MEMORY_BYTES_DEFAULT};
use crate::factors::kv::{KeyValueStore, open_sqlite};
use crate::factors::redis::SharedConnections;
use crate::faults::Faults;
use crate::manifest::{ComponentSpec, DependencySpec, LimitsSpec, Manifest};
use crate::plug_in::PlugIn;
use crate::routes::Routes;
use crate::runtime_config::{RuntimeConfig, StoreConfig};
use crate::state_dir::{ApiToken, StateDir};
use crate::template::Template;
use crate::variables::VariableSources;

/// The file that Spin names the same, so that a state folder can be handed over.
const KEY_VALUE_FILE: &str = "sqlite_key_value.db";

const REDIS_URL: &str = "redis_url";
const DEV_MODE: &str = "dev_mode";
const API_TOKEN: &str = "api_token";
const VARIABLES_SET: &str = "variables_set";

/// Everything read, nothing resolved.
pub(super) struct Inputs {
    file: String,
    folder: PathBuf,
    manifest: Manifest,
    runtime: RuntimeConfig,
    sources: VariableSources,
    redis: Option<String>,
    faults: Option<Faults>,
    /// The state folder to use.
    pub(super) state_dir: PathBuf,
}

/// Everything resolved, nothing started.
pub(super) struct Plan {
    file: String,
    pub(super) name: String,
    pub(super) http: Vec<(Located<String>, String)>,
    pub(super) redis: Vec<PlannedRedis>,
    pub(super) components: BTreeMap<String, PlannedComponent>,
    pub(super) api_token: Option<ApiToken>,
    pub(super) dev_mode: bool,
}

/// A Redis trigger with its address and channel filled in.
pub(super) struct PlannedRedis {
    pub(super) address: String,
    pub(super) channel: String,
    pub(super) component: String,
}

/// A component with its grants resolved.
pub(super) struct PlannedComponent {
    pub(super) path: PathBuf,
    pub(super) plug_ins: Vec<PlugIn>,
    pub(super) state: Arc<ComponentState>,
}

impl Plan {
    pub(super) fn routes(&self) -> Result<Routes, ConfigError> {
        Routes::new(&self.file, self.http.iter().map(|(route, component)| (route, component.as_str())))
    }

    pub(super) fn http_components(&self) -> BTreeSet<&str> {
        self.http.iter().map(|(_, component)| component.as_str()).collect()
    }
}

impl Inputs {
    pub(super) fn read(options: &Options) -> Result<Self, AppError> {
        let file = options.manifest.display().to_string();
        let manifest = Manifest::parse(&file, &read_manifest(&options.manifest)?)?;
        let runtime = match &options.runtime_config {
            Some(path) => RuntimeConfig::parse(&path.display().to_string(), &read(path)?)?,
            None => RuntimeConfig::default(),
        };
        let sources = VariableSources {
            flags: options.variables.clone(),
            providers: runtime.variables.clone(),
            environment: options.environment.clone(),
        };
        let state_dir = options.state_dir.clone().or_else(|| runtime.state_dir.clone());
        let state_dir = state_dir.unwrap_or_else(|| PathBuf::from(STATE_DIR_DEFAULT));
        let folder = options.manifest.parent().map(Path::to_path_buf).unwrap_or_default();
        let inputs = Self {
            file,
            folder,
            manifest,
            runtime,
            sources,
            redis: options.redis.clone(),
            faults: options.faults.clone(),
            state_dir,
        };
        inputs.check_early(options.listen)?;
        Ok(inputs)
    }

    /// Finds mistakes before anything is started, with a stand-in where Redis is not up yet.
    fn check_early(&self, listen: SocketAddr) -> Result<(), AppError> {
        let stand_in = self.given_redis()?.unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
        let variables = self.variables(Some(&stand_in), None)?;
        check_dev_mode(&variables, listen)?;
        for spec in self.manifest.components.values() {
            self.allowed_hosts(spec, &variables)?;
            self.check_stores(spec)?;
        }
        let triggers = self.manifest.http.iter();
        Routes::new(&self.file, triggers.map(|trigger| (&trigger.route, trigger.component.as_str())))?;
        Ok(())
    }

    /// Whether the application has a Redis server at all.
    pub(super) fn wants_redis(&self) -> bool {
        self.manifest.variables.contains_key(REDIS_URL)
    }

    /// The address of the Redis server the operator named, without trailing slash.
    pub(super) fn given_redis(&self) -> Result<Option<String>, AppError> {
        let variable = self.sources.given(REDIS_URL);
        let url = match (&self.redis, variable) {
            (Some(flag), Some(variable)) if flag != variable => {
                return Err(AppError::RedisAddress("--redis and the variable redis_url disagree; give one"));
            }
            (Some(url), _) | (None, Some(url)) => url,
            (None, None) => return Ok(None),
        };
        let url = url.strip_suffix('/').unwrap_or(url);
        let Some(host) = url.strip_prefix("redis://") else {
            return Err(AppError::RedisAddress("expected redis://HOST:PORT (no TLS, no socket)"));
        };
        if host.contains(['/', '?', '#']) || crate::factors::redis::client(url).is_err() {
            return Err(AppError::RedisAddress("expected redis://HOST:PORT without a database number"));
        }
        Ok(Some(url.to_owned()))
    }

    /// Fills everything in.
    pub(super) fn resolve(
        self,
        state: &StateDir,
        redis_url: Option<&str>,
        listen: SocketAddr,
        progress: &Progress,
    ) -> Result<Plan, AppError> {
        let dev_mode = check_dev_mode(&self.variables(redis_url, None)?, listen)?;
        let api_token = self.api_token(state, dev_mode, progress)?;
        let variables = with_names(self.variables(redis_url, api_token.as_ref())?);
        let stores = self.stores(state)?;
        let mut components = BTreeMap::new();
        for (id, spec) in &self.manifest.components {
            components.insert(id.clone(), self.component(id, spec, &variables, &stores)?);
        }
        let mut redis = Vec::new();
        for trigger in &self.manifest.redis {
            redis.push(PlannedRedis {
                address: self.expand(&trigger.address, &variables)?,
                channel: self.expand(&trigger.channel, &variables)?,
                component: trigger.component.clone(),
            });
        }
        let http = self.manifest.http.into_iter().map(|trigger| (trigger.route, trigger.component)).collect();
        Ok(Plan { file: self.file, name: self.manifest.name, http, redis, components, api_token, dev_mode })
    }

    fn variables(
        &self,
        redis_url: Option<&str>,
        api_token: Option<&ApiToken>,
    ) -> Result<BTreeMap<String, String>, AppError> {
        let mut sources = self.sources.clone();
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|_| self.manifest.variables.contains_key(name)) {
                sources.flags.insert(name.to_owned(), value.to_owned());
            }
        };
        set(REDIS_URL, redis_url);
        set(API_TOKEN, api_token.map(ApiToken::expose));
        Ok(sources.resolve(&self.manifest.variables)?)
    }

    /// The token given, or one made and kept in the state folder; none in development mode.
    fn api_token(
        &self,
        state: &StateDir,
        dev_mode: bool,
        progress: &Progress,
    ) -> Result<Option<ApiToken>, AppError> {
        if !self.manifest.variables.contains_key(API_TOKEN) {
            return Ok(None);
        }
        if let Some(given) = self.sources.given(API_TOKEN).filter(|given| !given.is_empty()) {
            return Ok(Some(ApiToken::new(given.clone())));
        }
        if dev_mode {
            return Ok(None);
        }
        let (token, path) = state.api_token()?;
        progress(&format!("API token in {}", path.display()));
        Ok(Some(token))
    }

    fn expand(
        &self,
        template: &Located<Template>,
        variables: &BTreeMap<String, String>,
    ) -> Result<String, ConfigError> {
        template.value.expand(variables).map_err(|error| self.error(template.line, error.to_string()))
    }

    fn error(&self, line: usize, message: String) -> ConfigError {
        ConfigError { file: self.file.clone(), line, message }
    }

    fn component(
        &self,
        id: &str,
        spec: &ComponentSpec,
        variables: &BTreeMap<String, String>,
        stores: &BTreeMap<String, KeyValueStore>,
    ) -> Result<PlannedComponent, AppError> {
        let own =
            spec.variables.iter().map(|(name, value)| Ok((name.clone(), self.expand(value, variables)?)));
        let granted = spec.key_value_stores.iter().map(|label| label.value.as_str());
        let granted = granted.filter_map(|label| Some((label.to_owned(), stores.get(label)?.clone())));
        let state = ComponentState {
            id: Arc::from(id),
            variables: own.collect::<Result<_, ConfigError>>()?,
            environment: spec.environment.clone(),
            stores: granted.collect(),
            redis: SharedConnections::default(),
            allowed_hosts: Arc::new(self.allowed_hosts(spec, variables)?),
            memory_bytes_max: self.memory_bytes_max(&spec.limits),
            slices_max: spec.limits.cpu_ms_max.map(slices),
            instances_max: spec.limits.instances_max.and_then(|count| usize::try_from(count).ok()),
            faults: self.faults.clone(),
        };
        let plug_in = |spec: &DependencySpec| PlugIn {
            interface: spec.interface.clone(),
            path: self.folder.join(&spec.path.value),
        };
        let plug_ins = spec.dependencies.iter().map(plug_in).collect();
        Ok(PlannedComponent { path: self.folder.join(&spec.source.value), plug_ins, state: Arc::new(state) })
    }

    /// The least of what the manifest and the runtime configuration say.
    fn memory_bytes_max(&self, limits: &LimitsSpec) -> usize {
        let general = self.runtime.max_instance_memory.unwrap_or(INSTANCE_MEMORY_BYTES_DEFAULT);
        let own = limits
            .memory_mib_max
            .map(|mib| usize::try_from(mib.saturating_mul(1 << 20)).unwrap_or(usize::MAX));
        own.map_or(general, |own| own.min(general))
    }

    fn allowed_hosts(
        &self,
        spec: &ComponentSpec,
        variables: &BTreeMap<String, String>,
    ) -> Result<AllowedHosts, ConfigError> {
        let mut all = AllowedHosts::default();
        for template in &spec.allowed_outbound_hosts {
            let entry = self.expand(template, variables)?;
            let parsed = AllowedHosts::parse([entry.as_str()]);
            all.extend(parsed.map_err(|error| self.error(template.line, error.to_string()))?);
        }
        Ok(all)
    }

    fn check_stores(&self, spec: &ComponentSpec) -> Result<(), ConfigError> {
        let known = |label: &str| label == "default" || self.runtime.stores.contains_key(label);
        match spec.key_value_stores.iter().find(|label| !known(&label.value)) {
            None => Ok(()),
            Some(label) => Err(self.error(
                label.line,
                format!(
                    "unknown key-value store `{0}`; define [key_value_store.{0}] in runtime-config.toml",
                    label.value
                ),
            )),
        }
    }

    fn stores(&self, state: &StateDir) -> Result<BTreeMap<String, KeyValueStore>, AppError> {
        let mut files = BTreeMap::new();
        let mut stores = BTreeMap::new();
        for (label, config) in &self.runtime.stores {
            let store = match config {
                StoreConfig::Redis { url } => KeyValueStore::redis(url)?,
                StoreConfig::Sqlite { path } => {
                    let path = path.clone().unwrap_or_else(|| state.join(KEY_VALUE_FILE));
                    KeyValueStore::sqlite(label, open_once(&mut files, path)?)
                }
            };
            stores.insert(label.clone(), store);
        }
        if !stores.contains_key("default") {
            let file = open_once(&mut files, state.join(KEY_VALUE_FILE))?;
            stores.insert("default".to_owned(), KeyValueStore::sqlite("default", file));
        }
        Ok(stores)
    }
}

type SqliteFiles = BTreeMap<PathBuf, Arc<Mutex<rusqlite::Connection>>>;

fn open_once(files: &mut SqliteFiles, path: PathBuf) -> Result<Arc<Mutex<rusqlite::Connection>>, AppError> {
    if let Some(file) = files.get(&path) {
        return Ok(Arc::clone(file));
    }
    let file = open_sqlite(&path)?;
    files.insert(path, Arc::clone(&file));
    Ok(file)
}

/// Time slices in so many milliseconds; at least one.
fn slices(ms: u64) -> u64 {
    let slice_ms = u64::try_from(EPOCH_TICK.as_millis()).unwrap_or(1);
    ms.div_ceil(slice_ms)
}

fn check_dev_mode(variables: &BTreeMap<String, String>, listen: SocketAddr) -> Result<bool, AppError> {
    let dev_mode = variables.get(DEV_MODE).is_some_and(|value| value == "true");
    if dev_mode && !listen.ip().is_loopback() {
        return Err(AppError::DevModeOpen(listen));
    }
    Ok(dev_mode)
}

/// Fills in the names of those that are set, where the manifest asks for them.
fn with_names(mut variables: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let set = variables.iter().filter(|(name, value)| *name != VARIABLES_SET && !value.trim().is_empty());
    let names = set.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
    if let Some(told) = variables.get_mut(VARIABLES_SET) {
        *told = names;
    }
    variables
}

fn read_manifest(path: &Path) -> Result<String, AppError> {
    match read(path) {
        Err(AppError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(AppError::NoManifest(path.to_owned()))
        }
        read => read,
    }
}

fn read(path: &Path) -> Result<String, AppError> {
    std::fs::read_to_string(path).map_err(|source| AppError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_what_is_set_are_told_and_no_value() {
        let check = |given: &[(&str, &str)], expected: Option<&str>| {
            let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let told = with_names(given.collect());
            assert_eq!(told.get(VARIABLES_SET).map(String::as_str), expected);
        };
        check(
            &[("github_token", "s3cret"), ("gitlab_token", " "), (VARIABLES_SET, "forged")],
            Some("github_token"),
        );
        check(&[("github_token", "s3cret")], None);
    }
}

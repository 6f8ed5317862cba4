//! The configuration: one struct, unknown fields refused, every field with unit and default.
//!
//! Read from `homeostat.toml` by the command line ([`Config::from_toml`]) and from JSON by the API
//! ([`Config::from_json`]); both check the whole. What it does not do: it holds no secret and
//! reads no file.
//!
//! Invariant: the environments `dev`, `stage`, `prod` and `unknown` are always there; nothing acts
//! by itself in an environment unless the file says `act` for it, and never in `unknown`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{time, types};

mod capacity;
mod disaster;
mod error;
mod objective;
mod outside;
mod pull;
mod read;
mod retention;
mod source;
mod suggest;
mod validate;
mod validate_outside;

pub use capacity::Capacity;
pub use disaster::{Disaster, Trigger};
pub use error::{ConfigError, Invalid};
pub use objective::Objective;
pub use outside::{Ask, Reconcile, Sink};
pub use pull::Pull;
pub use read::CONFIG_BYTES_MAX;
pub use retention::Retention;
pub use source::{ContentEncoding, Oidc, OidcAlgorithm, SENDERS, SchemeName, Source, secret_variable};

/// The name of the environment of all that no rule knows.
pub const UNKNOWN: &str = "unknown";

/// The whole of `homeostat.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "read::File")]
pub struct Config {
    /// Holds every attempt back while true. Default: false.
    pub kill_switch: bool,
    /// By canonical name: `dev`, `stage`, `prod`, `unknown`, and the user's own.
    pub environments: BTreeMap<String, Environment>,
    /// Service rules, first match wins.
    #[serde(rename = "service")]
    pub services: Vec<Service>,
    /// Instances of senders that are not as the built-in ones.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
    /// When no attempt may be made.
    #[serde(rename = "maintenance")]
    pub windows: Vec<Window>,
    /// How the policy learns.
    pub learning: Learning,
    /// How long what was received is kept.
    pub retention: Retention,
    /// Who is told what Homeostat does.
    #[serde(rename = "sink")]
    pub sinks: Vec<Sink>,
    /// Who is asked what it sent.
    #[serde(rename = "reconcile")]
    pub reconcilers: Vec<Reconcile>,
    /// Which numbers Prometheus is asked for.
    #[serde(rename = "pull")]
    pub pulls: Vec<Pull>,
    /// What findings together are a disaster.
    #[serde(rename = "disaster")]
    pub disasters: Vec<Disaster>,
}

/// How careful to be in one environment. A field left out has the default of the environment's
/// name; see [`Environment::named`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Environment {
    /// Further names senders use for it, compared without regard to case.
    pub aliases: Vec<String>,
    /// What may be done. Default: suggest.
    pub mode: Mode,
    /// A health score below this is bad; 0 to 100. Default: dev 30, stage 40, others 50.
    pub score_min: f64,
    /// How long to wait: silence beyond it is blind, and a remedy is verified after it; seconds,
    /// 1 to 86,400. Default: dev 30, stage 45, others 60.
    pub timeout_s: u64,
    /// Latency that is proven to be above this is a finding; milliseconds. Default: 1000.
    pub latency_ms_max: f64,
    /// A share of failed requests proven to be above this is a finding, unless there is an `objective`; 0 to 1.
    /// Default: 0.05.
    pub error_rate_max: f64,
    /// The part of requests that must go well, per cent; 50 to 99.9999. Errors are a finding when they
    /// use up too fast what it allows. Default: none, so that `error_rate_max` counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// Over how many days; 3 to 366. Default: 30.
    pub objective_days: u64,
    /// How likely a healthy new version may be called bad while it is compared with the old one,
    /// over the whole comparison; 0.0001 to 0.5. Default: dev and stage 0.02, others 0.005.
    pub false_rollback_max: f64,
    /// How much more errors than the old version's are no regression: 0.1 is 10 % more; 0 to 10.
    /// Default: 0.
    pub error_margin: f64,
    /// How much slower than the old version is no regression; 0 to 10. Default: 0.04.
    pub latency_margin: f64,
    /// Whether load, latency and errors may follow the time of day: what is usual, and a queue's
    /// forecast, then know it. Default: true.
    pub seasonal: bool,
    /// No second attempt on a service within this; seconds. Default: 300.
    pub cooldown_s: u64,
    /// Attempts allowed per service within `attempts_window_s`; 0 allows none. Default: 3.
    pub attempts_max: u32,
    /// Seconds. Default: 3600.
    pub attempts_window_s: u64,
    /// Show the requests, send none. Default: false.
    pub dry_run: bool,
}

/// What may be done by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Look and record.
    Observe,
    /// Say what would be done.
    #[default]
    Suggest,
    /// Do it once a person says yes.
    Approve,
    /// Do it.
    Act,
}

/// What one service is compared by in one environment, where it differs from the environment.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Judging {
    /// See [`Environment::false_rollback_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_rollback_max: Option<f64>,
    /// See [`Environment::error_margin`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_margin: Option<f64>,
    /// See [`Environment::latency_margin`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_margin: Option<f64>,
    /// See [`Environment::seasonal`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seasonal: Option<bool>,
}

/// One service: what senders call it, and what its remedies work on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Our name for it.
    pub name: String,
    /// What senders call it; any one suffices.
    #[serde(rename = "match", default)]
    pub matches: Vec<Match>,
    /// Stricter or looser than the environment's, by environment name.
    #[serde(default)]
    pub mode: BTreeMap<String, Mode>,
    /// What its new versions are compared by, by environment name.
    #[serde(default)]
    pub judge: BTreeMap<String, Judging>,
    /// Its own [`Environment::objective`], by environment name.
    #[serde(default)]
    pub objective: BTreeMap<String, f64>,
    /// Its own [`Environment::objective_days`], by environment name.
    #[serde(default)]
    pub objective_days: BTreeMap<String, u64>,
    /// The environment its pipeline's runs count to where their sender names none, as GitHub does.
    /// Default: none, so that they count to `unknown`, where nothing is done by itself.
    #[serde(default)]
    pub pipeline_env: Option<String>,
    /// What another run of its pipeline costs, as a share of what a person's look at a failure costs;
    /// 0.001 to 1; above 0.09 one of which nothing is known is never run again. Default: 0.05.
    #[serde(default)]
    pub rerun_cost: Option<f64>,
    /// Services it calls, by their names: a change of one of them may explain what is wrong with it,
    /// and the other way round. Default: none is known.
    #[serde(default)]
    pub calls: Vec<String>,
    /// What its queue may hold and its replicas can take, by environment name. Default: nobody knows,
    /// so that its queue is not watched.
    #[serde(default)]
    pub capacity: BTreeMap<String, Capacity>,
    /// Where its code and deployments are.
    #[serde(default)]
    pub github: Option<GitHub>,
    /// Where it runs, by environment name.
    #[serde(default)]
    pub kubernetes: BTreeMap<String, Kubernetes>,
}

/// A sender's name for a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The source instance; `*` is any.
    #[serde(default = "any")]
    pub source: String,
    /// The sender's name, compared whole and without regard to case.
    pub name: String,
}

/// A GitHub repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHub {
    /// `owner/name`.
    pub repository: String,
    /// GitHub's names of environments, by ours; ours where absent.
    #[serde(default)]
    pub environments: BTreeMap<String, String>,
}

/// A Kubernetes Deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub deployment: String,
}

/// A span in which no attempt is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The environment's name; `*` is any.
    #[serde(default = "any")]
    pub env: String,
    /// The service's name; `*` is any.
    #[serde(default = "any")]
    pub service: String,
    /// RFC 3339, included.
    pub from: String,
    /// RFC 3339, excluded.
    pub until: String,
    /// Shown in the incident.
    #[serde(default)]
    pub reason: String,
}

/// Tabular Q-learning, ε-greedy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Learning {
    /// Step size; above 0, at most 1. Default: 0.2.
    pub learning_rate: f64,
    /// Weight of what follows; 0 to 0.999. Default: 0.
    pub discount: f64,
    /// Share of choices made at random among the allowed; 0 to 1. Default: 0.1.
    pub exploration: f64,
}

fn any() -> String {
    "*".to_owned()
}

impl Default for Config {
    fn default() -> Self {
        let environments =
            ["dev", "stage", "prod", "unknown"].map(|name| (name.to_owned(), Environment::named(name)));
        Self {
            kill_switch: false,
            environments: BTreeMap::from(environments),
            services: Vec::new(),
            sources: Vec::new(),
            windows: Vec::new(),
            learning: Learning::default(),
            retention: Retention::default(),
            sinks: Vec::new(),
            reconcilers: Vec::new(),
            pulls: Vec::new(),
            disasters: Vec::new(),
        }
    }
}

impl Environment {
    /// The defaults of the environment with this canonical name; unknown names get `prod`'s.
    pub fn named(name: &str) -> Self {
        let (score_min, timeout_s, false_rollback_max) = match name {
            "dev" => (30.0, 30, 0.02),
            "stage" => (40.0, 45, 0.02),
            _ => (50.0, 60, 0.005),
        };
        Self {
            aliases: Vec::new(),
            mode: Mode::Suggest,
            score_min,
            timeout_s,
            latency_ms_max: 1000.0,
            error_rate_max: 0.05,
            objective: None,
            objective_days: 30,
            false_rollback_max,
            error_margin: 0.0,
            latency_margin: 0.04,
            seasonal: true,
            cooldown_s: 300,
            attempts_max: 3,
            attempts_window_s: 3600,
            dry_run: false,
        }
    }
}

/// Built in beside the user's own aliases, and not to be given to another environment.
pub(crate) const BUILT_IN_ALIASES: [(&str, &str); 3] =
    [("production", "prod"), ("staging", "stage"), ("development", "dev")];

/// The settings of what no rule knows, where a configuration made by hand has none.
static STRICTEST: LazyLock<Environment> = LazyLock::new(|| Environment::named(UNKNOWN));

impl Config {
    /// The settings of the environment with this canonical name; of `unknown` when there is none.
    pub fn environment(&self, name: &str) -> &Environment {
        self.environments.get(name).or_else(|| self.environments.get(UNKNOWN)).unwrap_or(&STRICTEST)
    }

    /// The service of this name, compared without regard to case.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name.eq_ignore_ascii_case(name))
    }

    /// What may be done by itself for a service in an environment (both by canonical name): the
    /// service's own word, else the environment's. Never `act` in an environment nobody named.
    pub fn mode(&self, env: &str, service: &str) -> Mode {
        let own = self.service(service).and_then(|service| service.mode.get(env).copied());
        let mode = own.unwrap_or(self.environment(env).mode);
        let nameless = env == UNKNOWN || !self.environments.contains_key(env);
        if nameless && mode == Mode::Act { Mode::Suggest } else { mode }
    }

    /// The sink of this name.
    pub fn sink(&self, name: &str) -> Option<&Sink> {
        self.sinks.iter().find(|sink| sink.name == name)
    }

    /// The reconciler of this id.
    pub fn reconciler(&self, id: &str) -> Option<&Reconcile> {
        self.reconcilers.iter().find(|reconciler| reconciler.id == id)
    }

    /// The pull of this id.
    pub fn pull(&self, id: &str) -> Option<&Pull> {
        self.pulls.iter().find(|pull| pull.id == id)
    }

    /// The first maintenance window that is open at `now_ms` (milliseconds since the epoch).
    pub fn window_at(&self, env: &str, service: &str, now_ms: u64) -> Option<&Window> {
        self.windows.iter().find(|window| window.covers(env, service) && window.is_open(now_ms))
    }
}

impl Window {
    fn covers(&self, env: &str, service: &str) -> bool {
        (self.env == "*" || self.env == env)
            && (self.service == "*" || self.service.eq_ignore_ascii_case(service))
    }

    /// An end that cannot be read does not close the window: holding back is the safe side.
    fn is_open(&self, now_ms: u64) -> bool {
        let begun = time::parse(&self.from).map_or(true, |from| from <= now_ms);
        let ended = time::parse(&self.until).is_ok_and(|until| until <= now_ms);
        begun && !ended
    }
}

impl From<Mode> for types::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Observe => Self::Observe,
            Mode::Suggest => Self::Suggest,
            Mode::Approve => Self::Approve,
            Mode::Act => Self::Act,
        }
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::named("unknown")
    }
}

impl Default for Learning {
    fn default() -> Self {
        Self { learning_rate: 0.2, discount: 0.0, exploration: 0.1 }
    }
}

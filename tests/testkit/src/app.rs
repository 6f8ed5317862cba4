//! Runs the app as its user does: `homeostat up`, or `spin up`, as a child, spoken to over HTTP.
//!
//! It builds nothing. Invariant: the child ends with its handle, whatever ends the test.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::group::Group;
use crate::http;
use crate::port::free_port;
use crate::runtime::{self, Chores, INTERNAL_TOKEN, Kind, Launch, Runtime, runtime};
use crate::server::eventually;

/// Unoptimised and on a busy machine, the components compile for many seconds at the first start.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Requests in flight, connections to Redis and a private redis-server end well within this.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How the app is started.
#[derive(Clone)]
pub struct AppSetup {
    /// The program that runs it.
    pub binary: PathBuf,
    /// Which runtime that is.
    pub kind: Kind,
    /// The folder with `spin.toml` and `dist/components`.
    pub root: PathBuf,
    /// Where it keeps its state, and its log beside it.
    pub state_dir: PathBuf,
    /// A Redis of the test's own; a private one otherwise.
    pub redis: Option<String>,
    /// Its `homeostat.toml`.
    pub config: Option<PathBuf>,
    /// Spin variables.
    pub variables: BTreeMap<String, String>,
    /// Where compiled components are kept over starts; in the state folder when `None`.
    pub cache: Option<PathBuf>,
    /// Further arguments of `homeostat up`.
    pub arguments: Vec<String>,
}

/// Why the app does not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Something it is made of is not there.
    #[error("{path} is missing: run `{remedy}` first")]
    Missing {
        /// What.
        path: PathBuf,
        /// What makes it.
        remedy: &'static str,
    },
    /// It could not be started, or not be asked.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It ended instead of serving.
    #[error("homeostat up ended with {status}; the end of its log:\n{log}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What it said last.
        log: String,
    },
    /// It did not serve, or not stop, in time.
    #[error("homeostat up was not {what} within {within:?}; the end of its log:\n{log}")]
    TimedOut {
        /// `ready` or `stopped`.
        what: &'static str,
        /// How long it had.
        within: Duration,
        /// What it said last.
        log: String,
    },
}

/// A running app; killed when dropped.
#[derive(Debug)]
pub struct App {
    group: Group,
    kind: Kind,
    url: String,
    log: PathBuf,
    chores: Option<Chores>,
}

impl AppSetup {
    /// This binary with the components of this folder, and an own state folder.
    ///
    /// # Errors
    /// [`AppError::Missing`] with the command that makes what is missing.
    pub fn new(binary: &Path, root: &Path, state_dir: &Path) -> Result<Self, AppError> {
        let components = root.join("dist/components/api.wasm");
        if !components.is_file() {
            return Err(AppError::Missing { path: components, remedy: "cargo xtask components" });
        }
        Ok(Self {
            binary: binary.to_owned(),
            kind: Kind::Embedded,
            root: root.to_owned(),
            state_dir: state_dir.to_owned(),
            redis: None,
            config: None,
            variables: BTreeMap::new(),
            cache: None,
            arguments: Vec::new(),
        })
    }

    /// The app of this workspace, built before, on the chosen runtime, with an own state folder.
    ///
    /// # Errors
    /// [`AppError::Missing`] with the command that makes what is missing.
    pub fn built(root: &Path, state_dir: &Path) -> Result<Self, AppError> {
        let Runtime { kind, binary } = runtime(root)?;
        Ok(Self { kind, ..Self::new(&binary, root, state_dir)? })
    }

    /// With one more variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl App {
    /// Starts it on a free port and waits until it is ready and works by its configuration.
    ///
    /// # Errors
    /// [`AppError`] with the end of the log when it does not get there.
    pub async fn start(setup: &AppSetup) -> Result<Self, AppError> {
        let mut app = Self::spawn(setup)?;
        app.wait_ready(u64::from(setup.config.is_some())).await?;
        if setup.kind == Kind::Spin {
            app.settle(setup).await?;
        }
        Ok(app)
    }

    /// What `homeostat up` does at its start and Spin leaves to others.
    async fn settle(&mut self, setup: &AppSetup) -> Result<(), AppError> {
        if let Some(config) = &setup.config {
            let token = setup.variables.get("api_token").map_or("", String::as_str);
            let what = "the configuration was not applied".to_owned();
            let applied = runtime::apply(&self.url, token, config).await;
            applied.map_err(|source| AppError::Io { what, source })?;
        }
        self.chores = Some(Chores::tick(&self.url));
        Ok(())
    }

    /// Starts it and does not wait.
    ///
    /// # Errors
    /// [`AppError::Io`] when the process cannot be started.
    pub fn spawn(setup: &AppSetup) -> Result<Self, AppError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| AppError::Io { what, source }
        };
        let port = free_port().map_err(io("no free port"))?;
        std::fs::create_dir_all(&setup.state_dir).map_err(io("cannot make the state folder"))?;
        if let Some(cache) = &setup.cache {
            share(cache, &setup.state_dir.join("cache")).map_err(io("cannot share compiled components"))?;
        }
        let log = setup.state_dir.join("app.log");
        let out =
            File::options().create(true).append(true).open(&log).map_err(io("cannot open the app's log"))?;
        let err = out.try_clone().map_err(io("cannot open the app's log"))?;
        let mut command = command(setup, port);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let group = Group::spawn(command, setup.kind.joins());
        let group = group.map_err(io(&format!("cannot start {}", setup.binary.display())))?;
        Ok(Self { group, kind: setup.kind, url: format!("http://127.0.0.1:{port}"), log, chores: None })
    }

    /// Waits until `/ready` answers 200 and tells of this version of the configuration or a later
    /// one: it serves a moment before a `--config` is applied.
    ///
    /// # Errors
    /// [`AppError`] with the end of the log when it does not get there.
    pub async fn wait_ready(&mut self, config_version: u64) -> Result<(), AppError> {
        let ready_url = format!("{}/ready", self.url);
        let child = &mut self.group;
        let outcome = eventually(READY_WITHIN, async || match child.try_wait() {
            Ok(Some(status)) => Some(Err(status)),
            _ => is_ready(&ready_url, config_version).await.then_some(Ok(())),
        })
        .await;
        match outcome {
            Some(Ok(())) => Ok(()),
            Some(Err(status)) => Err(AppError::Ended { status, log: self.log_end() }),
            None => Err(AppError::TimedOut { what: "ready", within: READY_WITHIN, log: self.log_end() }),
        }
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.group.id()
    }

    /// What it runs on.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// SIGKILL to every process of it: no chance to tidy up.
    ///
    /// # Errors
    /// When the process cannot be killed.
    pub async fn kill(&mut self) -> Result<(), AppError> {
        self.group
            .kill()
            .await
            .map_err(|source| AppError::Io { what: "cannot kill the app".to_owned(), source })
    }

    /// SIGTERM, or what Spin stops on, without waiting.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn ask_to_stop(&self) -> Result<(), AppError> {
        let io = |source| AppError::Io { what: "cannot signal the app".to_owned(), source };
        self.group.signal(self.kind.stop_signal()).map_err(io)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// [`AppError::TimedOut`] when it has not.
    pub async fn wait_end(&mut self) -> Result<ExitStatus, AppError> {
        match tokio::time::timeout(STOP_WITHIN, self.group.wait()).await {
            Ok(ended) => {
                ended.map_err(|source| AppError::Io { what: "cannot wait for the app".to_owned(), source })
            }
            Err(_) => Err(AppError::TimedOut { what: "stopped", within: STOP_WITHIN, log: self.log_end() }),
        }
    }

    /// Asks it to stop, and waits.
    ///
    /// # Errors
    /// As [`App::ask_to_stop`] and [`App::wait_end`].
    pub async fn stop(&mut self) -> Result<ExitStatus, AppError> {
        self.ask_to_stop()?;
        self.wait_end().await
    }

    /// `GET`s a path as JSON; `Null` when there is no answer or it is none.
    pub async fn get(&self, path: &str) -> Value {
        http::get(&self.at(path)).await.map_or(Value::Null, |answer| http::json(&answer))
    }

    /// The last lines of the log.
    pub fn log_end(&self) -> String {
        /// A screenful.
        const LINES: usize = 30;
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(LINES)).copied().collect::<Vec<_>>().join("\n")
    }
}

fn command(setup: &AppSetup, port: u16) -> Command {
    let runtime = Runtime { kind: setup.kind, binary: setup.binary.clone() };
    let manifest = setup.root.join("spin.toml");
    let state_dir = &setup.state_dir;
    let mut command =
        runtime.command(&Launch { manifest: &manifest, port, state_dir, redis: setup.redis.as_deref() });
    command.current_dir(&setup.root);
    match (setup.kind, &setup.config) {
        (Kind::Embedded, Some(config)) => command.arg("--config").arg(config),
        (Kind::Embedded, None) => &mut command,
        (Kind::Spin, _) => command.env("SPIN_VARIABLE_INTERNAL_TOKEN", INTERNAL_TOKEN),
    };
    // In the environment, not among the arguments: other users may read those.
    for (name, value) in &setup.variables {
        command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
    }
    command.args(&setup.arguments);
    command
}

async fn is_ready(url: &str, config_version: u64) -> bool {
    let Ok(answer) = http::get(url).await else { return false };
    let version = http::json(&answer)["config_version"].as_u64().unwrap_or(0);
    answer.status() == 200 && version >= config_version
}

/// Makes `link` lead to the folder, unless something is there already.
fn share(folder: &Path, link: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    match std::os::unix::fs::symlink(folder, link) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

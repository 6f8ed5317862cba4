//! What the app is tried on: the embedded host, or Spin where `HOMEOSTAT_RUNTIME=spin`.
//!
//! What it does not do: start anything. The two differ in their arguments alone; what else Spin
//! leaves to others (applying the configuration, the tick) is done by [`Chores`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;

use crate::app::AppError;
use crate::group::Joins;
use crate::http;

/// The variable that chooses: `embedded` (as when it is not set) or `spin`.
pub const CHOICE: &str = "HOMEOSTAT_RUNTIME";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `homeostat up`.
    Embedded,
    /// `spin up`.
    Spin,
}

/// A runtime and its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Which.
    pub kind: Kind,
    /// The program.
    pub binary: PathBuf,
}

/// What a runtime is to run.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// The manifest.
    pub manifest: &'a Path,
    /// The port on 127.0.0.1.
    pub port: u16,
    /// Where it keeps its state.
    pub state_dir: &'a Path,
    /// A Redis server; Spin brings none of its own.
    pub redis: Option<&'a str>,
}

/// The runtime that was chosen, built before or on the path.
///
/// # Errors
/// [`AppError::Missing`] with what to do when it is not there or the choice is none.
pub fn runtime(root: &Path) -> Result<Runtime, AppError> {
    let missing = |path: &str, remedy| AppError::Missing { path: PathBuf::from(path), remedy };
    match std::env::var(CHOICE).as_deref() {
        Err(_) | Ok("" | "embedded") => Ok(Runtime { kind: Kind::Embedded, binary: homeostat_binary(root)? }),
        Ok("spin") => {
            let binary = on_path("spin").ok_or_else(|| missing("spin", "install Spin 4.1 or later"))?;
            Ok(Runtime { kind: Kind::Spin, binary })
        }
        Ok(other) => Err(missing(other, "HOMEOSTAT_RUNTIME=embedded or HOMEOSTAT_RUNTIME=spin")),
    }
}

/// The program `homeostat`, for its own commands, whatever runs the app: `HOMEOSTAT_BIN`, else the
/// newest of the debug and the release build.
///
/// # Errors
/// [`AppError::Missing`] with the command that builds it.
pub fn homeostat_binary(root: &Path) -> Result<PathBuf, AppError> {
    if let Some(path) = std::env::var_os("HOMEOSTAT_BIN") {
        return Ok(PathBuf::from(path));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let built = ["debug/homeostat", "release/homeostat"].map(|path| target.join(path));
    let age = |path: &PathBuf| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let missing = AppError::Missing { path: built[0].clone(), remedy: "cargo build --bin homeostat" };
    built.iter().filter(|path| path.is_file()).max_by_key(|path| age(path)).cloned().ok_or(missing)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether a test is skipped, since it is about what only the embedded host does; says why.
///
/// # Errors
/// As [`runtime`].
#[expect(clippy::print_stderr, reason = "whoever reads the test's output is to see what was left out")]
pub fn embedded_host_only(root: &Path, why: &str) -> Result<bool, AppError> {
    let skipped = runtime(root)?.kind == Kind::Spin;
    if skipped {
        eprintln!("skipped, embedded host only: {why}");
    }
    Ok(skipped)
}

impl Kind {
    /// Spin runs a process for each kind of trigger, which end together only as a group; the
    /// embedded host is one process.
    pub fn joins(self) -> Joins {
        match self {
            Self::Embedded => Joins::Callers,
            Self::Spin => Joins::Own,
        }
    }

    /// The signal that asks it to stop: `spin up` stops its triggers on SIGINT.
    pub fn stop_signal(self) -> Signal {
        match self {
            Self::Embedded => Signal::TERM,
            Self::Spin => Signal::INT,
        }
    }
}

impl Runtime {
    /// The command that runs it, with nothing of this process's own Redis.
    pub fn command(&self, launch: &Launch<'_>) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("up").arg("--from").arg(launch.manifest);
        command.arg("--listen").arg(format!("127.0.0.1:{}", launch.port));
        command.arg("--state-dir").arg(launch.state_dir).env_remove("REDIS_URL");
        match (self.kind, launch.redis) {
            (Kind::Embedded, Some(redis)) => command.arg("--redis").arg(redis),
            (Kind::Spin, Some(redis)) => command.env("SPIN_VARIABLE_REDIS_URL", redis),
            (_, None) => &mut command,
        };
        command
    }
}

/// The token for `/internal/*` where Spin runs the app.
pub(crate) const INTERNAL_TOKEN: &str = "for-the-tick-of-a-test";

/// What the embedded host does by itself and Spin leaves to others; ends when dropped.
#[derive(Debug)]
pub(crate) struct Chores(tokio::task::JoinHandle<()>);

impl Chores {
    /// Rings every stage once a second.
    pub(crate) fn tick(url: &str) -> Self {
        const EVERY: Duration = Duration::from_secs(1);
        let url = format!("{url}/internal/tick");
        Self(tokio::spawn(async move {
            let authorization = format!("Bearer {INTERNAL_TOKEN}");
            let mut beat = tokio::time::interval(EVERY);
            loop {
                beat.tick().await;
                let headers = [("authorization", authorization.as_str())];
                let Ok(request) = http::request("POST", &url, &headers, Vec::new()) else { return };
                // A tick that is lost is made good by the next.
                let _ = http::send(request).await;
            }
        }))
    }
}

impl Drop for Chores {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Applies a `homeostat.toml` through the API.
pub(crate) async fn apply(url: &str, token: &str, config: &Path) -> std::io::Result<()> {
    let body = std::fs::read(config)?;
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/toml")];
    let request = http::request("PUT", &format!("{url}/api/v1/config"), &headers, body);
    let answer = http::send(request.map_err(std::io::Error::other)?).await.map_err(std::io::Error::other)?;
    if answer.status() == 200 {
        return Ok(());
    }
    let said = String::from_utf8_lossy(answer.body()).into_owned();
    Err(std::io::Error::other(format!("{}: {said}", answer.status())))
}

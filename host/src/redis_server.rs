//! The private redis-server: the truth of an installation that brings none of its own.
//!
//! Purpose: start `redis-server` on a free loopback port with its data in the state folder, every
//! write on disk before it is acknowledged, and start it again on the same port when it dies.
//! Does not: upgrade, replicate or back up; a server of the operator's own does that.
//! Invariant: at most one server runs on a state folder: one left behind by a killed host is asked
//! to end before a new one starts. The caller holds the folder's lock.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::factors::redis::{RedisTimeouts, client, connect};
use crate::stop::{Stop, Stopper, channel};
use crate::telemetry::{RedisServerBack, RedisServerDied, RedisServerStuck, emit};

/// How long a new server may take to answer; loading a large append-only file takes its time.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How often to ask whether it answers.
const START_POLL: Duration = Duration::from_millis(20);

/// How long a server may take to end when asked to, before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause before the first restart of a server that died.
const RESTART_PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause between restarts.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);

/// A server that lived this long starts the pauses over.
const RESTART_CALM: Duration = Duration::from_secs(30);

/// Ports tried: another process may take a free port before the server does.
const PORT_ATTEMPTS_MAX: usize = 5;

/// Lines of the server's log shown when it does not start.
const LOG_LINES_SHOWN: usize = 5;

/// Where the port of the running server is kept, in its folder.
const PORT_FILE: &str = "port";

/// Why there is no private server.
#[derive(Debug, thiserror::Error)]
pub enum RedisServerError {
    /// No `redis-server` on the path.
    #[error(
        "redis-server is not installed: install it (apt-get install redis-server, brew install redis), \
         or name a running one with --redis redis://HOST:PORT or REDIS_URL"
    )]
    NotInstalled,
    /// Its folder, port or process failed.
    #[error("redis-server in {folder}: {step}: {source}")]
    Io {
        /// The server's folder.
        folder: PathBuf,
        /// What was being done.
        step: &'static str,
        /// The system's words.
        source: std::io::Error,
    },
    /// It ended or did not answer in time.
    #[error("redis-server in {folder} did not start; the end of its log:\n{log}")]
    DidNotStart {
        /// The server's folder.
        folder: PathBuf,
        /// The last lines of its log.
        log: String,
    },
    /// A server left behind does not end.
    #[error("an older redis-server on port {port} still runs on {folder} and does not end; end it by hand")]
    LeftBehind {
        /// The server's folder.
        folder: PathBuf,
        /// Its port.
        port: u16,
    },
}

/// A running private server and who looks after it.
pub struct RedisServer {
    port: u16,
    stopper: Stopper,
    keeper: JoinHandle<()>,
}

impl RedisServer {
    /// Starts a server with its data in `folder` and waits until it answers.
    ///
    /// # Errors
    /// [`RedisServerError`], saying what to do.
    pub async fn start(folder: &Path) -> Result<Self, RedisServerError> {
        let io = |step| move |source| RedisServerError::Io { folder: folder.to_owned(), step, source };
        std::fs::create_dir_all(folder).map_err(io("making its folder"))?;
        restrict(folder).map_err(io("closing its folder to others"))?;
        let folder = folder.canonicalize().map_err(io("finding its folder"))?;
        end_left_behind(&folder).await?;
        let (child, port) = start_on_free_port(&folder).await?;
        let (stopper, stop) = channel();
        let keeper = tokio::spawn(keep(child, folder, port, stop));
        Ok(Self { port, stopper, keeper })
    }

    /// Its address, without a database.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// Ends the server and waits for it.
    pub async fn stop(self) {
        self.stopper.stop();
        if let Err(error) = self.keeper.await {
            tracing::error!(%error, "redis-server was not looked after to the end");
        }
    }
}

fn url(port: u16) -> String {
    format!("redis://{}:{port}", Ipv4Addr::LOCALHOST)
}

/// Leaves the folder to its owner: it holds everything the installation knows.
fn restrict(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

async fn start_on_free_port(folder: &Path) -> Result<(Child, u16), RedisServerError> {
    let mut last = None;
    for _ in 0..PORT_ATTEMPTS_MAX {
        let port = free_port().await.map_err(|source| RedisServerError::Io {
            folder: folder.to_owned(),
            step: "finding a free port",
            source,
        })?;
        match start_on(folder, port).await {
            Ok(child) => return Ok((child, port)),
            Err(error @ RedisServerError::DidNotStart { .. }) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| did_not_start(folder)))
}

async fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?.port())
}

async fn start_on(folder: &Path, port: u16) -> Result<Child, RedisServerError> {
    let io = |step| move |source| RedisServerError::Io { folder: folder.to_owned(), step, source };
    let mut child = spawn(folder, port).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => RedisServerError::NotInstalled,
        _ => io("starting it")(error),
    })?;
    std::fs::write(folder.join(PORT_FILE), port.to_string()).map_err(io("writing its port"))?;
    let deadline = Instant::now() + START_TIMEOUT;
    while !answers(port, folder).await {
        let ended = child.try_wait().map_err(io("looking after it"))?.is_some();
        if ended || Instant::now() > deadline {
            end(&mut child, port).await;
            return Err(did_not_start(folder));
        }
        tokio::time::sleep(START_POLL).await;
    }
    Ok(child)
}

fn spawn(folder: &Path, port: u16) -> std::io::Result<Child> {
    let port = port.to_string();
    let settings = [
        ("--port", port.as_str()),
        ("--bind", "127.0.0.1"),
        ("--daemonize", "no"),
        ("--logfile", "redis.log"),
        ("--appendonly", "yes"),
        ("--appendfsync", "always"),
        ("--save", ""),
        ("--maxmemory-policy", "noeviction"),
    ];
    let mut command = Command::new("redis-server");
    command.arg("--dir").arg(folder);
    for (name, value) in settings {
        command.arg(name).arg(value);
    }
    // A group of its own: Ctrl-C in the terminal is for the host, which ends the server last.
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn did_not_start(folder: &Path) -> RedisServerError {
    let log = std::fs::read(folder.join("redis.log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log).into_owned();
    let lines: Vec<&str> = log.lines().collect();
    let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
    let log = lines.get(from..).unwrap_or_default().join("\n");
    RedisServerError::DidNotStart { folder: folder.to_owned(), log }
}

/// Whether the server of this very folder is on `port` and has loaded its data.
async fn answers(port: u16, folder: &Path) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if TcpStream::connect(address).await.is_err() {
        return false;
    }
    let ask = async {
        let mut server = connect(&client(&url(port))?, RedisTimeouts::default()).await?;
        redis::cmd("PING").exec_async(&mut server).await?;
        redis::cmd("CONFIG").arg("GET").arg("dir").query_async::<Vec<String>>(&mut server).await
    };
    ask.await.is_ok_and(|answer| answer.get(1).is_some_and(|dir| Path::new(dir) == folder))
}

async fn end_left_behind(folder: &Path) -> Result<(), RedisServerError> {
    let port = std::fs::read_to_string(folder.join(PORT_FILE)).ok();
    let Some(port) = port.and_then(|port| port.trim().parse::<u16>().ok()) else { return Ok(()) };
    if !answers(port, folder).await {
        return Ok(());
    }
    tracing::warn!(port, "ending a redis-server that a killed host left behind");
    let deadline = Instant::now() + END_TIMEOUT;
    while answers(port, folder).await {
        if Instant::now() > deadline {
            return Err(RedisServerError::LeftBehind { folder: folder.to_owned(), port });
        }
        ask_to_end(port).await;
        tokio::time::sleep(START_POLL).await;
    }
    Ok(())
}

async fn ask_to_end(port: u16) {
    let ask = async {
        let mut server = connect(&client(&url(port))?, RedisTimeouts::default()).await?;
        redis::cmd("SHUTDOWN").arg("NOSAVE").exec_async(&mut server).await
    };
    // It closes the connection instead of answering, so an error says nothing.
    let _closed = ask.await.is_err();
}

async fn end(child: &mut Child, port: u16) {
    ask_to_end(port).await;
    if tokio::time::timeout(END_TIMEOUT, child.wait()).await.is_err()
        && let Err(error) = child.kill().await
    {
        tracing::warn!(%error, "redis-server could not be killed");
    }
}

/// Restarts the server whenever it dies, until told to stop.
async fn keep(mut child: Child, folder: PathBuf, port: u16, mut stop: Stop) {
    let mut pause = RESTART_PAUSE_MIN;
    loop {
        let started = Instant::now();
        tokio::select! {
            () = stop.wait() => return end(&mut child, port).await,
            status = child.wait() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                emit(RedisServerDied { status, port });
            }
        }
        if started.elapsed() > RESTART_CALM {
            pause = RESTART_PAUSE_MIN;
        }
        child = loop {
            tokio::select! {
                () = stop.wait() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RESTART_PAUSE_MAX),
            }
            // When told to stop while it starts, dropping the start kills it.
            let started = tokio::select! {
                () = stop.wait() => return,
                started = start_on(&folder, port) => started,
            };
            match started {
                Ok(child) => break child,
                Err(error) => emit(RedisServerStuck { error }),
            }
        };
        emit(RedisServerBack { port });
    }
}

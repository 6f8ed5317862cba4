//! `homeostat up`: start the application and keep it until told to stop.
//!
//! Does not: know how to start it (see `app`).
//! Invariant: Ctrl-C and SIGTERM let what is in flight finish; a second one does not wait.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Composition};
use crate::app::{App, AppError, Options, Running};
use crate::template::is_variable_name;

const EXAMPLES: &str = "\
Examples:
  homeostat up
  homeostat up --listen 0.0.0.0:8080 --state-dir /var/lib/homeostat --config homeostat.toml
  homeostat up --variable webhook_secret_github=s3cret
  SPIN_VARIABLE_WEBHOOK_SECRET_GITHUB=s3cret homeostat up      (keeps it out of the process list)
  homeostat up --runtime-config-file runtime-config.toml       (key-value on Redis)

Exit codes: 0 stopped when asked to, 1 failed, 2 the arguments or a file are wrong";

/// The arguments of `homeostat up`. No `Debug`: variables hold secrets.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Where to serve HTTP; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where to keep state: Redis data, key-value file, compiled components, API token
    /// [default: .homeostat]
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// A Redis server to use, redis://HOST:PORT, instead of starting a private one
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis: Option<String>,
    /// Apply this configuration once everything runs
    #[arg(long, value_name = "homeostat.toml")]
    config: Option<PathBuf>,
    /// Set an application variable; may be repeated
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// The manifest to run
    #[arg(long, default_value = "spin.toml", value_name = "FILE")]
    from: PathBuf,
    /// Key-value stores, variable providers and limits, as for `spin up`
    #[arg(long, env = "RUNTIME_CONFIG_FILE", value_name = "FILE")]
    runtime_config_file: Option<PathBuf>,
    /// How long a component may take to begin a response, in seconds, from 1 to 3600
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    request_timeout: u64,
}

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "expected NAME=VALUE".to_owned())?;
    if !is_variable_name(name) {
        return Err(format!("`{name}` is not a variable name; expected lower-case words joined by `_`"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

impl Arguments {
    fn options(self, composition: Composition) -> Result<Options, CliError> {
        if let Some(file) = &self.config {
            let Some(read) = &composition.read_config else {
                return Err(CliError::Usage("--config: this build cannot apply a configuration".to_owned()));
            };
            read(file).map_err(CliError::Usage)?;
        }
        Ok(Options {
            runtime_config: self.runtime_config_file,
            listen: self.listen,
            state_dir: self.state_dir,
            redis: self.redis,
            variables: self.variables.into_iter().collect(),
            environment: environment(),
            config: self.config,
            request_timeout: Duration::from_secs(self.request_timeout),
            ticker: composition.ticker,
            on_ready: composition.on_ready,
            progress: Arc::new(say),
            ..Options::new(self.from)
        })
    }
}

/// The environment, without what is not text.
fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

fn say(line: &str) {
    // Nobody reads it any more: no reason to stop serving.
    let _unread = writeln!(std::io::stdout(), "{line}").is_err();
}

/// Starts, waits for a signal, stops.
///
/// # Errors
/// When it does not start, or a part of it ends by itself.
pub async fn run(arguments: Arguments, composition: Composition) -> Result<(), CliError> {
    let mut signals = Signals::new()?;
    let options = arguments.options(composition)?;
    let mut starting = pin!(App::start(options));
    let running = tokio::select! {
        running = &mut starting => running?,
        () = signals.next() => return stop_once_started(starting, signals).await,
    };
    serve(running, signals).await
}

/// A signal that comes while everything starts: it may answer requests already, and those finish.
async fn stop_once_started(
    starting: Pin<&mut impl Future<Output = Result<Running, AppError>>>,
    mut signals: Signals,
) -> Result<(), CliError> {
    say("Stopping once the start has come to its end; again to stop at once");
    tokio::select! {
        running = starting => running?.shutdown().await,
        () = signals.next() => {}
    }
    Ok(())
}

async fn serve(mut running: Running, mut signals: Signals) -> Result<(), CliError> {
    let failed = tokio::select! {
        () = signals.next() => false,
        () = running.ended() => true,
    };
    say("Stopping; work in flight is finished first");
    tokio::select! {
        () = running.shutdown() => {}
        () = signals.next() => return Err(CliError::Failure(anyhow::anyhow!("stopped without waiting"))),
    }
    if failed {
        Err(CliError::Failure(anyhow::anyhow!("a part of the application ended; see the log")))
    } else {
        Ok(())
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(|error| CliError::Failure(error.into()));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

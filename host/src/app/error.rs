//! Why the application did not start.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config_file::ConfigError;
use crate::engine::LoadError;
use crate::factors::kv::StoreError;
use crate::redis_server::RedisServerError;
use crate::state_dir::StateDirError;
use crate::variables::VariablesError;

/// Why the application did not start; each says what to do next where there is something to do.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A configuration file cannot be read at all.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// There is no manifest.
    #[error(
        "{0}: no such file; start it in the folder of the manifest, or name that with --from FOLDER/spin.toml"
    )]
    NoManifest(PathBuf),
    /// The manifest or the runtime configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Variables are missing or unknown.
    #[error(transparent)]
    Variables(#[from] VariablesError),
    /// The address of the Redis server cannot be used. The address is left out: it may hold a password.
    #[error("the Redis address cannot be used: {0}")]
    RedisAddress(&'static str),
    /// Development mode on an address that others can reach.
    #[error(
        "dev_mode=true accepts unsigned webhooks and needs no token, so it serves loopback only; \
         {0} is not: use --listen 127.0.0.1:3000, or leave dev_mode off"
    )]
    DevModeOpen(SocketAddr),
    /// The state folder cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The address to serve cannot be had.
    #[error("cannot listen on {address}: {source}; choose another with --listen, or port 0 for any")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// The Redis server that was named does not answer.
    #[error(
        "Redis at {address} does not answer: {source}; start it or mend the address, or leave --redis and \
         redis_url out for a private one"
    )]
    Redis {
        /// The address, without password.
        address: String,
        /// The client's words.
        source: redis::RedisError,
    },
    /// The private Redis server does not run.
    #[error(transparent)]
    RedisServer(#[from] RedisServerError),
    /// A key-value store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine does not start.
    #[error("the WebAssembly engine does not start: {0:#}")]
    Engine(wasmtime::Error),
    /// A component cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What was to be done once it listens failed.
    #[error("{0:#}")]
    OnReady(anyhow::Error),
    /// A mistake in this program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl AppError {
    /// Whether the operator's input is at fault, and trying again will not help.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Read { .. }
                | Self::NoManifest(_)
                | Self::Config(_)
                | Self::Variables(_)
                | Self::RedisAddress(_)
                | Self::DevModeOpen(_)
        )
    }
}

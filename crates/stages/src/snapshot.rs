//! What a drain reads before it starts: the configuration and the policy, with their versions.
//!
//! Both are frozen for the whole drain, so that each decision names the versions it was made with.

use homeostat_policy::Policy;
use homeostat_schema::config::Config;
use serde::{Deserialize, Serialize};

/// The hash that holds the configuration: fields `version` and `json`.
pub const CONFIG_KEY: &str = "hs:config";
/// The key-value snapshot of the same.
pub const CONFIG_SNAPSHOT: &str = "config";
/// The key-value snapshot of the learned policy.
pub const POLICY_SNAPSHOT: &str = "policy";

/// The key-value snapshot of one service's health.
pub fn health_snapshot(env: &str, service: &str) -> String {
    format!("health/{env}/{service}")
}

/// A configuration and the version it was applied as; 0 is the built-in one.
/// The key-value snapshot holds it in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versioned {
    /// Grows with each change.
    pub version: u64,
    /// The whole configuration.
    pub config: Config,
}

/// A stored snapshot cannot be read, so nothing may be decided.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The configuration's version is not a number.
    #[error("the stored configuration has no valid version: apply homeostat.toml again")]
    Version,
    /// The configuration does not parse or is not valid.
    #[error("the stored configuration is not valid, apply homeostat.toml again: {0}")]
    Config(String),
    /// The policy does not parse.
    #[error("the stored policy cannot be read: {0}")]
    Policy(String),
}

/// Reads the configuration as stored; absent is the built-in one.
///
/// # Errors
/// [`SnapshotError`] when what is stored is not a valid configuration. It is never replaced by
/// a default: that could loosen a guard.
pub fn read_config(version: Option<&[u8]>, json: Option<&[u8]>) -> Result<Versioned, SnapshotError> {
    let Some(json) = json else {
        return Ok(Versioned { version: 0, config: Config::default() });
    };
    let version = version
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|text| text.parse().ok())
        .ok_or(SnapshotError::Version)?;
    let config =
        Config::from_json(json, CONFIG_KEY).map_err(|error| SnapshotError::Config(error.to_string()))?;
    Ok(Versioned { version, config })
}

/// Reads the policy as stored; absent is a new one.
///
/// # Errors
/// [`SnapshotError::Policy`] when what is stored cannot be read.
pub fn read_policy(bytes: Option<&[u8]>) -> Result<Policy, SnapshotError> {
    Policy::decode(bytes).map_err(|error| SnapshotError::Policy(error.to_string()))
}

//! What a drain reads before it starts: the configuration and the policy, with their versions.
//!
//! Both are frozen for the whole drain, so that each decision names the versions it was made with.

use homeostat_policy::Policy;
use homeostat_schema::config::Config;
use homeostat_schema::time;
use serde::{Deserialize, Serialize};

use crate::view::ServiceView;

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

/// How old the copy of a service's health may get while only its times and figures change,
/// milliseconds. A copy is written to disk before the next message is taken, so that copying every
/// event of a busy service would hold up the detector.
const HEALTH_COPY_AGE_MS_MAX: u64 = 5_000;

/// Whether a service's health is to be copied over the copy there is: at once when verdict or
/// release changed or the copy cannot be read, else when the copy is old enough.
pub fn is_worth_copying(copy: Option<&[u8]>, health: &[u8]) -> bool {
    let read = |bytes| serde_json::from_slice::<ServiceView>(bytes).ok();
    let (Some(old), Some(new)) = (copy.and_then(read), read(health)) else { return true };
    let told = |view: &ServiceView| (view.health.verdict, view.version.clone(), view.commit.clone());
    if told(&old) != told(&new) {
        return true;
    }
    match (time::parse(&old.updated_at), time::parse(&new.updated_at)) {
        (Ok(old), Ok(new)) => new.saturating_sub(old) >= HEALTH_COPY_AGE_MS_MAX,
        _ => true,
    }
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

#[cfg(test)]
mod tests {
    use super::is_worth_copying;

    fn view(verdict: &str, commit: &str, at: &str) -> Vec<u8> {
        format!(
            r#"{{"env":"stage","service":"shop","health":{{"verdict":"{verdict}","score":90.0,"because":[]}},"commit":"{commit}","updated_at":"2026-01-10T12:00:{at}Z"}}"#
        )
        .into_bytes()
    }

    #[test]
    fn health_is_copied_when_it_changed_or_the_copy_is_old() {
        let copy = view("healthy", "abc", "00");
        let check = |new: &[u8], expected| assert_eq!(is_worth_copying(Some(&copy), new), expected);
        check(&view("healthy", "abc", "04.999"), false);
        check(&view("healthy", "abc", "05"), true);
        check(&view("bad", "abc", "01"), true);
        check(&view("healthy", "def", "01"), true);
        check(b"not a view", true);
        assert!(is_worth_copying(None, &copy));
        assert!(is_worth_copying(Some(b"not a view"), &copy));
    }
}

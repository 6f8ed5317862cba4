//! How durable a Redis server is, judged by what it says of itself.
//!
//! Does not: ask; what was told is passed in, and a managed server may tell nothing.

use std::collections::BTreeMap;

/// The settings to ask for.
pub const SETTINGS: [&str; 3] = ["appendonly", "appendfsync", "maxmemory-policy"];

/// What to do about it, in whole.
pub const RUNBOOK: &str = "docs/runbooks/redis-not-durable.md";

/// What the server said, by setting.
pub type Told = BTreeMap<String, String>;

/// What one answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// As it should be.
    Good(&'static str),
    /// It does not say.
    Untold(&'static str),
    /// A choice that may surprise.
    Weak(Fault),
    /// What was acknowledged is lost in time.
    Lossy(Fault),
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// To be read after the server's address.
    pub text: String,
    /// In one line.
    pub mend: String,
}

impl Judged {
    /// What is wrong, if anything.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Good(_) | Self::Untold(_) => None,
            Self::Weak(fault) | Self::Lossy(fault) => Some(fault),
        }
    }
}

/// Persistence, then eviction where it is told.
pub fn judge(told: &Told) -> Vec<Judged> {
    let value = |name: &str| told.get(name).map(String::as_str);
    let persistence = persistence(value("appendonly"), value("appendfsync"));
    std::iter::once(persistence).chain(value("maxmemory-policy").map(eviction)).collect()
}

fn persistence(appendonly: Option<&str>, appendfsync: Option<&str>) -> Judged {
    match (appendonly, appendfsync) {
        (None, _) => {
            Judged::Untold("does not tell how durable it is; ask whoever runs it for AOF persistence")
        }
        (Some("yes"), Some("always")) => Judged::Good("every write is on disk before it is acknowledged"),
        (Some("yes"), _) => Judged::Weak(fault(
            "a power cut loses the last second or two of what was acknowledged",
            "CONFIG SET appendfsync always",
        )),
        _ => Judged::Lossy(fault(
            "keeps nothing over a restart: events, incidents and the configuration are lost with it",
            "CONFIG SET appendonly yes, CONFIG SET appendfsync always",
        )),
    }
}

fn eviction(policy: &str) -> Judged {
    if policy == "noeviction" {
        return Judged::Good("drops no keys when memory is short");
    }
    let text = format!("may drop our keys when memory is short (maxmemory-policy {policy})");
    Judged::Lossy(fault(text, "CONFIG SET maxmemory-policy noeviction"))
}

fn fault(text: impl Into<String>, set: &str) -> Fault {
    Fault { text: text.into(), mend: format!("{set}, and the same in redis.conf; {RUNBOOK}") }
}

//! Stand-ins that keep state and can fail, and helpers to run the app against them.
//!
//! Tests and `homeostat demo` use it. It holds no list of canned answers: what a stand-in says
//! follows from what was done to it. It does not decide whether Homeostat behaved well.
//!
//! Invariant: a stand-in refuses what the real system refuses (no token, no `User-Agent`, a stale
//! resource version), so that a request accepted here has the shape the real system takes.

pub mod alertmanager;
pub mod api;
pub mod app;
pub mod company;
pub mod fault;
pub mod github;
pub mod gitlab;
pub mod group;
pub mod http;
pub mod kubernetes;
pub mod landscape;
pub mod payloads;
pub mod port;
pub mod redis;
pub mod runtime;
pub mod senders;
pub mod server;
pub mod sink;
pub mod slack;
pub mod world;

/// Milliseconds since the epoch, by the wall clock.
pub fn now_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// RFC 3339 in UTC with whole seconds, as GitHub and Kubernetes write it.
pub fn rfc3339(at_ms: u64) -> String {
    let seconds = i64::try_from(at_ms / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339_millis(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

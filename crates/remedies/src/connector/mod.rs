//! Connectors: what to ask of GitHub, Kubernetes and Slack, and what their replies mean.
//!
//! A [`Session`] is one execution of a plan as a conversation: it says what to send, is told what
//! came back, and ends in a [`Report`]. The caller carries the bytes and adds the secret that
//! [`Auth`] names.
//!
//! What can be promised of each, and so what a crash in the middle leads to:
//!
//! | remedy | class | how it is asked whether it was done |
//! |---|---|---|
//! | re-run failed jobs | probe | the run's `run_attempt` is above the one that failed |
//! | redeploy | probe | a deployment's payload carries the idempotency key |
//! | rollback, scale up | probe | the Deployment's annotation `homeostat.dev/attempt` is the key |
//! | notify | at most once | it cannot be asked: an unknown result is not repeated |
//!
//! A reply that refuses (4xx) is `failed`: nothing happened. A server error or no answer after a
//! request that changes something is `unknown` until a look says otherwise.
//!
//! Dry run: a session of a dry-run plan reads what it must, and in place of the first request that
//! changes something it records that request and ends.
//!
//! What this does not do: it follows no redirect, repeats no change, and reads no clock.
//!
//! Invariant: at most [`EXCHANGES_MAX`] requests a session, none of them carrying a secret, and no
//! URL made of anything but the configuration, a run's digits and a commit's hexadecimal digits.

pub(crate) mod check;
mod github;
mod kubernetes;
mod session;
mod slack;
#[cfg(test)]
mod tests;
mod wire;

use homeostat_schema::types::{AttemptResult, Exchange, Plan, Request};

pub use session::Session;

/// Requests per session. A rollback that meets one conflict needs 6; two more may be lost.
pub const EXCHANGES_MAX: usize = 8;
/// Largest body read from a reply, bytes; a page of 50 ReplicaSets is well below 1 MiB.
pub const REPLY_BYTES_MAX: usize = 4 << 20;
/// Longest time one request may take, milliseconds. Whoever carries a session bounds the whole of
/// it by what is left of the lease.
pub const REQUEST_TIMEOUT_MS: u64 = 5_000;
/// Longest body kept of a request, characters; for the record, what is sent is never cut.
pub const RECORDED_BODY_CHARS_MAX: usize = 2_048;

/// Where the services are: origins (`https://api.github.com`), no path, no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// GitHub's API.
    pub github_origin: String,
    /// The Kubernetes API server.
    pub kubernetes_origin: String,
    /// Slack's incoming webhooks; empty when nobody is to be told.
    pub slack_origin: String,
}

/// The secret the shell adds to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <github_token>`.
    GitHubToken,
    /// `Authorization: Bearer <kubernetes_token>`.
    KubernetesToken,
    /// The whole URL is the secret: the shell puts it in place of the request's.
    SlackWebhook,
    /// None.
    None,
}

/// A request to carry.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Whole but for the secret.
    pub request: http::Request<Vec<u8>>,
    /// The secret to add.
    pub auth: Auth,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportFailure {
    /// It never left: no connection, name not found.
    NotSent,
    /// It may have arrived: timeout or connection lost on the way.
    NoAnswer,
    /// The host does not let it out, or the secret it needs is not set.
    Denied,
}

/// What came back of an [`Outgoing`].
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The response, its body read up to [`REPLY_BYTES_MAX`] and one byte, or why there is none.
    pub response: Result<&'a http::Response<Vec<u8>>, TransportFailure>,
    /// Milliseconds.
    pub took_ms: u64,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Carry this, then call [`Session::next`] with its reply.
    Send(Outgoing),
    /// It is over.
    Finished(Report),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Done, refused for certain, unknown, or not sent as asked.
    pub result: AttemptResult,
    /// In order; bodies cut at [`RECORDED_BODY_CHARS_MAX`], no secrets.
    pub exchanges: Vec<Exchange>,
    /// One line for a person.
    pub detail: String,
}

/// Whether an earlier worker may have made the call already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookFirst {
    /// No: act at once.
    No,
    /// Perhaps: ask the target before acting.
    Yes,
}

/// A plan no session can be opened for; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    /// No connector carries out this remedy on this target.
    #[error("no connector can {remedy} {target}: check the service's targets in homeostat.toml")]
    NoConnector {
        /// The remedy's name.
        remedy: String,
        /// What it was to work on.
        target: String,
    },
    /// A name that cannot be part of a URL.
    #[error("{what} {value:?} is not a name that can be used in a request: {expected}")]
    BadName {
        /// Which name.
        what: &'static str,
        /// As configured, cut.
        value: String,
        /// What it must look like.
        expected: &'static str,
    },
    /// An origin that is not one.
    #[error("the origin {value:?} is not scheme and host only, such as https://api.github.com")]
    BadOrigin {
        /// As configured, cut.
        value: String,
    },
    /// The finding names no run to run again.
    #[error("the finding names no workflow run by number, so there is nothing to run again")]
    NoRun,
    /// Nobody said how many replicas there are to be.
    #[error("the finding does not say how many replicas would do, so there is nothing to scale to")]
    NoReplicas,
    /// No good commit is known to go back to.
    #[error("no good commit is known for this service, so there is nothing to deploy again")]
    NoLastGood,
}

/// The first request that would change something, as it would be sent, or `None` when no session
/// could be opened. For a rollback the resource version and the template are read just before, so
/// their places say so.
pub fn preview(plan: &Plan, endpoints: &Endpoints) -> Option<Request> {
    try_preview(plan, endpoints).ok()
}

/// As [`preview`], with the reason why there is none.
pub(crate) fn try_preview(plan: &Plan, endpoints: &Endpoints) -> Result<Request, ConnectorError> {
    Ok(session::Talk::open(plan, endpoints, LookFirst::No)?.preview())
}

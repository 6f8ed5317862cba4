//! Reconciling: what senders say they sent is held against what arrived, and what is missing is
//! asked for again. Pulling: Prometheus is asked for numbers, which it sends to nobody.
//!
//! A [`Look`] is one conversation: it says what to do next ([`Next`]), is told what came of it
//! ([`Answer`]), and ends in a [`Report`] with the [`Memory`] for the next look.
//!
//! | asked | how | what is missing |
//! |---|---|---|
//! | a GitHub webhook, a GitHub App | its list of deliveries | is delivered again |
//! | a GitLab webhook | its list of events | is sent again |
//! | Alertmanager | its firing alerts | is taken in as if it had been sent |
//! | a source's rhythm | nobody: when its events came | is a finding, when it is silent too long |
//! | Prometheus | range queries, since the last step taken | is told as a failed scrape |
//!
//! What this does not do: it opens no connection, reads no clock, follows no redirect and no
//! address in an answer.
//!
//! Invariants: at most [`EXCHANGES_MAX`] requests a look; each missing delivery is asked for at
//! most [`ASKS_MAX`] times; what is remembered is bounded; no request carries a secret.

mod alertmanager;
mod github;
mod gitlab;
mod ledger;
mod look;
mod memory;
mod pull;
mod rhythm;
mod wire;

pub use ledger::{ASKS_MAX, PAGES_MAX};
pub use look::Look;
pub use memory::{DecodeError, Memory};
pub use pull::{Observation, SOURCE as PROMETHEUS, STEPS_MAX};
pub use rhythm::Silence;

/// Requests of one look: its pages, and as many deliveries asked for as fit into its time.
pub const EXCHANGES_MAX: usize = PAGES_MAX + ledger::ASKS_PER_LOOK_MAX;

/// Longest time one request may take, milliseconds.
pub const REQUEST_TIMEOUT_MS: u64 = 5_000;

/// Largest body read from an answer, bytes: a page of GitLab's events carries what was sent.
pub const REPLY_BYTES_MAX: usize = 16 << 20;

/// Where the systems are: origins (`https://api.github.com`), no path, no secret; empty where
/// there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// GitHub's API.
    pub github: String,
    /// GitLab.
    pub gitlab: String,
    /// Alertmanager.
    pub alertmanager: String,
    /// Prometheus, or what answers its queries.
    pub prometheus: String,
}

/// The secret the shell adds to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <github_token>`.
    GithubToken,
    /// `Authorization: Bearer` and a token signed with `github_app_key` for this App.
    GithubApp(u64),
    /// `PRIVATE-TOKEN: <gitlab_token>`.
    GitlabToken,
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

/// What to do next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a few per look, each moved once")]
pub enum Next {
    /// Carry this; answer with [`Answer::Response`].
    Send(Outgoing),
    /// Say which of these deliveries of the source arrived; answer with [`Answer::Arrived`].
    Compare(Vec<String>),
    /// Take this body in, as if the source had sent it; answer with [`Answer::TakenIn`].
    TakeIn(Vec<u8>),
    /// Take these in, each once; answer with [`Answer::TakenIn`].
    Observe(Vec<Observation>),
    /// Say when events of the source came, later than this (milliseconds since the epoch); answer
    /// with [`Answer::Came`].
    Recall {
        /// Exclusive.
        after_ms: u64,
    },
    /// It is over.
    Finished(Box<Report>),
}

/// What came of it. An answer to another question than the one asked ends the look.
#[derive(Debug)]
pub enum Answer {
    /// To begin.
    Begin,
    /// The response, or why there is none.
    Response(Result<http::Response<Vec<u8>>, String>),
    /// For each delivery, in order.
    Arrived(Vec<bool>),
    /// How many events it was, or why it could not be taken in.
    TakenIn(Result<usize, String>),
    /// Times of receipt in milliseconds since the epoch, in any order.
    Came(Vec<u64>),
    /// Something the answer needs is not there.
    Failed(String),
}

/// How a look ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// For the next look.
    pub memory: Memory,
    /// Deliveries, alerts or steps that were looked at.
    pub seen: usize,
    /// Those that had not arrived; steps that nobody saw.
    pub missing: usize,
    /// Those asked for again, or taken in; observations.
    pub asked: usize,
    /// Those that will not be asked for any more.
    pub given_up: usize,
    /// What went wrong, for a person.
    pub problem: Option<String>,
    /// Not to be looked at again earlier than after so many milliseconds.
    pub wait_ms: Option<u64>,
    /// The source fell silent.
    pub silence: Option<Silence>,
}

//! What a sender said, before service and environment are known and trust is judged.
//!
//! What this does not do: resolve names, decide trust, or make ids.

use homeostat_schema::types::{Correlation, EventKind, Status};
use homeostat_schema::wire::flat::{self, URL_BYTES_MAX};

/// One thing that happened, as its sender tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// In our words, with the sender's names.
    pub said: flat::Draft,
    /// The attempt of ours it echoes. No sender may claim this in the flat form.
    pub own_attempt: Option<String>,
}

/// Says what happened and how far it got, and nothing else.
pub(crate) fn saying(kind: EventKind, status: Status) -> flat::Draft {
    flat::Draft {
        delivery: None,
        kind,
        status,
        service_name: None,
        env_name: None,
        title: None,
        version: None,
        commit: None,
        previous_version: None,
        branch: None,
        duration_ms: None,
        latency_ms: None,
        signals: Vec::new(),
        occurred_at_ms: None,
        actor: None,
        url: None,
        correlation: Correlation { run: None, run_attempt: None, deployment: None, pull_request: None },
        fork: false,
        test: false,
        irreversible: false,
        attributes: Vec::new(),
    }
}

/// The address when a page may link to it: http or https, of bounded length.
pub(crate) fn safe_url(text: &str) -> Option<String> {
    let text = text.trim();
    let web = text.starts_with("https://") || text.starts_with("http://");
    (web && text.len() <= URL_BYTES_MAX && !text.contains(char::is_control)).then(|| text.to_owned())
}

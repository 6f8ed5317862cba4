//! What a source's plug-in is told and what it answers, generated from `wit/source.wit`.
//!
//! What this does not do: check what it answers; [`crate::wire::flat::read_typed`] does.
//!
//! Invariant: [`read`] is called by the component that a plug-in is composed with, and by nothing
//! else; natively there is no plug-in to call.

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod generated {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "source-host",
        additional_derives: [PartialEq],
    });
}

pub use generated::homeostat::schema::source::{Body, Delivery, Draft, Reading, Signal, read};

impl Draft {
    /// An event of this kind, and nothing else said of it.
    pub fn saying(kind: &str) -> Self {
        Self {
            id: None,
            kind: kind.to_owned(),
            status: None,
            subject: None,
            attempt: None,
            service: None,
            env: None,
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
            run: None,
            deployment: None,
            pull_request: None,
            fork: false,
            test: false,
            irreversible: false,
            attributes: Vec::new(),
        }
    }
}

//! The HTTP API: which request means what, who may ask, and what is answered.
//!
//! The component reads a request, calls [`serve::admit`], reads the body up to
//! [`serve::BODY_MAX`], calls [`serve::serve`], and sends the answer.
//!
//! What this crate does not do: it opens no connection and reads no clock; Redis and the
//! key-value store are ports. Like `flow`, it is async only where a port is asked.
//!
//! Invariants: nothing but probes is answered without a token, dev mode on this machine aside;
//! every page, body and scan is bounded; no answer repeats a secret or a payload's values in an
//! error.

pub mod access;
pub mod answer;
pub mod body;
pub mod configuration;
mod dead;
mod events;
mod gate;
mod health;
mod incidents;
pub mod intake;
mod kept;
pub mod letters;
mod listing;
mod metrics;
pub mod openapi;
mod outside;
mod page;
pub mod plug_in;
pub mod port;
pub mod query;
pub mod route;
pub mod serve;
mod services;
mod variables;
pub mod webhook;

pub use access::Access;
pub use answer::{Answer, Problem};
pub use port::{Snapshots, SnapshotsDown};
pub use serve::{BODY_MAX, World, admit};

#[cfg(test)]
mod tests;

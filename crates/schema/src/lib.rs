//! The schema: events, findings, plans, attempts, outcomes and incidents.
//!
//! [`types`] is generated from `wit/types.wit` and is the form used inside and at the plug-in
//! boundary. Its JSON form, identity rules and the configuration are modules beside it.
//!
//! What this crate does not do: it decides nothing, reads no clock and does no I/O.
//!
//! Invariants: floats are finite, checked where a value is made; an unknown kind is kept as
//! `other`, never dropped.

pub mod config;
pub mod id;
pub mod identity;
mod names;
pub mod number;
pub mod secret;
pub mod time;
pub mod types;
pub mod wire;

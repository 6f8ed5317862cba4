//! The schema: events, findings, plans, attempts, outcomes and incidents.
//!
//! [`types`] is generated from `wit/types.wit` and is the form used inside and at the plug-in
//! boundary; [`wire`] is its JSON form. [`identity`] turns senders' names into ours, [`id`] makes
//! identifiers, [`config`] is `homeostat.toml`; [`time`], [`number`] and [`secret`] say what those
//! may be.
//!
//! What this crate does not do: it decides nothing, reads no clock and does no I/O.
//!
//! Invariants: floats are finite, checked where a value is made; an unknown kind is kept as
//! `other`, never dropped.

pub mod config;
pub mod failed_tests;
pub mod id;
pub mod identity;
mod names;
pub mod number;
pub mod plug_in;
pub mod secret;
pub mod time;
pub mod types;
pub mod wire;

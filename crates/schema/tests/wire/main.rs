//! The JSON form of the schema.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod examples;
#[allow(clippy::disallowed_methods, reason = "golden files are read, and written when asked to")]
mod golden;
mod reading;
mod round_trips;
mod strategies;

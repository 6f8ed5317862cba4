//! What a component is granted: one module per capability.
//!
//! Invariant: nothing here is reachable without a grant in the manifest; every refusal is an answer
//! to the guest, never a trap.

pub mod http_out;
pub mod kv;
pub mod output;
pub mod redis;
mod told;
pub mod vars;

//! Webhook sources: authenticate a delivery, read it narrowly, and normalise it into events.
//!
//! The route decides the [`source::Source`]; it decides the scheme of proof, the cap and the
//! reader. [`ingest`] decides what the sender is answered, so that a component only carries it
//! out.
//!
//! What this crate does not do: it opens no connection, reads no clock and draws no randomness;
//! time of receipt and a seed come in as arguments.
//!
//! Invariants: nothing is parsed before it is authenticated; a body we cannot read is never a
//! reason to panic nor to answer 4xx; no error quotes a body, a secret or a signature.

pub mod authenticate;
pub mod draft;
pub mod generic;
pub mod github;
pub mod ingest;
mod json;
pub mod normalise;
pub mod reading;
pub mod source;

pub use draft::{Draft, Subject};
pub use normalise::{Admitted, Delivery, Item, Normalised, normalise};
pub use reading::{NotUnderstood, Raw, Read, Reading};
pub use source::Source;

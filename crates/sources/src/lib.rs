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

mod alertmanager;
mod alerts;
mod argo_rollouts;
mod argocd;
pub mod authenticate;
mod azure_devops;
mod bitbucket;
mod buildkite;
mod cdevents;
mod circleci;
mod clock;
pub mod cloudevents;
mod datadog;
pub mod draft;
mod encoding;
mod flux;
mod forge;
pub mod gate;
pub mod generic;
pub mod github;
mod gitlab;
mod grafana;
pub mod ingest;
pub mod instance;
mod jenkins;
mod json;
mod labels;
mod lenient;
pub mod normalise;
mod pagerduty;
pub mod plug_in;
pub mod reading;
mod said;
pub mod sealed;
pub mod source;
mod standard;
mod tekton;
#[cfg(test)]
mod testing;

pub use authenticate::{Claim, Proof};
pub use draft::{Draft, Subject};
pub use instance::Instance;
pub use normalise::{Admitted, Delivery, Item, Normalised, Share, normalise};
pub use reading::{NotUnderstood, Part, Raw, Read, Reading};
pub use source::Source;

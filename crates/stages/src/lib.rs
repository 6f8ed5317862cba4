//! The loop's stages: the domain crates composed into pure steps on the flow.
//!
//! Detect judges, coordinate weighs what concerns a whole environment, plan decides, act carries
//! out, learn remembers. Each module here decodes an
//! inbox entry, asks one domain crate, and encodes what it answered as effects.
//!
//! What this crate does not do: it holds no rule of its own about health, remedies or learning,
//! and it does no I/O; the act stage is handed a [`act::Carrier`] that does.
//!
//! Invariant: every key, field name and entry form of the domain is named here and nowhere else.

pub mod act;
pub mod coordinate;
pub mod detect;
pub mod emit;
pub mod entry;
pub mod learn;
pub mod log;
pub mod name;
pub mod plan;
pub mod reconcile;
pub mod snapshot;
mod subject;
mod tell;
pub mod view;

pub use act::Act;
pub use coordinate::Coordinate;
pub use detect::Detect;
pub use emit::Emit;
pub use learn::Learn;
pub use plan::PlanStep;
pub use reconcile::Reconcile;

//! Detectors and the health score: events in, findings with their evidence out.
//!
//! One module per detector (`deployment`, `run`, `latency`, `error_rate`, `budget`, `queue`,
//! `telemetry`), each saying when its finding opens and closes; `stream` says when what `latency` and
//! `error_rate` see is proven. `score` turns their parts into one number and
//! a verdict; [`assess()`] answers how a service has been since an attempt.
//!
//! `pipelines` adds to a failed run whether it is flaky or broken, by [`flake`].
//!
//! Beside them, each with a state of its own: [`judge`] (a canary against its baseline), [`series`]
//! (one series against its past, and what it will be), [`burn`] (an objective's budget), [`flake`]
//! (failed builds and tests), [`verify`] (is it fixed), [`cause`] (which change did it),
//! [`capacity`] (will the queue pass) and [`disaster`] (many findings at once), on the tests of
//! [`sequential`]. `canary` brings the first to a service, `budget` brings [`burn`] and [`verify`]
//! to one with an objective, `queue` [`capacity`] to one that says what it can carry. `environment` is what one of them tells those who look at all of them.
//!
//! What this crate does not do: it reads no clock (the caller passes now), performs nothing and
//! plans nothing.
//!
//! Invariants: the state of a service is bounded; deliveries of one deployment or run end in the
//! same state in whatever order they come, and duplicates change nothing; a condition that stays
//! bad opens one finding; missing telemetry is blind and never bad.

mod alerts;
mod arm;
mod assess;
mod budget;
pub mod burn;
mod canary;
pub mod capacity;
pub mod cause;
mod comparison;
mod deployment;
pub mod disaster;
pub mod environment;
mod error_rate;
mod finding;
pub mod flake;
pub mod judge;
mod latency;
mod number;
mod observation;
mod observe;
mod pace;
mod pipelines;
mod plot;
mod progress;
mod queue;
mod recent;
mod releases;
mod report;
mod rhythm;
mod run;
mod said;
mod score;
pub mod sequential;
pub mod series;
mod settings;
mod state;
mod stored;
mod stream;
mod telemetry;
mod text;
mod unread;
mod usual;
pub mod verify;

pub use assess::assess;
pub use comparison::{Comparison, comparison};
pub use observe::{Observed, health, is_overtaken, observe, recheck};
pub use settings::Settings;
pub use state::ServiceState;
pub use stored::StoredError;

//! Is the new version as good as the old one? A verdict that holds however often one looks.
//!
//! A rollout is a set of metrics, each told for the old version (baseline) and the new one
//! (canary), or without an arm. [`Rollout`] gathers observations into batches of event time, feeds
//! each closed batch to the tests of [`crate::sequential`], averages their e-values over metrics,
//! and says watching, healthy, bad or blind, with a score and its reasons. [`Judge`] keeps many
//! rollouts.
//!
//! What this does not do: it reads no clock (time is the observations' own, or given to
//! [`Rollout::tick`]), performs nothing, and does not say which change is to blame.
//!
//! Invariants: while both arms are equally good, `bad` is said with probability at most `alpha`
//! over the whole life of the rollout; duplicates, and the order of observations within a batch,
//! change nothing; missing telemetry is blind and never bad; healthy is never claimed by absence;
//! the state is bounded.

mod batch;
mod closed;
mod contest;
mod decision;
mod events;
mod gauges;
mod histogram;
mod lateness;
mod many;
mod observation;
mod past;
mod read;
mod reasons;
mod rollout;
mod samples;
mod settings;
mod shown;
mod silence;
mod state;
mod stream;
mod watch;
mod words;

pub(crate) use decision::told;
pub use decision::{Because, Decision, Verdict};
pub use histogram::{Histogram, band};
pub use many::{Judge, ROLLOUTS_MAX};
pub use observation::{Arm, Observation, What};
pub use read::ReadError;
pub use rollout::{Ignored, Rollout};
pub use settings::{Settings, SettingsError};
pub use shown::{Glance, Shown};

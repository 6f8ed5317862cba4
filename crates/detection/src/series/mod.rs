//! One series judged from its own past: how unusual is this value, and has the series moved?
//!
//! [`Series`] takes one value after the other and answers each with a novelty score from 0 to 1
//! and a [`Verdict`]; a shift that lasts is found by betting on its residual.
//! [`forecast::Forecast`] says what the next values will be at most.
//!
//! What this does not do: compare with another series (that is a canary's judge), read a clock,
//! fill in what is missing, or call a service bad. A novelty opens a ticket and is never a reason
//! to roll back.
//!
//! Invariants: a value is judged from what came before it only; the state is bounded
//! ([`Series::BYTES_MAX`]) and stored exactly, so that storing and reading it at any point changes
//! nothing after; multiplying all values by the same number above 0 changes no score beyond
//! rounding; no finite input gives NaN or infinity.

mod alarm;
mod clock;
pub mod forecast;
mod habit;
mod histogram;
mod lags;
mod level;
mod novelty;
mod season;
mod shift;
mod state;

pub(crate) use shift::Shift;

pub use clock::Note;
pub use state::{Judged, Series, Settings, Verdict};

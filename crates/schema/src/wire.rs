//! The JSON form of the schema, version 1.0.
//!
//! Field names are snake_case, the names of kinds kebab-case, times RFC 3339, absent options left
//! out. A kind this version does not know is kept by its name; a field it does not know is
//! ignored. Every record here mirrors the generated one of the same name, with `From` both ways.
//! Callers need [`encode`] and [`decode`] only, which work on the generated types:
//!
//! ```
//! use homeostat_schema::{types, wire};
//! let word = br#"{"method":"GET","url":"https://example.com","body":""}"#;
//! let request: types::Request = wire::decode(word)?;
//! assert_eq!(wire::encode(&request), word);
//! # Ok::<(), wire::WireError>(())
//! ```
//!
//! What it does not do: it bounds nesting, not size; whoever reads the bytes bounds those.
//!
//! Invariant: `decode(encode(x)) == x` for every `x` whose floats are finite and whose open kinds
//! were made by `named`. Other floats become the nearest finite one.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

mod act;
mod attributes;
mod depth;
mod fact;
pub mod flat;
mod incident;
mod judge;
mod mirror;
mod plan;
mod sense;
mod target;

pub use act::{Attempt, AttemptResult, Exchange, Outcome, OutcomeKind, Sample};
pub use attributes::Attributes;
pub use depth::{DEPTH_MAX, within_depth};
pub use fact::TimelineFact;
pub use incident::{Incident, IncidentState, LOOKED_AGAIN, OperatorVerb, OperatorWord, TimelineItem};
pub use judge::{
    Assessment, AssessmentRequest, Cause, Evidence, Finding, FindingKind, Health, Plot, PlotPoint, Release,
    Severity, Verdict,
};
pub use plan::{Choice, Decision, Guard, GuardCheck, Mode, Plan, PolicyContext, Prediction, Remedy, Request};
pub use sense::{Correlation, Event, EventKind, Signal, Status, Trust};
pub use target::{GithubTarget, KubernetesTarget, Target};

/// The version of this form; the golden files of each version stay readable.
pub const VERSION: &str = "1.0";

/// A generated type that has a JSON form.
pub trait Wire: Clone + Into<Self::Form> + From<Self::Form> {
    /// The form: a serde type.
    type Form: Serialize + DeserializeOwned;
}

/// Why bytes could not be read as a value.
#[derive(Debug, Error)]
pub enum WireError {
    /// Refused before parsing.
    #[error("arrays and objects nest deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Not JSON, or not of the expected form.
    #[error("{path}: {reason}")]
    Malformed {
        /// The field, such as `health.because[0].bound`; `.` is the whole.
        path: String,
        /// What is wrong, with line and column.
        reason: serde_json::Error,
    },
}

/// The JSON form as text. Cannot fail: forms hold texts, finite numbers, lists and records only.
pub fn encode<T: Wire>(value: &T) -> Vec<u8> {
    let form: T::Form = value.clone().into();
    serde_json::to_vec(&form).expect("a form has no key that is not text")
}

/// Reads the JSON form.
///
/// # Errors
/// [`WireError`], which names the field.
pub fn decode<T: Wire>(json: &[u8]) -> Result<T, WireError> {
    decode_form::<T::Form>(json).map(T::from)
}

/// Reads any serde type with the same bound on nesting and the same errors.
///
/// # Errors
/// [`WireError`], which names the field.
pub fn decode_form<F: DeserializeOwned>(json: &[u8]) -> Result<F, WireError> {
    if !within_depth(json) {
        return Err(WireError::TooDeep);
    }
    // Keeping track of the path costs as much as reading, and only an error needs it.
    if let Ok(form) = serde_json::from_slice(json) {
        return Ok(form);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let malformed = |path: String, reason| WireError::Malformed { path, reason };
    let form = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| malformed(error.path().to_string(), error.into_inner()))?;
    deserializer.end().map_err(|error| malformed(".".to_owned(), error))?;
    Ok(form)
}

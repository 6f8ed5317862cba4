//! Events as anyone may submit them: one or a list, each in the flat or the full form.
//!
//! Flat, told by its field `event`:
//!
//! ```json
//! {"event":"deployment","env":"stage","status":"success","latency":2300,
//!  "timestamp":"2025-11-27T12:00:00Z","dataset":"student_scores.csv"}
//! ```
//!
//! A number may stand for a text. Fields it does not know become attributes. Full, told by its
//! field `kind`: the JSON form of an [`Event`](super::Event), of which only `kind` is required.
//!
//! What it does not do: resolve the sender's names, decide trust, make ids or look at a clock. A
//! submission cannot claim to be signed, fresh or our own echo; it can say that it is a test or
//! comes from a fork, which only lowers what it may lead to.
//!
//! Invariant: everything in a [`Draft`] is bounded and finite; an error never repeats a value.

use serde_json::{Map, Value};
use thiserror::Error;

use super::depth::{DEPTH_MAX, within_depth};
use crate::failed_tests;
use crate::types::{Correlation, EventKind, Signal, Status};

mod fields;
mod full;
mod typed;

use fields::Fields;
pub use typed::read_typed;

/// The body cap of the generic source.
pub const BYTES_MAX: usize = 1024 * 1024;
/// Items of one submission; more would not fit one step of the loop.
pub const ITEMS_MAX: usize = 1_000;
/// Attributes kept of one event, in order of their names; the rest is dropped.
pub const ATTRIBUTES_MAX: usize = 32;
/// Signals of one event.
pub const SIGNALS_MAX: usize = 32;
/// Longest text kept, in characters; longer ones are cut.
pub const TEXT_CHARS_MAX: usize = 256;
/// Longest address kept, in bytes; a longer one is dropped, as half of it would lead elsewhere.
pub const URL_BYTES_MAX: usize = 2_048;

/// What a sender said, in our words but with its names.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The sender's own id for it, by which a repetition is known.
    pub delivery: Option<String>,
    /// What happened.
    pub kind: EventKind,
    /// How far it got; `unknown` when not said.
    pub status: Status,
    /// The sender's name for the service.
    pub service_name: Option<String>,
    /// The sender's name for the environment.
    pub env_name: Option<String>,
    /// What it is, for people.
    pub title: Option<String>,
    /// The version it is about.
    pub version: Option<String>,
    /// The commit it ran for.
    pub commit: Option<String>,
    /// The version before.
    pub previous_version: Option<String>,
    /// The branch or tag it ran for.
    pub branch: Option<String>,
    /// Milliseconds.
    pub duration_ms: Option<u64>,
    /// Milliseconds; finite, at least 0.
    pub latency_ms: Option<f64>,
    /// Numeric observations; at most [`SIGNALS_MAX`].
    pub signals: Vec<Signal>,
    /// By the sender's clock, milliseconds since the epoch.
    pub occurred_at_ms: Option<u64>,
    /// Who started it.
    pub actor: Option<String>,
    /// Where to look at it; http or https only.
    pub url: Option<String>,
    /// The sender's own names for what belongs together.
    pub correlation: Correlation,
    /// The sender says it comes from a fork.
    pub fork: bool,
    /// The sender says it is a test.
    pub test: bool,
    /// It must not be rolled back automatically.
    pub irreversible: bool,
    /// Further fields, by name; at most [`ATTRIBUTES_MAX`].
    pub attributes: Vec<(String, String)>,
}

impl Draft {
    /// Says what happened and how far it got, and nothing else.
    pub fn saying(kind: EventKind, status: Status) -> Self {
        Self {
            delivery: None,
            kind,
            status,
            service_name: None,
            env_name: None,
            title: None,
            version: None,
            commit: None,
            previous_version: None,
            branch: None,
            duration_ms: None,
            latency_ms: None,
            signals: Vec::new(),
            occurred_at_ms: None,
            actor: None,
            url: None,
            correlation: Correlation { run: None, run_attempt: None, deployment: None, pull_request: None },
            fork: false,
            test: false,
            irreversible: false,
            attributes: Vec::new(),
        }
    }
}

/// Why a submission could not be read. Safe to show to the sender.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmissionError {
    /// Refused before it was parsed.
    #[error("the body is larger than {BYTES_MAX} bytes")]
    TooLarge,
    /// Refused before it was parsed.
    #[error("arrays and objects nest deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Not JSON.
    #[error("not JSON: line {line}, column {column}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1; 0 for the end of a line.
        column: usize,
    },
    /// Neither an object nor a list.
    #[error("an event or a list of events is expected")]
    NotEvents,
    /// A list that is too long.
    #[error("{count} events, but at most {ITEMS_MAX} are taken at once")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A field that is missing or of another type.
    #[error("item {item}, field `{field}`: {reason}")]
    Field {
        /// Index in the list, from 0; 0 for a single event.
        item: usize,
        /// Its path.
        field: String,
        /// What is expected.
        reason: String,
    },
}

/// A wrong field of one item.
pub(super) struct FieldError {
    pub(super) field: String,
    pub(super) reason: String,
}

/// Reads a submission: one event or a list of at most [`ITEMS_MAX`], each flat or full. All or
/// nothing; an empty list gives no event.
///
/// # Errors
/// [`SubmissionError`], which names the item and the field.
pub fn parse_submission(json: &[u8]) -> Result<Vec<Draft>, SubmissionError> {
    if json.len() > BYTES_MAX {
        return Err(SubmissionError::TooLarge);
    }
    if !within_depth(json) {
        return Err(SubmissionError::TooDeep);
    }
    let value: Value = serde_json::from_slice(json)
        .map_err(|error| SubmissionError::NotJson { line: error.line(), column: error.column() })?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(_) => vec![value],
        _ => return Err(SubmissionError::NotEvents),
    };
    if items.len() > ITEMS_MAX {
        return Err(SubmissionError::TooMany { count: items.len() });
    }
    let read = |(item, value)| {
        read_item(value).map_err(|FieldError { field, reason }| SubmissionError::Field {
            item,
            field,
            reason,
        })
    };
    items.into_iter().enumerate().map(read).collect()
}

fn read_item(value: Value) -> Result<Draft, FieldError> {
    let wrong = |field: &str, reason: &str| FieldError { field: field.to_owned(), reason: reason.to_owned() };
    match value {
        Value::Object(fields) if fields.contains_key("event") => read_flat(fields),
        Value::Object(fields) if fields.contains_key("kind") => full::read(Value::Object(fields)),
        Value::Object(_) => Err(wrong("event", "missing: what happened, such as `deployment`")),
        _ => Err(wrong(".", "an object is expected")),
    }
}

/// Reads the flat form. A field with two names is read by the first that is there.
fn read_flat(fields: Map<String, Value>) -> Result<Draft, FieldError> {
    let mut fields = Fields::new(fields);
    let kind = fields.text(&["event"])?.ok_or_else(|| FieldError {
        field: "event".to_owned(),
        reason: "a name is expected, such as `deployment`".to_owned(),
    })?;
    let status = fields.text(&["status", "state", "conclusion"])?;
    Ok(Draft {
        delivery: fields.text(&["id"])?,
        kind: event_kind(&kind),
        status: status.map_or(Status::Unknown, |status| flat_status(&status)),
        service_name: fields.text(&["service"])?,
        env_name: fields.text(&["env", "environment"])?,
        title: fields.text(&["title"])?,
        version: fields.text(&["version"])?,
        commit: fields.text(&["commit", "sha"])?,
        previous_version: fields.text(&["previous_version"])?,
        branch: fields.text(&["branch"])?,
        duration_ms: fields.count(&["duration_ms", "duration"])?,
        latency_ms: fields.amount(&["latency_ms", "latency"])?,
        signals: flat_signals(&mut fields)?,
        occurred_at_ms: fields.time(&["timestamp", "occurred_at", "time"])?,
        actor: fields.text(&["actor"])?,
        url: fields.text(&["url"])?.as_deref().and_then(safe_url),
        correlation: Correlation {
            run: fields.text(&["run"])?,
            run_attempt: fields.small_count(&["run_attempt"])?,
            deployment: fields.text(&["deployment"])?,
            pull_request: fields.text(&["pull_request"])?,
        },
        fork: fields.flag(&["fork"])?,
        test: fields.flag(&["test"])?,
        irreversible: fields.flag(&["irreversible"])?,
        attributes: attributes(fields)?,
    })
}

/// The rest, and which tests failed.
fn attributes(mut fields: Fields) -> Result<Vec<(String, String)>, FieldError> {
    let tests = fields.texts(&["failed_tests"])?;
    let told = failed_tests::told(tests.iter().map(String::as_str));
    let told = told.map(|told| (failed_tests::ATTRIBUTE.to_owned(), told));
    let rest = fields.rest().into_iter().filter(|(name, _)| name != failed_tests::ATTRIBUTE);
    Ok(told.into_iter().chain(rest).take(ATTRIBUTES_MAX).collect())
}

/// `error_rate` (0 to 1), resting on `requests` measurements when that is given.
fn flat_signals(fields: &mut Fields) -> Result<Vec<Signal>, FieldError> {
    let Some(value) = fields.amount(&["error_rate"])? else { return Ok(Vec::new()) };
    if value > 1.0 {
        let reason = "a share from 0 to 1 is expected".to_owned();
        return Err(FieldError { field: "error_rate".to_owned(), reason });
    }
    let samples = fields.count(&["requests"])?.unwrap_or(1);
    Ok(vec![Signal { name: "error-rate".to_owned(), value, unit: "1".to_owned(), samples }])
}

/// Our name of a kind, or the usual words for it; any other is kept.
fn event_kind(theirs: &str) -> EventKind {
    match folded(theirs).as_str() {
        "deploy" | "deployed" => EventKind::Deployment,
        "rolled-back" | "roll-back" => EventKind::Rollback,
        "pipeline" | "workflow" | "workflow-run" | "build" => EventKind::Run,
        "push" => EventKind::Change,
        "metric" | "metrics" => EventKind::Observation,
        name => match EventKind::named(name) {
            EventKind::Other(_) => EventKind::named(theirs.trim()),
            known => known,
        },
    }
}

/// Our name of a status, or the usual words for it; any other is kept.
fn flat_status(theirs: &str) -> Status {
    match folded(theirs).as_str() {
        "succeeded" | "successful" | "passed" | "ok" => Status::Success,
        "failed" | "fail" | "error" | "errored" => Status::Failure,
        "canceled" | "aborted" => Status::Cancelled,
        "pending" => Status::Queued,
        "in-progress" | "started" => Status::Running,
        name => match Status::named(name) {
            Status::Other(_) => Status::named(theirs.trim()),
            known => known,
        },
    }
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase().replace(['_', ' '], "-")
}

/// The address, when a page may link to it: http or https, of at most [`URL_BYTES_MAX`].
pub fn safe_url(text: &str) -> Option<String> {
    let text = text.trim();
    let web = text.starts_with("https://") || text.starts_with("http://");
    (web && text.len() <= URL_BYTES_MAX && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// At most [`TEXT_CHARS_MAX`] characters, without white space around; `None` when nothing is left.
pub fn bounded(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(TEXT_CHARS_MAX).collect())
}

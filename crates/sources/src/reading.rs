//! What reading a delivery leads to.

use homeostat_schema::wire::flat::SubmissionError;
use http::HeaderMap;

use crate::draft::Draft;
use crate::json::BodyError;

/// What a reader is given: a delivery that was let in.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    /// As received.
    pub headers: &'a HeaderMap,
    /// As received and as signed.
    pub body: &'a [u8],
}

/// What a reader made of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The sender's id of the delivery, the same when it is sent again. `None` when there is none.
    pub id: Option<String>,
    /// What it says.
    pub reading: Reading,
}

/// A delivery that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// What happened, in the sender's order.
    Items(Vec<Draft>),
    /// Understood, and not of interest: why.
    Ignored(String),
    /// A batch of which not everything became an event: what became of each, in the sender's order.
    Batch(Vec<Part>),
}

/// What became of one event of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// It says this.
    Said(Box<Draft>),
    /// Understood, and not of interest: why.
    Ignored(String),
    /// It cannot be understood.
    NotUnderstood(NotUnderstood),
}

/// A verified delivery that cannot be understood. Safe to show: holds no text of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUnderstood(String);

impl NotUnderstood {
    /// For this reason, which must not quote the body.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self(format!("the field {field} is missing"))
    }
}

impl From<SubmissionError> for NotUnderstood {
    fn from(error: SubmissionError) -> Self {
        Self(error.to_string())
    }
}

impl From<BodyError> for NotUnderstood {
    fn from(error: BodyError) -> Self {
        Self(error.to_string())
    }
}

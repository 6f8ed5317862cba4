//! What the readers of GitHub, GitLab and Bitbucket have in common.
//!
//! What this does not do: know a payload.
//!
//! Invariant: what names something is kept whole or not at all; half of a name names another thing.

use std::fmt::Display;

use homeostat_schema::types::Status;
use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX};
use http::{HeaderMap, header};

use crate::authenticate::single;
use crate::draft::Draft;
use crate::json::Text;
use crate::reading::{NotUnderstood, Reading};
use crate::said::finished;

/// Attribute: the sender's own id of the thing the event is about.
pub(crate) const SUBJECT: &str = "subject";
/// Attribute: the full name of the pipeline, or of a task of one.
pub(crate) const PIPELINE: &str = "pipeline";
/// Attribute: of a job, the run it belongs to, as the run's own [`SUBJECT`].
pub(crate) const PIPELINE_RUN: &str = "pipeline-run";
/// Attribute: the sender's own id of the repository.
pub(crate) const REPOSITORY: &str = "repository";
/// Attribute: what CDEvents calls it, where kind and status do not say it.
pub(crate) const CDEVENT: &str = "cdevent";
/// Attribute: the time by the sender's own words, where the event is dated otherwise; RFC 3339.
pub(crate) const TOLD_AT: &str = "told-at";
/// Attribute: the sender's own name of the environment.
pub(crate) const ENVIRONMENT: &str = "environment";
/// Attribute: package URL of what is released.
pub(crate) const ARTIFACT: &str = "artifact";

/// The one digit of the hash that stands for "no commit", in SHA-1 and in SHA-256 repositories.
const ZERO: char = '0';

/// What became of a change under review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Review {
    Opened,
    Updated,
    Merged,
    Abandoned,
}

impl Review {
    /// Under review is under way.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::Opened | Self::Updated => Status::Running,
            Self::Merged => Status::Success,
            Self::Abandoned => Status::Cancelled,
        }
    }

    fn cdevent(self) -> &'static str {
        match self {
            Self::Opened => "change.created",
            Self::Updated => "change.updated",
            Self::Merged => "change.merged",
            Self::Abandoned => "change.abandoned",
        }
    }

    /// What was said of the review, as the step of it that its sender calls `step`. Told by its time
    /// as well: a review can be updated, closed and opened any number of times.
    pub(crate) fn draft(self, mut said: flat::Draft, step: impl Display) -> Draft {
        note(&mut said, CDEVENT, Some(self.cdevent().to_owned()));
        let at = said.occurred_at_ms;
        let draft = Draft::of(said);
        match at {
            Some(at) => draft.about(format!("{step}@{at}"), 1),
            None => draft,
        }
    }
}

/// A delivery that says one thing.
pub(crate) fn one(draft: Draft) -> Reading {
    Reading::Items(vec![draft])
}

/// The name of a state of something that can run again under the same id, with no number to tell:
/// an end counts with its time, so that a second failure is another event than the first.
pub(crate) fn rerunnable(id: &str, said: &flat::Draft) -> String {
    match said.occurred_at_ms {
        Some(at) if finished(&said.status) => format!("{id}@{at}"),
        _ => id.to_owned(),
    }
}

/// # Errors
/// [`NotUnderstood`] when the body is compressed or not JSON by its content type.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), NotUnderstood> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(NotUnderstood::new("compressed bodies are not read"));
    }
    let kind = single(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    Err(NotUnderstood::new("only JSON bodies are read: set the webhook's content type to application/json"))
}

/// A header of at most `max` letters, digits and these marks; `None` when it is anything else, is
/// missing or is there twice.
pub(crate) fn plain_header(headers: &HeaderMap, name: &str, max: usize, marks: &[u8]) -> Option<String> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || marks.contains(byte);
    single(headers, name)
        .filter(|value| !value.is_empty() && value.len() <= max && value.iter().all(plain))
        .and_then(|value| std::str::from_utf8(value).ok())
        .map(str::to_owned)
}

/// A text that is not empty.
pub(crate) fn owned<const N: usize>(text: Option<&Text<N>>) -> Option<String> {
    text.map(|text| text.0.clone()).filter(|text| !text.is_empty())
}

/// An address that a page may link to.
pub(crate) fn link<const N: usize>(text: Option<&Text<N>>) -> Option<String> {
    text.and_then(|text| flat::safe_url(&text.0))
}

/// Adds an attribute, unless its text is too long to be kept whole.
pub(crate) fn note(said: &mut flat::Draft, name: &str, text: Option<String>) {
    let whole = text.filter(|text| text.chars().count() <= TEXT_CHARS_MAX);
    said.attributes.extend(whole.map(|text| (name.to_owned(), text)));
}

/// The name of a branch, out of `refs/heads/`.
pub(crate) fn branch_of(full: &str) -> Option<&str> {
    full.strip_prefix("refs/heads/")
}

/// Whether a hash stands for no commit: the branch or tag was deleted, or is new.
pub(crate) fn is_no_commit(hash: &str) -> bool {
    hash.chars().all(|digit| digit == ZERO)
}

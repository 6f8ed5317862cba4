//! Which variables the app was started with: their names, and nothing of their values.
//!
//! What this does not do: look at the variables, most of which are not granted to the API. A host
//! that starts the app tells it their names in a variable; Spin tells none.

use http::StatusCode;
use serde::Serialize;

use crate::answer::{Answer, json};

#[derive(Serialize)]
struct Names<'a> {
    /// Whether the host told them.
    known: bool,
    items: Vec<&'a str>,
    next: Option<()>,
}

/// Answers with the names in a text, which blanks part.
pub(crate) fn answer(told: &str) -> Answer {
    let items: Vec<&str> = told.split_whitespace().collect();
    json(StatusCode::OK, &Names { known: !items.is_empty(), items, next: None })
}

//! The pages: the first one, and an incident's.
//!
//! What these do not do: run scripts or load anything; each is one document.
//!
//! Invariant: every text of the store is escaped, and the pages' policy forbids what escaping
//! might miss.

use std::fmt::Write as _;

use http::StatusCode;
use http::header::CONTENT_SECURITY_POLICY;

use crate::answer::{Answer, whole, with};

pub(crate) mod dashboard;
pub(crate) mod incident;
mod plot;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEAD: &str = include_str!("head.html");

/// A whole page as an answer.
fn document(html: String) -> Answer {
    let answer = whole(StatusCode::OK, "text/html; charset=utf-8", html.into_bytes());
    with(answer, CONTENT_SECURITY_POLICY, POLICY)
}

fn badge(text: &str) -> String {
    format!("<b class=\"{}\">{}</b>", css(text), escaped(text))
}

/// A class name: letters and dashes only.
fn css(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_lowercase() { letter } else { '-' };
    text.chars().take(32).map(plain).collect()
}

fn line(page: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_load_nothing_from_elsewhere() {
        for outside in ["http://", "https://", "<script", "<link", "<img", "@import", "url("] {
            assert!(!HEAD.contains(outside), "{outside}");
        }
    }
}

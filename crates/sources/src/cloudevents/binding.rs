//! How an event lies in an HTTP request, by its content type and `ce-` headers.
//!
//! What this does not do: read bodies.

use std::borrow::Cow;

use http::{HeaderMap, header};
use percent_encoding::percent_decode;

use crate::authenticate::single;
use crate::reading::NotUnderstood;

/// Longest attribute taken, bytes; an event has to fit into 64 KiB with all of them.
const ATTRIBUTE_MAX: usize = 1_024;

/// Where the event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Attributes in headers, data in the body.
    Binary,
    /// All of it in the body.
    Structured,
    /// Several in the body.
    Batched,
}

/// The mode that the content type names. `application/cloudevents` begins both structured types,
/// so the longer name is looked for first.
pub(crate) fn mode(headers: &HeaderMap) -> Mode {
    let kind = content_type(headers).to_ascii_lowercase();
    if kind.starts_with("application/cloudevents-batch") {
        Mode::Batched
    } else if kind.starts_with("application/cloudevents") {
        Mode::Structured
    } else {
        Mode::Binary
    }
}

/// Whether the request carries an event in any mode.
pub(crate) fn carries_event(headers: &HeaderMap) -> bool {
    mode(headers) != Mode::Binary || headers.contains_key("ce-specversion") || headers.contains_key("ce-id")
}

/// The content type, empty when there is none.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

/// Whether a content type says JSON.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// An attribute that must be there, by its name without `ce-`.
///
/// # Errors
/// [`NotUnderstood`] when it is missing, empty, repeated, too long or not UTF-8.
pub(crate) fn required(headers: &HeaderMap, name: &str) -> Result<String, NotUnderstood> {
    optional(headers, name)?.ok_or_else(|| wrong(name, "is missing"))
}

/// An attribute that may be there.
///
/// # Errors
/// [`NotUnderstood`] when it is there and empty, repeated, too long or not UTF-8.
pub(crate) fn optional(headers: &HeaderMap, name: &str) -> Result<Option<String>, NotUnderstood> {
    let header = format!("ce-{name}");
    if !headers.contains_key(&header) {
        return Ok(None);
    }
    let value = single(headers, &header).ok_or_else(|| wrong(name, "is there more than once"))?;
    let decoded = decoded(value).ok_or_else(|| wrong(name, "is not UTF-8"))?;
    checked(name, decoded).map(Some)
}

/// An attribute's value within its bounds.
///
/// # Errors
/// [`NotUnderstood`] when it is empty or too long.
pub(crate) fn checked(name: &str, value: String) -> Result<String, NotUnderstood> {
    match value.len() {
        0 => Err(wrong(name, "is empty")),
        1..=ATTRIBUTE_MAX => Ok(value),
        _ => Err(wrong(name, "is too long")),
    }
}

/// Quotes taken off, then one round of percent-decoding, then UTF-8 or nothing.
fn decoded(value: &[u8]) -> Option<String> {
    let plain = unquoted(value.trim_ascii());
    percent_decode(&plain).decode_utf8().ok().map(Cow::into_owned)
}

fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    let Some(inner) = inner else { return Cow::Borrowed(value) };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        let escaped = if *byte == b'\\' { bytes.next() } else { None };
        plain.push(*escaped.unwrap_or(byte));
    }
    Cow::Owned(plain)
}

fn wrong(name: &str, how: &str) -> NotUnderstood {
    NotUnderstood::new(format!("the CloudEvents attribute {name} {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_content_type_names_the_mode() {
        let check = |kind: &str, expected: Mode| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(mode(&headers), expected, "{kind}");
        };
        check("application/cloudevents-batch+json", Mode::Batched);
        check("Application/CloudEvents-Batch+JSON; charset=utf-8", Mode::Batched);
        check("application/cloudevents+json", Mode::Structured);
        check("application/cloudevents", Mode::Structured);
        check("application/json", Mode::Binary);
        check("text/plain", Mode::Binary);
        assert_eq!(mode(&HeaderMap::new()), Mode::Binary);
    }

    #[test]
    fn values_are_unquoted_and_decoded_once() {
        let check = |value: &str, expected: Option<&str>| {
            assert_eq!(decoded(value.as_bytes()).as_deref(), expected, "{value}");
        };
        check("plain", Some("plain"));
        check("\"quoted \\\"text\\\"\"", Some("quoted \"text\""));
        check("Euro%20%E2%82%AC%20%F0%9F%98%80", Some("Euro \u{20ac} \u{1f600}"));
        check("100%2525", Some("100%25"));
        check("50%", Some("50%"));
        check("%C0%A0", None);
        check("%FF", None);
        check("\"", Some("\""));
        check("\"a\\\"", Some("a\\"));
    }

    #[test]
    fn json_is_told_by_its_content_type() {
        let check = |kind: &str, expected: bool| assert_eq!(is_json(kind), expected, "{kind}");
        check("application/json", true);
        check("Application/JSON; charset=utf-8", true);
        check("application/vnd.acme+json", true);
        check("text/plain", false);
        check("application/jsonx", false);
        check("", false);
    }

    proptest! {
        #[test]
        fn any_value_is_decoded_or_refused(value: Vec<u8>) {
            let decoded = decoded(&value);
            prop_assert!(decoded.is_none_or(|text| text.len() <= value.len()));
        }
    }
}

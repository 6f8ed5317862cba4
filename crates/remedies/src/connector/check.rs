//! Names from the configuration and ids from findings, checked before they take part in a URL.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::ConnectorError;
use crate::text;

/// RFC 3986's unreserved characters stay; all else is encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// GitHub's limits are 39 for an owner and 100 for a repository.
const GITHUB_NAME_MAX: usize = 100;
/// GitHub's run ids are 64-bit numbers.
const RUN_DIGITS_MAX: usize = 20;
/// GitHub's longest environment name.
const ENVIRONMENT_CHARS_MAX: usize = 255;
/// SHA-1 and SHA-256 in hexadecimal; short forms from 7.
const COMMIT_DIGITS: std::ops::RangeInclusive<usize> = 7..=64;

/// Percent-encodes one path segment or query value.
pub(super) fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, UNRESERVED).to_string()
}

/// Scheme and authority of an origin, without a trailing slash.
pub(super) fn origin(value: &str) -> Result<String, ConnectorError> {
    let bad = || ConnectorError::BadOrigin { value: text::cut(value, 80) };
    let uri: http::Uri = value.trim_end_matches('/').parse().map_err(|_| bad())?;
    let scheme = uri.scheme_str().filter(|s| matches!(*s, "http" | "https")).ok_or_else(bad)?;
    let authority = uri.authority().ok_or_else(bad)?.as_str();
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    if !bare || authority.contains('@') {
        return Err(bad());
    }
    Ok(format!("{scheme}://{authority}"))
}

/// `owner/name`, both checked.
pub(super) fn repository(value: &str) -> Result<(&str, &str), ConnectorError> {
    let bad = || ConnectorError::BadName {
        what: "repository",
        value: text::cut(value, 80),
        expected: "owner/name of letters, digits, '-', '_' and '.'",
    };
    let (owner, name) = value.split_once('/').ok_or_else(bad)?;
    if github_name(owner) && github_name(name) { Ok((owner, name)) } else { Err(bad()) }
}

fn github_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=GITHUB_NAME_MAX).contains(&name.len()) && name.chars().all(legal) && name != "." && name != ".."
}

/// A GitHub environment's name: any printable text, of bounded length.
pub(super) fn environment(value: &str) -> Result<&str, ConnectorError> {
    let count = value.chars().count();
    if (1..=ENVIRONMENT_CHARS_MAX).contains(&count) && !value.chars().any(char::is_control) {
        return Ok(value);
    }
    Err(ConnectorError::BadName {
        what: "environment",
        value: text::cut(value, 80),
        expected: "1 to 255 printable characters",
    })
}

/// A run's number.
pub(crate) fn run(value: Option<&str>) -> Result<&str, ConnectorError> {
    value
        .filter(|id| (1..=RUN_DIGITS_MAX).contains(&id.len()))
        .filter(|id| id.bytes().all(|b| b.is_ascii_digit()))
        .ok_or(ConnectorError::NoRun)
}

/// A commit's hash.
pub(crate) fn commit(value: Option<&str>) -> Result<&str, ConnectorError> {
    value
        .filter(|sha| COMMIT_DIGITS.contains(&sha.len()))
        .filter(|sha| sha.bytes().all(|b| b.is_ascii_hexdigit()))
        .ok_or(ConnectorError::NoLastGood)
}

/// A namespace: an RFC 1123 label.
pub(super) fn namespace(value: &str) -> Result<&str, ConnectorError> {
    if label(value) {
        return Ok(value);
    }
    Err(ConnectorError::BadName {
        what: "namespace",
        value: text::cut(value, 80),
        expected: "1 to 63 lower-case letters, digits and '-'",
    })
}

/// A Deployment's name: RFC 1123 labels joined by dots.
pub(super) fn deployment(value: &str) -> Result<&str, ConnectorError> {
    if value.len() <= 253 && value.split('.').all(label) {
        return Ok(value);
    }
    Err(ConnectorError::BadName {
        what: "deployment",
        value: text::cut(value, 80),
        expected: "lower-case letters, digits, '-' and '.', at most 253",
    })
}

fn label(value: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&value.len())
        && value.bytes().all(legal)
        && !value.starts_with('-')
        && !value.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_bend_a_url_are_refused() {
        for bad in ["", "a", "a/b/c", "../x", "a/..", "a/b?x", "a b/c", "a/%2e", "a\n/b"] {
            assert!(repository(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "A", "-a", "a-", "a/b", "a.b", "ä", &"a".repeat(64)] {
            assert!(namespace(bad).is_err(), "{bad:?}");
        }
        for bad in ["", ".", "a..b", "a/b", &"a.".repeat(130)] {
            assert!(deployment(bad).is_err(), "{bad:?}");
        }
        for bad in [None, Some(""), Some("1/../2"), Some("-1"), Some("123456789012345678901")] {
            assert_eq!(run(bad), Err(ConnectorError::NoRun));
        }
        for bad in [None, Some("main"), Some("abc123"), Some("zzzzzzz")] {
            assert_eq!(commit(bad), Err(ConnectorError::NoLastGood));
        }
    }

    #[test]
    fn names_in_use_are_taken() {
        assert_eq!(repository("acme/shop.web"), Ok(("acme", "shop.web")));
        assert_eq!(namespace("shop-prod"), Ok("shop-prod"));
        assert_eq!(deployment("shop.v2"), Ok("shop.v2"));
        assert_eq!(run(Some("4208373049")), Ok("4208373049"));
        assert_eq!(commit(Some("0123abc")), Ok("0123abc"));
    }

    #[test]
    fn an_origin_is_scheme_and_host_only() {
        for (input, expected) in [
            ("https://api.github.com", Some("https://api.github.com")),
            ("http://127.0.0.1:8080/", Some("http://127.0.0.1:8080")),
            ("https://user:pw@host", None),
            ("https://host/path", None),
            ("ftp://host", None),
            ("host", None),
            ("", None),
        ] {
            assert_eq!(origin(input).ok().as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn encoding_leaves_nothing_that_separates() {
        assert_eq!(encode("a/b?c=d&e f,g"), "a%2Fb%3Fc%3Dd%26e%20f%2Cg");
    }
}

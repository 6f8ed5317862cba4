//! Package URLs, as CDEvents name artifacts: `pkg:generic/<service>@<version>`.
//! Source: <https://github.com/package-url/purl-spec>.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but what the specification leaves as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// The package URL of a service in a version, of which nothing more is known.
pub(crate) fn generic(service: &str, version: Option<&str>) -> String {
    let name = service.split('/').filter(|part| !part.is_empty()).map(escaped).collect::<Vec<_>>().join("/");
    match version {
        Some(version) => format!("pkg:generic/{name}@{}", escaped(version)),
        None => format!("pkg:generic/{name}"),
    }
}

fn escaped(part: &str) -> String {
    utf8_percent_encode(part, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_escaped() {
        let check = |service: &str, version: Option<&str>, expected: &str| {
            assert_eq!(generic(service, version), expected);
        };
        check("shop", Some("1.2.3"), "pkg:generic/shop@1.2.3");
        check("unassigned/github/acme shop", None, "pkg:generic/unassigned/github/acme%20shop");
        check("shop", Some("v1+build/7"), "pkg:generic/shop@v1%2Bbuild%2F7");
    }
}

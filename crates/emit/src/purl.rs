//! Package URLs, as CDEvents name artifacts: `pkg:generic/<service>@<version>`, and for a container
//! image `pkg:oci/<name>@<digest>?repository_url=<registry>/<path>&tag=<tag>`.
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

/// A container image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// The last part of its path.
    pub(crate) name: String,
    pub(crate) purl: String,
}

/// An image by its reference, such as `ghcr.io/acme/shop:1.4.2`; `None` when it has no name. Without
/// a registry it is Docker Hub's, and without a path there its `library`.
pub(crate) fn oci(reference: &str) -> Option<Image> {
    let (reference, digest) = match reference.split_once('@') {
        Some((reference, digest)) => (reference, Some(digest)),
        None => (reference, None),
    };
    let (place, last) = reference.rsplit_once('/').unwrap_or(("", reference));
    let (name, tag) = match last.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (last, None),
    };
    if name.is_empty() {
        return None;
    }
    let digest = digest.map(|digest| format!("@{}", escaped(digest))).unwrap_or_default();
    let place = repository(place).split('/').map(escaped).collect::<Vec<_>>().join("/");
    let tag = tag.map(|tag| format!("&tag={}", escaped(tag))).unwrap_or_default();
    let purl = format!("pkg:oci/{}{digest}?repository_url={place}{tag}", escaped(name));
    Some(Image { name: name.to_owned(), purl })
}

/// A host has a dot or a port, or is this machine.
fn repository(place: &str) -> String {
    let first = place.split('/').next().unwrap_or_default();
    match place {
        "" => "docker.io/library".to_owned(),
        _ if first.contains(['.', ':']) || first == "localhost" => place.to_owned(),
        _ => format!("docker.io/{place}"),
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

    #[test]
    fn an_image_is_named_by_its_registry_path_and_tag() {
        let check = |reference: &str, name: &str, purl: &str| {
            let expected = Image { name: name.to_owned(), purl: format!("pkg:oci/{purl}") };
            assert_eq!(oci(reference), Some(expected), "{reference}");
        };
        check("ghcr.io/acme/shop:1.4.2", "shop", "shop?repository_url=ghcr.io/acme&tag=1.4.2");
        check("acme/shop:1", "shop", "shop?repository_url=docker.io/acme&tag=1");
        check("nginx", "nginx", "nginx?repository_url=docker.io/library");
        check("localhost/shop:1", "shop", "shop?repository_url=localhost&tag=1");
        check("registry:5000/a/b:1", "b", "b?repository_url=registry%3A5000/a&tag=1");
        check("ghcr.io/a/b@sha256:0f", "b", "b@sha256%3A0f?repository_url=ghcr.io/a");
        check("ghcr.io/a/b:1@sha256:0f", "b", "b@sha256%3A0f?repository_url=ghcr.io/a&tag=1");
        check("ghcr.io/a/b:1&tag=2", "b", "b?repository_url=ghcr.io/a&tag=1%26tag%3D2");
    }

    #[test]
    fn a_reference_without_a_name_is_no_image() {
        let check = |reference: &str| assert_eq!(oci(reference), None, "{reference:?}");
        check("");
        check("ghcr.io/acme/");
        check("ghcr.io/acme/:1");
        check("@sha256:0f");
    }
}

//! Signature vectors that nobody here made, through the schemes as the sources have them.
//!
//! They are in a folder outside the repository: `HOMEOSTAT_FIXTURES`, or `../shared/fixtures`.

use std::path::PathBuf;

use homeostat_schema::secret::SecretList;
use homeostat_sources::Claim;
use homeostat_sources::authenticate::{GITHUB_SIGNATURE, Scheme, Signatures, Stamp};
use http::{HeaderMap, HeaderName};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    id: String,
    scheme: String,
    alg: String,
    secret: String,
    body: String,
    headers: std::collections::BTreeMap<String, String>,
    valid: bool,
    /// Seconds since the epoch.
    now: Option<u64>,
}

#[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
fn vectors() -> Vec<Vector> {
    let root = std::env::var_os("HOMEOSTAT_FIXTURES")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"));
    let file = root.join("signatures/vectors.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("{}: {error}; set HOMEOSTAT_FIXTURES to the folder with the fixtures", file.display())
    });
    serde_json::from_str(&text).expect("a list of vectors")
}

/// As the source of that name has it; GitHub's old SHA-1 is judged as today's, and so refused.
fn scheme_of(name: &str) -> Scheme<'static> {
    match name {
        "github" | "github-legacy" => Scheme::sha256(GITHUB_SIGNATURE),
        "bitbucket" | "bitbucket-server" => Scheme::sha256("x-hub-signature"),
        "flux" => Scheme::sha256("x-signature"),
        "pagerduty" => Scheme::v1("x-pagerduty-signature"),
        "circleci" => Scheme::v1("circleci-signature"),
        "standard-webhooks" => Scheme::StandardWebhooks,
        "slack" => Scheme::HmacTimestamped {
            header: "x-slack-signature",
            prefix: "v0=",
            stamp: Stamp::Header("x-slack-request-timestamp"),
            before: "v0:",
            separator: ":",
        },
        "raw-hmac" => Scheme::HmacBody { header: "signature-hex", prefix: "", signatures: Signatures::One },
        other => panic!("no scheme is known for {other}"),
    }
}

#[test]
fn every_vector_is_judged_as_its_origin_says() {
    let vectors = vectors();
    assert!(vectors.len() >= 34, "only {} vectors were found", vectors.len());
    for vector in &vectors {
        let mut headers = HeaderMap::new();
        for (name, value) in &vector.headers {
            let name: HeaderName = name.parse().expect("a header's name");
            headers.insert(name, value.parse().expect("a header's value"));
        }
        let now_ms = vector.now.unwrap_or(1_700_000_000) * 1000;
        let claim = Claim { headers: &headers, body: vector.body.as_bytes(), now_ms };
        let judged = scheme_of(&vector.scheme).verify(&claim, &SecretList::parse(&vector.secret));
        // What is signed with SHA-1 is right by its origin, and refused here.
        let expected = vector.valid && vector.alg != "hmac-sha1";
        assert_eq!(judged.is_ok(), expected, "{}", vector.id);
    }
}

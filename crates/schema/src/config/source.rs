//! `[[source]]`: one instance of a sender, and how its deliveries are proven and bounded.
//!
//! What this does not do: hold a secret; those are in the variable that [`secret_variable`] names.
//!
//! Invariant: two instances never share a variable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The systems that can send, as in `/webhooks/<name>`.
pub const SENDERS: [&str; 20] = [
    "github",
    "gitlab",
    "bitbucket",
    "jenkins",
    "circleci",
    "buildkite",
    "azure-devops",
    "argocd",
    "argo-rollouts",
    "flux",
    "alertmanager",
    "grafana",
    "datadog",
    "pagerduty",
    "tekton",
    "cdevents",
    "cloudevents",
    "standard",
    "generic",
    "plugin",
];

/// More instances than anyone has; they are looked through for every delivery.
const SOURCES_MAX: usize = 200;
/// Longest instance name, characters: it is in every event and in the names of counters.
const NAME_CHARS_MAX: usize = 64;
/// No sender delivers more than GitHub's and GitLab's 25 MB.
const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Longest header name or prefix.
const TEXT_MAX: usize = 64;
/// Claims that a token must make.
const CLAIMS_MAX: usize = 16;
/// More a second than one Redis takes.
const RATE_MAX: u32 = 100_000;

/// One instance of a sender. Without one, a sender has the instance of its own name with its
/// defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `github`, or `github/team-a` for a further instance at `/webhooks/github/team-a`. It is the
    /// `source` of its events. Lower-case letters, digits and `-` after the slash.
    pub name: String,
    /// How deliveries are proven. Default: the sender's own first scheme.
    #[serde(default)]
    pub scheme: Option<SchemeName>,
    /// The header with the signature or token. Default: the sender's.
    #[serde(default)]
    pub header: Option<String>,
    /// What stands before the signature in it, such as `sha256=`. Default: the sender's.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Of `hmac-timestamped`: the header with the time, in seconds since the epoch. Default: the
    /// sender's.
    #[serde(default)]
    pub timestamp_header: Option<String>,
    /// Of `hmac-timestamped`: what is signed between time and body. Default: the sender's.
    #[serde(default)]
    pub separator: Option<String>,
    /// Of `oidc`: what a token must say.
    #[serde(default)]
    pub oidc: Option<Oidc>,
    /// The longest body taken, bytes, and the longest a compressed one may become; at most
    /// 26,214,400. Default: the sender's own limit, 1 MiB where it has none.
    #[serde(default)]
    pub body_bytes_max: Option<usize>,
    /// What a body may be compressed with. Default: nothing.
    #[serde(default)]
    pub content_encodings: Vec<ContentEncoding>,
    /// Deliveries a second taken for long; 1 to 100,000. More are answered 503, which senders try
    /// again. Default: no bound.
    #[serde(default)]
    pub deliveries_per_s: Option<u32>,
}

/// A scheme of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemeName {
    /// HMAC-SHA256 over the body.
    HmacBody,
    /// HMAC-SHA256 over a time and the body.
    HmacTimestamped,
    /// Standard Webhooks.
    StandardWebhooks,
    /// A fixed secret in a header.
    Token,
    /// `Authorization: Basic`.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: Bearer` with a JSON web token.
    Oidc,
}

/// How a body may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentEncoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, a zlib stream.
    Deflate,
}

/// What a token of an OpenID Connect issuer must say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// `iss`, to the letter.
    pub issuer: String,
    /// One of `aud`, to the letter.
    pub audience: String,
    /// What may have signed it.
    pub algorithms: Vec<OidcAlgorithm>,
    /// Further claims, each a text and to the letter, such as `repository = "acme/shop"`. At least
    /// one: everyone at a public issuer can have a valid token.
    pub claims: BTreeMap<String, String>,
}

/// An algorithm of signature. Symmetric ones are not among them on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OidcAlgorithm {
    /// RSA with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Source {
    /// The instance of this name, with nothing said of it.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            scheme: None,
            header: None,
            prefix: None,
            timestamp_header: None,
            separator: None,
            oidc: None,
            body_bytes_max: None,
            content_encodings: Vec::new(),
            deliveries_per_s: None,
        }
    }

    /// The sender: what stands before the slash.
    pub fn sender(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// The variable that holds the secrets of an instance: `webhook_secret_github_team_a`.
pub fn secret_variable(instance: &str) -> String {
    format!("webhook_secret_{}", instance.replace(['/', '-'], "_"))
}

/// Checks all instances.
pub(super) fn validate(sources: &[Source]) -> Result<(), Invalid> {
    super::validate::at_most("source", sources.len(), SOURCES_MAX)?;
    let mut seen = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        let path = format!("source[{index}]");
        check_name(&path, &source.name)?;
        if let Some(first) = seen.insert(secret_variable(&source.name), index) {
            let reason = format!(
                "`{}` has the variable {} as source[{first}] has",
                source.name,
                secret_variable(&source.name)
            );
            return Err(Invalid::new(format!("{path}.name"), reason));
        }
        check_texts(&path, source)?;
        check_bounds(&path, source)?;
        check_oidc(&path, source)?;
    }
    Ok(())
}

fn check_name(path: &str, name: &str) -> Result<(), Invalid> {
    let (sender, rest) = name.split_once('/').unwrap_or((name, "one"));
    let field = format!("{path}.name");
    if !SENDERS.contains(&sender) {
        let reason = format!("no sender is named `{sender}`; there are {}", SENDERS.join(", "));
        return Err(Invalid::new(field, reason));
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if rest.is_empty() || name.len() > NAME_CHARS_MAX || !rest.bytes().all(plain) {
        let reason = format!(
            "an instance is named `{sender}/team-a`: lower-case letters, digits and `-`, at most \
             {NAME_CHARS_MAX} in all"
        );
        return Err(Invalid::new(field, reason));
    }
    Ok(())
}

fn check_texts(path: &str, source: &Source) -> Result<(), Invalid> {
    let headers = [("header", &source.header), ("timestamp_header", &source.timestamp_header)];
    for (field, name) in
        headers.into_iter().filter_map(|(field, name)| name.as_ref().map(|name| (field, name)))
    {
        let token =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !(1..=TEXT_MAX).contains(&name.len()) || !name.bytes().all(token) {
            let reason = "the name of a header in lower case is expected";
            return Err(Invalid::new(format!("{path}.{field}"), reason));
        }
    }
    for (field, text) in [("prefix", &source.prefix), ("separator", &source.separator)] {
        if text
            .as_ref()
            .is_some_and(|text| text.len() > TEXT_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            let reason = format!("at most {TEXT_MAX} printable ASCII characters are expected");
            return Err(Invalid::new(format!("{path}.{field}"), reason));
        }
    }
    Ok(())
}

fn check_bounds(path: &str, source: &Source) -> Result<(), Invalid> {
    if let Some(bytes) = source.body_bytes_max {
        super::validate::within(&format!("{path}.body_bytes_max"), bytes, 1..=BODY_BYTES_MAX)?;
    }
    if let Some(rate) = source.deliveries_per_s {
        super::validate::within(&format!("{path}.deliveries_per_s"), rate, 1..=RATE_MAX)?;
    }
    Ok(())
}

fn check_oidc(path: &str, source: &Source) -> Result<(), Invalid> {
    let Some(oidc) = &source.oidc else {
        if source.scheme == Some(SchemeName::Oidc) {
            let reason = "`scheme = \"oidc\"` needs issuer, audience, algorithms and claims here";
            return Err(Invalid::new(format!("{path}.oidc"), reason));
        }
        return Ok(());
    };
    if source.scheme != Some(SchemeName::Oidc) {
        return Err(Invalid::new(format!("{path}.oidc"), "is of no use without `scheme = \"oidc\"`"));
    }
    for (field, text) in [("issuer", &oidc.issuer), ("audience", &oidc.audience)] {
        if text.trim().is_empty() {
            return Err(Invalid::new(format!("{path}.oidc.{field}"), "cannot be empty"));
        }
    }
    if oidc.algorithms.is_empty() {
        return Err(Invalid::new(
            format!("{path}.oidc.algorithms"),
            "name at least one: RS256, ES256, EdDSA",
        ));
    }
    super::validate::at_most(&format!("{path}.oidc.claims"), oidc.claims.len(), CLAIMS_MAX)?;
    if oidc.claims.is_empty() {
        let reason = "name at least one, such as `repository`: a valid token does not authorise on its own";
        return Err(Invalid::new(format!("{path}.oidc.claims"), reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn check(toml: &str, expected: Result<(), &str>) {
        match (Config::from_toml(toml, "f"), expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{toml}: {error}"),
            (found, expected) => panic!("{toml}: {:?}, expected {expected:?}", found.err()),
        }
    }

    #[test]
    fn instances_are_named_after_their_sender() {
        check("[[source]]\nname = \"github\"", Ok(()));
        check("[[source]]\nname = \"azure-devops/team-1\"", Ok(()));
        for name in ["hithub", "", "github/", "github/Team", "github/a/b", "github/a_b", "/github"] {
            check(&format!("[[source]]\nname = \"{name}\""), Err("source[0].name"));
        }
    }

    #[test]
    fn instances_that_would_share_a_variable_are_refused() {
        check("[[source]]\nname = \"github\"\n[[source]]\nname = \"github\"", Err("webhook_secret_github"));
        check("[[source]]\nname = \"github\"\n[[source]]\nname = \"github/a\"", Ok(()));
    }

    #[test]
    fn a_token_of_an_issuer_needs_more_than_a_signature() {
        let oidc = |claims: &str| {
            format!(
                "[[source]]\nname = \"generic/ci\"\nscheme = \"oidc\"\n[source.oidc]\nissuer = \"i\"\n\
                 audience = \"a\"\nalgorithms = [\"RS256\"]\nclaims = {claims}"
            )
        };
        check(&oidc("{ repository = \"acme/shop\" }"), Ok(()));
        check(&oidc("{}"), Err("does not authorise on its own"));
        check("[[source]]\nname = \"generic\"\nscheme = \"oidc\"", Err("source[0].oidc"));
        check(&oidc("{ a = \"b\" }").replace("\"oidc\"", "\"bearer\""), Err("of no use"));
        check(&oidc("{ a = \"b\" }").replace("RS256", "HS256"), Err("HS256"));
    }

    #[test]
    fn bounds_and_headers_are_checked() {
        let source = |line: &str| format!("[[source]]\nname = \"generic\"\n{line}");
        check(&source("body_bytes_max = 26214400"), Ok(()));
        check(&source("body_bytes_max = 26214401"), Err("body_bytes_max"));
        check(&source("deliveries_per_s = 0"), Err("deliveries_per_s"));
        check(&source("header = \"X-Upper\""), Err("lower case"));
        check(&source("prefix = \"a b\""), Err("prefix"));
        check(&source("content_encodings = [\"br\"]"), Err("br"));
    }
}

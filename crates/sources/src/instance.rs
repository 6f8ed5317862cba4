//! An instance of a source: the path's choice, and what the configuration says of it.
//!
//! What this does not do: look at a header. Which scheme judges a delivery is known before it
//! arrives.
//!
//! Invariant: once a Standard Webhooks secret is among those of a source that can sign, ended or
//! not, a fixed token no longer suffices.

use std::fmt;

use homeostat_schema::config::{self, Config, ContentEncoding, SchemeName};
use homeostat_schema::secret::SecretList;
use http::HeaderMap;

use crate::authenticate::{Claim, GENERIC_SIGNATURE, Oidc, Proof, Refused, Scheme, Stamp, standard};
use crate::source::Source;

/// The header of a fixed token where the sender has no name for it.
const TOKEN_HEADER: &str = "x-homeostat-token";
/// The header of a time-stamped signature where the sender has no name for it.
const TIMESTAMPED_HEADER: &str = "x-homeostat-signature";

/// One instance of a source.
#[derive(Clone, Copy)]
pub struct Instance<'a> {
    source: Source,
    name: &'a str,
    settings: Option<&'a config::Source>,
}

impl<'a> Instance<'a> {
    /// The instance of this name: a source's own, or a further one that the configuration names.
    pub fn of(config: &'a Config, name: &str) -> Option<Self> {
        match config.sources.iter().find(|settings| settings.name == name) {
            Some(settings) => Some(Self::set(Source::named(settings.sender())?, Some(settings))),
            None => Source::named(name).map(|source| Self::set(source, None)),
        }
    }

    /// A source with these settings, which are its own.
    pub fn set(source: Source, settings: Option<&'a config::Source>) -> Self {
        Self { source, name: settings.map_or(source.name(), |settings| &settings.name), settings }
    }

    /// What the configuration says of it, where it says something.
    pub const fn settings(self) -> Option<&'a config::Source> {
        self.settings
    }

    /// Every instance there is, in the order of the sources and then of the configuration.
    pub fn all(config: &'a Config) -> Vec<Self> {
        let own = Source::ALL.iter().filter_map(|source| Self::of(config, source.name()));
        let further = config.sources.iter().filter(|settings| settings.name.contains('/'));
        own.chain(further.filter_map(|settings| Self::of(config, &settings.name))).collect()
    }

    /// Whose instance it is.
    pub const fn source(self) -> Source {
        self.source
    }

    /// As in its route, in events and in counters: `github/team-a`.
    pub const fn name(self) -> &'a str {
        self.name
    }

    /// The variable that holds its secrets.
    pub fn secret_variable(self) -> String {
        config::secret_variable(self.name)
    }

    /// The longest body taken, compressed or not, bytes.
    pub fn body_max(self) -> usize {
        self.settings.and_then(|settings| settings.body_bytes_max).unwrap_or(self.source.body_max())
    }

    /// What a body may be compressed with.
    pub fn content_encodings(self) -> &'a [ContentEncoding] {
        self.settings.map(|settings| settings.content_encodings.as_slice()).unwrap_or_default()
    }

    /// Deliveries a second taken for long; no bound when absent.
    pub fn deliveries_per_s(self) -> Option<u32> {
        self.settings.and_then(|settings| settings.deliveries_per_s)
    }

    /// The scheme that deliveries are judged by.
    pub fn scheme(self, secrets: &SecretList) -> Option<Scheme<'a>> {
        let named = self.settings.and_then(|settings| settings.scheme);
        let signs = self.source.schemes().contains(&Scheme::StandardWebhooks);
        if signs && matches!(named, None | Some(SchemeName::Token)) && secrets.iter().any(standard::is_key) {
            return Some(Scheme::StandardWebhooks);
        }
        let scheme = match named {
            None => self.source.schemes().first().copied()?,
            Some(name) => self.own(name).or_else(|| self.usual(name))?,
        };
        Some(self.settings.map_or(scheme, |settings| overridden(scheme, settings)))
    }

    /// Checks where a delivery comes from.
    ///
    /// # Errors
    /// [`Refused`], with the same work done whatever was wrong.
    pub fn authenticate(self, claim: &Claim<'_>, secrets: &SecretList) -> Result<Proof, Refused> {
        self.scheme(secrets).ok_or(Refused)?.verify(claim, secrets)
    }

    /// Whether a delivery carries anything that claims to prove where it comes from. In dev mode
    /// only one that claims nothing is let in unproven.
    pub fn claims_proof(self, headers: &HeaderMap, secrets: &SecretList) -> bool {
        let mut schemes = self.source.schemes().iter().copied().chain(self.scheme(secrets));
        schemes.any(|scheme| scheme.is_claimed(headers))
    }

    /// The sender's own form of a scheme.
    fn own(self, name: SchemeName) -> Option<Scheme<'static>> {
        self.source.schemes().iter().copied().find(|scheme| scheme.name() == text_of(name))
    }

    /// The form of a scheme where the sender has none of its own.
    fn usual(self, name: SchemeName) -> Option<Scheme<'a>> {
        Some(match name {
            SchemeName::HmacBody => Scheme::sha256(GENERIC_SIGNATURE),
            SchemeName::HmacTimestamped => Scheme::HmacTimestamped {
                header: TIMESTAMPED_HEADER,
                prefix: "signature=",
                stamp: Stamp::Beside("timestamp="),
                before: "",
                separator: ".",
            },
            SchemeName::StandardWebhooks => Scheme::StandardWebhooks,
            SchemeName::Token => Scheme::Token { header: TOKEN_HEADER },
            SchemeName::Basic => Scheme::Basic,
            SchemeName::Bearer => Scheme::Bearer,
            SchemeName::Oidc => Scheme::Oidc(rules(self.settings?.oidc.as_ref()?)),
        })
    }
}

impl From<Source> for Instance<'static> {
    fn from(source: Source) -> Self {
        Self { source, name: source.name(), settings: None }
    }
}

impl fmt::Debug for Instance<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

fn overridden<'a>(scheme: Scheme<'a>, settings: &'a config::Source) -> Scheme<'a> {
    let text = |own: &'a str, set: &'a Option<String>| set.as_deref().unwrap_or(own);
    match scheme {
        Scheme::HmacBody { header, prefix, signatures } => Scheme::HmacBody {
            header: text(header, &settings.header),
            prefix: text(prefix, &settings.prefix),
            signatures,
        },
        Scheme::HmacTimestamped { header, prefix, stamp, before, separator } => Scheme::HmacTimestamped {
            header: text(header, &settings.header),
            prefix: text(prefix, &settings.prefix),
            stamp: settings.timestamp_header.as_deref().map_or(stamp, Stamp::Header),
            before,
            separator: text(separator, &settings.separator),
        },
        Scheme::Token { header } => Scheme::Token { header: text(header, &settings.header) },
        other => other,
    }
}

fn rules(oidc: &config::Oidc) -> Oidc<'_> {
    Oidc {
        issuer: &oidc.issuer,
        audience: &oidc.audience,
        algorithms: &oidc.algorithms,
        claims: &oidc.claims,
    }
}

fn text_of(name: SchemeName) -> &'static str {
    match name {
        SchemeName::HmacBody => "hmac-body",
        SchemeName::HmacTimestamped => "hmac-timestamped",
        SchemeName::StandardWebhooks => "standard-webhooks",
        SchemeName::Token => "token",
        SchemeName::Basic => "basic",
        SchemeName::Bearer => "bearer",
        SchemeName::Oidc => "oidc",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, instance: &str, secrets: &str, expected: Option<Scheme<'_>>) {
        let config = Config::from_toml(toml, "f").unwrap();
        let found =
            Instance::of(&config, instance).and_then(|found| found.scheme(&SecretList::parse(secrets)));
        assert_eq!(found, expected, "{instance} in {toml}");
    }

    #[test]
    fn only_instances_that_are_named_exist() {
        let config = Config::from_toml("[[source]]\nname = \"github/team-a\"", "f").unwrap();
        for (name, exists) in [
            ("github", true),
            ("github/team-a", true),
            ("github/team-b", false),
            ("github/", false),
            ("team-a", false),
            ("", false),
        ] {
            assert_eq!(Instance::of(&config, name).is_some(), exists, "{name}");
        }
        let team = Instance::of(&config, "github/team-a").unwrap();
        assert_eq!((team.name(), team.source()), ("github/team-a", Source::GITHUB));
        assert_eq!(team.secret_variable(), "webhook_secret_github_team_a");
        assert_eq!(Instance::all(&config).len(), Source::ALL.len() + 1);
    }

    #[test]
    fn the_configuration_decides_the_scheme() {
        let source = |lines: &str| format!("[[source]]\nname = \"generic\"\n{lines}");
        check("", "generic", "s", Some(Scheme::sha256(GENERIC_SIGNATURE)));
        check(&source("scheme = \"bearer\""), "generic", "s", Some(Scheme::Bearer));
        check(&source("scheme = \"basic\""), "generic", "s", Some(Scheme::Basic));
        check(
            &source("header = \"x-sig\"\nprefix = \"\""),
            "generic",
            "s",
            Some(Scheme::HmacBody {
                header: "x-sig",
                prefix: "",
                signatures: crate::authenticate::Signatures::One,
            }),
        );
        check(
            &source("scheme = \"token\"\nheader = \"x-tok\""),
            "generic",
            "s",
            Some(Scheme::Token { header: "x-tok" }),
        );
        check(
            &source("scheme = \"hmac-timestamped\"\ntimestamp_header = \"x-at\""),
            "generic",
            "s",
            Some(Scheme::HmacTimestamped {
                header: TIMESTAMPED_HEADER,
                prefix: "signature=",
                stamp: Stamp::Header("x-at"),
                before: "",
                separator: ".",
            }),
        );
    }

    #[test]
    fn every_source_is_one_the_configuration_knows() {
        for source in Source::ALL {
            assert!(config::SENDERS.contains(&source.name()), "{source:?}");
        }
    }

    #[test]
    fn names_of_schemes_are_those_of_the_configuration() {
        for source in Source::ALL {
            for scheme in source.schemes() {
                let toml =
                    format!("[[source]]\nname = \"{}\"\nscheme = \"{}\"", source.name(), scheme.name());
                let config = Config::from_toml(&toml, "f").unwrap();
                let found = Instance::of(&config, source.name()).unwrap().scheme(&SecretList::default());
                assert_eq!(found.map(|scheme| scheme.name()), Some(scheme.name()), "{source:?}");
            }
        }
    }
}

//! The sources there are: what they are called, what guards them, how much they may send.

use http::HeaderMap;

use crate::authenticate::{self, GENERIC_SIGNATURE, GITHUB_SIGNATURE, Refused};
use homeostat_schema::secret::SecretList;

/// A sender with a route of its own. The route decides the scheme, never a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// GitHub's webhooks.
    GitHub,
    /// The flat form, for scripts and for systems with no module of their own.
    Generic,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::GitHub, Self::Generic];

    /// The source of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// As in its route and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Generic => "generic",
        }
    }

    /// The variable that holds its secrets.
    pub const fn secret_variable(self) -> &'static str {
        match self {
            Self::GitHub => "webhook_secret_github",
            Self::Generic => "webhook_secret_generic",
        }
    }

    /// The longest body taken, bytes. GitHub delivers nothing longer than this; an event in the
    /// flat form has some hundred bytes.
    pub const fn body_max(self) -> usize {
        match self {
            Self::GitHub => 25 * 1024 * 1024,
            Self::Generic => 1024 * 1024,
        }
    }

    /// Checks where a delivery comes from: GitHub by its signature; generic by the same scheme in
    /// `X-Homeostat-Signature-256`, or by `Authorization: Bearer <secret>`. A generic delivery
    /// that carries a signature is judged by it alone.
    ///
    /// # Errors
    /// [`Refused`], with the same work done whatever was wrong.
    pub fn authenticate(self, headers: &HeaderMap, body: &[u8], secrets: &SecretList) -> Result<(), Refused> {
        match self {
            Self::GitHub => authenticate::hmac_sha256(headers, GITHUB_SIGNATURE, body, secrets),
            Self::Generic if headers.contains_key(GENERIC_SIGNATURE) => {
                authenticate::hmac_sha256(headers, GENERIC_SIGNATURE, body, secrets)
            }
            Self::Generic => authenticate::bearer(headers, secrets),
        }
    }

    /// Whether a delivery carries anything that claims to prove where it comes from. In dev mode
    /// only one that claims nothing is let in unproven.
    pub fn claims_proof(self, headers: &HeaderMap) -> bool {
        match self {
            Self::GitHub => headers.contains_key(GITHUB_SIGNATURE),
            Self::Generic => {
                headers.contains_key(GENERIC_SIGNATURE) || headers.contains_key(http::header::AUTHORIZATION)
            }
        }
    }
}

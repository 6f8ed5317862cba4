//! A source: one table row per sender, made by the sender's own module.
//!
//! What this does not do: verify a proof (see [`crate::authenticate`]), read a body.
//!
//! Invariant: the route decides the source, and the source its schemes of proof, never a header.

use std::fmt;

use homeostat_schema::secret::SecretList;
use http::HeaderMap;

use crate::authenticate::{Refused, Scheme};
use crate::reading::{NotUnderstood, Raw, Read};
use crate::{generic, github};

/// The cap of a source whose sender names none, bytes.
pub(crate) const BODY_MAX: usize = 1024 * 1024;

/// What is fixed about a source: a constant in its module.
pub(crate) struct Profile {
    /// As in its route and in events.
    pub(crate) name: &'static str,
    /// The longest body taken, bytes.
    pub(crate) body_max: usize,
    /// How a delivery is proven; the first that the delivery claims is the one it is judged by.
    pub(crate) schemes: &'static [Scheme],
    /// Reads a delivery that was let in.
    pub(crate) read: fn(&Raw<'_>) -> Result<Read, NotUnderstood>,
}

/// A sender with a route of its own.
#[derive(Clone, Copy)]
pub struct Source(&'static Profile);

impl Source {
    /// GitHub's webhooks.
    pub const GITHUB: Self = Self(&github::PROFILE);
    /// The flat form, for scripts and for systems with no module of their own.
    pub const GENERIC: Self = Self(&generic::PROFILE);

    /// All of them.
    pub const ALL: &'static [Self] = &[Self::GITHUB, Self::GENERIC];

    /// The source of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.name() == name)
    }

    /// As in its route and in events.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The variable that holds its secrets.
    pub fn secret_variable(self) -> String {
        format!("webhook_secret_{}", self.name().replace('-', "_"))
    }

    /// The longest body taken, bytes.
    pub const fn body_max(self) -> usize {
        self.0.body_max
    }

    /// Checks where a delivery comes from, by the first scheme of the source that it claims.
    ///
    /// # Errors
    /// [`Refused`], with the same work done whatever was wrong.
    pub fn authenticate(self, headers: &HeaderMap, body: &[u8], secrets: &SecretList) -> Result<(), Refused> {
        let claimed = self.0.schemes.iter().find(|scheme| scheme.is_claimed(headers));
        let scheme = claimed.or(self.0.schemes.last()).ok_or(Refused)?;
        scheme.verify(headers, body, secrets)
    }

    /// Whether a delivery carries anything that claims to prove where it comes from. In dev mode
    /// only one that claims nothing is let in unproven.
    pub fn claims_proof(self, headers: &HeaderMap) -> bool {
        self.0.schemes.iter().any(|scheme| scheme.is_claimed(headers))
    }

    /// Reads a delivery that was let in.
    ///
    /// # Errors
    /// [`NotUnderstood`] when it is not what this source sends.
    pub fn read(self, raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
        (self.0.read)(raw)
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Source {}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

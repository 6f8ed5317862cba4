//! A GitHub App: registered with a public key, proves itself with tokens of its private key.
//! Source: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rsa::pkcs8::{EncodePublicKey, LineEnding};
use rsa::{RsaPrivateKey, pkcs1::EncodeRsaPrivateKey};
use serde::Deserialize;

use crate::server::Received;

/// GitHub takes no token that is good for longer; seconds.
const LIFE_S_MAX: u64 = 10 * 60;
/// GitHub's keys are of this length.
const KEY_BITS: usize = 2048;

/// An App as GitHub knows it.
pub struct App {
    id: u64,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Claims {
    iat: u64,
    exp: u64,
}

impl App {
    /// A new App, and its private key in PEM, which GitHub gives once and does not keep.
    ///
    /// # Errors
    /// When no key could be made.
    pub fn create(id: u64) -> Result<(Self, String), Box<dyn std::error::Error + Send + Sync>> {
        let private = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS)?;
        let public = private.to_public_key().to_public_key_pem(LineEnding::LF)?;
        let key = DecodingKey::from_rsa_pem(public.as_bytes())?;
        Ok((Self { id, key }, private.to_pkcs1_pem(LineEnding::LF)?.to_string()))
    }

    /// Whether the request has a token of this App: signed with its key, not for too long, in force.
    pub(super) fn proves(&self, request: &Received) -> bool {
        let given = request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[self.id]);
        validation.set_required_spec_claims(&["exp", "iat", "iss"]);
        let token =
            given.and_then(|token| jsonwebtoken::decode::<Claims>(token, &self.key, &validation).ok());
        token.is_some_and(|token| token.claims.exp.saturating_sub(token.claims.iat) <= LIFE_S_MAX)
    }
}

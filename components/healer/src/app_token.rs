//! The token a GitHub App proves itself with: signed with its key, good for some minutes.
//! Source: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>.

use homeostat_schema::secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// GitHub takes ten minutes at most; seconds.
const LIFE_S: u64 = 9 * 60;
/// For a clock of GitHub's that is behind ours; seconds.
const DRIFT_S: u64 = 60;

#[derive(Serialize)]
struct Claims {
    iat: u64,
    exp: u64,
    iss: String,
}

/// A token for this App; `None` when the key is none. Nothing is said of why: it is a secret.
pub(crate) fn signed(key: &Secret, app: u64, now_s: u64) -> Option<Secret> {
    let key = EncodingKey::from_rsa_pem(key.expose().as_bytes()).ok()?;
    let claims = Claims {
        iat: now_s.saturating_sub(DRIFT_S),
        exp: now_s.saturating_add(LIFE_S),
        iss: app.to_string(),
    };
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).ok().map(Secret::new)
}

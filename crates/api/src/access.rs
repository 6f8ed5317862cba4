//! Who may ask what: tokens, compared in constant time, and dev mode on this machine.
//!
//! What this does not do: know persons; an operator's word carries the name it gives.
//!
//! Invariant: with no token configured nothing but probes is answered, dev mode aside; a browser's
//! stored password opens pages, never changes anything.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use homeostat_schema::secret::SecretList;
use homeostat_sources::ingest::DevMode;
use homeostat_sources::{Admitted, authenticate};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};

use crate::answer::Problem;
use crate::route::Audience;

/// What opens the doors. Has no `Debug`: tokens must not reach a log.
pub struct Access {
    /// Any of them makes an operator.
    pub api_tokens: SecretList,
    /// Any of them opens what is internal; none turns it off.
    pub internal_tokens: SecretList,
    /// Whether this machine needs no token.
    pub dev_mode: DevMode,
}

impl Access {
    /// Checks a request against its route's audience; why it is let in.
    ///
    /// # Errors
    /// 401 without a right token; 404 for what is internal and turned off.
    pub fn check(
        &self,
        audience: Audience,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Admitted, Problem> {
        match audience {
            Audience::Everyone => Ok(Admitted::Verified),
            Audience::Internal if self.internal_tokens.is_empty() => Err(Problem::not_found()),
            Audience::Internal => {
                let known = authenticate::bearer(headers, &self.internal_tokens);
                known.map(|()| Admitted::Verified).map_err(|_| unauthorized())
            }
            Audience::Operators if is_reading(method) => self.operator(headers, Password::Taken),
            Audience::Operators => self.operator(headers, Password::Refused),
            Audience::Readers => self.operator(headers, Password::Taken),
        }
    }

    fn operator(&self, headers: &HeaderMap, password: Password) -> Result<Admitted, Problem> {
        let known = authenticate::bearer(headers, &self.api_tokens).is_ok()
            || (password == Password::Taken
                && basic_password(headers).is_some_and(|word| self.api_tokens.matches(&word)));
        if known {
            return Ok(Admitted::Verified);
        }
        // A wrong token is wrong in dev mode too, where there is one to hold it against.
        let unproven = self.api_tokens.is_empty() || !headers.contains_key(AUTHORIZATION);
        if unproven && self.dev_mode.covers(headers) {
            return Ok(Admitted::DevMode);
        }
        if self.api_tokens.is_empty() {
            let say = "no API token is configured: set the variable api_token, or dev_mode on this machine";
            return Err(unauthorized().saying(say));
        }
        Err(unauthorized())
    }
}

/// Whether a token may come as a password, which browsers send by themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Password {
    Taken,
    Refused,
}

fn is_reading(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn unauthorized() -> Problem {
    Problem::new(http::StatusCode::UNAUTHORIZED)
        .saying("a token is needed: Authorization: Bearer <api_token>")
}

/// The password of `Authorization: Basic`, so that a browser can show the page: any name will do.
fn basic_password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
    let (scheme, rest) = value.split_at_checked("Basic ".len())?;
    let pair = BASE64_STANDARD.decode(rest).ok().filter(|_| scheme.eq_ignore_ascii_case(b"Basic "))?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(api: &str, internal: &str, dev: &str) -> Access {
        Access {
            api_tokens: SecretList::parse(api),
            internal_tokens: SecretList::parse(internal),
            dev_mode: DevMode::parse(dev),
        }
    }

    fn headers(authorization: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("spin-client-addr", "127.0.0.1:9".parse().unwrap());
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    fn check(
        access: &Access,
        audience: Audience,
        method: Method,
        auth: Option<&str>,
        expected: Result<Admitted, u16>,
    ) {
        let checked =
            access.check(audience, &method, &headers(auth)).map_err(|problem| problem.status().as_u16());
        assert_eq!(checked, expected, "{audience:?} {method} {auth:?}");
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }

    #[test]
    fn operators_show_a_token() {
        let access = access("t1,t2", "", "false");
        check(&access, Audience::Operators, Method::POST, Some("Bearer t2"), Ok(Admitted::Verified));
        check(&access, Audience::Operators, Method::POST, Some("Bearer t3"), Err(401));
        check(&access, Audience::Operators, Method::GET, None, Err(401));
        check(&access, Audience::Everyone, Method::GET, None, Ok(Admitted::Verified));
    }

    #[test]
    fn a_browsers_password_reads_and_changes_nothing() {
        let access = access("t1", "", "false");
        check(&access, Audience::Operators, Method::GET, Some(&basic("ann:t1")), Ok(Admitted::Verified));
        check(&access, Audience::Operators, Method::GET, Some(&basic("ann:t2")), Err(401));
        check(&access, Audience::Operators, Method::GET, Some(&basic("t1")), Err(401));
        check(&access, Audience::Operators, Method::GET, Some("Basic ?"), Err(401));
        check(&access, Audience::Operators, Method::POST, Some(&basic("ann:t1")), Err(401));
        check(&access, Audience::Operators, Method::PUT, Some(&basic("ann:t1")), Err(401));
        check(&access, Audience::Readers, Method::POST, Some(&basic("ann:t1")), Ok(Admitted::Verified));
        check(&access, Audience::Readers, Method::POST, Some(&basic("ann:t2")), Err(401));
        check(&access, Audience::Readers, Method::GET, None, Err(401));
    }

    #[test]
    fn no_token_configured_opens_nothing_but_dev_mode_does() {
        check(&access("", "", "false"), Audience::Operators, Method::GET, Some("Bearer "), Err(401));
        check(&access("", "", "false"), Audience::Operators, Method::GET, Some(&basic("a:")), Err(401));
        check(&access("", "", "true"), Audience::Operators, Method::POST, None, Ok(Admitted::DevMode));
        check(&access("t1", "", "true"), Audience::Operators, Method::POST, Some("Bearer t2"), Err(401));
        check(&access("t1", "", "true"), Audience::Operators, Method::POST, None, Ok(Admitted::DevMode));
    }

    #[test]
    fn what_is_internal_does_not_exist_until_it_has_a_token() {
        check(&access("t1", "", "true"), Audience::Internal, Method::POST, Some("Bearer t1"), Err(404));
        check(&access("t1", "t9", "true"), Audience::Internal, Method::POST, Some("Bearer t1"), Err(401));
        check(
            &access("t1", "t9", "false"),
            Audience::Internal,
            Method::POST,
            Some("Bearer t9"),
            Ok(Admitted::Verified),
        );
    }
}

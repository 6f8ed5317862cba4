//! Requests as they are built, and answers as they are read.

use http::header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::{Auth, Outgoing};

/// Names the sender; GitHub refuses requests without it.
const AGENT: &str = concat!("homeostat/", env!("CARGO_PKG_VERSION"));

/// Longest wait a sender may ask for, milliseconds: GitHub's limits are by the hour.
const WAIT_MS_MAX: u64 = 3_600_000;

/// A request; `None` when the origin is none.
pub(crate) fn request(method: Method, origin: &str, path: &str, auth: Auth) -> Option<Outgoing> {
    let origin = origin.trim_end_matches('/');
    let mut request =
        Request::builder().method(method).uri(format!("{origin}{path}")).body(Vec::new()).ok()?;
    // An origin is a scheme and a host; a path alone would be sent nowhere.
    request.uri().authority()?;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Some(Outgoing { request, auth })
}

/// What an answer comes to.
pub(crate) enum Heard<T> {
    /// 2xx, and its JSON.
    Ok(T),
    /// The sender refuses for good: it is not there, or may not be asked for.
    Refused(String),
    /// Perhaps later; after so many milliseconds where the sender says so.
    Later(String, Option<u64>),
}

/// Reads an answer with a body.
pub(crate) fn heard<T: DeserializeOwned>(
    response: Result<Response<Vec<u8>>, String>,
    now_ms: u64,
) -> Heard<(T, HeaderMap)> {
    match status(response, now_ms) {
        Heard::Ok(response) => match serde_json::from_slice(response.body()) {
            Ok(value) => Heard::Ok((value, response.headers().clone())),
            Err(_) => Heard::Refused("the answer is not what its documentation says".to_owned()),
        },
        Heard::Refused(why) => Heard::Refused(why),
        Heard::Later(why, wait_ms) => Heard::Later(why, wait_ms),
    }
}

/// Sorts an answer by its status alone.
pub(crate) fn status(response: Result<Response<Vec<u8>>, String>, now_ms: u64) -> Heard<Response<Vec<u8>>> {
    let response = match response {
        Ok(response) => response,
        Err(why) => return Heard::Later(why, None),
    };
    let status = response.status();
    let said = format!("status {}", status.as_u16());
    match status {
        _ if status.is_success() => Heard::Ok(response),
        StatusCode::TOO_MANY_REQUESTS => Heard::Later(said, wait_ms(response.headers(), now_ms)),
        StatusCode::FORBIDDEN => match wait_ms(response.headers(), now_ms) {
            Some(wait_ms) => Heard::Later(format!("{said}: asked too often"), Some(wait_ms)),
            None => Heard::Refused(format!("{said}: the token may not do this")),
        },
        StatusCode::UNAUTHORIZED => Heard::Refused(format!("{said}: the token was refused")),
        _ if status.is_server_error() => Heard::Later(said, wait_ms(response.headers(), now_ms)),
        _ if status.is_redirection() => Heard::Refused(format!("{said}: redirects are not followed")),
        _ => Heard::Refused(said),
    }
}

/// What the sender says of when to come again: `Retry-After`, else the end of the window of a
/// limit that is used up.
fn wait_ms(headers: &HeaderMap, now_ms: u64) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let after = number(RETRY_AFTER.as_str()).map(|seconds| seconds.saturating_mul(1000));
    let used_up = || number("x-ratelimit-remaining").filter(|left| *left == 0);
    let reset =
        || Some(used_up().and(number("x-ratelimit-reset"))?.saturating_mul(1000).saturating_sub(now_ms));
    after.or_else(reset).map(|wait_ms| wait_ms.min(WAIT_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_says_when_to_come_again() {
        let check = |pairs: &[(&'static str, &str)], expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_str(value).expect("a value"));
            }
            assert_eq!(wait_ms(&headers, 1_000_000), expected, "{pairs:?}");
        };
        check(&[], None);
        check(&[("retry-after", "7")], Some(7_000));
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "999999999")], Some(WAIT_MS_MAX));
        check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1060")], Some(60_000));
        check(&[("x-ratelimit-remaining", "4"), ("x-ratelimit-reset", "1060")], None);
        check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "900")], Some(0));
    }

    #[test]
    fn only_an_origin_can_be_asked() {
        let check = |origin: &str, expected: Option<&str>| {
            let made = request(Method::GET, origin, "/x?y=1", Auth::None);
            assert_eq!(made.map(|made| made.request.uri().to_string()).as_deref(), expected, "{origin}");
        };
        check("https://api.github.com", Some("https://api.github.com/x?y=1"));
        check("http://127.0.0.1:1/", Some("http://127.0.0.1:1/x?y=1"));
        check("", None);
        check("not an origin", None);
    }
}

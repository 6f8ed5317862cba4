//! What a webhook's sender is answered, decided without I/O: the component only carries it out.
//!
//! A request goes through [`route`], [`length_allowed`] (and the component's capped read),
//! [`admit`], [`crate::normalise::normalise`], the store, and [`answer`].
//!
//! What this does not do: read a body, open a store.
//!
//! Invariants: every response carries its length; a refusal for want of proof has an empty body;
//! after a delivery was verified the answer is 2xx or 503, since senders switch a hook off on 4xx.

use std::net::{IpAddr, SocketAddr};

use homeostat_schema::config::Config;
use homeostat_schema::secret::SecretList;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, ORIGIN, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

use crate::authenticate::{Claim, single};
use crate::instance::Instance;
use crate::normalise::Admitted;
use crate::source::Source;

/// A whole response.
pub type Answer = Response<Vec<u8>>;

/// After this a sender may try again when the store is down, seconds: longer than a Redis
/// restart, shorter than any sender's patience.
pub const RETRY_AFTER_S: u32 = 5;

const CLIENT: HeaderName = HeaderName::from_static("spin-client-addr");

/// Whether dev mode is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DevMode {
    /// Unsigned deliveries are refused.
    Off,
    /// Unsigned deliveries from this machine are let in.
    On,
}

impl DevMode {
    /// Reads the variable `dev_mode`: on only when it says exactly `true`.
    pub fn parse(value: &str) -> Self {
        if value.trim() == "true" { Self::On } else { Self::Off }
    }

    /// Whether dev mode covers this request: it comes from this machine, and not from a page of
    /// another site open in a browser on it.
    pub fn covers(self, headers: &HeaderMap) -> bool {
        self == Self::On && from_loopback(headers) && !from_foreign_page(headers)
    }
}

/// The instance of a source that a request is for.
///
/// # Errors
/// The answer to give: 404 for an unknown instance, 405 for another method than POST, or PUT where the
/// sender may use it.
pub fn route<'a>(method: &Method, path: &str, config: &'a Config) -> Result<Instance<'a>, Box<Answer>> {
    let name = path.strip_prefix("/webhooks/").map(|name| name.strip_suffix('/').unwrap_or(name));
    let instance = name.and_then(|name| Instance::of(config, name));
    let instance = instance.ok_or_else(|| Box::new(empty(StatusCode::NOT_FOUND)))?;
    // Grafana's contact point can be set to PUT; every other sender posts.
    let puts = instance.source() == Source::GRAFANA;
    if method == Method::POST || (puts && method == Method::PUT) {
        return Ok(instance);
    }
    let mut refusal = empty(StatusCode::METHOD_NOT_ALLOWED);
    let allowed = HeaderValue::from_static(if puts { "POST, PUT" } else { "POST" });
    refusal.headers_mut().insert(ALLOW, allowed);
    Err(Box::new(refusal))
}

/// Whether the declared length is within `max` bytes. An absent or unreadable one is left to the
/// capped read.
pub fn length_allowed(headers: &HeaderMap, max: usize) -> bool {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    declared.and_then(|text| text.trim().parse::<u64>().ok()).is_none_or(|length| length <= max as u64)
}

/// 413: longer than the source may send.
pub fn too_long() -> Answer {
    empty(StatusCode::PAYLOAD_TOO_LARGE)
}

/// Whether the delivery is let in, and why.
///
/// # Errors
/// 401 with an empty body.
pub fn admit(
    instance: Instance<'_>,
    claim: &Claim<'_>,
    secrets: &SecretList,
    dev_mode: DevMode,
) -> Result<Admitted, Box<Answer>> {
    if let Ok(proof) = instance.authenticate(claim, secrets) {
        return Ok(Admitted::Proven(proof));
    }
    // A wrong proof is wrong in dev mode too, where there is a secret to hold it against.
    let unproven = secrets.is_empty() || !instance.claims_proof(claim.headers, secrets);
    if dev_mode.covers(claim.headers) && unproven {
        return Ok(Admitted::DevMode);
    }
    Err(Box::new(empty(StatusCode::UNAUTHORIZED)))
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored.
    Accepted {
        /// The event's id.
        id: String,
    },
    /// Stored before.
    Duplicate,
    /// Not understood: why. It is among the dead letters.
    Ignored {
        /// Safe to show.
        why: String,
    },
}

#[derive(Serialize)]
struct Report<'a> {
    accepted: Vec<&'a str>,
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Line<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
enum Line<'a> {
    Accepted { id: &'a str },
    Duplicate,
    Ignored { why: &'a str },
}

/// 202 for what was stored, was stored before, or is among the dead letters; 200 for an empty list.
/// `duplicate` is true when nothing was new; with more than one item, `items` answers for each.
pub fn answer(outcomes: &[Outcome]) -> Answer {
    if outcomes.is_empty() {
        return ignored("an empty list");
    }
    let accepted = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Accepted { id } => Some(id.as_str()),
        _ => None,
    });
    let accepted: Vec<_> = accepted.collect();
    let duplicate = accepted.is_empty() && outcomes.contains(&Outcome::Duplicate);
    let ignored = match outcomes {
        [Outcome::Ignored { why }] => Some(why.as_str()),
        _ => None,
    };
    let items = if outcomes.len() > 1 { outcomes.iter().map(line).collect() } else { Vec::new() };
    json(StatusCode::ACCEPTED, &Report { accepted, duplicate, ignored, items })
}

/// 200: understood, and not of interest.
pub fn ignored(why: &str) -> Answer {
    json(
        StatusCode::OK,
        &Report { accepted: Vec::new(), duplicate: false, ignored: Some(why), items: Vec::new() },
    )
}

/// 503 with `Retry-After`: the store is down, or too much is waiting already.
pub fn unavailable() -> Answer {
    let mut answer = empty(StatusCode::SERVICE_UNAVAILABLE);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    answer
}

fn line(outcome: &Outcome) -> Line<'_> {
    match outcome {
        Outcome::Accepted { id } => Line::Accepted { id },
        Outcome::Duplicate => Line::Duplicate,
        Outcome::Ignored { why } => Line::Ignored { why },
    }
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    // These shapes hold texts and lists only, which always serialise; an empty body is the honest
    // answer should that ever change.
    let body = serde_json::to_vec(value).unwrap_or_default();
    whole(status, Some("application/json"), body)
}

fn empty(status: StatusCode) -> Answer {
    whole(status, None, Vec::new())
}

fn whole(status: StatusCode, kind: Option<&'static str>, body: Vec<u8>) -> Answer {
    let length = HeaderValue::from(body.len());
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_LENGTH, length);
    if let Some(kind) = kind {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    answer
}

/// The client's address, as the host tells it.
pub fn client(headers: &HeaderMap) -> Option<IpAddr> {
    // Given twice, one of them is the client's own word.
    let client = single(headers, CLIENT.as_str()).and_then(|value| std::str::from_utf8(value).ok())?;
    let socket = client.parse::<SocketAddr>().map(|socket| socket.ip());
    socket.or_else(|_| client.parse::<IpAddr>()).ok().map(|address| address.to_canonical())
}

/// What a flood is counted by: the address, of IPv6 the half that a subscriber is given.
pub fn origin(headers: &HeaderMap) -> String {
    match client(headers) {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::")
        }
        Some(address) => address.to_string(),
        None => String::new(),
    }
}

fn from_loopback(headers: &HeaderMap) -> bool {
    client(headers).is_some_and(|address| address.is_loopback())
}

/// A browser names the page a request was made by; any page may post to this machine.
fn from_foreign_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let uri = origin.to_str().ok().and_then(|text| text.parse::<http::Uri>().ok());
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    !matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests;

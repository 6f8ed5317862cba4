//! One try of a delivery: the request, and what its answer means.
//!
//! What this does not do: follow a redirect, read an answer's body, or send anything.

use homeostat_schema::config::Sink;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use serde::{Deserialize, Serialize};

use crate::cdevents::CdEvent;
use crate::cloudevent::{MEDIA_TYPE, structured};
use crate::sign::{self, SigningKey};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Names the sender.
const AGENT: &str = concat!("homeostat/", env!("CARGO_PKG_VERSION"));

/// An event on its way to one sink. What is sent is kept as it is, so that every try sends the
/// same bytes under the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The sink's name.
    pub sink: String,
    /// `webhook-id`, and the id of the event.
    pub id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event in its envelope.
    pub body: String,
}

impl Delivery {
    /// Of an event, for a sink; `None` when the event is too large to be sent.
    pub fn new(sink: &str, event: &CdEvent) -> Option<Self> {
        let body = String::from_utf8(structured(event)?).ok()?;
        let (id, kind) = (event.context.id.clone(), event.context.kind.clone());
        Some(Self { sink: sink.to_owned(), id, kind, body })
    }

    /// The request of a try made at `now_ms`; `None` when the sink's address or the id cannot be
    /// part of one.
    pub fn request(&self, sink: &Sink, keys: &[SigningKey], now_ms: u64) -> Option<http::Request<Vec<u8>>> {
        let at_s = now_ms / 1000;
        let signature = sign::header(keys, &self.id, at_s, self.body.as_bytes());
        let mut request = http::Request::post(&sink.url).body(self.body.clone().into_bytes()).ok()?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ID, HeaderValue::from_str(&self.id).ok()?);
        headers.insert(TIMESTAMP, HeaderValue::from(at_s));
        headers.insert(SIGNATURE, HeaderValue::from_str(&signature).ok()?);
        Some(request)
    }
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The sink has it.
    Taken,
    /// It does not, or nobody can say: try again.
    NotTaken(String),
}

/// What an answer of this status means: 2xx is taken, everything else is tried again. A redirect
/// is not followed, since it could lead anywhere.
pub fn judge(status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Taken,
        300..=399 => Outcome::NotTaken(format!("status {status}: redirects are not followed")),
        410 => Outcome::NotTaken("status 410: the sink says it is gone; remove its [[sink]]".to_owned()),
        _ => Outcome::NotTaken(format!("status {status}")),
    }
}

//! A call before it becomes an HTTP request, and a reply reduced to what connectors look at.

use homeostat_schema::types::Request;
use http::{HeaderValue, Method, header};
use serde_json::Value;

use super::{Auth, Outgoing, RECORDED_BODY_CHARS_MAX, REPLY_BYTES_MAX, Reply, TransportFailure};
use crate::text;

/// Names the sender; GitHub refuses requests without it.
const USER_AGENT: &str = concat!("homeostat/", env!("CARGO_PKG_VERSION"));

/// Whether a request changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Changes,
}

/// A request in the making.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) auth: Auth,
    pub(super) effect: Effect,
    /// What is sent.
    pub(super) body: Option<Value>,
    /// What is recorded in its place, where it may hold something secret.
    pub(super) shown: Option<Value>,
    pub(super) headers: &'static [(&'static str, &'static str)],
}

impl Call {
    pub(super) fn record(&self) -> Request {
        let body = self.shown.as_ref().or(self.body.as_ref()).map(Value::to_string);
        Request {
            method: self.method.to_string(),
            url: self.url.clone(),
            body: text::cut(&body.unwrap_or_default(), RECORDED_BODY_CHARS_MAX),
        }
    }

    /// `None` when the URL is not one; origins and names are checked, so it does not happen.
    pub(super) fn outgoing(&self) -> Option<Outgoing> {
        let body = self.body.as_ref().map(|b| b.to_string().into_bytes()).unwrap_or_default();
        let mut request = http::Request::builder().method(self.method.clone()).uri(&self.url);
        for (name, value) in self.headers {
            request = request.header(*name, HeaderValue::from_static(value));
        }
        request = request.header(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        Some(Outgoing { request: request.body(body).ok()?, auth: self.auth })
    }
}

/// What came back, in the words connectors decide by.
#[derive(Debug, Clone)]
pub(super) enum Heard {
    /// 2xx and its JSON, `Null` where there was none.
    Ok(u16, Value),
    /// For certain nothing happened: refused, redirected, or never sent. With the reason.
    Refused(u16, String),
    /// Nobody can say. With the reason.
    Unclear(String),
}

impl Heard {
    pub(super) fn of(reply: &Reply<'_>) -> Self {
        let response = match reply.response {
            Ok(response) => response,
            Err(TransportFailure::NotSent) => {
                return Self::Refused(0, "the request could not be sent".to_owned());
            }
            Err(TransportFailure::Denied) => {
                let why = "the request was not let out, or the secret it needs is not set";
                return Self::Refused(0, why.to_owned());
            }
            Err(TransportFailure::NoAnswer) => return Self::Unclear("no answer came".to_owned()),
        };
        let status = response.status().as_u16();
        if response.body().len() > REPLY_BYTES_MAX {
            let why = format!("the answer is longer than {REPLY_BYTES_MAX} bytes");
            return if status < 400 { Self::Unclear(why) } else { Self::Refused(status, why) };
        }
        let json = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        match status {
            200..=299 => Self::Ok(status, json),
            // The server may have begun, or something between us and it answered.
            408 | 100..=199 | 500.. => Self::Unclear(said(status, &json)),
            _ => Self::Refused(status, said(status, &json)),
        }
    }
}

/// `status 404: Not Found`, with the message GitHub and Kubernetes put into `message`.
fn said(status: u16, json: &Value) -> String {
    let hint = match status {
        300..=399 => " (redirects are not followed; was it renamed?)",
        401 => " (the token was refused)",
        _ => "",
    };
    match json.get("message").and_then(Value::as_str) {
        Some(message) => format!("status {status}{hint}: {}", text::scrubbed(message)),
        None => format!("status {status}{hint}"),
    }
}

/// What a conversation does next.
#[derive(Debug)]
pub(super) enum Step {
    Send(Call),
    Done(String),
    Failed(String),
    Unknown(String),
}

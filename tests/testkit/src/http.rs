//! One HTTP/1 request over one fresh connection.
//!
//! Does not pool, follow redirects, retry or speak TLS: tests and stand-ins talk to loopback.
//! Every exchange is bounded in time by its caller's limit and in size by [`BODY_BYTES_MAX`].

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The largest answer read: far above any page the API gives, far below memory.
const BODY_BYTES_MAX: usize = 64 << 20;

/// How long an exchange may take unless the caller says otherwise.
pub const WITHIN: Duration = Duration::from_secs(20);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not `http://host:port/…`.
    #[error("not a plain http address: {0}")]
    Address(String),
    /// Nobody listens there.
    #[error("could not connect to {0}")]
    Connect(String, #[source] std::io::Error),
    /// The connection ended before a whole answer came.
    #[error("no whole answer from {0}")]
    NoAnswer(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The time was up.
    #[error("no answer from {0} within {1:?}")]
    TimedOut(String, Duration),
}

/// Sends the request, whose URI is absolute, and reads the whole answer.
///
/// # Errors
/// [`HttpError`] when there is no whole answer in [`WITHIN`]; any status is an answer.
pub async fn send(request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
    let authority = authority(&request)?;
    match tokio::time::timeout(WITHIN, exchange(request, &authority)).await {
        Ok(answered) => answered,
        Err(_) => Err(HttpError::TimedOut(authority, WITHIN)),
    }
}

/// `GET`s an address.
///
/// # Errors
/// As [`send`].
pub async fn get(url: &str) -> Result<Response<Vec<u8>>, HttpError> {
    send(request("GET", url, &[], Vec::new())?).await
}

/// `POST`s a JSON document.
///
/// # Errors
/// As [`send`].
pub async fn post_json(
    url: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Result<Response<Vec<u8>>, HttpError> {
    let mut all = vec![(CONTENT_TYPE.as_str(), "application/json")];
    all.extend_from_slice(headers);
    send(request("POST", url, &all, body.to_string().into_bytes())?).await
}

/// A request from its parts.
///
/// # Errors
/// [`HttpError::Address`] when the parts do not make a request.
pub fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Request<Vec<u8>>, HttpError> {
    let mut builder = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).map_err(|error| HttpError::Address(format!("{url}: {error}")))
}

/// The answer's body as JSON; `Null` when it is none.
pub fn json(response: &Response<Vec<u8>>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}

fn authority(request: &Request<Vec<u8>>) -> Result<String, HttpError> {
    let uri = request.uri();
    match (uri.scheme_str(), uri.authority()) {
        (Some("http"), Some(authority)) => Ok(authority.to_string()),
        _ => Err(HttpError::Address(uri.to_string())),
    }
}

async fn exchange(request: Request<Vec<u8>>, authority: &str) -> Result<Response<Vec<u8>>, HttpError> {
    let no_answer =
        |source: Box<dyn std::error::Error + Send + Sync>| HttpError::NoAnswer(authority.to_owned(), source);
    let stream = TcpStream::connect(authority)
        .await
        .map_err(|source| HttpError::Connect(authority.to_owned(), source))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| no_answer(error.into()))?;
    // Ends with the exchange; its error, if any, also reaches the waiting request.
    let driver = tokio::spawn(connection);
    let outcome = async {
        let response = sender
            .send_request(relative(request, authority)?)
            .await
            .map_err(|error| no_answer(error.into()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(no_answer)?;
        Ok(Response::from_parts(head, body.to_bytes().to_vec()))
    }
    .await;
    driver.abort();
    outcome
}

fn relative(request: Request<Vec<u8>>, authority: &str) -> Result<Request<Full<Bytes>>, HttpError> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    head.uri = path.parse().map_err(|_| HttpError::Address(path.clone()))?;
    if !head.headers.contains_key(HOST) {
        let host = authority.parse().map_err(|_| HttpError::Address(authority.to_owned()))?;
        head.headers.insert(HOST, host);
    }
    Ok(Request::from_parts(head, Full::new(Bytes::from(body))))
}

//! Serves a stand-in: accepts, reads, records, applies the faults, answers.
//!
//! Knows nothing of what the stand-in stands for. Invariant: every request that was read whole
//! is in the record, whatever became of it; authorization is recorded as present, never its value.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::fault::{Fault, Faults};

/// The largest request body a stand-in reads.
const BODY_BYTES_MAX: usize = 4 << 20;

/// Requests kept in the record; a test that sends more looks at the wrong end.
const RECORD_MAX: usize = 100_000;

/// State that answers requests.
pub trait StandIn: Send + Sync + 'static {
    /// Does what is asked and says so.
    fn answer(&self, request: &Received) -> Answer;
}

/// A request as a stand-in sees it.
#[derive(Debug, Clone)]
pub struct Received {
    /// Milliseconds since the epoch.
    pub at_ms: u64,
    /// Upper case.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Decoded.
    pub query: BTreeMap<String, String>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Raw.
    pub body: Vec<u8>,
}

/// What a stand-in says.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON, or plain text for a JSON string under [`Answer::text`].
    pub body: Vec<u8>,
    /// The body's media type.
    pub content_type: &'static str,
    /// Where the rest of a list is, as the header that says so.
    pub rest: Option<(&'static str, String)>,
}

impl Received {
    /// The path's parts between slashes.
    pub fn parts(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether it carries this token, as `Bearer` or `token`.
    pub fn has_token(&self, token: &str) -> bool {
        let given = self.headers.get("authorization").map_or("", String::as_str);
        given.strip_prefix("Bearer ").or_else(|| given.strip_prefix("token ")) == Some(token)
    }
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string().into_bytes(), content_type: "application/json", rest: None }
    }

    /// A plain text answer.
    pub fn text(status: u16, body: &str) -> Self {
        Self { status, body: body.as_bytes().to_vec(), content_type: "text/plain", rest: None }
    }

    /// With a header that says where the rest of the list is.
    pub fn continued(self, rest: Option<(&'static str, String)>) -> Self {
        Self { rest, ..self }
    }
}

/// A stand-in being served; stops when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    faults: Faults,
    record: Mutex<Vec<Received>>,
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
struct Dropped;

impl Server {
    /// Serves on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(stand_in: Arc<dyn StandIn>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(accept(listener, stand_in, shared.clone()));
        Ok(Self { address, shared, task })
    }

    /// `http://127.0.0.1:port`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The switches that make it fail.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.lock().clone()
    }

    /// How many requests with this method had a path that contains `path_part`.
    pub fn count(&self, method: &str, path_part: &str) -> usize {
        self.shared.lock().iter().filter(|one| one.method == method && one.path.contains(path_part)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Received>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, received: &Received) {
        let mut kept = received.clone();
        if let Some(value) = kept.headers.get_mut("authorization") {
            "(present)".clone_into(value);
        }
        let mut record = self.lock();
        if record.len() < RECORD_MAX {
            record.push(kept);
        }
    }
}

async fn accept(listener: TcpListener, stand_in: Arc<dyn StandIn>, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (stand_in, shared) = (stand_in.clone(), shared.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| serve(request, stand_in.clone(), shared.clone()));
            // A connection dropped on purpose ends with an error; that is its point.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    request: Request<Incoming>,
    stand_in: Arc<dyn StandIn>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let received = receive(request).await?;
    shared.remember(&received);
    match shared.faults.take(&received.method, &received.path) {
        None => Ok(render(&stand_in.answer(&received))),
        Some(Fault::Status(status)) => Ok(render(&Answer::text(status, "refused on purpose"))),
        Some(Fault::Drop) => Err(Dropped),
        Some(Fault::LoseAnswer) => {
            stand_in.answer(&received);
            Err(Dropped)
        }
        Some(Fault::Delay(delay)) => {
            let answer = stand_in.answer(&received);
            tokio::time::sleep(delay).await;
            Ok(render(&answer))
        }
    }
}

async fn receive(request: Request<Incoming>) -> Result<Received, Dropped> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Dropped)?;
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    Ok(Received {
        at_ms: crate::now_ms(),
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: query(head.uri.query().unwrap_or_default()),
        headers,
        body: body.to_bytes().to_vec(),
    })
}

fn query(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn render(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body.clone())));
    *response.status_mut() =
        http::StatusCode::from_u16(answer.status).unwrap_or(http::StatusCode::IM_A_TEAPOT);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(answer.content_type));
    if let Some((name, Ok(value))) = answer.rest.as_ref().map(|(name, value)| (*name, value.parse())) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Waits until `holds` answers `Some`, looking every 20 ms; `None` when the time is up.
pub async fn eventually<T>(within: Duration, mut holds: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    /// Often enough that a test loses little, seldom enough that it does not keep a core busy.
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let deadline = tokio::time::Instant::now() + within;
    loop {
        if let Some(value) = holds().await {
            return Some(value);
        }
        if tokio::time::Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

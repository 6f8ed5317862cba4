//! A bounded load: a number of kept connections, each sending the next prepared request as soon as
//! it has the answer to the last.
//!
//! What this does not do: open-loop load for saturation; latency under a fixed rate is in `latency`.
//! Invariant: no more requests than were prepared, and none after the time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A request that was prepared.
pub(crate) type Prepared = Request<Full<Bytes>>;

/// A kept connection.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub(crate) async fn open(authority: &str) -> Result<Self> {
        let stream = TcpStream::connect(authority).await.context("nobody listens")?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; its errors reach the request in hand.
        tokio::spawn(driver);
        Ok(Self(sender))
    }

    /// Sends one and reads the whole answer.
    pub(crate) async fn send(&mut self, request: Prepared) -> Result<StatusCode> {
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }
}

/// What a load found.
pub(crate) struct Outcome {
    /// Answered with the expected status.
    pub(crate) answered: usize,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Milliseconds for each, sorted.
    pub(crate) times_ms: Vec<f64>,
}

impl Outcome {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(crate) fn per_second(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}

/// Sends until all are sent or the time is up.
///
/// # Errors
/// When an answer has another status than expected: the numbers would mean something else.
pub(crate) async fn run(
    authority: &str,
    prepared: Vec<Prepared>,
    connections: usize,
    limit: Duration,
    expected: StatusCode,
) -> Result<Outcome> {
    let prepared: Arc<Vec<Prepared>> = Arc::new(prepared);
    let next = Arc::new(AtomicUsize::new(0));
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(authority).await?);
    }
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for connection in open {
        clients.spawn(client(connection, prepared.clone(), next.clone(), started + limit, expected));
    }
    let mut times_ms = Vec::new();
    for one in clients.join_all().await {
        times_ms.extend(one?);
    }
    let took = started.elapsed();
    times_ms.sort_by(f64::total_cmp);
    Ok(Outcome { answered: times_ms.len(), took, times_ms })
}

async fn client(
    mut connection: Connection,
    prepared: Arc<Vec<Prepared>>,
    next: Arc<AtomicUsize>,
    deadline: Instant,
    expected: StatusCode,
) -> Result<Vec<f64>> {
    let mut times_ms = Vec::new();
    while Instant::now() < deadline {
        let Some(request) = prepared.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
        let sent = Instant::now();
        let status = connection.send(request.clone()).await?;
        ensure!(status == expected, "answered with {status} instead of {expected}");
        times_ms.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times_ms)
}

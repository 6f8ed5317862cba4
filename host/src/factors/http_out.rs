//! Outbound HTTP, behind `allowed_outbound_hosts`.
//!
//! Purpose: decide whether a request may leave, and bound how long it may take in all.
//! Does not: follow redirects, pool connections, or trust other roots than the built-in web ones.
//! Invariant: a request to a host that is not granted never opens a socket; the guest is told
//! `HttpRequestDenied`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

use crate::allowed_hosts::AllowedHosts;
use crate::faults::{Fate, Faults, Killed, Seen};
use crate::telemetry::{OutboundRefused, emit};

/// The longest an outbound call may take from first byte sent to last byte received: well under the
/// lease a worker holds while it calls.
pub const OUTBOUND_CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest that connecting may take.
const OUTBOUND_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type Exchange = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// The policy of one component instance.
pub struct OutboundHttp {
    /// The component's id, for the log.
    pub component: Arc<str>,
    /// Where it may go.
    pub allowed: Arc<AllowedHosts>,
    /// What goes wrong on the way; `None` outside of tests.
    pub faults: Option<Faults>,
}

impl WasiHttpHooks for OutboundHttp {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Exchange, Error>> + Send> {
        if !self.allowed.allows_uri(request.uri()) {
            let host = request.uri().host();
            emit(OutboundRefused { component: &self.component, kind: "HTTP", host });
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        let line = self.faults.as_ref().map(|_| format!("{} {}", request.method(), request.uri().path()));
        let exchange = send(request, Limits::of(options));
        match (&self.faults, line) {
            (Some(faults), Some(line)) => {
                Box::new(under_faults(faults.clone(), Arc::clone(&self.component), line, exchange))
            }
            _ => Box::new(exchange),
        }
    }
}

async fn under_faults(
    faults: Faults,
    component: Arc<str>,
    line: String,
    exchange: impl Future<Output = Result<Exchange, Error>>,
) -> Result<Exchange, Error> {
    match faults.around(&component, Seen::Outbound(&line), exchange).await {
        Ok(Fate::Done(answer)) => answer,
        Ok(Fate::Failed) => Err(Error::ConnectionRefused),
        Ok(Fate::Lost) => Err(Error::ConnectionTerminated),
        Err(Killed) => {
            faults.kill_at_next_call(&component);
            Err(Error::ConnectionTerminated)
        }
    }
}

/// What a request may take, each as the component asks and never more than the host allows.
struct Limits {
    connect: Duration,
    /// Connecting counts, as in Spin.
    first_byte: Duration,
    between_bytes: Duration,
}

impl Limits {
    fn of(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        let cap = |given: Option<Duration>, most: Duration| given.map_or(most, |given| given.min(most));
        Self {
            connect: cap(options.connect_timeout, OUTBOUND_CONNECT_TIMEOUT),
            first_byte: cap(options.first_byte_timeout, OUTBOUND_CALL_TIMEOUT),
            between_bytes: cap(options.between_bytes_timeout, OUTBOUND_CALL_TIMEOUT),
        }
    }
}

async fn send(request: http::Request<WasiBody>, limits: Limits) -> Result<Exchange, Error> {
    let end = Instant::now() + OUTBOUND_CALL_TIMEOUT;
    let connect = RequestOptions { connect_timeout: Some(limits.connect), ..RequestOptions::default() };
    let exchange = default_send_request(request, Some(connect));
    let exchange = tokio::time::timeout(limits.first_byte, exchange).await;
    let (response, connection) = exchange.map_err(|_| Error::ConnectionReadTimeout)??;
    let response = response.map(|body| {
        let expired = Box::pin(tokio::time::sleep_until(end));
        Timed { body: body.boxed_unsync(), expired, between: limits.between_bytes, idle: None }.boxed_unsync()
    });
    Ok((response, Box::new(connection)))
}

/// A body that fails when it is not through in time, or when who reads it waits too long.
struct Timed {
    body: WasiBody,
    expired: Pin<Box<Sleep>>,
    between: Duration,
    /// Runs while somebody waits for the next bytes: a body left unread is not late.
    idle: Option<Pin<Box<Sleep>>>,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.expired.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.idle = None;
            return Poll::Ready(frame);
        }
        let between = self.between;
        let idle = self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(between)));
        idle.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

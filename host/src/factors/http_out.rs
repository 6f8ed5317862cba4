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
        let exchange = send(request, capped(options));
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

fn capped(options: Option<RequestOptions>) -> RequestOptions {
    let options = options.unwrap_or_default();
    let cap = |given: Option<Duration>, most: Duration| Some(given.map_or(most, |given| given.min(most)));
    RequestOptions {
        connect_timeout: cap(options.connect_timeout, OUTBOUND_CONNECT_TIMEOUT),
        first_byte_timeout: cap(options.first_byte_timeout, OUTBOUND_CALL_TIMEOUT),
        between_bytes_timeout: cap(options.between_bytes_timeout, OUTBOUND_CALL_TIMEOUT),
    }
}

async fn send(request: http::Request<WasiBody>, options: RequestOptions) -> Result<Exchange, Error> {
    let deadline = Instant::now() + OUTBOUND_CALL_TIMEOUT;
    let exchange = default_send_request(request, Some(options));
    let (response, connection) =
        tokio::time::timeout_at(deadline, exchange).await.map_err(|_| Error::HttpResponseTimeout)??;
    let response = response.map(|body| Deadline::new(body.boxed_unsync(), deadline).boxed_unsync());
    Ok((response, Box::new(connection)))
}

/// A body that fails when it is not through by a deadline.
struct Deadline {
    body: WasiBody,
    expired: Pin<Box<Sleep>>,
}

impl Deadline {
    fn new(body: WasiBody, at: Instant) -> Self {
        Self { body, expired: Box::pin(tokio::time::sleep_until(at)) }
    }
}

impl Body for Deadline {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.expired.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! The request as the guest sees it.
//!
//! Purpose: an absolute URI, Spin's headers, and no `Connection` header.
//! Does not: let a client set a `spin-*` header of its own.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_http::{Error, WasiBody};

use super::instances::Taker;
use crate::routes::RouteMatch;

/// Why a request cannot be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    /// No `Host` header and no authority.
    #[error("the request names no host")]
    NoHost,
    /// The host does not make an address.
    #[error("the Host header is not a host")]
    BadHost,
}

/// Turns what came over the wire into what the guest is given.
pub(super) fn guest_request(
    request: Request<Incoming>,
    client: SocketAddr,
    route: &RouteMatch<'_>,
) -> Result<Request<impl Body<Data = Bytes, Error = Error> + Send + Unpin + use<>>, RequestError> {
    let (mut parts, body) = request.into_parts();
    parts.uri = absolute(&parts.uri, &parts.headers)?;
    parts.headers.remove(CONNECTION);
    let forged: Vec<HeaderName> =
        parts.headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in forged {
        parts.headers.remove(name);
    }
    add_spin_headers(&mut parts.headers, &parts.uri, client, route);
    Ok(Request::from_parts(parts, body.map_err(Error::from)))
}

fn absolute(uri: &Uri, headers: &HeaderMap) -> Result<Uri, RequestError> {
    let authority = match (uri.authority(), headers.get(HOST)) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host.to_str().map_err(|_| RequestError::BadHost)?,
        (None, None) => return Err(RequestError::NoHost),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let absolute = Uri::builder().scheme("http").authority(authority).path_and_query(path).build();
    absolute.map_err(|_| RequestError::BadHost)
}

fn add_spin_headers(headers: &mut HeaderMap, uri: &Uri, client: SocketAddr, route: &RouteMatch<'_>) {
    let mut add = |name: HeaderName, value: &str| {
        // A path may hold bytes that a header value may not; such a header is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    let fixed = HeaderName::from_static;
    add(fixed("spin-path-info"), &route.path_info);
    add(fixed("spin-full-url"), &uri.to_string());
    add(fixed("spin-matched-route"), route.route);
    add(fixed("spin-base-path"), "/");
    add(fixed("spin-raw-component-route"), route.route);
    add(fixed("spin-component-route"), route.component_route());
    add(fixed("spin-client-addr"), &client.to_string());
    for (name, value) in &route.named {
        if let Ok(name) = HeaderName::try_from(format!("spin-path-match-{name}")) {
            add(name, value);
        }
    }
}

/// A request's place among all in flight, and at its component if that counts them.
pub(super) type Places = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// A response body that holds its request's places until it is through, and fails where its
/// instance did: a body that was cut off never looks whole.
pub(super) struct Held {
    body: WasiBody,
    taker: Taker,
    _places: Places,
}

impl Held {
    pub(super) fn new(body: WasiBody, taker: Taker, places: Places) -> Self {
        Self { body, taker, _places: places }
    }
}

impl Body for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        let cut = frame.is_none() && self.taker.has_failed();
        Poll::Ready(if cut { Some(Err(Error::HttpResponseIncomplete)) } else { frame })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.taker.has_failed()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

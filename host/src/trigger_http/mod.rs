//! The HTTP trigger: requests in, component instances called, responses out.
//!
//! Purpose: serve the manifest's routes as Spin does: the `spin-*` headers, instances reused, an
//! empty 404 where there is no route and an empty 500 where the guest failed.
//! Does not: buffer bodies but short ones, speak TLS, or retry.
//! Invariant: connections, requests in flight and the time of each are bounded by named limits.

mod gather;
mod instances;
mod request;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ProxyHandler, ProxyPre};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::engine::{ComponentState, Host, InstanceState, LoadError};
use crate::routes::Routes;
use crate::stop::Stop;
use crate::telemetry::{AcceptFailed, RequestFailed, RouteUnserved, emit};
use gather::gather;
use instances::{Instances, Taker};
use request::{Held, Places, RequestError, guest_request};

pub use gather::{GATHER_BYTES_MAX, GATHER_TIME_MAX};
pub use instances::{INSTANCE_CONCURRENT_REQUESTS_MAX, INSTANCE_REQUESTS_MAX, POST_RETURN_TIMEOUT};

/// Open connections; more wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 4096;

/// Requests being served at once, in all components; more wait on their connections. Half of the
/// pool of instances, so that Redis triggers always find one.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 500;

/// How long a client may take to send a request's headers.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the guest may take to begin a response, by default.
pub const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a request waits for a place at a component that takes only so many at once.
const PLACE_WAIT: Duration = Duration::from_secs(5);

/// After this a client that found no place may try again, seconds.
const RETRY_AFTER_S: u32 = 5;

/// How long to wait after the listener could not accept: out of file descriptors, usually.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The answers under `/.well-known/spin/`, which Spin keeps for itself.
const HEALTH_PATH: &str = "/.well-known/spin/health";

/// Everything the trigger serves.
pub struct HttpTrigger {
    routes: Routes,
    handlers: BTreeMap<String, Served>,
    in_flight: Arc<Semaphore>,
    stop: Stop,
}

/// A component that serves routes.
struct Served {
    handler: ProxyHandler<Instances>,
    /// Of one that takes only so many requests at once.
    places: Option<Arc<Semaphore>>,
}

impl HttpTrigger {
    /// A trigger with `routes` and nothing to serve them yet; it serves until `stop`.
    pub fn new(routes: Routes, stop: Stop) -> Self {
        let in_flight = Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX));
        Self { routes, handlers: BTreeMap::new(), in_flight, stop }
    }

    /// Adds the component that serves some of the routes.
    ///
    /// # Errors
    /// When it exports no `wasi:http/handler`.
    pub fn add(
        &mut self,
        host: &Host,
        state: &Arc<ComponentState>,
        component: InstancePre<InstanceState>,
        request_timeout: Duration,
    ) -> Result<(), LoadError> {
        let service = ServicePre::new(component).map_err(|_| LoadError::Export {
            component: state.id.to_string(),
            trigger: "http",
            export: "wasi:http/handler@0.3.0",
        })?;
        let instances = Instances::new(
            host.clone(),
            Arc::clone(state),
            ProxyPre::P3(service),
            request_timeout,
            self.stop.clone(),
        );
        let places = state.instances_max.map(|count| Arc::new(Semaphore::new(count)));
        let served = Served { handler: ProxyHandler::new(instances), places };
        self.handlers.insert(state.id.to_string(), served);
        Ok(())
    }

    /// Serves `listener` until told to stop and every open connection is done with its request.
    /// The caller bounds how long that may take.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut stop = self.stop.clone();
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        loop {
            let accepted = tokio::select! {
                () = stop.wait() => break,
                accepted = accept(&listener, &connections) => accepted,
            };
            match accepted {
                Ok((stream, client, permit)) => {
                    let serve = Arc::clone(&self).serve_connection(stream, client);
                    let alive = alive.clone();
                    tokio::spawn(async move {
                        serve.await;
                        drop((permit, alive));
                    });
                }
                Err(error) => {
                    emit(AcceptFailed { error: &error, pause: ACCEPT_PAUSE });
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((listener, alive));
        // Nothing is ever sent: it ends when the last connection has dropped its sender.
        let _ended = all_gone.recv().await;
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream, client: SocketAddr) {
        let mut stop = self.stop.clone();
        let service = service_fn(move |request| {
            let trigger = Arc::clone(&self);
            async move { Ok::<_, std::convert::Infallible>(trigger.respond(request, client).await) }
        });
        let mut server = hyper::server::conn::http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT).half_close(true);
        let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stop.wait() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, %client, "connection ended");
        }
    }

    async fn respond(&self, request: Request<Incoming>, client: SocketAddr) -> Response<WasiBody> {
        let path = request.uri().path();
        if path == HEALTH_PATH {
            return Response::new(text("OK"));
        }
        let Some(route) = self.routes.find(path) else { return empty(StatusCode::NOT_FOUND) };
        let Some(served) = self.handlers.get(route.component) else {
            emit(RouteUnserved { component: route.component });
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        // Its own place first: who waits there takes none of the places of the others.
        let Some(own) = place(served.places.as_ref()).await else { return busy() };
        // The semaphore is never closed, so the permit is always had in the end.
        let Ok(permit) = Arc::clone(&self.in_flight).acquire_owned().await else {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        let component = route.component.to_owned();
        match guest_request(request, client, &route) {
            Ok(request) => {
                let (parts, body) = request.into_parts();
                let request = Request::from_parts(parts, gather(body).await);
                call(&served.handler, &component, request, (permit, own)).await
            }
            Err(error @ (RequestError::NoHost | RequestError::BadHost)) => {
                tracing::debug!(%client, %error, "request refused");
                empty(StatusCode::BAD_REQUEST)
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, client) = listener.accept().await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %client, "connection gone before it was served");
    }
    Ok((stream, client, permit))
}

async fn call(
    handler: &ProxyHandler<Instances>,
    component: &str,
    request: Request<WasiBody>,
    places: Places,
) -> Response<WasiBody> {
    let taker = Taker::default();
    match handler.handle(taker.clone(), request).await {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            Response::from_parts(parts, Held::new(gather(body).await, taker, places).boxed_unsync())
        }
        Err(error) => {
            emit(RequestFailed { component, error: &error });
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// A place at a component, if it counts them; `None` when none came free in time.
async fn place(places: Option<&Arc<Semaphore>>) -> Option<Option<OwnedSemaphorePermit>> {
    let Some(places) = places else { return Some(None) };
    let waited = tokio::time::timeout(PLACE_WAIT, Arc::clone(places).acquire_owned()).await;
    waited.ok()?.ok().map(Some)
}

fn busy() -> Response<WasiBody> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    response
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let body = Empty::<Bytes>::new().map_err(wasmtime_wasi_http::Error::from).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn text(text: &'static str) -> WasiBody {
    http_body_util::Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(wasmtime_wasi_http::Error::from)
        .boxed_unsync()
}

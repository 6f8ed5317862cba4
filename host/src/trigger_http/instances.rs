//! How long an instance lives and what it may take on.
//!
//! Purpose: Spin's reuse (128 requests, 16 at once, idle for a second) with a time limit that also
//! stops guest code that never waits.
//! Invariant: a request that has no response after the time limit fails; guest code that runs past
//! it loses its instance.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::engine::{ComponentState, Host, InstanceState};
use crate::stop::Stop;
use crate::telemetry::{InstanceFailed, emit};

/// Requests an instance serves before it is replaced, as in Spin.
pub const INSTANCE_REQUESTS_MAX: usize = 128;

/// Requests an instance serves at once, as in Spin.
pub const INSTANCE_CONCURRENT_REQUESTS_MAX: usize = 16;

/// How long an idle instance is kept, as in Spin.
const INSTANCE_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a guest may go on after its last response began: bodies it still streams, and work it
/// does afterwards. Clients of an event stream reconnect.
pub const POST_RETURN_TIMEOUT: Duration = Duration::from_secs(300);

/// Makes instances of one component.
pub(super) struct Instances {
    host: Host,
    component: Arc<ComponentState>,
    service: ProxyPre<InstanceState>,
    request_timeout: Duration,
    stop: Stop,
}

impl Instances {
    pub(super) fn new(
        host: Host,
        component: Arc<ComponentState>,
        service: ProxyPre<InstanceState>,
        request_timeout: Duration,
        stop: Stop,
    ) -> Self {
        Self { host, component, service, request_timeout, stop }
    }
}

impl HandlerState for Instances {
    type StoreData = InstanceState;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<InstanceState, Expiration, Worker>> {
        let mut store = self.host.store(&self.component);
        let instantiated =
            tokio::time::timeout(self.request_timeout, self.service.instantiate_async(&mut store));
        let proxy = instantiated.await.map_err(|_| wasmtime::format_err!("instantiation timed out"))??;
        Ok(Instance {
            store,
            proxy,
            view: |state| state.http(),
            expiration: Expiration { request_timeout: self.request_timeout, alarm: None },
            state: Worker {
                component: Arc::clone(&self.component.id),
                request_timeout: self.request_timeout,
                failed: Arc::default(),
                stop: self.stop.clone(),
            },
        })
    }
}

/// Decides when an instance has outlived its use; polled beside the guest, so that it also ends one
/// that never waits.
pub(super) struct Expiration {
    request_timeout: Duration,
    alarm: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Expiration {
    fn deadline(&self, status: WorkerStatus, since: Instant) -> Instant {
        match status {
            WorkerStatus::Idle => since + INSTANCE_IDLE_TIMEOUT,
            WorkerStatus::Requests => since + self.request_timeout,
            WorkerStatus::PostReturn => since + POST_RETURN_TIMEOUT,
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        let deadline = self.deadline(status, since);
        let set_for = self.alarm.as_ref().map(|(at, _)| *at);
        if set_for != Some(deadline) {
            self.alarm = Some((deadline, Box::pin(tokio::time::sleep_until(deadline.into()))));
        }
        match &mut self.alarm {
            Some((_, alarm)) => alarm.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

/// What became of the instance that took a request. The body of a response just ends when its
/// instance does; whether it is whole is seen here.
#[derive(Debug, Clone, Default)]
pub(super) struct Taker(Arc<OnceLock<Arc<AtomicBool>>>);

impl Taker {
    /// Whether the instance has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.0.get().is_some_and(|failed| failed.load(Ordering::Acquire))
    }
}

/// One instance's bookkeeping.
pub(super) struct Worker {
    component: Arc<str>,
    request_timeout: Duration,
    /// Shared with the responses it has begun.
    failed: Arc<AtomicBool>,
    stop: Stop,
}

impl WorkerState for Worker {
    type StoreData = InstanceState;
    type RequestData = Taker;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= INSTANCE_REQUESTS_MAX {
            ShouldAccept::Never
        } else if concurrent >= INSTANCE_CONCURRENT_REQUESTS_MAX {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, InstanceState>,
        request: Taker,
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        request.0.get_or_init(|| Arc::clone(&self.failed));
        Box::pin(tokio::time::sleep(self.request_timeout))
    }

    fn drop(&self, store: Store<InstanceState>, result: wasmtime::Result<()>) {
        // Before the store goes, and the bodies in it end.
        self.failed.store(result.is_err(), Ordering::Release);
        // When the host stops, idle instances are dropped where they are.
        if let Err(error) = result
            && !self.stop.is_stopped()
        {
            emit(InstanceFailed { component: &self.component, error: &error });
        }
        drop(store);
    }
}

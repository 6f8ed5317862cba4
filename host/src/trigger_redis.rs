//! The Redis trigger: messages in, component instances called.
//!
//! Purpose: subscribe as Spin does: one connection for each address string, one message at a time
//! on each, a fresh instance for every message, all components of a channel together. Unlike Spin
//! it reconnects, and a handler that hangs is given up.
//! Does not: deliver anything twice or late; what is published while nobody listens is gone. Nor
//! does it bound what waits behind a slow handler: the server's own limit on slow subscribers does.
//! Invariant: a message is never handled before the one before it on the same address was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use wasmtime::component::InstancePre;

use crate::away::Away;
use crate::bindings::inbound_redis::GuestIndices;
use crate::engine::{ComponentState, Host, InstanceState, LoadError};
use crate::factors::redis::client;
use crate::stop::Stop;
use crate::telemetry::{HandlerFailed, HandlerTimedOut, RedisBack, RedisLost, RedisUnheard, emit};

/// How long a handler may take: four times the longest drain, so that only one that hangs meets it.
pub const HANDLER_TIMEOUT: Duration = Duration::from_secs(120);

/// How long subscribing may take before it counts as failed.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often an idle subscription asks whether the server is still there.
const CHECK_PERIOD: Duration = Duration::from_secs(15);

/// The pause before the first attempt to reconnect.
const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause between attempts to reconnect.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(5);

/// A component that hears messages.
pub struct Subscriber {
    host: Host,
    component: Arc<ComponentState>,
    instance: InstancePre<InstanceState>,
    handler: GuestIndices,
}

impl Subscriber {
    /// Readies `component` for messages.
    ///
    /// # Errors
    /// When it exports no `spin:redis/inbound-redis`.
    pub fn new(
        host: &Host,
        component: &Arc<ComponentState>,
        instance: InstancePre<InstanceState>,
    ) -> Result<Self, LoadError> {
        let handler = GuestIndices::new(&instance).map_err(|_| LoadError::Export {
            component: component.id.to_string(),
            trigger: "redis",
            export: "spin:redis/inbound-redis@3.0.0",
        })?;
        Ok(Self { host: host.clone(), component: Arc::clone(component), instance, handler })
    }

    /// As often as its faults say, and once without any.
    async fn hear(&self, payload: &[u8]) {
        let Some(faults) = &self.component.faults else { return self.handle(payload.to_vec()).await };
        let _counted = faults.handle();
        join_all((0..faults.hears(&self.component.id)).map(|_| self.handle(payload.to_vec()))).await;
    }

    async fn handle(&self, payload: Vec<u8>) {
        let component = self.component.id.as_ref();
        match tokio::time::timeout(HANDLER_TIMEOUT, self.call(payload)).await {
            Ok(Ok(())) => tracing::debug!(component, "message handled"),
            Ok(Err(error)) => emit(HandlerFailed { component, error: &error }),
            Err(_) => emit(HandlerTimedOut { component, after: HANDLER_TIMEOUT }),
        }
    }

    async fn call(&self, payload: Vec<u8>) -> wasmtime::Result<()> {
        let mut store = self.host.store(&self.component);
        let instance = self.instance.instantiate_async(&mut store).await?;
        let guest = self.handler.load(&mut store, &instance)?;
        let answer = store
            .run_concurrent(async |accessor| guest.call_handle_message(accessor, payload).await)
            .await??;
        answer.map_err(|error| wasmtime::format_err!("{error}"))
    }
}

/// The subscriptions on one server address.
pub struct AddressTrigger {
    address: String,
    channels: BTreeMap<String, Vec<Arc<Subscriber>>>,
    away: Arc<Away>,
}

/// Whether a trigger hears its channels now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// Not yet, or not at the moment.
    No,
    /// Subscribed.
    Yes,
}

/// Why the server cannot be heard.
#[derive(Debug, thiserror::Error)]
enum HearError {
    #[error("{0}")]
    Redis(#[from] redis::RedisError),
    #[error("no answer in {SUBSCRIBE_TIMEOUT:?}")]
    Timeout,
}

impl AddressTrigger {
    /// Nothing heard on `address` yet; `away` is shared with those of the same servers.
    pub(crate) fn new(address: String, away: Arc<Away>) -> Self {
        Self { address, channels: BTreeMap::new(), away }
    }

    /// Adds `subscriber` to the hearers of `channel`.
    pub fn add(&mut self, channel: String, subscriber: Arc<Subscriber>) {
        self.channels.entry(channel).or_default().push(subscriber);
    }

    /// Hears and handles messages until told to stop; the message in hand is finished first.
    /// `hearing` is told whenever the subscription is made or lost.
    pub async fn run(self, mut stop: Stop, hearing: watch::Sender<Hearing>) {
        let mut pause = RECONNECT_PAUSE_MIN;
        while !stop.is_stopped() {
            match self.subscribe().await {
                Ok((server, messages)) => {
                    pause = RECONNECT_PAUSE_MIN;
                    hearing.send_replace(Hearing::Yes);
                    self.reached();
                    self.handle_all(server, messages, &mut stop).await;
                    hearing.send_replace(Hearing::No);
                    if !stop.is_stopped() {
                        self.lost();
                    }
                }
                Err(error) => self.unheard(&error),
            }
            tokio::select! {
                () = stop.wait() => break,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RECONNECT_PAUSE_MAX),
            }
        }
    }

    fn reached(&self) {
        let server = server(&self.address);
        if self.away.is_back(&server, &self.address) {
            emit(RedisBack { server });
        }
    }

    fn lost(&self) {
        let server = server(&self.address);
        if self.away.is_due(&server, &self.address) {
            emit(RedisLost { server });
        }
    }

    fn unheard(&self, error: &HearError) {
        let server = server(&self.address);
        if self.away.is_due(&server, &self.address) {
            emit(RedisUnheard { server, error });
        }
    }

    async fn subscribe(&self) -> Result<(PubSubSink, PubSubStream), HearError> {
        let subscribe = async {
            let mut server = client(&self.address)?.get_async_pubsub().await?;
            for channel in self.channels.keys() {
                server.subscribe(channel).await?;
            }
            Ok(server.split())
        };
        tokio::time::timeout(SUBSCRIBE_TIMEOUT, subscribe).await.map_err(|_| HearError::Timeout)?
    }

    /// Handles messages until told to stop or the server is lost.
    async fn handle_all(&self, mut server: PubSubSink, mut messages: PubSubStream, stop: &mut Stop) {
        let mut check = tokio::time::interval(CHECK_PERIOD);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let message = tokio::select! {
                () = stop.wait() => return,
                message = messages.next() => message,
                _ = check.tick() => {
                    if !is_there(&mut server).await {
                        return;
                    }
                    continue;
                }
            };
            let Some(message) = message else { return };
            let Some(subscribers) = self.channels.get(message.get_channel_name()) else { continue };
            let payload = message.get_payload_bytes();
            join_all(subscribers.iter().map(|subscriber| subscriber.hear(payload))).await;
        }
    }
}

/// Whether the server still answers: a connection that a firewall forgot says nothing by itself.
async fn is_there(server: &mut PubSubSink) -> bool {
    let answer = tokio::time::timeout(SUBSCRIBE_TIMEOUT, server.ping::<redis::Value>()).await;
    matches!(answer, Ok(Ok(_)))
}

/// The server at an address, without the database: that is one server's in any case.
fn server(address: &str) -> String {
    let shown = shown(address);
    match shown.rsplit_once('/') {
        Some((server, database)) if database.bytes().all(|digit| digit.is_ascii_digit()) => server.to_owned(),
        _ => shown,
    }
}

/// An address without user and password.
pub fn shown(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => address.to_owned(),
    }
}

//! What the host says in its log: one struct for each event, which renders its own line.
//!
//! Purpose: a stable name (`event`) and stable fields to search and alert on, however the words
//! change; where there is something to do, the page in `docs/runbooks` that says it.
//! Does not: render what components print, or count; the numbers are read from the store.
//! Invariant: no event has a field for a payload, a header, a token or an address with a password;
//! addresses are shortened with `shown` before they get here.

use std::fmt::Display;
use std::time::Duration;

/// Pages in `docs/runbooks`.
const LAG: &str = "lag";
const NOT_READY: &str = "not-ready";
const REDIS: &str = "redis-unreachable";

/// Something worth a line in the log.
pub(crate) trait InternalEvent {
    /// Writes the line.
    fn emit(self);
}

/// Writes an event to the log.
pub(crate) fn emit(event: impl InternalEvent) {
    event.emit();
}

/// A tick did not come through.
pub(crate) struct TickFailed<'a> {
    pub(crate) error: &'a anyhow::Error,
}

impl InternalEvent for TickFailed<'_> {
    fn emit(self) {
        let error = format!("{:#}", self.error);
        tracing::warn!(event = "tick_failed", error, runbook = LAG, "tick failed");
    }
}

/// A tick hung.
pub(crate) struct TickTimedOut {
    pub(crate) after: Duration,
}

impl InternalEvent for TickTimedOut {
    fn emit(self) {
        let after = self.after;
        let text = format_args!("tick took longer than {after:?} and was given up");
        tracing::warn!(event = "tick_timed_out", runbook = LAG, "{text}");
    }
}

/// A component's message handler gave an error or trapped.
pub(crate) struct HandlerFailed<'a, E> {
    pub(crate) component: &'a str,
    pub(crate) error: &'a E,
}

impl<E: Display> InternalEvent for HandlerFailed<'_, E> {
    fn emit(self) {
        let (component, error) = (self.component, format!("{:#}", self.error));
        tracing::error!(event = "handler_failed", component, error, runbook = LAG, "message handler failed");
    }
}

/// A component's message handler hung.
pub(crate) struct HandlerTimedOut<'a> {
    pub(crate) component: &'a str,
    pub(crate) after: Duration,
}

impl InternalEvent for HandlerTimedOut<'_> {
    fn emit(self) {
        let text = format_args!("message handler gave no answer in {:?}", self.after);
        tracing::error!(event = "handler_timed_out", component = self.component, runbook = LAG, "{text}");
    }
}

/// The subscription to doorbells broke.
pub(crate) struct RedisLost {
    /// Shortened.
    pub(crate) server: String,
}

impl InternalEvent for RedisLost {
    fn emit(self) {
        let (server, runbook) = (self.server, REDIS);
        tracing::warn!(event = "redis_lost", server, runbook, "lost the Redis server; reconnecting");
    }
}

/// Doorbells of a server that was away are heard again, on every connection.
pub(crate) struct RedisBack {
    /// Shortened.
    pub(crate) server: String,
}

impl InternalEvent for RedisBack {
    fn emit(self) {
        let server = self.server;
        tracing::info!(event = "redis_back", server, "the Redis server is back");
    }
}

/// There is no subscription to doorbells. Told once a minute while it stays so.
pub(crate) struct RedisUnheard<E> {
    /// Shortened.
    pub(crate) server: String,
    pub(crate) error: E,
}

impl<E: Display> InternalEvent for RedisUnheard<E> {
    fn emit(self) {
        let (server, error, runbook) = (self.server, self.error, REDIS);
        let text = "cannot hear the Redis server; trying again and again";
        tracing::warn!(event = "redis_unheard", server, %error, runbook, "{text}");
    }
}

/// The private redis-server ended by itself.
pub(crate) struct RedisServerDied {
    pub(crate) status: String,
    pub(crate) port: u16,
}

impl InternalEvent for RedisServerDied {
    fn emit(self) {
        let (status, port, runbook) = (self.status, self.port, REDIS);
        let text = format_args!("redis-server died; starting it again on port {port}");
        tracing::error!(event = "redis_server_died", status, port, runbook, "{text}");
    }
}

/// The private redis-server cannot be started again.
pub(crate) struct RedisServerStuck<E> {
    pub(crate) error: E,
}

impl<E: Display> InternalEvent for RedisServerStuck<E> {
    fn emit(self) {
        let (error, runbook) = (self.error, REDIS);
        tracing::error!(event = "redis_server_stuck", %error, runbook, "redis-server does not start; trying again");
    }
}

/// The private redis-server runs again.
pub(crate) struct RedisServerBack {
    pub(crate) port: u16,
}

impl InternalEvent for RedisServerBack {
    fn emit(self) {
        let port = self.port;
        tracing::info!(event = "redis_server_back", port, "redis-server is back on port {port}");
    }
}

/// An instance of an HTTP component trapped or was ended.
pub(crate) struct InstanceFailed<'a, E> {
    pub(crate) component: &'a str,
    pub(crate) error: &'a E,
}

impl<E: Display> InternalEvent for InstanceFailed<'_, E> {
    fn emit(self) {
        let (component, error) = (self.component, format!("{:#}", self.error));
        tracing::error!(event = "instance_failed", component, error, runbook = NOT_READY, "instance failed");
    }
}

/// A request was answered with 500, since its component gave no answer.
pub(crate) struct RequestFailed<'a, E> {
    pub(crate) component: &'a str,
    pub(crate) error: &'a E,
}

impl<E: Display> InternalEvent for RequestFailed<'_, E> {
    fn emit(self) {
        let (component, error) = (self.component, format!("{:#}", self.error));
        tracing::error!(event = "request_failed", component, error, runbook = NOT_READY, "request failed");
    }
}

/// No connection can be accepted now: out of file descriptors, usually.
pub(crate) struct AcceptFailed<'a, E> {
    pub(crate) error: &'a E,
    /// Until the next try.
    pub(crate) pause: Duration,
}

impl<E: Display> InternalEvent for AcceptFailed<'_, E> {
    fn emit(self) {
        let (error, text) =
            (self.error, format_args!("cannot accept connections; trying again in {:?}", self.pause));
        tracing::warn!(event = "accept_failed", %error, runbook = NOT_READY, "{text}");
    }
}

/// A route leads to a component that was not loaded, which is a mistake in this program.
pub(crate) struct RouteUnserved<'a> {
    pub(crate) component: &'a str,
}

impl InternalEvent for RouteUnserved<'_> {
    fn emit(self) {
        let (component, runbook) = (self.component, NOT_READY);
        tracing::error!(event = "route_unserved", component, runbook, "a route's component was not loaded");
    }
}

/// A component wanted to reach a host it is not granted.
pub(crate) struct OutboundRefused<'a> {
    pub(crate) component: &'a str,
    /// `HTTP` or `Redis`.
    pub(crate) kind: &'static str,
    /// Left out where the address may hold a password.
    pub(crate) host: Option<&'a str>,
}

impl InternalEvent for OutboundRefused<'_> {
    fn emit(self) {
        let (component, kind, host) = (self.component, self.kind, self.host.unwrap_or_default());
        let text = "outbound call refused: add the host to allowed_outbound_hosts in spin.toml";
        tracing::warn!(event = "outbound_refused", component, kind, host, "{text}");
    }
}

/// The engine has no pool of instances.
pub(crate) struct PoolRefused<'a, E> {
    pub(crate) error: &'a E,
}

impl<E: Display> InternalEvent for PoolRefused<'_, E> {
    fn emit(self) {
        let (error, text) = (self.error, "no address space for a pool of instances; each gets its own");
        tracing::info!(event = "pool_refused", %error, "{text}");
    }
}

/// A part of the application ended by a mistake in this program.
pub(crate) struct PartFailed<'a, E> {
    pub(crate) error: &'a E,
}

impl<E: Display> InternalEvent for PartFailed<'_, E> {
    fn emit(self) {
        let (error, runbook) = (self.error, NOT_READY);
        tracing::error!(event = "part_failed", %error, runbook, "a part of the application failed");
    }
}

/// While stopping, work was cut off; it is done again after the next start.
pub(crate) struct WorkGivenUp {
    pub(crate) after: Duration,
}

impl InternalEvent for WorkGivenUp {
    fn emit(self) {
        let text = format_args!("giving up work that did not finish in {:?}", self.after);
        tracing::warn!(event = "work_given_up", "{text}");
    }
}

/// Some doorbells are not heard after the start; ticks stand in.
pub(crate) struct ChannelsUnheard {
    pub(crate) after: Duration,
}

impl InternalEvent for ChannelsUnheard {
    fn emit(self) {
        let text = format_args!("not every Redis channel is heard after {:?}; still trying", self.after);
        tracing::warn!(event = "channels_unheard", runbook = REDIS, "{text}");
    }
}

#[cfg(test)]
pub(crate) use tests::captured;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn line(event: impl InternalEvent) -> serde_json::Value {
        captured(|| emit(event))
    }

    /// The line that `write` logs.
    pub(crate) fn captured(write: impl FnOnce()) -> serde_json::Value {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, write);
        let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        serde_json::from_slice(&bytes).expect("one line of JSON")
    }

    #[test]
    fn an_event_has_a_name_its_fields_and_its_runbook() {
        let error = anyhow::anyhow!("inner").context("outer");
        let told = line(HandlerFailed { component: "detector", error: &error });
        for (field, expected) in [
            ("event", "handler_failed"),
            ("level", "ERROR"),
            ("component", "detector"),
            ("error", "outer: inner"),
            ("runbook", "lag"),
            ("message", "message handler failed"),
        ] {
            assert_eq!(told[field], expected, "{told}");
        }
        let server = "redis://127.0.0.1:1".to_owned();
        let told = line(RedisUnheard { server, error: "refused" });
        assert_eq!((&told["event"], &told["error"]), (&"redis_unheard".into(), &"refused".into()), "{told}");
        assert_eq!(told["message"], "cannot hear the Redis server; trying again and again");
    }

    #[test]
    fn every_runbook_named_is_there() {
        for page in [LAG, NOT_READY, REDIS] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
            assert!(folder.join(format!("{page}.md")).exists(), "{page}");
        }
    }
}

//! `spin:redis`: outbound Redis, behind `allowed_outbound_hosts`.
//!
//! Purpose: `open` fails when the server is not there, any command, nested replies flattened, as
//! Spin does it. Where Spin opens a connection each time, the instances of a component share one,
//! until one of them sends a command that needs a connection of its own.
//! Does not: reconnect an open connection, or follow cluster redirects.
//! Invariant: every call ends: connecting and each reply have a named timeout.

mod replies;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    Arg, AsyncConnectionConfig, Client, Cmd, FromRedisValue, IntoConnectionInfo, RedisError, Value,
};
use tokio::sync::OnceCell;
use wasmtime::component::{Accessor, Resource};

use crate::bindings::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};
use crate::engine::{HostData, HostView};
use crate::faults::{Fate, Seen, guest};
use crate::telemetry::{OutboundRefused, emit};

pub use replies::REPLY_BYTES_MAX;
use replies::{answer, bounded_value, flattened};
pub use shared::SharedConnections;
use shared::is_shareable;

/// How long connecting may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one reply may take: longer than any script or blocking read a component needs, so that
/// only a server that hangs meets it, and less than a request's 30 s, so that its component can
/// still answer. Spin has no such limit.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// Connections one instance may hold open, as in Spin.
pub const CONNECTIONS_PER_INSTANCE_MAX: usize = 1024;

/// The time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct RedisTimeouts {
    /// For connecting.
    pub connect: Duration,
    /// For each reply.
    pub response: Duration,
}

impl Default for RedisTimeouts {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, response: RESPONSE_TIMEOUT }
    }
}

/// A client for `url` that sends no `CLIENT SETINFO` (a connection then costs one round trip) and
/// holds nothing back (the end of a long command would wait for an acknowledgement).
///
/// # Errors
/// When `url` is no Redis address.
pub fn client(url: &str) -> Result<Client, RedisError> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    let tcp = TcpSettings::default().set_nodelay(true);
    Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp))
}

/// Connects to `client`'s server.
///
/// # Errors
/// When it does not answer within the timeouts.
pub async fn connect(client: &Client, timeouts: RedisTimeouts) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeouts.connect))
        .set_response_timeout(Some(timeouts.response));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// A connection shared by everyone in the process, made anew after a loss.
pub struct SharedRedis {
    client: Client,
    timeouts: RedisTimeouts,
    connection: tokio::sync::Mutex<Option<MultiplexedConnection>>,
}

impl SharedRedis {
    /// Connects on first use.
    ///
    /// # Errors
    /// When `url` is no Redis address.
    pub fn new(url: &str, timeouts: RedisTimeouts) -> Result<Self, RedisError> {
        Ok(Self { client: client(url)?, timeouts, connection: tokio::sync::Mutex::new(None) })
    }

    /// Sends one command. A broken connection is dropped, so that the next call makes a new one;
    /// the failed command is not repeated, as it may have been carried out.
    ///
    /// # Errors
    /// Whatever Redis or the connection answers.
    pub async fn query<R: FromRedisValue>(&self, command: &mut Cmd) -> Result<R, RedisError> {
        let mut connection = self.connection().await?;
        let result = command.query_async(&mut connection).await;
        if let Err(error) = &result
            && (error.is_unrecoverable_error() || error.is_timeout())
        {
            *self.connection.lock().await = None;
        }
        result
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref() {
            return Ok(connection.clone());
        }
        let connection = connect(&self.client, self.timeouts).await?;
        *slot = Some(connection.clone());
        Ok(connection)
    }
}

/// A connection that a component opened.
#[derive(Clone)]
pub struct OutboundRedis {
    client: Client,
    shared: MultiplexedConnection,
    /// Made for the first command that cannot be shared, and used from then on.
    own: Arc<OnceCell<MultiplexedConnection>>,
}

impl OutboundRedis {
    fn new(client: Client, shared: MultiplexedConnection) -> Self {
        Self { client, shared, own: Arc::default() }
    }

    async fn send<R: FromRedisValue>(mut self, command: &Cmd) -> Result<R, RedisError> {
        if self.own.initialized() || !is_shareable(command) {
            let own = self.own.get_or_try_init(|| connect(&self.client, RedisTimeouts::default())).await?;
            return command.query_async(&mut own.clone()).await;
        }
        command.query_async(&mut self.shared).await
    }
}

/// Sends a guest's command, under its component's faults if it has any.
async fn query<T: Send, R: FromRedisValue>(
    accessor: &Accessor<T, HostData>,
    resource: &Resource<OutboundRedis>,
    command: &Cmd,
) -> wasmtime::Result<Result<R, Error>> {
    let connection = accessor.with(|mut access| access.get().table.get(resource).cloned())?;
    let reply = match guest::of(accessor) {
        None => connection.send(command).await,
        Some((faults, component)) => {
            let words: Vec<&[u8]> = command.args_iter().map(word).collect();
            match faults.around(&component, Seen::Redis(&words), connection.send(command)).await? {
                Fate::Done(reply) => reply,
                Fate::Failed | Fate::Lost => Err(RedisError::from(std::io::Error::other("a fault"))),
            }
        }
    };
    Ok(reply.map_err(|error| answer(&error)))
}

fn word(argument: Arg<&[u8]>) -> &[u8] {
    match argument {
        Arg::Simple(word) => word,
        _ => b"",
    }
}

impl Host for HostView<'_> {}

impl HostConnection for HostView<'_> {
    async fn drop(&mut self, resource: Resource<OutboundRedis>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        *self.redis_connections = self.redis_connections.saturating_sub(1);
        Ok(())
    }
}

/// What `open` may do, decided before the connection is made.
enum Permit {
    Granted,
    Refused(Error),
}

fn permit<T: Send>(accessor: &Accessor<T, HostData>, address: &str) -> Permit {
    accessor.with(|mut access| {
        let view = access.get();
        if !view.component.allowed_hosts.allows_url(address) {
            emit(OutboundRefused { component: &view.component.id, kind: "Redis", host: None });
            return Permit::Refused(Error::InvalidAddress);
        }
        if *view.redis_connections >= CONNECTIONS_PER_INSTANCE_MAX {
            return Permit::Refused(Error::TooManyConnections);
        }
        *view.redis_connections += 1;
        Permit::Granted
    })
}

impl<T: Send> HostConnectionWithStore<T> for HostData {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> wasmtime::Result<Result<Resource<OutboundRedis>, Error>> {
        if let Permit::Refused(error) = permit(accessor, &address) {
            return Ok(Err(error));
        }
        let component = accessor.with(|mut access| Arc::clone(access.get().component));
        let connection = match client(&address) {
            Ok(client) => {
                let opened = guest::call(accessor, component.redis.open(&address, &client)).await?;
                let failed = || Err(RedisError::from(std::io::Error::other("a fault")));
                let opened = opened.unwrap_or_else(failed).map_err(|error| answer(&error));
                opened.map(|shared| OutboundRedis::new(client, shared))
            }
            Err(_) => Err(Error::InvalidAddress),
        };
        accessor.with(|mut access| {
            let view = access.get();
            match connection {
                Ok(connection) => Ok(Ok(view.table.push(connection)?)),
                Err(error) => {
                    *view.redis_connections = view.redis_connections.saturating_sub(1);
                    Ok(Err(error))
                }
            }
        })
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        channel: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let publish = ::redis::cmd("PUBLISH").arg(channel).arg(payload).take();
        let heard: Result<i64, Error> = query(accessor, &connection, &publish).await?;
        Ok(heard.map(|_| ()))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let reply: Result<Option<Vec<u8>>, _> =
            query(accessor, &connection, ::redis::cmd("GET").arg(key)).await?;
        Ok(reply.and_then(bounded_value))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        query(accessor, &connection, ::redis::cmd("SET").arg(key).arg(value)).await
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        key: String,
    ) -> wasmtime::Result<Result<i64, Error>> {
        query(accessor, &connection, ::redis::cmd("INCR").arg(key)).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        query(accessor, &connection, ::redis::cmd("DEL").arg(keys)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        query(accessor, &connection, ::redis::cmd("SADD").arg(key).arg(values)).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        key: String,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        query(accessor, &connection, ::redis::cmd("SMEMBERS").arg(key)).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        query(accessor, &connection, ::redis::cmd("SREM").arg(key).arg(values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<OutboundRedis>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisResult>, Error>> {
        let mut cmd = ::redis::cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(number) => cmd.arg(number),
                RedisParameter::Binary(bytes) => cmd.arg(bytes),
            };
        }
        let reply: Result<Value, Error> = query(accessor, &connection, &cmd).await?;
        Ok(reply.and_then(flattened))
    }
}

//! Redis through Spin: opened when first needed, replaced after it broke.

use std::sync::{Arc, Mutex, PoisonError};

use homeostat_flow::{Redis, RedisError, Reply};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

/// A connection to one Redis primary.
///
/// Spin keeps no pool and does not reconnect: `open` is a new TCP connection, and a broken one
/// stays broken. A drain makes one of these; a component that answers requests keeps one in a
/// `static OnceLock`, as its instances are reused. A command whose connection breaks fails and is
/// not sent twice, as it may have been carried out; the next command opens a new connection.
pub struct SpinRedis {
    address: String,
    // Locked only between awaits; instances have one thread.
    connection: Mutex<Option<Arc<Connection>>>,
}

impl SpinRedis {
    /// A connection to `address`, such as `redis://127.0.0.1:6379`; nothing is sent yet.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), connection: Mutex::new(None) }
    }

    async fn connected(&self) -> Result<Arc<Connection>, RedisError> {
        let kept = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(connection) = kept {
            return Ok(connection);
        }
        let opened = Arc::new(Connection::open(&self.address).await.map_err(sort)?);
        self.keep(Some(opened.clone()));
        Ok(opened)
    }

    fn keep(&self, connection: Option<Arc<Connection>>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

impl Redis for SpinRedis {
    async fn command(&self, name: &str, args: &[&[u8]]) -> Result<Vec<Reply>, RedisError> {
        let connection = self.connected().await?;
        let args = args.iter().map(|arg| RedisParameter::Binary(arg.to_vec()));
        match connection.execute(name, args).await {
            Ok(values) => Ok(values.into_iter().map(reply).collect()),
            Err(error) => {
                let error = sort(error);
                if matches!(error, RedisError::Unavailable(_)) {
                    self.keep(None);
                }
                Err(error)
            }
        }
    }
}

fn reply(value: RedisResult) -> Reply {
    match value {
        RedisResult::Nil => Reply::Nil,
        RedisResult::Status(text) => Reply::Status(text),
        RedisResult::Int64(number) => Reply::Int(number),
        RedisResult::Binary(bytes) => Reply::Bytes(bytes),
    }
}

/// The texts never hold the address: it may carry a password.
fn sort(error: Error) -> RedisError {
    match error {
        Error::InvalidAddress => RedisError::Refused(
            "the address is not allowed; add it to the component's allowed_outbound_hosts".to_owned(),
        ),
        Error::TooManyConnections => RedisError::Unavailable("too many connections are open".to_owned()),
        Error::TypeError => RedisError::Refused("a reply of the wrong type".to_owned()),
        Error::Other(text) => RedisError::from_text(&text),
    }
}

//! One multiplexed connection, replaced after it breaks.

use std::time::Duration;

use homeostat_flow::{Redis, RedisError, Reply};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, ServerErrorKind, Value};
use tokio::sync::Mutex;

/// How long a connection may take to come up: a primary on the same network answers in milliseconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a reply may take: scripts take milliseconds, but an fsync on a busy disk may not.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How deep a reply may nest; the deepest of Redis's own is far below.
const DEPTH_MAX: usize = 16;

/// A connection to one Redis primary that is opened when first needed, and again after it broke.
///
/// A command whose connection breaks fails; it is not sent twice, as it may have been carried out.
pub struct NativeRedis {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl NativeRedis {
    /// A connection to `url`, such as `redis://127.0.0.1:6379`; nothing is sent yet.
    ///
    /// # Errors
    /// [`RedisError::Refused`] when the URL is none of Redis.
    pub fn new(url: &str) -> Result<Self, RedisError> {
        // The library's text does not repeat the URL, which may hold a password.
        let refused = |error: redis::RedisError| RedisError::Refused(error.to_string());
        let info = url.into_connection_info().map_err(refused)?;
        // Else the end of a long command waits for the server to acknowledge its beginning.
        let tcp = TcpSettings::default().set_nodelay(true);
        let client = Client::open(info.set_tcp_settings(tcp)).map_err(refused)?;
        Ok(Self { client, connection: Mutex::new(None) })
    }

    async fn connected(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref() {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let opened = self.client.get_multiplexed_async_connection_with_config(&config).await.map_err(sort)?;
        *slot = Some(opened.clone());
        Ok(opened)
    }
}

impl Redis for NativeRedis {
    async fn command(&self, name: &str, args: &[&[u8]]) -> Result<Vec<Reply>, RedisError> {
        let mut connection = self.connected().await?;
        let mut command = redis::cmd(name);
        for arg in args {
            command.arg(*arg);
        }
        match command.query_async::<Value>(&mut connection).await {
            Ok(value) => {
                let mut flat = Vec::new();
                flatten(value, 0, &mut flat)?;
                Ok(flat)
            }
            Err(error) => {
                let error = sort(error);
                if matches!(error, RedisError::Unavailable(_)) {
                    *self.connection.lock().await = None;
                }
                Err(error)
            }
        }
    }
}

fn sort(error: redis::RedisError) -> RedisError {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) => RedisError::NoScript,
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain) => {
            RedisError::Unavailable(error.to_string())
        }
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => {
            RedisError::Refused(error.to_string())
        }
        _ => RedisError::Unavailable(error.to_string()),
    }
}

/// Flattens a reply the way Spin does: nested lists vanish, what has no flat form is an error.
fn flatten(value: Value, depth: usize, flat: &mut Vec<Reply>) -> Result<(), RedisError> {
    match value {
        Value::Nil => flat.push(Reply::Nil),
        Value::Int(number) => flat.push(Reply::Int(number)),
        Value::BulkString(bytes) => flat.push(Reply::Bytes(bytes)),
        Value::SimpleString(text) => flat.push(Reply::Status(text)),
        Value::Okay => flat.push(Reply::Status("OK".to_owned())),
        Value::Array(values) if depth < DEPTH_MAX => {
            for value in values {
                flatten(value, depth + 1, flat)?;
            }
        }
        Value::ServerError(error) => return Err(sort(error.into())),
        other => return Err(RedisError::Refused(format!("a reply without a flat form: {other:?}"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lists_are_flattened_in_order() {
        let nested = Value::Array(vec![
            Value::BulkString(b"1-0".to_vec()),
            Value::Array(vec![Value::Nil, Value::Array(vec![]), Value::Int(7)]),
            Value::Okay,
        ]);
        let mut flat = Vec::new();
        flatten(nested, 0, &mut flat).unwrap();
        let expected =
            [Reply::Bytes(b"1-0".to_vec()), Reply::Nil, Reply::Int(7), Reply::Status("OK".to_owned())];
        assert_eq!(flat, expected);
    }

    #[test]
    fn a_map_has_no_flat_form() {
        assert!(flatten(Value::Map(vec![]), 0, &mut Vec::new()).is_err());
    }
}

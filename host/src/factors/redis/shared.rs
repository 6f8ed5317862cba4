//! Connections that the instances of a component share.
//!
//! Purpose: instances come and go by the thousand; with a connection each, every one of them opens
//! its own and every command is a write of its own. Over a shared one, commands that come together
//! leave together.
//! Does not: send what concerns the connection itself, or waits on it; see [`is_shareable`].
//! Invariant: a connection is handed out only after it answered just now.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, Cmd, RedisError};

use super::{RedisTimeouts, connect};

/// Addresses a component has a shared connection for; one needs one or two. Those beyond get a
/// connection each time.
const SHARED_ADDRESSES_MAX: usize = 16;

/// Commands that neither change the state of their connection nor wait on it.
const SHAREABLE: &str = "EVALSHA EVAL GET SET DEL EXISTS EXPIRE INCR MGET PTTL TTL \
     HDEL HEXISTS HGET HGETALL HINCRBY HLEN HMGET HSET LPUSH LRANGE RPUSH \
     SADD SCARD SISMEMBER SMEMBERS SREM XADD XINFO XLEN XRANGE XREVRANGE \
     ZADD ZCARD ZRANGE ZRANGEBYSCORE ZREM INFO PING PUBLISH TIME";

/// Whether a command may share its connection with those of other instances. `SELECT`, `MULTI`,
/// `BLPOP` and whatever is not known here may not.
pub(super) fn is_shareable(command: &Cmd) -> bool {
    let name = command.args_iter().next();
    let Some(::redis::Arg::Simple(name)) = name else { return false };
    SHAREABLE.split(' ').any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

/// By address.
#[derive(Default)]
pub struct SharedConnections(Mutex<BTreeMap<String, MultiplexedConnection>>);

impl SharedConnections {
    /// A connection to `client`'s server, which others may use too.
    ///
    /// # Errors
    /// When a new one is needed and the server does not answer within the timeouts.
    pub(super) async fn open(
        &self,
        address: &str,
        client: &Client,
    ) -> Result<MultiplexedConnection, RedisError> {
        let kept = self.lock().get(address).cloned();
        if let Some(mut kept) = kept
            && answers(&mut kept).await
        {
            return Ok(kept);
        }
        let made = connect(client, RedisTimeouts::default()).await?;
        let mut all = self.lock();
        if all.len() < SHARED_ADDRESSES_MAX || all.contains_key(address) {
            all.insert(address.to_owned(), made.clone());
        }
        Ok(made)
    }

    // Never held across an await.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, MultiplexedConnection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is a server at the other end. One that refuses to answer is there as well.
async fn answers(connection: &mut MultiplexedConnection) -> bool {
    let ping = ::redis::cmd("PING");
    match tokio::time::timeout(super::CONNECT_TIMEOUT, ping.exec_async(connection)).await {
        Ok(Err(error)) => !(error.is_unrecoverable_error() || error.is_timeout()),
        Ok(Ok(())) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_commands_are_shared() {
        let check = |name: &str, expected: bool| {
            assert_eq!(is_shareable(::redis::cmd(name).arg("x")), expected, "{name}");
        };
        for name in ["EVALSHA", "evalsha", "GET", "ZREM", "TIME"] {
            check(name, true);
        }
        for name in ["SELECT", "MULTI", "BLPOP", "XREAD", "SUBSCRIBE", "CLIENT", "WAIT", "AUTH", "FOO", ""] {
            check(name, false);
        }
    }
}

//! Redis through Spin: opened when first needed, replaced after it broke.
//!
//! Invariant: every command ends. Spin itself waits for a server that hangs without end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use homeostat_flow::{Redis, RedisError, Reply};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

use crate::clock::within;

/// How long connecting, and then each reply, may take, milliseconds: a script takes milliseconds
/// and an fsync on a busy disk a second, and a request has 30 s in all.
pub const REPLY_MS_MAX: u64 = 5_000;

/// After a server hung, commands fail at once for this long, milliseconds, so that a request with
/// several of them ends after one wait.
const PAUSE_MS: u64 = 1_000;

/// A connection to one Redis primary.
///
/// Spin keeps no pool and does not reconnect: `open` is a new TCP connection, and a broken one
/// stays broken. A drain makes one of these; a component that answers requests keeps one in a
/// `static OnceLock`, as its instances are reused. A command whose connection breaks, or that has
/// no reply in time, fails and is not sent twice, as it may have been carried out, or still be;
/// the next command opens a new connection.
pub struct SpinRedis {
    address: String,
    reply_ms_max: u64,
    // Locked only between awaits; instances have one thread.
    link: Mutex<Link>,
}

/// What is known of the way to the server.
#[derive(Default)]
struct Link {
    connection: Option<Arc<Connection>>,
    hung_at: Option<Instant>,
}

impl SpinRedis {
    /// A connection to `address`, such as `redis://127.0.0.1:6379`; nothing is sent yet.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), reply_ms_max: REPLY_MS_MAX, link: Mutex::default() }
    }

    /// The same with less patience: `reply_ms_max` instead of [`REPLY_MS_MAX`].
    #[must_use]
    pub fn waiting(mut self, reply_ms_max: u64) -> Self {
        self.reply_ms_max = reply_ms_max;
        self
    }

    async fn connected(&self) -> Result<Arc<Connection>, RedisError> {
        if let Some(connection) = self.link().connection.clone() {
            return Ok(connection);
        }
        let opened = self.in_time(Connection::open(&self.address)).await?;
        let opened = Arc::new(opened.map_err(sort)?);
        self.link().connection = Some(opened.clone());
        Ok(opened)
    }

    /// Waits for the server. The timer is armed only when the answer is not there already.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, RedisError> {
        let done = within(self.reply_ms_max, work).await;
        let mut link = self.link();
        if done.is_some() {
            link.hung_at = None;
        } else {
            *link = Link { connection: None, hung_at: Some(Instant::now()) };
        }
        done.ok_or_else(|| hangs(&format!("no reply in {} ms", self.reply_ms_max)))
    }

    fn hung_lately(&self) -> bool {
        self.link().hung_at.is_some_and(|at| at.elapsed() < Duration::from_millis(PAUSE_MS))
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Redis for SpinRedis {
    async fn command(&self, name: &str, args: &[&[u8]]) -> Result<Vec<Reply>, RedisError> {
        if self.hung_lately() {
            return Err(hangs("it gave no reply a moment ago"));
        }
        let connection = self.connected().await?;
        let args = args.iter().map(|arg| RedisParameter::Binary(arg.to_vec()));
        match self.in_time(connection.execute(name, args)).await? {
            Ok(values) => Ok(values.into_iter().map(reply).collect()),
            Err(error) => {
                let error = sort(error);
                if matches!(error, RedisError::Unavailable(_)) {
                    self.link().connection = None;
                }
                Err(error)
            }
        }
    }
}

fn hangs(why: &str) -> RedisError {
    RedisError::Unavailable(format!("the server hangs: {why}"))
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

//! `spin:key-value`: stores that a component may open by label.
//!
//! Purpose: the SQLite file (Spin's own table, so that a state folder can be handed over) and Redis
//! (raw keys, no prefix, as in Spin).
//! Does not: offer `wasi:keyvalue`, atomics or batches; they are broken on Spin's Redis back end.
//! Invariant: a label that the manifest does not grant is `access-denied`, whether or not it exists.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use rusqlite::OptionalExtension;
use wasmtime::component::{
    Accessor, Destination, FutureReader, Resource, StreamProducer, StreamReader, StreamResult,
};

use crate::bindings::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::engine::{HostData, HostView};
use crate::factors::redis::{RedisTimeouts, SharedRedis};
use crate::faults::guest;

/// How long a statement waits for another process that holds the file's lock.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest value read, in bytes: Spin's cap on what the host buffers.
pub const VALUE_BYTES_MAX: usize = 128 << 20;

/// Keys fetched at once while listing a Redis store.
const SCAN_COUNT: usize = 1000;

/// An open store; cheap to clone.
#[derive(Clone)]
pub struct KeyValueStore(Arc<Backend>);

enum Backend {
    Sqlite { label: String, file: Arc<Mutex<rusqlite::Connection>> },
    Redis(Box<SharedRedis>),
}

/// Why a store cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("key-value file: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Redis said no.
    #[error("key-value on Redis: {0}")]
    Redis(#[from] ::redis::RedisError),
    /// The store's thread was lost.
    #[error("key-value store is gone: {0}")]
    Gone(String),
    /// Larger than [`VALUE_BYTES_MAX`].
    #[error("value of {0} bytes; the most is {VALUE_BYTES_MAX}")]
    TooLarge(usize),
}

/// Opens the SQLite file at `path`, with its table.
///
/// # Errors
/// When the file cannot be opened or is no database.
pub fn open_sqlite(path: &Path) -> Result<Arc<Mutex<rusqlite::Connection>>, StoreError> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(SQLITE_BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // Every write waits for the disk otherwise, and a message's handler with it. A power cut may
    // take the last writes back, never damage the file; a killed process loses nothing.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS spin_key_value \
         (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))",
    )?;
    Ok(Arc::new(Mutex::new(connection)))
}

impl KeyValueStore {
    /// The store `label` in an open SQLite file.
    pub fn sqlite(label: &str, file: Arc<Mutex<rusqlite::Connection>>) -> Self {
        Self(Arc::new(Backend::Sqlite { label: label.to_owned(), file }))
    }

    /// A store on the Redis server at `url`; connects on first use, and again after a loss.
    ///
    /// # Errors
    /// When `url` is no Redis address.
    pub fn redis(url: &str) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Backend::Redis(Box::new(SharedRedis::new(url, RedisTimeouts::default())?)))))
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// When the back end fails or the value is larger than [`VALUE_BYTES_MAX`].
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.stored(key).await?;
        match value.as_ref().map_or(0, Vec::len) {
            length if length > VALUE_BYTES_MAX => Err(StoreError::TooLarge(length)),
            _ => Ok(value),
        }
    }

    async fn stored(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.to_owned();
        match self.0.as_ref() {
            Backend::Sqlite { .. } => {
                self.sqlite_call(move |file, label| {
                    let mut get = file
                        .prepare_cached("SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2")?;
                    Ok(get.query_row((label, key), |row| row.get(0)).optional()?)
                })
                .await
            }
            Backend::Redis(redis) => Ok(redis.query(::redis::cmd("GET").arg(key)).await?),
        }
    }

    /// Sets `key` to `value`.
    ///
    /// # Errors
    /// When the back end fails.
    pub async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let key = key.to_owned();
        match self.0.as_ref() {
            Backend::Sqlite { .. } => {
                self.sqlite_call(move |file, label| {
                    let mut set = file.prepare_cached(
                        "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3) \
                         ON CONFLICT (store, key) DO UPDATE SET value = excluded.value",
                    )?;
                    set.execute((label, key, value))?;
                    Ok(())
                })
                .await
            }
            Backend::Redis(redis) => Ok(redis.query(::redis::cmd("SET").arg(key).arg(value)).await?),
        }
    }

    /// Removes `key`; no error when it was not there.
    ///
    /// # Errors
    /// When the back end fails.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        match self.0.as_ref() {
            Backend::Sqlite { .. } => {
                self.sqlite_call(move |file, label| {
                    let mut delete =
                        file.prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2")?;
                    delete.execute((label, key))?;
                    Ok(())
                })
                .await
            }
            Backend::Redis(redis) => {
                redis.query::<i64>(::redis::cmd("DEL").arg(key)).await?;
                Ok(())
            }
        }
    }

    /// Whether `key` is there.
    ///
    /// # Errors
    /// When the back end fails.
    pub async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        match self.0.as_ref() {
            Backend::Sqlite { .. } => {
                let key = key.to_owned();
                self.sqlite_call(move |file, label| {
                    let mut exists =
                        file.prepare_cached("SELECT 1 FROM spin_key_value WHERE store = ?1 AND key = ?2")?;
                    Ok(exists.exists((label, key))?)
                })
                .await
            }
            Backend::Redis(redis) => Ok(redis.query(::redis::cmd("EXISTS").arg(key)).await?),
        }
    }

    /// Every key; on Redis every key of the server's database.
    ///
    /// # Errors
    /// When the back end fails.
    pub async fn keys(&self) -> Result<Vec<String>, StoreError> {
        match self.0.as_ref() {
            Backend::Sqlite { .. } => {
                self.sqlite_call(|file, label| {
                    let mut keys = file.prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")?;
                    let rows = keys.query_map([label], |row| row.get(0))?;
                    Ok(rows.collect::<Result<Vec<String>, _>>()?)
                })
                .await
            }
            Backend::Redis(redis) => scan(redis).await,
        }
    }

    async fn sqlite_call<R: Send + 'static>(
        &self,
        call: impl FnOnce(&rusqlite::Connection, &str) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let store = Arc::clone(&self.0);
        let run = move || match store.as_ref() {
            Backend::Sqlite { label, file } => {
                let file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                call(&file, label)
            }
            Backend::Redis(_) => Err(StoreError::Gone("not a file".to_owned())),
        };
        tokio::task::spawn_blocking(run).await.map_err(|error| StoreError::Gone(error.to_string()))?
    }
}

async fn scan(redis: &SharedRedis) -> Result<Vec<String>, StoreError> {
    let mut keys = std::collections::BTreeSet::new();
    let mut cursor = 0_u64;
    loop {
        let mut scan = ::redis::cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(SCAN_COUNT);
        let (next, page): (u64, Vec<String>) = redis.query(&mut scan).await?;
        keys.extend(page);
        if next == 0 {
            return Ok(keys.into_iter().collect());
        }
        cursor = next;
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Other(error.to_string())
    }
}

fn handle<T: Send>(
    accessor: &Accessor<T, HostData>,
    resource: &Resource<KeyValueStore>,
) -> wasmtime::Result<KeyValueStore> {
    Ok(accessor.with(|mut access| access.get().table.get(resource).cloned())?)
}

/// A call that fails when the component's faults say so.
async fn under_faults<T: Send, R>(
    accessor: &Accessor<T, HostData>,
    call: impl Future<Output = Result<R, StoreError>>,
) -> wasmtime::Result<Result<R, Error>> {
    let result = guest::call(accessor, call).await?;
    Ok(result.unwrap_or_else(|| Err(StoreError::Gone("a fault".to_owned()))).map_err(Error::from))
}

impl Host for HostView<'_> {}

impl HostStore for HostView<'_> {
    async fn drop(&mut self, resource: Resource<KeyValueStore>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        Ok(())
    }
}

impl<T: Send> HostStoreWithStore<T> for HostData {
    async fn open(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> wasmtime::Result<Result<Resource<KeyValueStore>, Error>> {
        accessor.with(|mut access| {
            let view = access.get();
            match view.component.stores.get(&label) {
                Some(store) => Ok(Ok(view.table.push(store.clone())?)),
                None => Ok(Err(Error::AccessDenied)),
            }
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<KeyValueStore>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let store = handle(accessor, &store)?;
        under_faults(accessor, store.get(&key)).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<KeyValueStore>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let store = handle(accessor, &store)?;
        under_faults(accessor, store.set(&key, value)).await
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<KeyValueStore>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let store = handle(accessor, &store)?;
        under_faults(accessor, store.delete(&key)).await
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<KeyValueStore>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let store = handle(accessor, &store)?;
        under_faults(accessor, store.exists(&key)).await
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<KeyValueStore>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let store = handle(accessor, &store)?;
        let (keys, result) = match under_faults(accessor, store.keys()).await? {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let stream = StreamReader::new(&mut access, Keys(keys.into_iter()))?;
            let future = FutureReader::new(&mut access, async move { wasmtime::error::Ok(result) })?;
            Ok((stream, future))
        })
    }
}

/// Feeds a list of keys into a component-model stream, one at a time.
struct Keys(std::vec::IntoIter<String>);

impl<D> StreamProducer<D> for Keys {
    type Item = String;
    type Buffer = Option<String>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: wasmtime::StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.get_mut().0.next() {
            Some(key) => {
                destination.set_buffer(Some(key));
                Poll::Ready(Ok(StreamResult::Completed))
            }
            None => Poll::Ready(Ok(StreamResult::Dropped)),
        }
    }
}

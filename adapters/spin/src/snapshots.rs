//! Published snapshots in the key-value store: JSON under `homeostat/`, last write wins.
//!
//! What it does not do: no compare-and-swap and no get-many, which are broken on Spin's Redis
//! backend. Whatever must change together with the streams lives in Redis.

use serde::Serialize;
use serde::de::DeserializeOwned;
use spin_sdk::key_value::{Error, Store};

use crate::clock::within;

/// How long opening the store or a read may take, milliseconds: one that is well takes one.
const READ_MS_MAX: u64 = 2_000;

/// How long a write may take, milliseconds: as long as a file that others write too may be busy.
const WRITE_MS_MAX: u64 = 5_000;

/// The store every component is granted.
const STORE: &str = "default";

/// All keys begin with this, as the store may be shared with other apps.
const PREFIX: &str = "homeostat/";

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The key-value store did not do it.
    #[error("the key-value store failed: {0}")]
    Store(String),
    /// What is there is not what was expected.
    #[error("the snapshot `{name}` is not of this version")]
    Form {
        /// Its name, without the prefix.
        name: String,
        /// What was wrong with it.
        source: serde_json::Error,
    },
}

/// The snapshots of one installation.
pub struct Snapshots(Store);

impl Snapshots {
    /// Opens the store.
    ///
    /// # Errors
    /// [`SnapshotError::Store`] when the component is not granted it or it cannot be reached.
    pub async fn open() -> Result<Self, SnapshotError> {
        in_time(READ_MS_MAX, Store::open(STORE)).await.map(Self)
    }

    /// Reads `homeostat/<name>`; `None` when it was never published.
    ///
    /// # Errors
    /// [`SnapshotError`] when it cannot be read or is of another form.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SnapshotError> {
        let Some(bytes) = self.bytes(name).await? else { return Ok(None) };
        read(name, &bytes).map(Some)
    }

    /// Reads `homeostat/<name>` as it is.
    ///
    /// # Errors
    /// [`SnapshotError::Store`] when it cannot be read.
    pub async fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, SnapshotError> {
        in_time(READ_MS_MAX, self.0.get(format!("{PREFIX}{name}"))).await
    }

    /// Publishes `homeostat/<name>`, over what was there.
    ///
    /// # Errors
    /// [`SnapshotError`] when it cannot be written.
    pub async fn put<T: Serialize>(&self, name: &str, value: &T) -> Result<(), SnapshotError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|source| SnapshotError::Form { name: name.to_owned(), source })?;
        self.put_bytes(name, &bytes).await
    }

    /// Publishes `homeostat/<name>` as it is, over what was there.
    ///
    /// # Errors
    /// [`SnapshotError::Store`] when it cannot be written.
    pub async fn put_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), SnapshotError> {
        in_time(WRITE_MS_MAX, self.0.set(format!("{PREFIX}{name}"), bytes)).await
    }
}

/// What the bytes of the snapshot `name` say.
///
/// # Errors
/// [`SnapshotError::Form`] when they are of another form.
pub fn read<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, SnapshotError> {
    serde_json::from_slice(bytes).map_err(|source| SnapshotError::Form { name: name.to_owned(), source })
}

async fn in_time<T>(ms_max: u64, work: impl Future<Output = Result<T, Error>>) -> Result<T, SnapshotError> {
    let late = || SnapshotError::Store(format!("no answer in {ms_max} ms"));
    within(ms_max, work).await.ok_or_else(late)?.map_err(failed)
}

fn failed(error: Error) -> SnapshotError {
    SnapshotError::Store(match error {
        Error::StoreTableFull => "too many stores are open".to_owned(),
        Error::NoSuchStore => format!("there is no store `{STORE}`"),
        Error::AccessDenied => format!("this component is not granted the store `{STORE}`"),
        Error::Other(text) => text,
    })
}

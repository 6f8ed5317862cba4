//! What the API needs beside Redis: the published snapshots.

use std::sync::Arc;

use homeostat_stages::snapshot::Versioned;

/// The key-value store does not answer, or holds something of another version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SnapshotsDown(pub String);

/// The snapshots in the key-value store, read by many.
pub trait Snapshots {
    /// The published configuration; `None` when there is none yet.
    ///
    /// # Errors
    /// [`SnapshotsDown`] when it cannot be read.
    fn config(&self) -> impl Future<Output = Result<Option<Versioned>, SnapshotsDown>>;

    /// The same as it was a moment ago, for work that need not know better: who reads it for
    /// every request may keep it for a short, named time.
    ///
    /// # Errors
    /// [`SnapshotsDown`] when it cannot be read.
    fn recent_config(&self) -> impl Future<Output = Result<Option<Arc<Versioned>>, SnapshotsDown>> {
        async { Ok(self.config().await?.map(Arc::new)) }
    }

    /// Publishes the configuration, over what was there.
    ///
    /// # Errors
    /// [`SnapshotsDown`] when it cannot be written.
    fn publish(&self, config: &Versioned) -> impl Future<Output = Result<(), SnapshotsDown>>;
}

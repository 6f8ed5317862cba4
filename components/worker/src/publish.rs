//! Copies for the key-value store, written after the commit: last write wins, at a bounded rate.

use homeostat_adapter_spin::Snapshots;
use homeostat_flow::views;
use homeostat_stages::snapshot::{self, Versioned};
use homeostat_stages::view;

use crate::desk::{Desk, WorkerError};

/// Services whose health is copied after one drain: the most recently changed ones. Those beyond
/// it are copied after their next change.
const COPIES_MAX: u32 = 16;

/// Copies the health of the services that changed last, as far as it is worth a write.
///
/// # Errors
/// [`WorkerError`] when Redis or the key-value store does not answer; the truth is in Redis.
pub async fn publish_health(desk: &Desk) -> Result<(), WorkerError> {
    let redis = desk.store.redis();
    let changed = views::ranking(redis, view::SERVICES, None, COPIES_MAX).await?;
    let names: Vec<_> = changed.iter().filter_map(|(member, _)| member.split_once('/')).collect();
    let keys: Vec<_> = names.iter().map(|(env, service)| view::service_key(env, service)).collect();
    let values = views::values(redis, &keys).await?;
    let snapshots = Snapshots::open().await?;
    for ((env, service), value) in names.into_iter().zip(values) {
        let Some(value) = value else { continue };
        let name = snapshot::health_snapshot(env, service);
        if snapshot::is_worth_copying(snapshots.bytes(&name).await?.as_deref(), &value) {
            snapshots.put_bytes(&name, &value).await?;
        }
    }
    Ok(())
}

/// Copies the configuration when the copy is of an older version: one that could not be written
/// when it was applied is caught up with after the next event. A newer copy stays: this drain
/// may have begun before it was applied.
///
/// # Errors
/// [`WorkerError`] when the key-value store does not answer; the truth is in Redis.
pub async fn publish_config(config: &Versioned) -> Result<(), WorkerError> {
    let snapshots = Snapshots::open().await?;
    // A copy that cannot be read is as good as none.
    let copy = snapshots.get::<Versioned>(snapshot::CONFIG_SNAPSHOT).await.ok().flatten();
    if copy.map_or(0, |copy| copy.version) < config.version {
        snapshots.put(snapshot::CONFIG_SNAPSHOT, config).await?;
    }
    Ok(())
}

/// Copies the learned policy.
///
/// # Errors
/// [`WorkerError`] when Redis or the key-value store does not answer; the truth is in Redis.
pub async fn publish_policy(desk: &Desk) -> Result<(), WorkerError> {
    if let Some(policy) = views::value(desk.store.redis(), view::POLICY).await? {
        Snapshots::open().await?.put_bytes(snapshot::POLICY_SNAPSHOT, &policy).await?;
    }
    Ok(())
}

//! What a drain has at hand: the store, the configuration and the policy, frozen.

use homeostat_adapter_spin::{SpinRedis, write_line};
use homeostat_flow::{Cell, Redis, RedisError, Reply, Said, ScriptStore, Shard, StoreError, views};
use homeostat_policy::Policy;
use homeostat_remedies::connector::Endpoints;
use homeostat_stages::{
    log, name,
    snapshot::{self, CONFIG_KEY, SnapshotError, Versioned},
    view,
};
use spin_sdk::variables;

/// Why a drain could not be made. What it left undone is taken up at the next tick.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A variable the manifest should give is not there.
    #[error("the variable `{0}` cannot be read: spin.toml must give it to this component")]
    Variable(&'static str),
    /// The doorbell names no shard.
    #[error("the doorbell names no shard")]
    Bell,
    /// Redis does not answer.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration or the policy cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A copy for the key-value store could not be written.
    #[error(transparent)]
    Publish(#[from] homeostat_adapter_spin::SnapshotError),
}

/// A store of this cell over a connection of its own.
pub struct Desk {
    /// Streams, state and leases.
    pub store: ScriptStore<SpinRedis>,
}

fn tell(said: &Said<'_>) {
    write_line(&log::said(said));
}

impl Desk {
    /// Opens it; nothing is sent yet.
    ///
    /// # Errors
    /// [`WorkerError::Variable`] when `redis_url` is not given.
    pub async fn open() -> Result<Self, WorkerError> {
        let url = variable("redis_url").await?;
        let cell = Cell::new(name::SHARDS_DEFAULT, &name::STAGES);
        Ok(Self { store: ScriptStore::new(SpinRedis::new(url), cell).telling(tell) })
    }

    /// The configuration in force.
    ///
    /// # Errors
    /// [`WorkerError::Snapshot`] when it is stored but not valid: nothing is decided then.
    pub async fn config(&self) -> Result<Versioned, WorkerError> {
        let args: [&[u8]; 3] = [CONFIG_KEY.as_bytes(), b"version", b"json"];
        let mut reply = self.store.redis().command("HMGET", &args).await?.into_iter().map(Reply::into_bytes);
        let version = reply.next().flatten();
        let json = reply.next().flatten();
        Ok(snapshot::read_config(version.as_deref(), json.as_deref())?)
    }

    /// The policy in force.
    ///
    /// # Errors
    /// [`WorkerError::Snapshot`] when it is stored but cannot be read.
    pub async fn policy(&self) -> Result<Policy, WorkerError> {
        let stored = views::value(self.store.redis(), view::POLICY).await?;
        Ok(snapshot::read_policy(stored.as_deref())?)
    }
}

/// Where the connectors' services are, from the variables. No secret among them; an empty origin
/// is a service that is not there.
///
/// # Errors
/// [`WorkerError::Variable`] when this component is not given one of them.
pub async fn endpoints() -> Result<Endpoints, WorkerError> {
    Ok(Endpoints {
        github_origin: variable("github_api_origin").await?,
        kubernetes_origin: variable("kubernetes_api_origin").await?,
        slack_origin: variable("slack_origin").await?,
    })
}

/// A variable's value.
///
/// # Errors
/// [`WorkerError::Variable`] when this component is not given it.
pub async fn variable(name: &'static str) -> Result<String, WorkerError> {
    variables::get(name).await.map_err(|_| WorkerError::Variable(name))
}

/// The shard a doorbell rings for.
///
/// # Errors
/// [`WorkerError::Bell`] when it names none.
pub fn shard_of_bell(payload: &[u8]) -> Result<Shard, WorkerError> {
    std::str::from_utf8(payload).ok().and_then(Shard::parse).ok_or(WorkerError::Bell)
}

//! A redis-server, a store on it, and what can be read back.

use std::collections::BTreeMap;

use homeostat_adapter_native::NativeRedis;
use homeostat_flow::{Cell, Ingest, Ingested, ScriptStore, Shard, Stage, Store, views};
use homeostat_testkit::redis::{Durability, RedisServer};

use crate::stages::{Event, FIRST};

/// A server of its own and a store on it.
pub struct World {
    /// Ends with the world.
    pub server: RedisServer,
    /// On that server.
    pub store: ScriptStore<NativeRedis>,
}

impl World {
    /// A fresh server for a cell.
    pub fn start(shards: u32, stages: &[Stage]) -> Self {
        Self::start_with(shards, stages, Durability::Memory)
    }

    /// A fresh server that keeps what `durability` says.
    pub fn start_with(shards: u32, stages: &[Stage], durability: Durability) -> Self {
        let server = RedisServer::start_with(durability).expect("a redis-server");
        let redis = NativeRedis::new(&server.url()).expect("its URL");
        Self { store: ScriptStore::new(redis, Cell::new(shards, stages)), server }
    }

    /// A second store with a connection of its own.
    pub fn another_store(&self) -> ScriptStore<NativeRedis> {
        let redis = NativeRedis::new(&self.server.url()).expect("its URL");
        ScriptStore::new(redis, self.store.cell().clone())
    }

    /// A plain command; its replies as text.
    pub async fn command(&self, line: &[&str]) -> Vec<String> {
        let (name, args) = line.split_first().expect("a command");
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        let reply = homeostat_flow::Redis::command(self.store.redis(), name, &args).await.expect("a reply");
        reply.iter().map(homeostat_flow::Reply::text).collect()
    }

    /// A hash of the read models, values as text.
    pub async fn view(&self, key: &str) -> BTreeMap<String, String> {
        let hash = views::hash(self.store.redis(), key).await.expect("a hash");
        hash.into_iter().map(|(field, value)| (field, hex(&value))).collect()
    }
}

/// Bytes that are text as text, others as numbers.
fn hex(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|letter| letter.is_ascii_graphic()) => text.to_owned(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Sends an event into the first stage's inbox of its service's shard.
pub async fn send<S: Store>(store: &S, event: &Event) -> Ingested {
    let shard = store.cell().shard_of(&event.service);
    send_to(store, FIRST, &shard, event).await
}

/// Sends an event into a given inbox.
pub async fn send_to<S: Store>(store: &S, stage: Stage, shard: &Shard, event: &Event) -> Ingested {
    let payload = event.encode();
    let fields = [event.field()];
    let ingest = Ingest { stage, shard, ids: &[&event.id], day: 20_000, fields: &fields, payload: &payload };
    store.ingest(&ingest).await.expect("an answer to ingest")
}

impl World {
    /// Ends a dead worker's lease, as its running out would; only if it is still that worker's.
    pub async fn end_lease(&self, stage: Stage, shard: &Shard, token: &str) {
        let key = homeostat_flow::name::key(homeostat_flow::name::Kind::Lease, stage, shard);
        if self.command(&["GET", &key]).await == [token] {
            self.command(&["DEL", &key]).await;
        }
    }

    /// Kills the server and starts it again; the connection that broke is found out here.
    pub async fn crash(&mut self) {
        self.server.kill().expect("a kill");
        let refused = self.store.lag().await;
        assert!(refused.is_err(), "a dead server answered {refused:?}");
        self.server.restart().expect("a restart");
    }

    /// Unread entries and due timers over all stages and shards.
    pub async fn backlog(&self) -> u64 {
        let lag = self.store.lag().await.expect("lag");
        lag.iter().map(|lag| lag.unread + lag.due).sum()
    }
}

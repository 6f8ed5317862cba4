//! What the contract tests need of a store, whichever it is.

use std::collections::BTreeMap;

use homeostat_adapter_native::NativeRedis;
use homeostat_flow::memory::{MemoryStore, View};
use homeostat_flow::{
    Batch, Bounds, Cell, Fetch, Fetched, Ingest, Ingested, ScriptStore, Shard, Stage, Store,
};

use crate::world::World;

/// The stages of a contract's cell.
pub const ONE: Stage = Stage::new("one");
/// The second.
pub const TWO: Stage = Stage::new("two");

/// Small enough to reach.
pub const BOUNDS: Bounds = Bounds { bell_ms: 5_000, inbox_max: 5, keep_ms: 3_600_000, dead_max: 100 };

/// A store, and what is looked up behind its back.
#[allow(async_fn_in_trait, reason = "used by this package's tests only")]
pub trait Subject {
    /// Which store.
    type Store: Store;
    /// A fresh one.
    fn fresh() -> Self;
    /// The store.
    fn store(&self) -> &Self::Store;
    /// Ends a lease as if it had run out.
    async fn end_lease(&self, stage: Stage, shard: &Shard);
    /// A read model in words.
    async fn show(&self, key: &str) -> String;
}

/// On Redis.
pub struct OnRedis {
    world: World,
    store: ScriptStore<NativeRedis>,
}

/// In memory.
pub struct InMemory(MemoryStore);

impl Subject for OnRedis {
    type Store = ScriptStore<NativeRedis>;

    fn fresh() -> Self {
        let world = World::start(2, &[ONE, TWO]);
        let store = world.another_store().with_bounds(BOUNDS);
        Self { world, store }
    }

    fn store(&self) -> &Self::Store {
        &self.store
    }

    async fn end_lease(&self, stage: Stage, shard: &Shard) {
        let key = homeostat_flow::name::key(homeostat_flow::name::Kind::Lease, stage, shard);
        self.world.command(&["DEL", &key]).await;
    }

    async fn show(&self, key: &str) -> String {
        let full = homeostat_flow::name::view_key(key);
        let kind = self.world.command(&["TYPE", &full]).await.concat();
        match kind.as_str() {
            "string" => self.world.command(&["GET", &full]).await.concat(),
            "hash" => {
                let flat = self.world.command(&["HGETALL", &full]).await;
                let pairs: BTreeMap<_, _> =
                    flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
                format!("{pairs:?}")
            }
            "zset" => self.world.command(&["ZRANGE", &full, "0", "-1"]).await.join(" "),
            "stream" => {
                let flat = self.world.command(&["XRANGE", &full, "-", "+"]).await;
                flat.chunks(3).map(|entry| entry[2].clone()).collect::<Vec<_>>().join(" ")
            }
            other => other.to_owned(),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Subject for InMemory {
    type Store = MemoryStore;

    fn fresh() -> Self {
        Self(MemoryStore::new(Cell::new(2, &[ONE, TWO])).with_bounds(BOUNDS))
    }

    fn store(&self) -> &Self::Store {
        &self.0
    }

    async fn end_lease(&self, stage: Stage, shard: &Shard) {
        self.0.expire_lease(stage, shard);
    }

    async fn show(&self, key: &str) -> String {
        match self.0.view(key) {
            None => "none".to_owned(),
            Some(View::Value { value, .. }) => text(&value),
            Some(View::Hash(hash)) => {
                let pairs: BTreeMap<_, _> = hash.iter().map(|(field, value)| (field, text(value))).collect();
                format!("{pairs:?}")
            }
            Some(View::Ranking(members)) => {
                let mut by_score: Vec<_> =
                    members.iter().map(|(member, score)| (score, member.as_str())).collect();
                by_score.sort_unstable();
                by_score.iter().map(|(_, member)| *member).collect::<Vec<_>>().join(" ")
            }
            Some(View::List(entries)) => {
                entries.iter().map(|entry| text(entry)).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// The shard the contract works on.
pub fn home() -> Shard {
    Shard::service(0)
}

/// Appends an entry with these ids.
pub async fn put<S: Store>(store: &S, ids: &[&str], payload: &str) -> Ingested {
    let fields = ["f".to_owned()];
    let shard = home();
    let event =
        Ingest { stage: ONE, shard: &shard, ids, day: 20_000, fields: &fields, payload: payload.as_bytes() };
    store.ingest(&event).await.expect("an answer to ingest")
}

/// Asks for a batch of the first stage.
pub async fn ask<S: Store>(store: &S, token: Option<&str>, batch: u32) -> Fetched {
    let shard = home();
    let fetch = Fetch { stage: ONE, shard: &shard, token, batch, lease_ms: 60_000, tries: 3 };
    store.fetch(&fetch).await.expect("an answer to fetch")
}

/// A batch of the first stage.
pub async fn batch<S: Store>(store: &S, many: u32) -> Batch {
    match ask(store, None, many).await {
        Fetched::Batch(batch) => batch,
        other => panic!("a batch was expected, not {other:?}"),
    }
}

/// The payloads (or timer names) of a batch.
pub fn names(batch: &Batch) -> Vec<String> {
    batch.inputs.iter().map(|input| input.timer.clone().unwrap_or_else(|| text(&input.payload))).collect()
}

//! Many effects in one commit leave what each of them alone, in its turn, would have left: the
//! script carries out only the last word on a key, and many members of a ranking at once.
//!
//! The measure is the store in memory, which applies every effect by itself.

use homeostat_flow::memory::{MemoryStore, View};
use homeostat_flow::name::{Kind, key};
use homeostat_flow::{
    Cell, Context, Effects, Ingest, Input, Limits, Output, Ring, Shard, Stage, State, Step, StepError, Store,
    Timer, Verdict, Write, drain, views,
};
use homeostat_flow_tests::contract::{ONE, TWO, home};
use homeostat_flow_tests::world::World;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Beyond any clock: these timers do not ring.
const FAR_MS: u64 = 4_000_000_000_000;
const HOUR_MS: u64 = 3_600_000;
/// Each case is a redis-server and two drains.
const CASES: u32 = 40;

/// Does what the entry's number stands for.
struct Script(Vec<Effects>);

impl Step for Script {
    type Hand = ();

    fn stage(&self) -> Stage {
        ONE
    }

    fn apply(&self, (): &mut (), _: &Context, input: &Input, _: &State) -> Result<Verdict, StepError> {
        let number = std::str::from_utf8(&input.payload).ok().and_then(|text| text.parse::<usize>().ok());
        let effects = number.and_then(|number| self.0.get(number)).cloned();
        effects.map(Verdict::Done).ok_or_else(|| StepError("no such entry".to_owned()))
    }
}

fn named(kind: &str) -> impl Strategy<Value = String> + use<> {
    let kind = kind.to_owned();
    (0..3_u8).prop_map(move |number| format!("{kind}{number}"))
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    "[a-z]{0,3}".prop_map(String::into_bytes)
}

fn timer() -> impl Strategy<Value = Timer> {
    (named("t"), proptest::option::of(0..9_u64)).prop_map(|(name, after)| match after {
        Some(after) => Timer::Set { name, fields: vec![], due_ms: FAR_MS + after },
        None => Timer::Cancel { name, fields: vec![] },
    })
}

/// Scores are put in later, as they must not fall.
fn write() -> impl Strategy<Value = Write> {
    let ttl = proptest::option::of(HOUR_MS..2 * HOUR_MS);
    prop_oneof![
        5 => (named("v"), text(), ttl).prop_map(|(key, value, ttl_ms)| Write::Set { key, value, ttl_ms }),
        1 => named("v").prop_map(|key| Write::Delete { key }),
        2 => (named("h"), named("f"), text())
            .prop_map(|(key, field, value)| Write::HashSet { key, field, value }),
        2 => (named("h"), -5..5_i64).prop_map(|(key, by)| Write::Add { key, field: "sum".to_owned(), by }),
        1 => named("h").prop_map(|key| Write::Delete { key }),
        6 => (named("r"), named("m"), 1..3_u32)
            .prop_map(|(key, member, keep)| Write::Rank { key, member, score: 0, keep }),
        1 => (named("r"), named("m")).prop_map(|(key, member)| Write::Unrank { key, member }),
        2 => (named("l"), text()).prop_map(|(key, payload)| Write::Append { key, payload, keep: 1_000 }),
    ]
}

fn output() -> impl Strategy<Value = Output> {
    (0..2_u32, text()).prop_map(|(shard, payload)| Output {
        stage: TWO,
        shard: Shard::service(shard),
        fields: vec![],
        payload,
        ring: Ring::Now,
    })
}

fn effects() -> impl Strategy<Value = Effects> {
    let state = vec((named("s"), proptest::option::of(text())), 0..3);
    (state, vec(output(), 0..2), vec(timer(), 0..3), vec(write(), 0..8)).prop_map(
        |(state, outputs, timers, writes)| Effects { state, outputs, timers, writes, notes: Vec::new() },
    )
}

fn with_rising_scores(mut all: Vec<Effects>) -> Vec<Effects> {
    let writes = all.iter_mut().flat_map(|effects| &mut effects.writes);
    for (number, write) in (1_u64..).zip(writes) {
        if let Write::Rank { score, .. } = write {
            *score = number;
        }
    }
    all
}

async fn work_off<S: Store>(store: &S, all: &[Effects], batch: u32) {
    let shard = home();
    for number in 0..all.len() {
        let payload = number.to_string();
        let event = Ingest {
            stage: ONE,
            shard: &shard,
            ids: &[],
            day: 1,
            fields: &["s0".to_owned()],
            payload: payload.as_bytes(),
        };
        store.ingest(&event).await.expect("an answer");
    }
    let limits = Limits { batch, ..Limits::STEPS };
    let drained = drain(store, &Script(all.to_vec()), &shard, &limits).await.expect("a drain");
    assert_eq!((drained.inputs, drained.failed), (all.len() as u64, 0));
}

fn names(kind: &str) -> Vec<String> {
    (0..3).map(|number| format!("{kind}{number}")).collect()
}

/// Whether a plain value has an end is part of it; when exactly is the clock's.
async fn value_on_redis(world: &World, name: &str) -> Option<(Vec<u8>, bool)> {
    let value = views::value(world.store.redis(), name).await.expect("a value")?;
    let left = world.command(&["PTTL", &format!("hs:v:{name}")]).await;
    Some((value, left != ["-1"]))
}

async fn same(world: &World, memory: &MemoryStore) {
    let (shard, redis) = (home(), world.store.redis());
    let fields = names("s");
    let (here, there) =
        (world.store.read_fields(ONE, &shard, &fields), memory.read_fields(ONE, &shard, &fields));
    assert_eq!(here.await, there.await);
    let due = world.command(&["ZRANGE", &key(Kind::Due, ONE, &shard), "0", "-1", "WITHSCORES"]).await;
    let due: Vec<_> = due.chunks(2).map(|pair| (pair[1].parse().expect("a time"), pair[0].clone())).collect();
    let timers = memory.timers(ONE, &shard).into_iter().map(|(at, name)| (at, format!("|{name}")));
    assert_eq!(due, timers.collect::<Vec<_>>());
    for index in 0..2 {
        let inbox = key(Kind::Inbox, TWO, &Shard::service(index));
        let sent = world.command(&["XRANGE", &inbox, "-", "+"]).await;
        let sent: Vec<_> = sent.chunks(5).map(|entry| entry[4].clone().into_bytes()).collect();
        assert_eq!(sent, memory.unread(TWO, &Shard::service(index)));
    }
    for name in names("v") {
        let there = memory.view(&name).map(|view| match view {
            View::Value { value, until_ms } => (value, until_ms.is_some()),
            other => panic!("{other:?}"),
        });
        assert_eq!(value_on_redis(world, &name).await, there, "{name}");
    }
    for name in names("h") {
        let there = memory.view(&name).map(|view| if let View::Hash(hash) = view { hash } else { panic!() });
        assert_eq!(views::hash(redis, &name).await.expect("a hash"), there.unwrap_or_default(), "{name}");
    }
    for name in names("r") {
        let mut here = views::ranking(redis, &name, None, 100).await.expect("a ranking");
        here.sort();
        let there = memory.view(&name).map(|view| if let View::Ranking(all) = view { all } else { panic!() });
        assert_eq!(here, there.unwrap_or_default().into_iter().collect::<Vec<_>>(), "{name}");
    }
    for name in names("l") {
        let here = views::oldest(redis, &name, None, 1_000).await.expect("a list");
        let here: Vec<_> = here.into_iter().map(|(_, payload)| payload).collect();
        let there = memory.view(&name).map(|view| if let View::List(all) = view { all } else { panic!() });
        assert_eq!(here, there.unwrap_or_default(), "{name}");
    }
}

#[test]
fn one_commit_of_many_effects_leaves_what_each_alone_would_leave() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let all = vec(effects(), 1..40).prop_map(with_rising_scores);
    TestRunner::new(config)
        .run(&all, |all| {
            runtime.block_on(async {
                let (world, memory) =
                    (World::start(2, &[ONE, TWO]), MemoryStore::new(Cell::new(2, &[ONE, TWO])));
                work_off(&memory, &all, 1).await;
                work_off(&world.store, &all, Limits::STEPS.batch).await;
                same(&world, &memory).await;
            });
            Ok(())
        })
        .expect("the same on both");
}

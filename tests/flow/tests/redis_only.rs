//! What only a real Redis has: planted keys, forgotten scripts, consumer groups, clocks, trimming.

use homeostat_flow::name::{Kind, clock_key, key};
use homeostat_flow::{
    Batch, Bounds, Cell, CellError, Commit, Committed, Effects, Fetch, Fetched, Output, Redis, Ring, Shard,
    Stage, Store, StoreError, Timer, Write, drain,
};
use homeostat_flow_tests::contract::{ONE, TWO, home, put};
use homeostat_flow_tests::stages::{ALL, Event, FIRST, Relay, SECOND};
use homeostat_flow_tests::world::{World, send};

fn fetch(stage: Stage, shard: &Shard) -> Fetch<'_> {
    Fetch { stage, shard, token: None, batch: 10, lease_ms: 60_000, tries: 3 }
}

/// Every key and its value, as far as they can be dumped.
async fn everything(world: &World) -> Vec<(String, String)> {
    let mut keys = world.command(&["KEYS", "*"]).await;
    keys.sort();
    let mut all = Vec::new();
    for key in keys.into_iter().filter(|key| key != "hs:cnt") {
        let name: &[&[u8]] = &[key.as_bytes()];
        let dump = world.store.redis().command("DUMP", name).await.expect("a dump");
        all.push((key, format!("{dump:?}")));
    }
    all
}

/// All of a batch, with these effects.
fn commit_of<'a>(shard: &'a Shard, batch: &'a Batch, effects: &'a Effects) -> Commit<'a> {
    Commit {
        stage: ONE,
        shard,
        token: &batch.token,
        seq: batch.seq,
        lease_ms: 60_000,
        consumed: &batch.inputs,
        open: 0,
        effects,
        failed: None,
    }
}

#[tokio::test]
async fn a_planted_key_of_another_type_refuses_a_commit_whole() {
    let shard = home();
    for (planted, kind) in [
        (key(Kind::Inbox, TWO, &Shard::global()), "an output's inbox"),
        (key(Kind::Bell, TWO, &Shard::global()), "an output's bell"),
        (key(Kind::State, ONE, &shard), "the state"),
        (key(Kind::Due, ONE, &shard), "the timers"),
        ("hs:v:plain".to_owned(), "a read model"),
        ("hs:shards".to_owned(), "the list of shards"),
        ("hs:dead".to_owned(), "the dead letters"),
    ] {
        let world = World::start(2, &[ONE, TWO]);
        put(&world.store, &[], "1").await;
        let Ok(Fetched::Batch(batch)) = world.store.fetch(&fetch(ONE, &shard)).await else {
            panic!("a batch")
        };
        world.command(&["DEL", &planted]).await;
        world.command(&["RPUSH", &planted, "planted"]).await;
        let before = everything(&world).await;
        let output =
            Output { stage: TWO, shard: Shard::global(), fields: vec![], payload: vec![], ring: Ring::Now };
        let effects = Effects {
            state: vec![("f".to_owned(), Some(b"1".to_vec()))],
            outputs: vec![output],
            timers: vec![Timer::Set { name: "t".to_owned(), fields: vec![], due_ms: 1 }],
            writes: vec![Write::Set { key: "plain".to_owned(), value: vec![], ttl_ms: None }],
            notes: vec![],
        };
        let commit = commit_of(&shard, &batch, &effects);
        let refused = world.store.commit(&commit).await;
        assert!(
            matches!(&refused, Err(StoreError::Refused(text)) if text.contains(&planted)),
            "{kind}: {refused:?}"
        );
        assert_eq!(everything(&world).await, before, "{kind}");
        world.command(&["DEL", &planted]).await;
        assert!(matches!(world.store.commit(&commit).await, Ok(Committed::Done { .. })), "{kind}");
    }
}

#[tokio::test]
async fn a_planted_key_refuses_a_fetch_and_an_ingest_whole() {
    let shard = home();
    let world = World::start(1, &[ONE, TWO]);
    put(&world.store, &[], "1").await;
    let meta = key(Kind::Tries, ONE, &shard);
    world.command(&["SET", &meta, "planted"]).await;
    let before = everything(&world).await;
    assert!(matches!(world.store.fetch(&fetch(ONE, &shard)).await, Err(StoreError::Refused(_))));
    let event =
        homeostat_flow::Ingest { stage: ONE, shard: &shard, ids: &["x"], day: 1, fields: &[], payload: b"" };
    assert!(matches!(world.store.ingest(&event).await, Err(StoreError::Refused(_))));
    assert_eq!(everything(&world).await, before);
}

#[tokio::test]
async fn a_store_that_refuses_blames_no_input_and_does_not_ring_itself() {
    let world = World::start(1, &ALL);
    send(&world.store, &Event { service: "shop".to_owned(), id: "e1".to_owned() }).await;
    world.command(&["SET", "hs:v:count:first", "planted"]).await;
    let [first, ..] = Relay::chain(1);
    for _ in 0..10 {
        let refused = drain(&world.store, &first, &home(), &homeostat_flow::Limits::STEPS).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        let bell = key(Kind::Bell, FIRST, &home());
        assert_eq!(world.command(&["EXISTS", &bell]).await, ["0"]);
    }
    world.command(&["DEL", "hs:v:count:first"]).await;
    let drained =
        drain(&world.store, &first, &home(), &homeostat_flow::Limits::STEPS).await.expect("a drain");
    assert_eq!((drained.inputs, drained.dead), (1, 0));
}

#[tokio::test]
async fn forgotten_scripts_are_sent_again() {
    let world = World::start(1, &ALL);
    for number in 0..3 {
        world.command(&["SCRIPT", "FLUSH"]).await;
        send(&world.store, &Event { service: "shop".to_owned(), id: number.to_string() }).await;
        world.command(&["SCRIPT", "FLUSH"]).await;
        let [first, ..] = Relay::chain(1);
        let drained =
            drain(&world.store, &first, &home(), &homeostat_flow::Limits::STEPS).await.expect("a drain");
        assert_eq!(drained.inputs, 1);
    }
}

/// What KEDA and people read; the flow does not.
#[tokio::test]
async fn the_cursor_is_mirrored_as_a_consumer_group() {
    let world = World::start(1, &ALL);
    let [first, ..] = Relay::chain(1);
    for number in 0..5 {
        send(&world.store, &Event { service: "shop".to_owned(), id: number.to_string() }).await;
    }
    let limits = homeostat_flow::Limits { batch: 2, batches: 1, ..homeostat_flow::Limits::STEPS };
    for lag in ["3", "1", "0"] {
        drain(&world.store, &first, &home(), &limits).await.expect("a drain");
        let groups = world.command(&["XINFO", "GROUPS", &key(Kind::Inbox, FIRST, &home())]).await;
        let at = groups.iter().position(|word| word == "lag").expect("a lag");
        assert_eq!((groups[1].as_str(), groups[at + 1].as_str()), ("first", lag));
    }
}

#[tokio::test]
async fn the_clock_offset_makes_timers_due_and_never_runs_backwards() {
    let (world, shard) = (World::start(1, &[ONE, TWO]), home());
    put(&world.store, &[], "1").await;
    let Ok(Fetched::Batch(batch)) = world.store.fetch(&fetch(ONE, &shard)).await else { panic!("a batch") };
    let hour = 3_600_000;
    let timers = vec![Timer::Set { name: "t".to_owned(), fields: vec![], due_ms: batch.now_ms + hour }];
    let effects = Effects { timers, ..Effects::default() };
    let commit = commit_of(&shard, &batch, &effects);
    assert!(matches!(world.store.commit(&commit).await, Ok(Committed::Done { .. })));
    let again = Fetch { token: Some(&batch.token), ..fetch(ONE, &shard) };
    assert_eq!(world.store.fetch(&again).await, Ok(Fetched::Idle { dead: 0 }));
    world.command(&["SET", &clock_key(), &(2 * hour).to_string()]).await;
    assert_eq!(world.store.tick().await.expect("a tick").rung, [(ONE, shard.clone())]);
    // An entry of now comes after the timer of an hour ago: ids carry the shifted time too.
    put(&world.store, &[], "2").await;
    let Ok(Fetched::Batch(late)) = world.store.fetch(&fetch(ONE, &shard)).await else { panic!("a batch") };
    assert_eq!(homeostat_flow_tests::contract::names(&late), ["t", "2"]);
    assert!(late.now_ms >= batch.now_ms + 2 * hour);
    // Taken back: the stage's time stands still until the clock has caught up, and appends go on.
    world.command(&["DEL", &clock_key()]).await;
    put(&world.store, &[], "3").await;
    world.end_lease(ONE, &shard, &late.token).await;
    let Ok(Fetched::Batch(back)) = world.store.fetch(&fetch(ONE, &shard)).await else { panic!("a batch") };
    assert!(back.now_ms >= late.now_ms);
    assert_eq!(world.store.lag().await.expect("lag")[0].unread, 2);
}

#[tokio::test]
async fn ticks_trim_what_was_consumed_and_nothing_else() {
    let world = World::start(1, &ALL);
    // Redis frees whole nodes of 100 entries.
    for number in 0..450 {
        send(&world.store, &Event { service: "shop".to_owned(), id: number.to_string() }).await;
    }
    let limits = homeostat_flow::Limits { batch: 50, batches: 6, ..homeostat_flow::Limits::STEPS };
    let [first, second, _] = Relay::chain(1);
    drain(&world.store, &first, &home(), &limits).await.expect("a drain");
    let keeping = world.store.tick().await.expect("a tick");
    assert_eq!(keeping.trimmed, 0, "what was consumed within the hour stays");
    let bounds = Bounds { keep_ms: 0, ..Bounds::default() };
    let eager = world.another_store().with_bounds(bounds);
    let inbox = key(Kind::Inbox, FIRST, &home());
    let trimmed = eager.tick().await.expect("a tick").trimmed;
    assert!((200..=300).contains(&trimmed), "{trimmed}");
    assert_eq!(world.command(&["XLEN", &inbox]).await, [(450 - trimmed).to_string()]);
    let lag = eager.lag().await.expect("lag");
    assert_eq!(
        lag.iter().map(|lag| (lag.stage, lag.unread)).collect::<Vec<_>>()[..2],
        [(FIRST, 150), (SECOND, 300)]
    );
    drain(&eager, &first, &home(), &homeostat_flow::Limits::STEPS).await.expect("a drain");
    drain(&eager, &second, &home(), &homeostat_flow::Limits::STEPS).await.expect("a drain");
    assert_eq!(world.view("count:second").await.len(), 450);
}

#[tokio::test]
async fn a_cell_with_another_number_of_shards_refuses_to_start() {
    let world = World::start(4, &ALL);
    let redis = world.store.redis();
    Cell::new(4, &ALL).check(redis).await.expect("the first start");
    Cell::new(4, &ALL).check(redis).await.expect("a later start");
    let refused = Cell::new(5, &ALL).check(redis).await;
    assert!(
        matches!(&refused, Err(CellError::ShardsDiffer { stored, configured: 5 }) if stored == "4"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_nobody_waits_for_is_rung_by_the_next_tick() {
    let world = World::start(2, &[ONE, TWO]);
    let (shard, there) = (home(), Shard::global());
    put(&world.store, &[], "1").await;
    let Ok(Fetched::Batch(batch)) = world.store.fetch(&fetch(ONE, &shard)).await else { panic!("a batch") };
    let bell = key(Kind::Bell, TWO, &there);
    let output =
        Output { stage: TWO, shard: there.clone(), fields: vec![], payload: vec![], ring: Ring::AtTick };
    let effects = Effects { outputs: vec![output], ..Effects::default() };
    let commit = commit_of(&shard, &batch, &effects);
    assert!(matches!(world.store.commit(&commit).await, Ok(Committed::Done { .. })));
    assert_eq!(world.command(&["EXISTS", &bell]).await, ["0"]);
    assert_eq!(world.store.tick().await.expect("a tick").rung, [(TWO, there.clone())]);
    assert_eq!(world.command(&["EXISTS", &bell]).await, ["1"]);
}

//! A worker may die anywhere: every effect is done once.

#![allow(clippy::print_stdout, reason = "the seed of a failed run is wanted")]

use homeostat_flow::{Commit, Committed, Effects, Ended, Fetch, Fetched, Limits, Shard, Store, drain};
use homeostat_flow_tests::fault::{FaultStore, Plan, Point};
use homeostat_flow_tests::random::Random;
use homeostat_flow_tests::stages::{ALL, Event, FIRST, Relay, shards};
use homeostat_flow_tests::world::{World, send};

const EVENTS: u32 = 40;

fn small() -> Limits {
    Limits { batch: 8, ..Limits::STEPS }
}

async fn fill(world: &World, events: u32) {
    for number in 0..events {
        send(&world.store, &Event { service: format!("svc{}", number % 7), id: format!("e{number}") }).await;
    }
}

async fn assert_once(world: &World, events: u32) {
    for stage in ALL {
        let counts = world.view(&format!("count:{stage}")).await;
        assert_eq!(counts.len(), usize::try_from(events).unwrap(), "{stage}");
        assert!(counts.values().all(|count| count == "1"), "{stage}: {counts:?}");
    }
    assert!(world.store.dead_letters("0-0", 10).await.expect("a list").is_empty());
    assert_eq!(world.backlog().await, 0);
}

async fn check_death_at(point: Point) {
    let world = World::start(1, &ALL);
    fill(&world, EVENTS).await;
    let limits = Limits { batches: 3, ..small() };
    for step in Relay::chain(1) {
        let faulty = FaultStore::new(&world.store, Plan::At(point, 1));
        let outcome = faulty.run(drain(&faulty, &step, &Shard::service(0), &limits)).await;
        assert!(outcome.is_none(), "the worker was to die at {point:?}, and ended with {outcome:?}");
        let (stage, shard, token) = faulty.lease().expect("it had a lease");
        let other = drain(&world.store, &step, &shard, &small()).await.expect("a drain");
        assert_eq!(other.ended, Ended::Busy, "the dead worker's lease holds until it runs out");
        world.end_lease(stage, &shard, &token).await;
        let drained = drain(&world.store, &step, &shard, &small()).await.expect("a drain");
        assert_eq!(drained.ended, Ended::Idle);
    }
    assert_once(&world, EVENTS).await;
}

#[tokio::test]
async fn a_worker_killed_after_its_fetch_leaves_every_effect_once() {
    check_death_at(Point::AfterFetch).await;
}

#[tokio::test]
async fn a_worker_killed_before_its_commit_leaves_every_effect_once() {
    check_death_at(Point::BeforeCommit).await;
}

#[tokio::test]
async fn a_worker_killed_after_its_commit_leaves_every_effect_once() {
    check_death_at(Point::AfterCommit).await;
}

#[tokio::test]
async fn a_worker_killed_before_its_release_leaves_every_effect_once() {
    check_death_at(Point::BeforeRelease).await;
}

/// The lease itself runs out by Redis's own clock.
#[tokio::test]
async fn a_lease_runs_out_by_itself() {
    let world = World::start(1, &ALL);
    fill(&world, 1).await;
    let shard = Shard::service(0);
    let fetch = Fetch { stage: FIRST, shard: &shard, token: None, batch: 8, lease_ms: 30, tries: 3 };
    assert!(matches!(world.store.fetch(&fetch).await, Ok(Fetched::Batch(_))));
    let taken = async {
        while !matches!(world.store.fetch(&fetch).await, Ok(Fetched::Batch(_))) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), taken).await.expect("the lease ran out");
}

#[tokio::test]
async fn of_two_workers_on_one_shard_only_the_lease_holder_commits() {
    let world = World::start(1, &ALL);
    fill(&world, 4).await;
    let shard = Shard::service(0);
    let fetch = Fetch { stage: FIRST, shard: &shard, token: None, batch: 8, lease_ms: 5_000, tries: 3 };
    let second_store = world.another_store();
    let Ok(Fetched::Batch(first)) = world.store.fetch(&fetch).await else { panic!("a batch") };
    assert_eq!(second_store.fetch(&fetch).await, Ok(Fetched::Busy));
    world.end_lease(FIRST, &shard, &first.token).await;
    let Ok(Fetched::Batch(second)) = second_store.fetch(&fetch).await else { panic!("a batch") };
    assert_eq!(second.inputs.len(), 1, "after a lost worker, one at a time");

    let effects = Effects::default();
    let commit = |batch: &homeostat_flow::Batch| (batch.token.clone(), batch.seq, batch.inputs.clone());
    let (token, seq, consumed) = commit(&first);
    let late = Commit {
        stage: FIRST,
        shard: &shard,
        token: &token,
        seq,
        lease_ms: 5_000,
        consumed: &consumed,
        open: 0,
        effects: &effects,
        failed: None,
    };
    assert_eq!(world.store.commit(&late).await, Ok(Committed::Lost));
    let (token, seq, consumed) = commit(&second);
    let good = Commit { token: &token, seq, consumed: &consumed, ..late };
    assert!(matches!(second_store.commit(&good).await, Ok(Committed::Done { .. })));
    assert_eq!(second_store.commit(&good).await, Ok(Committed::Stale), "the same commit sent twice");
    let counters = world.store.counters().await.expect("counters");
    assert_eq!((counters.get("lost:first"), counters.get("stale:first")), (Some(&1), Some(&1)));
}

/// Workers on the same shards at the same time, over connections of their own.
#[tokio::test]
async fn workers_on_the_same_shards_share_the_work_without_doing_any_twice() {
    let world = World::start(2, &ALL);
    fill(&world, 300).await;
    let stores = [world.another_store(), world.another_store(), world.another_store()];
    let limits = Limits { batches: 2, ..small() };
    for _ in 0..40 {
        for step in Relay::chain(2) {
            for shard in shards(2) {
                let (a, b, c) = tokio::join!(
                    drain(&stores[0], &step, &shard, &limits),
                    drain(&stores[1], &step, &shard, &limits),
                    drain(&stores[2], &step, &shard, &limits)
                );
                assert!(a.is_ok() && b.is_ok() && c.is_ok());
            }
        }
    }
    assert_once(&world, 300).await;
}

const CHAOS_EVENTS: u32 = 10_000;
const CHAOS_SHARDS: u32 = 4;
/// Drains before the run is called stuck; a run takes about a thousand.
const CHAOS_ROUNDS_MAX: u32 = 5_000;

/// What can be compared between runs: effects per entry, and state in the order it came about.
async fn traces(world: &World) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut traces = Vec::new();
    for stage in ALL {
        traces.push(world.view(&format!("count:{stage}")).await);
        traces.push(world.view(&format!("digest:{stage}")).await);
    }
    traces
}

/// Runs all events through, killing that share of workers; returns the traces and the deaths.
async fn chaos(percent: u32, seed: u64) -> (Vec<std::collections::BTreeMap<String, String>>, u32) {
    let world = World::start(CHAOS_SHARDS, &ALL);
    fill(&world, CHAOS_EVENTS).await;
    let limits = Limits { batch: 16, batches: 4, ..Limits::STEPS };
    let (mut random, mut deaths) = (Random::new(seed), 0);
    for _ in 0..CHAOS_ROUNDS_MAX {
        for step in Relay::chain(CHAOS_SHARDS) {
            for shard in shards(CHAOS_SHARDS) {
                let plan =
                    if random.percent(percent) { Plan::AtAny(1 + random.below(8)) } else { Plan::Live };
                let faulty = FaultStore::new(&world.store, plan);
                match faulty.run(drain(&faulty, &step, &shard, &limits)).await {
                    Some(drained) => assert!(drained.is_ok(), "{drained:?}"),
                    None => {
                        deaths += 1;
                        if let Some((stage, shard, token)) = faulty.lease() {
                            world.end_lease(stage, &shard, &token).await;
                        }
                    }
                }
            }
        }
        if world.backlog().await == 0 {
            break;
        }
    }
    assert_once(&world, CHAOS_EVENTS).await;
    (traces(&world).await, deaths)
}

#[tokio::test]
async fn ten_thousand_events_with_workers_killed_end_as_with_none_killed() {
    let seed = 20_251_127;
    println!("seed {seed}");
    let (calm, none) = chaos(0, seed).await;
    let (killed, deaths) = chaos(5, seed).await;
    assert_eq!(none, 0);
    assert!(deaths >= 20, "only {deaths} workers were killed");
    assert!(calm == killed, "state differs after {deaths} deaths with seed {seed}");
}

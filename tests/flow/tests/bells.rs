//! Doorbells and ticks each get everything through without the other.

use std::time::{Duration, Instant};

use homeostat_adapter_native::Bells;
use homeostat_flow::{Limits, Stage, Store, drain};
use homeostat_flow_tests::stages::{ALL, Event, Relay};
use homeostat_flow_tests::world::{World, send};

const SHARDS: u32 = 3;
const EVENTS: u32 = 300;
/// Far more than it takes on a busy machine.
const DONE_WITHIN: Duration = Duration::from_secs(30);

async fn fill(world: &World) {
    for number in 0..EVENTS {
        send(&world.store, &Event { service: format!("svc{}", number % 9), id: format!("e{number}") }).await;
    }
}

fn relay(stage: Stage) -> Relay {
    let found = Relay::chain(SHARDS).into_iter().find(|relay| homeostat_flow::Step::stage(relay) == stage);
    found.expect("one of the three")
}

async fn assert_all_through(world: &World) {
    for stage in ALL {
        let counts = world.view(&format!("count:{stage}")).await;
        assert_eq!(counts.len(), usize::try_from(EVENTS).unwrap(), "{stage}");
        assert!(counts.values().all(|count| count == "1"), "{stage}");
    }
}

#[tokio::test]
async fn with_every_doorbell_lost_ticks_get_everything_through() {
    let world = World::start(SHARDS, &ALL);
    fill(&world).await;
    // Nobody is subscribed: every message is lost. What a tick reports is all a worker hears.
    let limits = Limits { batch: 16, batches: 1, ..Limits::STEPS };
    let mut ticks = 0;
    loop {
        let report = world.store.tick().await.expect("a tick");
        if report.rung.is_empty() {
            break;
        }
        for (stage, shard) in report.rung {
            drain(&world.store, &relay(stage), &shard, &limits).await.expect("a drain");
        }
        ticks += 1;
        assert!(ticks < 1_000, "ticks do not end");
    }
    assert_all_through(&world).await;
}

/// Drains whenever a bell is heard, stopping early so that stopping itself has to ring.
async fn serve(world: &World) {
    let store = world.another_store();
    let mut bells = Bells::subscribe(&world.server.url(), &ALL).await.expect("a subscription");
    let limits = Limits { batch: 16, batches: 2, ..Limits::STEPS };
    while let Some((stage, shard)) = bells.next().await {
        drain(&store, &relay(stage), &shard, &limits).await.expect("a drain");
    }
}

#[tokio::test]
async fn with_bells_only_and_no_tick_everything_drains() {
    let world = World::start(SHARDS, &ALL);
    let work = async {
        // Three workers that all hear every bell, as replicas do.
        tokio::join!(serve(&world), serve(&world), serve(&world));
    };
    let watch = async {
        let channels = ["PUBSUB", "NUMSUB", "hs:first"];
        while world.command(&channels).await.get(1).map(String::as_str) != Some("3") {
            tokio::task::yield_now().await;
        }
        fill(&world).await;
        let started = Instant::now();
        loop {
            let done = world.view("count:third").await.len();
            if done == usize::try_from(EVENTS).unwrap() {
                break;
            }
            assert!(started.elapsed() < DONE_WITHIN, "stuck at {done}: {:?}", world.store.lag().await);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = work => panic!("a subscription ended"),
        () = watch => {}
    }
    assert_all_through(&world).await;
}

#[tokio::test]
async fn a_tick_leaves_alone_what_has_a_worker_or_no_work() {
    let world = World::start(SHARDS, &ALL);
    assert_eq!(world.store.tick().await.expect("a tick").rung, []);
    fill(&world).await;
    let shard = world.store.cell().shard_of("svc0");
    let fetch = homeostat_flow::Fetch {
        stage: ALL[0],
        shard: &shard,
        token: None,
        batch: 1,
        lease_ms: 5_000,
        tries: 3,
    };
    assert!(matches!(world.store.fetch(&fetch).await, Ok(homeostat_flow::Fetched::Batch(_))));
    let rung = world.store.tick().await.expect("a tick").rung;
    assert!(!rung.is_empty() && rung.iter().all(|(_, rung)| *rung != shard), "{rung:?}");
}

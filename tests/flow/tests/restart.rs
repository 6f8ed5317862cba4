//! Redis killed and started again, at rest and in mid-work, loses nothing that was acknowledged.

use std::cell::Cell;
use std::time::{Duration, Instant};

use homeostat_flow::{Ingest, Ingested, Limits, Store, drain};
use homeostat_flow_tests::stages::{ALL, Event, FIRST, Relay, shards};
use homeostat_flow_tests::world::World;
use homeostat_testkit::redis::Durability;

const KILLS: u32 = 3;
const EVENTS_PER_LIFE: u32 = 60;
const AGAIN_WITHIN: Duration = Duration::from_secs(20);

/// Sends until the store answers, as a sender that redelivers would.
async fn send_until_acknowledged(world: &World, event: &Event) {
    let (shard, payload, fields) =
        (world.store.cell().shard_of(&event.service), event.encode(), [event.field()]);
    let ingest = Ingest {
        stage: FIRST,
        shard: &shard,
        ids: &[&event.id],
        day: 20_000,
        fields: &fields,
        payload: &payload,
    };
    let started = Instant::now();
    loop {
        match world.store.ingest(&ingest).await {
            Ok(Ingested::Accepted(_) | Ingested::Duplicate) => return,
            other => assert!(started.elapsed() < AGAIN_WITHIN, "{other:?}"),
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_redis_is_killed_and_restarted() {
    let mut world = World::start_with(2, &ALL, Durability::Always);
    let limits = Limits { batch: 8, batches: 2, ..Limits::STEPS };
    for life in 0..KILLS {
        for number in 0..EVENTS_PER_LIFE {
            let event = Event { service: format!("svc{}", number % 5), id: format!("l{life}-e{number}") };
            send_until_acknowledged(&world, &event).await;
        }
        for step in Relay::chain(2) {
            for shard in shards(2) {
                drain(&world.store, &step, &shard, &limits).await.expect("a drain");
            }
        }
        world.crash().await;
    }
    for step in Relay::chain(2) {
        for shard in shards(2) {
            drain(&world.store, &step, &shard, &Limits::STEPS).await.expect("a drain");
        }
    }
    for stage in ALL {
        let counts = world.view(&format!("count:{stage}")).await;
        assert_eq!(counts.len(), usize::try_from(KILLS * EVENTS_PER_LIFE).unwrap(), "{stage}");
        assert!(counts.values().all(|count| count == "1"), "{stage}: {counts:?}");
    }
}

/// Drains over and over, whatever happens to the server, until told to stop.
async fn work_on(world: &World, is_over: &Cell<bool>) {
    // Short, so that a lease whose worker lost its answer soon runs out.
    let limits = Limits { batch: 8, lease_ms: 200, ..Limits::STEPS };
    while !is_over.get() {
        for step in Relay::chain(2) {
            for shard in shards(2) {
                // A server that is down is what this test is about; the next round tries again.
                let _ = drain(&world.store, &step, &shard, &limits).await;
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_redis_dies_in_mid_work() {
    let mut world = World::start_with(2, &ALL, Durability::Always);
    let sent = Cell::new(0_u32);
    for life in 1..=KILLS {
        let never = Cell::new(false);
        let send = async {
            loop {
                let event =
                    Event { service: format!("svc{}", sent.get() % 5), id: format!("e{}", sent.get()) };
                send_until_acknowledged(&world, &event).await;
                sent.set(sent.get() + 1);
            }
        };
        // Stops both wherever they are: their requests are on the wire when the server dies.
        let until = async {
            while sent.get() < life * EVENTS_PER_LIFE {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = send => {}
            () = work_on(&world, &never) => {}
            () = until => {}
        }
        world.crash().await;
    }
    let is_over = Cell::new(false);
    let all_through = async {
        let started = Instant::now();
        while world.view("count:third").await.len() < usize::try_from(sent.get()).unwrap() {
            assert!(started.elapsed() < AGAIN_WITHIN, "{:?}", world.store.lag().await);
            tokio::task::yield_now().await;
        }
        is_over.set(true);
    };
    tokio::join!(all_through, work_on(&world, &is_over));
    for stage in ALL {
        let counts = world.view(&format!("count:{stage}")).await;
        for number in 0..sent.get() {
            assert_eq!(counts.get(&format!("e{number}")).map(String::as_str), Some("1"), "{stage} e{number}");
        }
    }
}

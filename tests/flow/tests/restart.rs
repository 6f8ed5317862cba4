//! Redis killed and started again loses nothing that was acknowledged.

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
        world.server.kill().expect("a kill");
        let refused = world.store.lag().await;
        assert!(refused.is_err(), "a dead server answered {refused:?}");
        world.server.restart().expect("a restart");
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

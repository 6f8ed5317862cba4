//! Events go through three stages, once each.

use homeostat_flow::{Ended, Ingested, Limits, Store, drain};
use homeostat_flow_tests::stages::{ALL, Event, Relay, shards};
use homeostat_flow_tests::world::{World, send};

#[tokio::test]
async fn every_event_passes_every_stage_once() {
    let world = World::start(2, &ALL);
    for number in 0..150 {
        let event = Event { service: format!("s{}", number % 5), id: format!("e{number}") };
        assert!(matches!(send(&world.store, &event).await, Ingested::Accepted(_)));
        assert_eq!(send(&world.store, &event).await, Ingested::Duplicate);
    }
    for step in Relay::chain(2) {
        for shard in shards(2) {
            let drained = drain(&world.store, &step, &shard, &Limits::STEPS).await.expect("a drain");
            assert_eq!(drained.ended, Ended::Idle);
        }
    }
    for stage in ALL {
        let counts = world.view(&format!("count:{stage}")).await;
        assert_eq!(counts.len(), 150, "{stage}");
        assert!(counts.values().all(|count| count == "1"), "{stage}: {counts:?}");
    }
    let lag = world.store.lag().await.expect("lag");
    assert!(lag.iter().all(|lag| lag.unread == 0 && lag.open == 0), "{lag:?}");
    let counters = world.store.counters().await.expect("counters");
    assert_eq!(counters.get("committed:third"), Some(&150), "{counters:?}");
    assert_eq!(counters.get("duplicate:first"), Some(&150), "{counters:?}");
}

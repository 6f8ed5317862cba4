//! A Redis that answers and refuses every write is told from one that works.

use homeostat_flow::probe::takes_writes;
use homeostat_flow_tests::stages::ALL;
use homeostat_flow_tests::world::World;

async fn check(settings: &[&[&str]], expected: &str) {
    let world = World::start(1, &ALL);
    takes_writes(world.store.redis()).await.expect("a write while all is well");
    for setting in settings {
        world.command(setting).await;
    }
    world.command(&["PING"]).await;
    let refused = takes_writes(world.store.redis()).await.expect_err(expected).to_string();
    assert!(refused.contains(expected), "{refused}");
}

#[tokio::test]
async fn a_full_server_is_told() {
    check(&[&["CONFIG", "SET", "maxmemory", "1"]], "raise maxmemory").await;
}

#[tokio::test]
async fn a_replica_is_told() {
    // Of a primary that is not there: it still refuses writes.
    check(&[&["REPLICAOF", "127.0.0.1", "1"]], "name the primary").await;
}

#[tokio::test]
async fn a_primary_without_its_replicas_is_told() {
    check(&[&["CONFIG", "SET", "min-replicas-to-write", "1"]], "min-replicas-to-write").await;
}

#[tokio::test]
async fn what_is_written_goes_away_by_itself() {
    let world = World::start(1, &ALL);
    takes_writes(world.store.redis()).await.expect("a write");
    let left: i64 = world.command(&["PTTL", "hs:probe"]).await[0].parse().expect("milliseconds");
    assert!((1..=60_000).contains(&left), "{left}");
}

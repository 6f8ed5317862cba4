//! The Redis trigger with a real component on a real redis-server: restarts and stopping. What
//! Spin does as well is tried in `tests/conformance`.

use anyhow::Result;
use homeostat::app::Running;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::support::{Say, Scene, eventually, redis};

const TRIGGERS: &str = "[[trigger.redis]]\naddress = \"{{ redis_url }}/0\"\nchannel = \"one\"\ncomponent = \"probe\"\n\
                        [[trigger.redis]]\naddress = \"{{ redis_url }}/0\"\nchannel = \"two\"\ncomponent = \"probe\"\n\
                        [[trigger.redis]]\naddress = \"{{ redis_url }}/1\"\nchannel = \"aside\"\ncomponent = \"probe\"\n";

fn scene() -> Result<Scene> {
    Scene::new(&Say {
        triggers: TRIGGERS,
        application: "redis_url = { default = \"redis://127.0.0.1:6379\" }",
        variables: "redis_url = \"{{ redis_url }}\"",
        grants: "allowed_outbound_hosts = [\"{{ redis_url }}\"]",
    })
}

async fn start() -> Result<(Scene, Running, MultiplexedConnection)> {
    let scene = scene()?;
    let running = scene.start().await?;
    let server = redis(&running).await?;
    Ok((scene, running, server))
}

/// The list once it has `length` items.
async fn list(server: &MultiplexedConnection, name: &str, length: usize) -> Result<Vec<String>> {
    let mut server = server.clone();
    eventually(&format!("{length} items in {name}"), async || {
        let items: Vec<String> = server.lrange(name, 0, -1).await.ok()?;
        (items.len() >= length).then_some(items)
    })
    .await
}

#[tokio::test]
async fn a_server_that_dies_comes_back_with_its_data_and_is_heard_again() -> Result<()> {
    let (_scene, running, mut server) = start().await?;
    let _set: () = server.set("kept", "yes").await?;
    let gone = redis::cmd("SHUTDOWN").arg("NOSAVE").exec_async(&mut server).await;
    assert!(gone.is_err(), "the connection ends");
    // It answers before it has read its data back, with an error that says so.
    let (server, kept) = eventually("the server is back with its data", async || {
        let mut server = redis(&running).await.ok()?;
        let kept = server.get::<_, Option<String>>("kept").await.ok()?;
        Some((server, kept))
    })
    .await?;
    assert_eq!(kept.as_deref(), Some("yes"));
    for channel in ["one", "aside"] {
        eventually("the channel is heard", async || {
            let heard: i64 = server.clone().publish(channel, format!("push back {channel}")).await.ok()?;
            (heard > 0).then_some(())
        })
        .await?;
    }
    let mut seen = list(&server, "back", 2).await?;
    seen.sort();
    assert_eq!(seen, ["push back aside", "push back one"]);
    running.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn stopping_lets_the_message_in_hand_finish() -> Result<()> {
    let (scene, running, mut server) = start().await?;
    let _heard: i64 = server.publish("one", "slow last").await?;
    list(&server, "last", 1).await?;
    drop(server);
    running.shutdown().await;
    let again = scene.start().await?;
    let server = redis(&again).await?;
    assert_eq!(list(&server, "last", 2).await?, ["begin", "end"]);
    again.shutdown().await;
    Ok(())
}

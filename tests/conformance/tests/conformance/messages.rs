//! The Redis trigger, alone and beside HTTP.

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};
use redis::AsyncCommands;

const CHANNELS: [&str; 3] = ["one", "two", "aside"];

/// Two channels of one address string; one of another, which is the same server.
const TRIGGERS: [(&str, &str); 3] = [("/0", "one"), ("/0", "two"), ("/1", "aside")];

async fn start() -> Result<Application> {
    let redis = TRIGGERS.map(|(database, channel)| {
        format!(
            "[[trigger.redis]]\naddress = \"{{{{ redis_url }}}}{database}\"\n\
             channel = \"{channel}\"\ncomponent = \"probe\"\n"
        )
    });
    let triggers = HTTP.to_owned() + &redis.concat();
    let grants = "allowed_outbound_hosts = [\"{{ redis_url }}\"]\nkey_value_stores = [\"default\"]";
    Application::start(&Say { triggers: &triggers, grants, ..Say::default() }).await
}

#[tokio::test]
async fn messages_of_an_address_are_handled_one_at_a_time_in_order() -> Result<()> {
    let app = start().await?;
    let mut server = app.heard_on(&CHANNELS).await?;
    for channel in ["one", "two", "one"] {
        let heard: i64 = server.publish(channel, "slow order").await?;
        assert_eq!(heard, 1, "{channel}");
    }
    let seen = app.list(&server, "order", 6).await?;
    assert_eq!(seen, ["begin", "end", "begin", "end", "begin", "end"]);
    Ok(())
}

#[tokio::test]
async fn a_slow_address_does_not_hold_up_another() -> Result<()> {
    const SLOW: usize = 20;
    let app = start().await?;
    let mut server = app.heard_on(&CHANNELS).await?;
    for _ in 0..SLOW {
        let _heard: i64 = server.publish("one", "slow mixed").await?;
    }
    let _heard: i64 = server.publish("aside", "push mixed aside").await?;
    let seen = app.list(&server, "mixed", 2 * SLOW + 1).await?;
    let aside = seen.iter().position(|item| item == "push mixed aside");
    assert!(aside.is_some_and(|position| position < SLOW), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn every_message_gets_a_fresh_instance_and_failures_end_nothing() -> Result<()> {
    let app = start().await?;
    let mut server = app.heard_on(&CHANNELS).await?;
    for message in ["count fresh", "panic", "fail", "nonsense", "count fresh"] {
        let _heard: i64 = server.publish("one", message).await?;
    }
    assert_eq!(app.list(&server, "fresh", 2).await?, ["1", "1"]);
    Ok(())
}

#[tokio::test]
async fn one_component_has_both_triggers_and_one_store_behind_them() -> Result<()> {
    let app = start().await?;
    let mut server = app.heard_on(&CHANNELS).await?;
    assert_eq!(app.body("/kept", "probe/shared").await?, "ok None");
    let _heard: i64 = server.publish("one", "keep done probe/shared").await?;
    app.list(&server, "done", 1).await?;
    // Written by the message's handler, read by the request's: under Spin, two processes.
    assert_eq!(app.body("/kept", "probe/shared").await?, "ok Some([49])");
    Ok(())
}

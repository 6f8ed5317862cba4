//! What a component may reach, and what it is told when it may not.

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};

#[tokio::test]
async fn a_granted_store_works_and_any_other_is_denied() -> Result<()> {
    let grants = "key_value_stores = [\"default\"]";
    let app = Application::start(&Say { triggers: HTTP, grants, ..Say::default() }).await?;
    let expected = "set: ok ()\nget: ok Some([49])\nget nothing: ok None\nexists: ok true\n\
                    keys: ok [\"probe/a\"]\ndelete: ok ()\nexists after: ok false";
    assert_eq!(app.body("/kv", "default").await?, expected);
    assert_eq!(app.body("/kv", "other").await?, "open: error Error::AccessDenied");
    let bare = Application::start(&Say { triggers: HTTP, ..Say::default() }).await?;
    assert_eq!(bare.body("/kv", "default").await?, "open: error Error::AccessDenied");
    Ok(())
}

#[tokio::test]
async fn redis_answers_come_flattened_and_other_servers_are_denied() -> Result<()> {
    let grants = "allowed_outbound_hosts = [\"{{ redis_url }}\"]";
    let app = Application::start(&Say { triggers: HTTP, grants, ..Say::default() }).await?;
    let expected = "set: ok ()\nget: ok Some([49])\nincr: ok 2\ndel: ok 1\nget nothing: ok None\n\
                    sadd: ok 1\nsmembers: ok [\"x\"]\nsrem: ok 1\n\
                    nested: ok [RedisResult::Int64(1), RedisResult::Binary([97]), RedisResult::Nil]\n\
                    nil: ok [RedisResult::Nil]\nunknown command fails: true";
    assert_eq!(app.body("/redis", &app.redis_url()).await?, expected);
    for denied in ["redis://127.0.0.1:1", "redis://localhost:6379", "nonsense"] {
        assert_eq!(app.body("/redis", denied).await?, "open: error Error::InvalidAddress", "{denied}");
    }
    Ok(())
}

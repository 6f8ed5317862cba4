//! Key-value stores beyond the usual.
//!
//! `spin:crates/key-value-spin/src/store.rs`, `crates/key-value-redis/src/store.rs` and
//! `crates/factor-key-value`. What Spin's documentation names as limits of its file (256 bytes a
//! key, 1 MB a value, 1,024 keys) its code does not enforce, nor does it run out of places for open
//! stores; only a value larger than 128 MiB is not read.
//!
//! `no-such-store` is never seen: a label that is granted and not configured is refused at start.

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};
use redis::AsyncCommands;

const GRANTS: &str = "key_value_stores = [\"default\"]";

/// The `default` store on the application's redis-server.
const ON_REDIS: &str = "[key_value_store.default]\ntype = \"redis\"\nurl = \"REDIS_URL\"\n";

/// A byte more than the host reads of a value.
const TOO_LARGE: isize = (128 << 20) + 1;

#[tokio::test]
async fn nothing_empty_long_big_and_many_are_all_taken() -> Result<()> {
    let app = Application::start(&Say { triggers: HTTP, grants: GRANTS, ..Say::default() }).await?;
    let expected = "exists nothing: ok false\ndelete nothing: ok ()\n\
                    set empty key: ok ()\nget empty key: ok Some([101])\n\
                    exists empty key: ok true\ndelete empty key: ok ()\n\
                    set empty value: ok ()\nget empty value: ok Some([])\nexists empty value: ok true\n\
                    set again: ok ()\nget again: ok Some([50])\n\
                    set long key: ok ()\nget long key: ok Some([51])\n\
                    set big: ok ()\nbig is whole: ok true\nopen at once: 300";
    assert_eq!(app.body("/kv-edges", "default").await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_label_that_is_granted_and_not_configured_is_refused_at_start() -> Result<()> {
    let grants = "key_value_stores = [\"unconfigured\"]";
    let log = Application::refused(&Say { triggers: HTTP, grants, ..Say::default() }).await?;
    assert!(log.contains("unconfigured"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_store_on_redis_has_raw_keys_and_passes_its_errors_on_as_other() -> Result<()> {
    let app = Application::start(&Say {
        triggers: HTTP,
        grants: GRANTS,
        runtime_config: ON_REDIS,
        ..Say::default()
    })
    .await?;
    let mut server = app.heard_on(&[]).await?;
    let _: () = server.set("raw", "1").await?;
    assert_eq!(app.body("/kept", "raw").await?, "ok Some([49])");
    let _: i64 = server.rpush("list", "1").await?;
    let seen = app.body("/kept", "list").await?;
    assert!(seen.starts_with("error Error::Other(") && seen.contains("WRONGTYPE"), "{seen}");
    let _: i64 = server.setrange("large", TOO_LARGE - 1, "x").await?;
    let seen = app.body("/kv-length", "large").await?;
    assert!(seen.starts_with("error Error::Other("), "{seen}");
    assert_eq!(app.body("/kv-length", "raw").await?, "ok Some(1)", "the store goes on");
    Ok(())
}

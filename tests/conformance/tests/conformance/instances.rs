//! What becomes of the instances that answer requests.

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};

/// Requests one instance answers, by Spin's default.
const REUSE: u32 = 128;

async fn start() -> Result<Application> {
    Application::start(&Say { triggers: HTTP, ..Say::default() }).await
}

/// Requests that mark an instance.
const MARK: u32 = 10;

/// Leaves an instance that has counted to [`MARK`].
pub(crate) async fn mark(app: &Application) -> Result<()> {
    // A request that comes while it is at work may get another instance.
    for _ in 0..REUSE {
        if app.body("/count", "").await?.parse::<u32>()? == MARK {
            return Ok(());
        }
    }
    anyhow::bail!("no instance was asked {MARK} times")
}

/// Whether the marked instance still serves; a fresh one cannot count as far in so few requests.
pub(crate) async fn marked_serves(app: &Application) -> Result<bool> {
    for _ in 1..MARK {
        if app.body("/count", "").await?.parse::<u32>()? > MARK {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::test]
async fn an_instance_is_kept_for_its_share_of_requests_and_then_replaced() -> Result<()> {
    let app = start().await?;
    for expected in 1..=REUSE {
        assert_eq!(app.body("/count", "").await?, expected.to_string());
    }
    assert_eq!(app.body("/count", "").await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_panic_is_an_empty_500_and_the_next_request_gets_a_fresh_instance() -> Result<()> {
    let app = start().await?;
    assert_eq!(app.body("/count", "").await?, "1");
    assert_eq!(app.get("/panic", "").await?, (500, String::new()));
    assert_eq!(app.body("/count", "").await?, "1");
    Ok(())
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() -> Result<()> {
    const CLIENTS: usize = 100;
    let app = std::sync::Arc::new(start().await?);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let app = std::sync::Arc::clone(&app);
        clients.spawn(async move { app.body("/sleep", "50").await });
    }
    for answer in clients.join_all().await {
        assert_eq!(answer?, "slept");
    }
    Ok(())
}

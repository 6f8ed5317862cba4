//! Handlers that fail, and what a panic takes with it.
//!
//! `spin:crates/trigger-http/src/server.rs`: every error of a handler is an empty 500 and a line of
//! the log, whichever error code it is. A trap ends its instance with all that is in it; requests
//! without a response yet get the same 500.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use homeostat_conformance::{Answer, Application, HTTP, PATIENCE, Say};
use homeostat_testkit::server::eventually;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::instances::{mark, marked_serves};
use crate::wire::{End, raw, request};

/// Others in the instance that panics; fewer than it takes at once.
const NEIGHBOURS: usize = 5;

/// How long they wait, milliseconds: longer than it takes to get them together.
const WAIT_MS: &str = "3000";

/// Between two of them: one that comes while the instance is at work may get another instance.
const PACE: Duration = Duration::from_millis(20);

async fn start() -> Result<Application> {
    Application::start(&Say { triggers: HTTP, ..Say::default() }).await
}

#[tokio::test]
async fn a_handler_that_gives_an_error_is_an_empty_500_and_its_instance_is_kept() -> Result<()> {
    let app = start().await?;
    mark(&app).await?;
    for path in ["/fail", "/code"] {
        assert_eq!(app.get(path, "").await?, (500, String::new()), "{path}");
    }
    assert!(marked_serves(&app).await?, "its instance is gone");
    for said in ["asked to fail", "LoopDetected"] {
        let logged = eventually(PATIENCE, async || app.log().contains(said).then_some(())).await;
        ensure!(logged.is_some(), "no `{said}` in {}", app.log());
    }
    Ok(())
}

/// Has an instance panic once `NEIGHBOURS` others wait in it, and sends them; gives their answers.
async fn panic_among_neighbours(app: &Arc<Application>) -> Result<Vec<Answer>> {
    let least = NEIGHBOURS.to_string();
    let mut panicked = std::pin::pin!(app.get("/panic-among", &least));
    let mut waiting = JoinSet::new();
    while waiting.len() < 6 * NEIGHBOURS {
        if let Ok(answer) = tokio::time::timeout(PACE, panicked.as_mut()).await {
            ensure!(answer? == (500, String::new()), "it did not panic: {}", app.log());
            return waiting.join_all().await.into_iter().collect();
        }
        let one = Arc::clone(app);
        waiting.spawn(async move { one.get("/wait", WAIT_MS).await });
    }
    anyhow::bail!("no instance took {NEIGHBOURS} requests at once: {}", app.log())
}

#[tokio::test]
async fn a_panic_fails_whoever_waits_in_its_instance_and_nobody_else() -> Result<()> {
    let app = Arc::new(start().await?);
    let answers = panic_among_neighbours(&app).await?;
    let failed = answers.iter().filter(|answer| **answer == (500, String::new())).count();
    let served = answers.iter().filter(|answer| **answer == (200, "waited".to_owned())).count();
    assert!(failed >= NEIGHBOURS, "{answers:?}");
    // Whoever was in another instance noticed nothing.
    assert_eq!(failed + served, answers.len(), "{answers:?}");
    assert_eq!(app.body("/count", "").await?, "1", "nobody was counted before the panic");
    Ok(())
}

#[tokio::test]
async fn a_panic_cuts_off_a_neighbour_whose_response_has_begun() -> Result<()> {
    let app = start().await?;
    let mut held = TcpStream::connect(app.authority()).await?;
    let (begun, _) = raw(&mut held, &request("GET", "/hold", "11"), "first").await?;
    assert!(begun.starts_with("HTTP/1.1 200 ") && begun.ends_with("first"), "{begun}");
    // It waits after its first part; one who comes while its instance is at work gets another.
    let panicked = eventually(PATIENCE, async || {
        let answer = app.get("/panic-among", "1").await.ok()?;
        (answer == (500, String::new())).then_some(())
    });
    ensure!(panicked.await.is_some(), "nobody waits: {}", app.log());
    let (rest, end) = raw(&mut held, "", "second").await?;
    assert_eq!((rest.as_str(), end), ("", End::Closed), "cut off before its whole length");
    Ok(())
}

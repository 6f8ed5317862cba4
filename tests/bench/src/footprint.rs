//! Start-up time, cold and warm, and memory, idle and with many open connections.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use homeostat_testkit::app::{App, AppSetup};
use http::{Request, StatusCode};
use http_body_util::Full;

use crate::app::{self, Bench, Stages};
use crate::load::Connection;
use crate::machine::resident_kib;
use crate::report::{Section, percentile};

/// Connections held open, each after one request.
const CONNECTIONS: usize = 1_000;
/// Warm starts, of which the median counts.
const STARTS: usize = 5;
/// Idle instances are gone after a second; this is well after.
const QUIET: Duration = Duration::from_secs(4);

pub(crate) async fn measure(bench: &Bench) -> Result<Section> {
    let mut section = Section::new("footprint");
    section.circumstance(
        "the whole app with a private Redis (fsync always), from starting the process to 200 from /ready, \
         looked at every 20 ms; cold: no compiled components yet; memory is the host's resident set, \
         without Redis; nothing pinned",
    );
    let (setup, _folder) = bench.setup(Stages::All, &app::config(2))?;
    section.number("start, cold", timed_start(&setup).await?, "ms");
    let mut warm = Vec::new();
    for _ in 0..STARTS {
        warm.push(timed_start(&setup).await?);
    }
    warm.sort_by(f64::total_cmp);
    section.number("start, warm (median of 5)", percentile(&warm, 0.5).unwrap_or_default(), "ms");
    memory(&setup, &mut section).await?;
    Ok(section)
}

/// Milliseconds until it is ready; it is stopped then.
async fn timed_start(setup: &AppSetup) -> Result<f64> {
    let started = Instant::now();
    let mut app = App::start(setup).await?;
    let took = started.elapsed().as_secs_f64() * 1000.0;
    let status = app.stop().await?;
    ensure!(status.success(), "it ended with {status}: {}", app.log_end());
    Ok(took)
}

async fn memory(setup: &AppSetup, section: &mut Section) -> Result<()> {
    let mut app = App::start(setup).await?;
    tokio::time::sleep(QUIET).await;
    section.number("memory, idle", mib(&app)?, "MiB");
    let authority = app.url().trim_start_matches("http://").to_owned();
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(&authority).await?;
        let request = Request::get("/health").header("host", "localhost").body(Full::<Bytes>::default())?;
        let status = connection.send(request).await?;
        ensure!(status == StatusCode::OK, "answered with {status}");
        open.push(connection);
    }
    section.number(format!("memory, {CONNECTIONS} open connections"), mib(&app)?, "MiB");
    drop(open);
    app.stop().await?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
fn mib(app: &App) -> Result<f64> {
    let kib = app.id().and_then(resident_kib).context("the host's memory")?;
    Ok(kib as f64 / 1024.0)
}

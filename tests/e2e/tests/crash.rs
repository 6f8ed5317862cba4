//! The app is killed in the middle of an attempt, and the effect happens once.

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{HEAL_WITHIN, STEP_WITHIN, Stage};
use homeostat_testkit::company::{CHECKOUT, CHECKOUT_REPOSITORY, flaky_run};
use homeostat_testkit::fault::Fault;
use homeostat_testkit::github::Conclusion;
use homeostat_testkit::server::eventually;
use std::time::Duration;

/// Longer than a kill takes, shorter than a call may last.
const LATE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn an_app_killed_while_it_acts_finds_out_what_was_done_and_does_not_do_it_twice() -> Result<()> {
    let mut stage = Stage::set().await?;
    let faults = stage.land.github.server.faults();
    faults.next("POST", "/rerun-failed-jobs", Fault::Delay(LATE));
    let run = stage.land.github.start_run(CHECKOUT_REPOSITORY, flaky_run()).context("no such repository")?;
    let called = async || (stage.land.github.server.count("POST", "/rerun-failed-jobs") == 1).then_some(());
    let asked = eventually(STEP_WITHIN, called).await;
    asked.with_context(|| format!("GitHub was not asked to run it again; {}", stage.app.log_end()))?;

    stage.crash_and_restart().await?;

    let healed = stage.api.resolved(CHECKOUT, HEAL_WITHIN).await;
    healed.with_context(|| format!("not healed after the crash; {}", stage.app.log_end()))?;
    ensure!(stage.land.github.server.count("POST", "/rerun-failed-jobs") == 1, "asked twice");
    let run = stage.land.github.run(CHECKOUT_REPOSITORY, run).context("the run is gone")?;
    ensure!((run.attempt, run.conclusion) == (2, Some(Conclusion::Success)), "{run:?}");
    stage.is_sound().await
}

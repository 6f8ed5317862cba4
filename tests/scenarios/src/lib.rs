//! Scenarios: steps an operator would recognise, played on the whole app, and the timeline that
//! must come of them.
//!
//! Purpose: turn a file `NAME.toml` beside this package's manifest into a test. The app runs in
//! this process with its real components and Redis, the stand-ins of the test kit around it, and
//! faults on demand; the timeline is compared with `NAME.timeline`.
//! Does not: sleep until something should have happened, or tick by itself. A step ends when
//! nothing can move any more without another step.
//! Invariant: the same file gives the same timeline every time: no times and no ids are in it.

mod golden;
mod perform;
mod scenario;
mod scripts;
mod settle;
mod stage;
mod step;
mod timeline;

use std::path::Path;

use anyhow::{Context, Result};

pub use golden::Golden;
pub use stage::Log;

use scenario::Scenario;
use stage::Stage;

/// Plays a file and compares; `cache` keeps compiled components from run to run.
///
/// # Errors
/// When a step fails, an expectation does not hold, or the timeline is another.
pub async fn play(file: &Path, cache: &Path, log: &Log) -> Result<()> {
    let scenario = Scenario::read(file)?;
    let mut stage = Stage::set(&scenario, cache).await?;
    let played = stage.play(&scenario).await;
    let checked = match &played {
        Ok(_) => stage.check(&scenario.expect, log).await,
        Err(_) => Ok(()),
    };
    let told = stage.told();
    stage.strike().await;
    played.with_context(|| format!("the timeline so far:\n{told}"))?;
    checked.with_context(|| format!("the timeline:\n{told}"))?;
    Golden::beside(file).compare(&told)
}

//! Scenarios: steps an operator would recognise, played on the whole app, and the timeline that
//! must come of them.
//!
//! Purpose: turn a file `NAME.toml` beside this package's manifest into a test. The app runs in
//! this process with its real components and Redis, the stand-ins of the test kit around it, and
//! faults on demand; the timeline is compared with `NAME.timeline`.
//! Does not: sleep until something should have happened, or tick by itself. A step ends when
//! nothing can move any more without another step.
//! Invariant: the same file gives the same timeline every time: no times and no ids are in it.

mod delay;
mod ending;
mod golden;
mod perform;
mod scenario;
mod scripts;
mod settle;
mod stage;
mod step;
mod tell;
mod timeline;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

pub use golden::{Golden, is_update};
pub use stage::Log;

use scenario::Scenario;
use stage::{Made, Stage};

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

/// The components that are to be killed at every call, by a file; none for an ordinary scenario.
///
/// # Errors
/// When it cannot be read.
pub fn every_call_killed_of(file: &Path) -> Result<Vec<String>> {
    Ok(Scenario::read(file)?.every_call_killed_of)
}

/// Plays a file again and again, and kills the component at its first call, its second, and so on
/// until it makes no more; it must end in the same way each time. How many calls that were.
///
/// # Errors
/// As [`play`].
pub async fn play_every_call_killed(file: &Path, component: &str, cache: &Path, log: &Log) -> Result<usize> {
    let scenario = Scenario::read(file)?;
    let golden = Golden::beside(file);
    let play = |nth: usize| play_killed(&scenario, component, nth, cache, log);
    if is_update() {
        // What comes of it when nobody is killed.
        golden.compare(&play(CALLS_MAX).await?.0)?;
        return Ok(0);
    }
    for nth in 1..CALLS_MAX {
        let context = || format!("{component} was killed at call {nth}");
        let (ended, made) = play(nth).await.with_context(context)?;
        golden.compare(&ended).with_context(context)?;
        if made == Made::Fewer {
            ensure!(nth > 1, "{component} makes no call");
            return Ok(nth - 1);
        }
    }
    bail!("{component} makes more than {CALLS_MAX} calls")
}

/// Far more than a component makes in a story.
const CALLS_MAX: usize = 1_000;

/// One play in which a component is killed at its nth call: how it ended, and whether there was one.
async fn play_killed(
    scenario: &Scenario,
    component: &str,
    nth: usize,
    cache: &Path,
    log: &Log,
) -> Result<(String, Made)> {
    let mut stage = Stage::set(scenario, cache).await?;
    let played = stage.play_killed(scenario, component, nth).await;
    let checked = match &played {
        Ok(_) => stage.check(&scenario.expect, log).await,
        Err(_) => Ok(()),
    };
    let ended = stage.ending().await;
    stage.strike().await;
    let ended = format!("{}\n\n{}", scenario.about, ended?);
    let made = played.with_context(|| ended.clone())?;
    checked.with_context(|| ended.clone())?;
    Ok((ended, made))
}

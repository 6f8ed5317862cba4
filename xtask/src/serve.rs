//! What `scripts/up` does before it starts the app.
//!
//! What this does not do: start it; the script becomes the app, so that signals reach it.
//! Invariant: a second run finds everything done and takes seconds.

use anyhow::Result;

use crate::components::{Profile, Selection};
use crate::progress::Steps;
use crate::setup::{self, TO_SERVE};
use crate::{components, process, workspace};

/// Sets up what serving needs and builds components and host.
///
/// # Errors
/// When something cannot be had or does not build.
pub(crate) fn build(before: usize) -> Result<()> {
    let mut steps = Steps::after(before, TO_SERVE.len() + 2);
    setup::run(TO_SERVE, &mut steps)?;
    steps.step("components", || components::build(Profile::Component, Selection::App))?;
    steps.step("the host (about seven minutes on two cores when it is new)", || {
        process::run(workspace::cargo().args(["build", "--release", "--bin", "homeostat"]))
    })
}

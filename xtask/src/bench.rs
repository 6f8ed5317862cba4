//! Builds what the benches need, with optimisation, and runs them.
//!
//! What this does not do: measure; `tests/bench` does.
//! Invariant: host and benches are built apart, so that the host is the one that is shipped.

use anyhow::Result;

use crate::progress::Steps;
use crate::{process, workspace};

/// Packages to build, with what they are called.
const PARTS: [(&str, &str); 2] = [
    ("the host, optimised (about seven minutes on two cores when it is new)", "homeostat"),
    ("the benches", "homeostat-bench"),
];

/// Builds and runs the benches with these arguments.
///
/// # Errors
/// When something does not build, or could not be measured.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let asks_for_help = arguments.iter().any(|one| one == "--help" || one == "-h");
    let parts = if asks_for_help { &PARTS[1..] } else { &PARTS[..] };
    let mut steps = Steps::after(0, parts.len() + 1);
    for (title, package) in parts {
        steps.step(title, || {
            process::run(workspace::cargo().args(["build", "--release", "--quiet", "--package", package]))
        })?;
    }
    steps.step("the benches at work", || {
        let mut bench = workspace::cargo();
        bench.args(["run", "--release", "--quiet", "--package", "homeostat-bench", "--"]);
        process::run(bench.args(arguments))
    })
}

//! What must pass before a change lands, cheapest first.
//!
//! What this does not do: ask the network for advisories; see `deny.toml`.
//! Invariant: the tests come last, so that the runner's own summary is the last thing printed.

use std::process::Command;

use anyhow::Result;

use crate::components::{Profile, Selection};
use crate::progress::Steps;
use crate::setup::{self, TO_TEST};
use crate::workspace::{self, Package};
use crate::{arrows, components, examples, fuzz, process, tidy};

/// Every check, after the set-up. `before` steps were shown by the script that called.
///
/// # Errors
/// The first check that fails.
pub(crate) fn run(before: usize) -> Result<()> {
    let mut steps = Steps::after(before, TO_TEST.len() + CHECKS.len());
    setup::run(TO_TEST, &mut steps)?;
    for (title, check) in CHECKS {
        steps.step(title, *check)?;
    }
    Ok(())
}

type Check = fn() -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("the lock file fits the manifests", || {
        cargo(&["metadata", "--locked", "--format-version=1", "--quiet"])
    }),
    ("format", || cargo(&["fmt", "--all", "--check"])),
    ("imports between our packages", arrows::check),
    ("house rules", tidy::check),
    ("outside crates: licences, bans, sources", deny),
    ("clippy, native packages", || clippy(&["--all-targets"])),
    ("clippy, components and their adapter", clippy_guests),
    ("components", || components::build(Profile::Component, Selection::All)),
    ("example plug-ins", examples::build),
    ("examples in the documentation", || cargo(&["test", "--quiet", "--doc"])),
    ("fuzzing, shortly", fuzz::shortly),
    ("tests", || cargo(&["nextest", "run", "--profile", "ci"])),
];

fn cargo(arguments: &[&str]) -> Result<()> {
    let mut command = workspace::cargo();
    command.args(arguments);
    quiet_metadata(&mut command, arguments);
    process::run(&mut command)
}

/// Only whether it fails is of interest; what it prints is megabytes.
fn quiet_metadata(command: &mut Command, arguments: &[&str]) {
    if arguments.first() == Some(&"metadata") {
        command.stdout(std::process::Stdio::null());
    }
}

/// Duplicates are warnings, dozens of lines of them; a person reads them by `cargo deny check bans`.
/// A wrapper not met is no news: it may be met on another day's tree.
fn deny() -> Result<()> {
    let shown = ["--hide-inclusion-graph", "--allow", "duplicate", "--allow", "unused-wrapper"];
    cargo(&[&["deny", "check"], &shown[..], &["bans", "licenses", "sources"]].concat())
}

fn clippy(arguments: &[&str]) -> Result<()> {
    let mut command = workspace::cargo();
    command.arg("clippy").args(arguments).args(["--", "-D", "warnings"]);
    process::run(&mut command)
}

/// Clippy only checks, it does not link, so the machine's own target serves for components too.
fn clippy_guests() -> Result<()> {
    let packages = workspace::packages()?;
    let mut arguments = Vec::new();
    for name in guests(&packages) {
        arguments.extend(["--package", name]);
    }
    clippy(&arguments)
}

/// The packages that a plain `cargo clippy` leaves out.
fn guests(packages: &[Package]) -> Vec<&str> {
    const FOLDERS: [&str; 3] = ["components/", "tests/guests/", "adapters/spin"];
    let guest = |package: &&Package| FOLDERS.iter().any(|folder| package.folder.starts_with(folder));
    packages.iter().filter(guest).map(|package| package.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_and_their_adapter_are_guests() {
        let package = |folder: &str| Package {
            name: folder.to_owned(),
            folder: folder.to_owned(),
            component: None,
            dependencies: Vec::new(),
        };
        let packages = ["adapters/native", "adapters/spin", "components/api", "host"].map(package);
        assert_eq!(guests(&packages), ["adapters/spin", "components/api"]);
    }

    #[test]
    fn the_tests_come_last() {
        assert_eq!(CHECKS.last().map(|(title, _)| *title), Some("tests"));
    }
}

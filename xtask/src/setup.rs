//! Set-up of what is missing on this machine, a step each.
//!
//! What this does not do: what comes before any task can run, a C compiler and Rust; that is
//! `scripts/setup`.
//! Invariant: a step finds out first whether its work is done, so that a second run takes no time.

use std::fs::{self, File};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::Steps;
use crate::{packages, process, wasm, workspace};

/// One thing that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The server that `homeostat up` and the tests start.
    Redis,
    /// The compiler of the components.
    WasmTarget,
    /// A real sender that the end-to-end tests start.
    Alertmanager,
    /// Asked for numbers by an end-to-end test, which starts it.
    Prometheus,
    /// The demo's test takes its payloads from an npm package.
    Npm,
    /// The laboratory's scorer is a program in Python.
    Python,
    /// rustfmt and clippy, which a minimal Rust lacks.
    Lints,
    /// The test runner.
    Nextest,
    /// The check of outside crates.
    Deny,
    /// The fuzzer, whose driver is C++.
    Fuzz,
}

/// What serving needs.
pub(crate) const TO_SERVE: &[Need] = &[Need::Redis, Need::WasmTarget];
/// What the tests and checks need.
pub(crate) const TO_TEST: &[Need] = &[
    Need::Redis,
    Need::WasmTarget,
    Need::Alertmanager,
    Need::Prometheus,
    Need::Npm,
    Need::Python,
    Need::Lints,
    Need::Nextest,
    Need::Deny,
    Need::Fuzz,
];

/// Both install from source, so the versions are pinned to ones that Rust 1.95 builds.
const NEXTEST: &str = "cargo-nextest@0.9.143";
const FUZZ: &str = "cargo-fuzz@0.13.2";
const DENY: &str = "cargo-deny@0.20.2";

/// Sees to each need in turn, while no other run in this clone does.
///
/// # Errors
/// When something cannot be had; the text says what to do.
pub(crate) fn run(needs: &[Need], steps: &mut Steps) -> Result<()> {
    let _lock = lock()?;
    for need in needs {
        steps.step(need.title(), || need.satisfy())?;
    }
    Ok(())
}

/// Held until dropped; the system lets go of it when the process ends, however it ends.
fn lock() -> Result<File> {
    let folder = workspace::root().join("target");
    fs::create_dir_all(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    let file = File::create(folder.join("setup.lock"))?;
    if file.try_lock().is_err() {
        eprintln!("      another set-up runs in this clone; waiting for it to end");
        file.lock()?;
    }
    Ok(file)
}

impl Need {
    fn title(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::WasmTarget => "a compiler for wasm32-wasip2",
            Self::Alertmanager => "prometheus-alertmanager",
            Self::Prometheus => "prometheus",
            Self::Npm => "npm",
            Self::Python => "python3",
            Self::Lints => "rustfmt and clippy",
            Self::Nextest => "cargo-nextest",
            Self::Deny => "cargo-deny",
            Self::Fuzz => "cargo-fuzz",
        }
    }

    fn satisfy(self) -> Result<()> {
        match self {
            Self::Redis => program("redis-server", &["redis-server"]),
            Self::WasmTarget => {
                eprintln!("      {}", wasm::set_up()?.describe());
                Ok(())
            }
            Self::Alertmanager => program("prometheus-alertmanager", &["prometheus-alertmanager"]),
            Self::Prometheus => program("prometheus", &["prometheus"]),
            Self::Npm => program("npm", &["nodejs", "npm"]),
            Self::Python => program("python3", &["python3"]),
            Self::Lints => lints(),
            Self::Nextest => tool("nextest", NEXTEST, "about six minutes"),
            Self::Deny => tool("deny", DENY, "about four minutes"),
            Self::Fuzz => {
                program("c++", &["g++"])?;
                tool("fuzz", FUZZ, "about a minute")
            }
        }
    }
}

fn program(name: &str, from: &[&str]) -> Result<()> {
    if process::on_path(name) {
        return Ok(());
    }
    eprintln!("      apt-get install {}", from.join(" "));
    packages::install(from)
}

fn lints() -> Result<()> {
    let missing: Vec<&str> = ["clippy", "fmt"].into_iter().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        bail!("cargo {} is missing; run `rustup component add clippy rustfmt`", missing.join(" and cargo "));
    }
    Ok(())
}

fn has(subcommand: &str) -> bool {
    process::answer(workspace::cargo().args([subcommand, "--version"])).is_some()
}

fn tool(subcommand: &str, package: &str, time: &str) -> Result<()> {
    if has(subcommand) {
        return Ok(());
    }
    eprintln!("      cargo install {package} into target/tools ({time} on two cores, once)");
    let build = workspace::tools().join("build");
    let mut install = workspace::cargo();
    install.args(["install", "--locked", package, "--root"]).arg(workspace::tools());
    install.arg("--target-dir").arg(&build);
    process::run(outside_of_cargo(&mut install))
        .with_context(|| format!("{package} could not be installed; install cargo-{subcommand} by hand"))?;
    fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))
}

/// Without the flags that are meant for this repository's own code.
fn outside_of_cargo(command: &mut Command) -> &mut Command {
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_tests_can_also_serve() {
        assert!(TO_SERVE.iter().all(|need| TO_TEST.contains(need)));
    }

    #[test]
    fn a_missing_subcommand_is_noticed() {
        assert!(!has("no-such-subcommand"));
    }
}

//! Fuzzing of the readers and of the schemes of proof: the targets of `fuzz/`.
//!
//! What this does not do: find out why an input fails; libFuzzer prints the command that repeats it.
//!
//! Invariant: every target runs, on the corpus in the repository first. What is found on the way
//! goes to `target/`, so that a run leaves the checkout as it was.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{process, workspace};

/// Seconds of each target in CI: the corpus, and some hundred thousand inputs around it.
const SECONDS_IN_CI: u32 = 10;
/// Seconds one input may take; they take microseconds.
const INPUT_SECONDS_MAX: u32 = 10;
/// Bytes of an input, and megabytes of memory: a reader holds a few times its body.
const INPUT_BYTES_MAX: u32 = 16 * 1024;
const MEMORY_MB_MAX: u32 = 2048;

/// Every target for a short time.
///
/// # Errors
/// When a target does not build, or finds an input that fails.
pub(crate) fn shortly() -> Result<()> {
    run(None, SECONDS_IN_CI)
}

/// One target or all, each for so many seconds.
///
/// # Errors
/// When there is no such target, one does not build, or finds an input that fails.
pub(crate) fn run(only: Option<&str>, seconds: u32) -> Result<()> {
    let folder = workspace::root().join("fuzz");
    let targets = targets(&folder)?;
    if let Some(name) = only.filter(|name| !targets.iter().any(|target| target == name)) {
        bail!("no fuzz target {name}; there are {}", targets.join(", "));
    }
    build(&folder)?;
    for target in targets.iter().filter(|target| only.is_none_or(|name| name == *target)) {
        fuzz(&folder, target, seconds).with_context(|| format!("{target} found an input that fails"))?;
    }
    Ok(())
}

/// The targets are the files of their folder.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// No sanitizer: the code is safe Rust, what it looks for are panics and broken promises, and the
/// sanitizers need a nightly compiler.
fn build(folder: &Path) -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["fuzz", "build", "--sanitizer", "none"]).current_dir(folder);
    process::run(command.arg("--target-dir").arg(built()))
}

fn fuzz(folder: &Path, target: &str, seconds: u32) -> Result<()> {
    let found = workspace::root().join("target/fuzz/corpus").join(target);
    let failed = workspace::root().join("target/fuzz/artifacts").join(target);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&failed)?;
    let mut command = workspace::cargo();
    command.args(["fuzz", "run", "--sanitizer", "none", "--target-dir"]).arg(built()).arg(target);
    command.arg(&found).arg(folder.join("corpus").join(target)).current_dir(folder).arg("--");
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    command.arg(format!("-max_len={INPUT_BYTES_MAX}")).arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"));
    command.arg(format!("-artifact_prefix={}/", failed.display())).arg("-verbosity=0");
    process::run(&mut command)
}

fn built() -> std::path::PathBuf {
    workspace::root().join("target/fuzz/build")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_something_to_start_from() {
        let folder = workspace::root().join("fuzz");
        let targets = targets(&folder).unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            let corpus = folder.join("corpus").join(&target);
            assert!(fs::read_dir(&corpus).is_ok_and(|mut files| files.next().is_some()), "{target}");
        }
    }
}

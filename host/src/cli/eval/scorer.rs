//! Starts the scorer, a program in Python that comes with this one.
//!
//! Invariant: nothing but the run's files goes in, and nothing but its standard output is believed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use homeostat_lab::report::scores::Scores;

/// The scorer's files.
const FILES: [(&str, &str); 5] = [
    ("__init__.py", include_str!("../../../../scorer/__init__.py")),
    ("forecasts.py", include_str!("../../../../scorer/forecasts.py")),
    ("intervals.py", include_str!("../../../../scorer/intervals.py")),
    ("score.py", include_str!("../../../../scorer/score.py")),
    ("targets.py", include_str!("../../../../scorer/targets.py")),
];

/// Scores the run in `folder`; the program itself goes into `scratch`.
pub(super) fn score(folder: &Path, scratch: &Path) -> Result<Scores> {
    let program = scratch.join("scorer");
    fs::create_dir_all(&program).context("no temporary folder")?;
    for (name, text) in FILES {
        fs::write(program.join(name), text).context("cannot write the scorer")?;
    }
    let mut python = Command::new("python3");
    // -I: nothing of the user's own Python is looked at.
    let answer = python
        .args(["-I", "-B"])
        .arg(program.join("score.py"))
        .arg(folder)
        .output()
        .context("cannot start python3, which scores the run; install it (apt-get install python3)")?;
    if !answer.status.success() {
        bail!("the scorer refused the run: {}", String::from_utf8_lossy(&answer.stderr).trim());
    }
    fs::write(folder.join("scores.json"), &answer.stdout).context("cannot keep the scores")?;
    serde_json::from_slice(&answer.stdout).context("the scorer's answer is not what this program reads")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// The scorer's own tests, which are in Python.
    #[test]
    fn the_scorers_own_tests_pass() -> Result<()> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut python = Command::new("python3");
        let tests = ["-B", "-m", "unittest", "discover", "-t", ".", "-s", "scorer"];
        let answer = python.args(tests).current_dir(root).output().context("python3 is missing")?;
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        Ok(())
    }
}

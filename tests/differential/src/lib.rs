//! Independent implementations as an oracle: a Node process with others' libraries, asked over its
//! standard input.
//!
//! The libraries and their versions are in `package.json` and its lock file; they are installed
//! into `node_modules` here when they are not there.
//!
//! What this does not do: know what is right. Two independent implementations agree, or one of
//! them is wrong.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The running process.
pub struct Oracle {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Installs what is missing, and starts it.
    ///
    /// # Errors
    /// When Node or npm is missing, or the registry gives nothing.
    pub fn start() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        install(folder)?;
        let mut command = Command::new("node");
        command.arg("oracle.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start node: install nodejs")?;
        let questions = child.stdin.take().context("its input")?;
        let answers = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Self { child, questions, answers })
    }

    /// What it answers.
    ///
    /// # Errors
    /// When it has died, which a question it does not know makes it do.
    pub fn ask(&mut self, question: &Value) -> Result<Value> {
        writeln!(self.questions, "{question}").context("the oracle has died; see its error above")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let mut answer: Value =
            serde_json::from_str(&line).context("the oracle has died; see its error above")?;
        Ok(answer["answer"].take())
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone afterwards.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// One test binary has one oracle, so that two never install at once.
fn install(folder: &Path) -> Result<()> {
    if folder.join("node_modules/.package-lock.json").is_file() {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    let output = command.stdin(Stdio::null()).output().context("cannot start npm: install nodejs and npm")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "npm ci failed in tests/differential: {said}");
    Ok(())
}

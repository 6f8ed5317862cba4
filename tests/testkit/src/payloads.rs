//! GitHub's own example payloads, from the npm package `@octokit/webhooks-examples`.
//!
//! The repository holds no copy: they are fetched when needed, once per cache folder. Without
//! them [`Payloads::bare`] has the same shapes with only the fields that stamping fills in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

/// The package and its version: pinned, so that a run can be repeated.
pub const PACKAGE: &str = "@octokit/webhooks-examples@7.6.1";

/// Where the payloads lie inside the package.
const INDEX: &str = "package/api.github.com/index.json";

/// A registry that has not answered by then will not.
const FETCH_WITHIN: Duration = Duration::from_secs(60);

/// Why there are no payloads.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// A program could not be started.
    #[error("{program} could not be run (is it installed?)")]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program did not do it.
    #[error("{what} failed: {said}")]
    Refused {
        /// What was asked.
        what: String,
        /// The end of what it said.
        said: String,
    },
    /// The time was up.
    #[error("{what} gave no answer within {within:?}")]
    TimedOut {
        /// What was asked.
        what: String,
        /// How long it had.
        within: Duration,
    },
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path} is not the package's list of payloads: {why}")]
    Shape {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Example payloads by event name.
#[derive(Debug, Clone, PartialEq)]
pub struct Payloads {
    by_event: BTreeMap<String, Vec<Value>>,
}

impl Payloads {
    /// The shapes alone, for tests that need no real payload.
    pub fn bare() -> Self {
        let names = ["workflow_run", "deployment", "deployment_status", "push", "ping"];
        Self { by_event: names.map(|name| (name.to_owned(), vec![json!({})])).into() }
    }

    /// From an unpacked package, its `index.json`, or a folder that holds either.
    ///
    /// # Errors
    /// [`PayloadError`] when there is no such file or it is not the package's list.
    pub fn from_dir(dir: &Path) -> Result<Self, PayloadError> {
        let candidates =
            [dir.to_owned(), dir.join("index.json"), dir.join("api.github.com/index.json"), dir.join(INDEX)];
        let path = candidates.iter().find(|path| path.is_file()).unwrap_or(&candidates[3]).clone();
        let bytes =
            std::fs::read(&path).map_err(|source| PayloadError::Unreadable { path: path.clone(), source })?;
        Self::parse(&bytes).map_err(|why| PayloadError::Shape { path, why })
    }

    /// From the cache folder, filled from the npm registry when it is empty.
    ///
    /// # Errors
    /// [`PayloadError`] when it is empty and `npm` or `tar` cannot fill it.
    pub async fn from_npm(cache: &Path) -> Result<Self, PayloadError> {
        if !cache.join(INDEX).is_file() {
            fetch(cache).await?;
        }
        Self::from_dir(cache)
    }

    /// Every payload with its event's name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.by_event.iter().flat_map(|(name, examples)| examples.iter().map(move |one| (name.as_str(), one)))
    }

    /// The plainest example of an event, to stamp; an empty object when there is none.
    pub fn template(&self, event: &str) -> Value {
        let examples = self.by_event.get(event).map_or(&[][..], Vec::as_slice);
        let plain = examples.iter().find(|one| is_plain(event, one)).or_else(|| examples.first());
        plain.cloned().unwrap_or_else(|| json!({}))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let list: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let list = list.as_array().ok_or("not a list")?;
        let by_event: BTreeMap<_, _> = list.iter().filter_map(examples).collect();
        if by_event.is_empty() {
            Err("no event in it has examples".to_owned())
        } else {
            Ok(Self { by_event })
        }
    }
}

fn examples(entry: &Value) -> Option<(String, Vec<Value>)> {
    Some((entry.get("name")?.as_str()?.to_owned(), entry.get("examples")?.as_array()?.clone()))
}

/// A deployment no workflow made, and a run that ended well.
fn is_plain(event: &str, example: &Value) -> bool {
    match event {
        "workflow_run" => example["workflow_run"]["conclusion"] == "success",
        "deployment" | "deployment_status" => example.get("workflow_run").is_none(),
        _ => true,
    }
}

async fn fetch(cache: &Path) -> Result<(), PayloadError> {
    std::fs::create_dir_all(cache)
        .map_err(|source| PayloadError::Unreadable { path: cache.to_owned(), source })?;
    let packed = run("npm", &["pack", "--silent", PACKAGE], cache).await?;
    let archive = packed.lines().last().unwrap_or_default().trim().to_owned();
    run("tar", &["-xzf", &archive], cache).await?;
    // Unpacked; a left-over archive does no harm.
    let _ = std::fs::remove_file(cache.join(archive));
    Ok(())
}

async fn run(program: &'static str, arguments: &[&str], folder: &Path) -> Result<String, PayloadError> {
    let what = format!("{program} {}", arguments.join(" "));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(FETCH_WITHIN, command.output())
        .await
        .map_err(|_| PayloadError::TimedOut { what: what.clone(), within: FETCH_WITHIN })?
        .map_err(|source| PayloadError::NoProgram { program, source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let said = lines.iter().skip(lines.len().saturating_sub(3)).copied().collect::<Vec<_>>().join("; ");
    Err(PayloadError::Refused { what, said })
}

#[cfg(test)]
mod tests {
    use super::Payloads;

    #[test]
    fn the_plainest_example_is_the_template() {
        let list = br#"[{"name":"deployment","examples":[{"workflow_run":{}, "n":1},{"n":2}]}]"#;
        let payloads = Payloads::parse(list).unwrap();
        assert_eq!(payloads.template("deployment")["n"], 2);
        assert_eq!(payloads.template("unheard_of"), serde_json::json!({}));
    }

    #[test]
    fn a_list_without_examples_is_refused() {
        for bytes in [&b"{}"[..], b"[]", b"[{\"name\":\"ping\"}]", b"no"] {
            assert!(Payloads::parse(bytes).is_err());
        }
    }
}

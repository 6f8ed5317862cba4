//! `homeostat demo` tells its story to the end.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::runtime::homeostat_binary;
use serde_json::Value;
use tokio::process::Command;

/// The story ends by itself long before.
const WITHIN: Duration = Duration::from_secs(220);

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_its_story_and_everything_it_tells_is_seen_to_happen() -> Result<()> {
    let root = workspace_root();
    // It brings the embedded host along, whatever runs the app elsewhere.
    let mut command = Command::new(homeostat_binary(&root)?);
    command.current_dir(&root).args(["demo", "--json"]);
    command.env("XDG_CACHE_HOME", root.join("target/cache")).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(WITHIN, command.output()).await.context("the demo does not end")??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "the demo ended with {}: {said}", output.status);
    let summary: Value = serde_json::from_slice(&output.stdout).context("the summary is not JSON")?;
    ensure!(summary["ok"] == true, "{summary:#}");
    ensure!(summary["incidents"].as_array().map(Vec::len) == Some(3), "{summary:#}");
    for told in [
        "it was rolled back",
        "the incident shows how the evidence grew",
        "the gate says healthy",
        "the new release takes all traffic",
        "it is called blind",
        "nothing is rolled back",
        "bursts are not taken for a regression",
    ] {
        let held = |check: &Value| check["text"] == told && check["held"] == true;
        let checks = summary["checks"].as_array().context("no checks")?;
        ensure!(checks.iter().any(held), "{told}: {summary:#}");
    }
    Ok(())
}

//! The binary itself: exit codes, signals, and what it leaves behind.

use std::process::Stdio;

use anyhow::{Context, Result};
use homeostat_testkit::redis::{Durability, RedisServer};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{HTTP, PATIENCE, Say, Scene, eventually};

fn homeostat(scene: &Scene) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homeostat"));
    command.current_dir(scene.folder.path()).env_remove("REDIS_URL");
    command.args(["up", "--state-dir", "state"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// The command on a free port.
fn up(scene: &Scene) -> Command {
    let mut command = homeostat(scene);
    command.args(["--listen", "127.0.0.1:0"]);
    command
}

fn scene() -> Result<Scene> {
    let application = "redis_url = { default = \"redis://127.0.0.1:6379\" }";
    Scene::new(&Say { triggers: HTTP, application, ..Say::default() })
}

/// Reads lines until one holds `words`, and gives what follows them.
async fn line_with(lines: &mut tokio::io::Lines<BufReader<ChildStdout>>, words: &str) -> Result<String> {
    let find = async {
        while let Some(line) = lines.next_line().await? {
            if let Some((_, rest)) = line.split_once(words) {
                return anyhow::Ok(rest.to_owned());
            }
        }
        anyhow::bail!("it ended without `{words}`")
    };
    tokio::time::timeout(PATIENCE, find).await.context("it does not say so")?
}

async fn signal(child: &Child, name: &str) -> Result<()> {
    let id = child.id().context("it runs")?.to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status().await?;
    anyhow::ensure!(sent.success(), "kill failed");
    Ok(())
}

#[tokio::test]
async fn sigterm_and_ctrl_c_end_it_with_success_and_redis_with_it() -> Result<()> {
    let scene = scene()?;
    for name in ["TERM", "INT"] {
        let mut child = up(&scene).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
        let redis = line_with(&mut lines, "Redis at ").await?;
        let redis = redis.split(' ').next().context("an address")?.to_owned();
        line_with(&mut lines, "Available Routes:").await?;
        line_with(&mut lines, "probe serves http://127.0.0.1:").await?;
        signal(&child, name).await?;
        let status = tokio::time::timeout(PATIENCE, child.wait()).await.context("it does not end")??;
        assert_eq!(status.code(), Some(0), "{name}");
        assert!(redis::Client::open(redis)?.get_connection().is_err(), "redis-server is gone after {name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_host_leaves_a_server_that_the_next_one_ends() -> Result<()> {
    let scene = scene()?;
    let mut first = up(&scene).spawn()?;
    let mut lines = BufReader::new(first.stdout.take().context("piped")?).lines();
    let left = line_with(&mut lines, "Redis at ").await?;
    let left = left.split(' ').next().context("an address")?.to_owned();
    line_with(&mut lines, "serves").await?;
    first.kill().await?;
    eventually("the lock is free", async || {
        std::fs::File::open(scene.folder.path().join("state/lock")).ok()?.try_lock().ok()
    })
    .await?;
    let mut second = up(&scene).spawn()?;
    let mut lines = BufReader::new(second.stdout.take().context("piped")?).lines();
    line_with(&mut lines, "serves").await?;
    assert!(redis::Client::open(left)?.get_connection().is_err(), "the old server is gone");
    signal(&second, "TERM").await?;
    assert_eq!(second.wait().await?.code(), Some(0));
    Ok(())
}

/// What the state folder keeps under this name.
fn note(scene: &Scene, name: &str) -> Option<String> {
    let note = std::fs::read_to_string(scene.folder.path().join("state").join(name)).ok()?;
    Some(note.trim().to_owned())
}

#[tokio::test]
async fn a_redis_of_ones_own_that_may_lose_things_is_warned_of_and_its_address_kept() -> Result<()> {
    let scene = scene()?;
    let redis = RedisServer::start_with(Durability::Memory)?;
    let address = redis.url().trim_end_matches('/').to_owned();
    let mut child = up(&scene).args(["--redis", &address]).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    line_with(&mut lines, "WARNING: Redis at ").await?;
    line_with(&mut lines, "docs/runbooks/redis-not-durable.md").await?;
    line_with(&mut lines, "serves http://").await?;
    assert_eq!(note(&scene, "redis-address"), Some(address));
    signal(&child, "TERM").await?;
    tokio::time::timeout(PATIENCE, child.wait()).await.context("it does not end")??;
    Ok(())
}

#[tokio::test]
async fn an_app_that_was_killed_is_missed_and_one_that_was_stopped_is_not() -> Result<()> {
    let scene = scene()?;
    let mut child = up(&scene).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    let address = line_with(&mut lines, "serves ").await?;
    eventually("where it serves is noted", async || note(&scene, "serving")).await?;
    assert_eq!(note(&scene, "serving"), Some(address.trim().to_owned()));
    child.kill().await?;
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_homeostat"));
    doctor.current_dir(scene.folder.path()).env_remove("REDIS_URL").env_remove("HOMEOSTAT_URL");
    let missed = doctor.args(["doctor", "--state-dir", "state"]).output().await?;
    let said = String::from_utf8_lossy(&missed.stdout).into_owned();
    assert_eq!(missed.status.code(), Some(1), "{said}");
    assert!(said.contains("WRONG  app"), "{said}");
    let mut child = up(&scene).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    line_with(&mut lines, "serves ").await?;
    signal(&child, "TERM").await?;
    tokio::time::timeout(PATIENCE, child.wait()).await.context("it does not end")??;
    assert_eq!(note(&scene, "serving"), None);
    Ok(())
}

#[tokio::test]
async fn exit_codes_tell_usage_from_failure() -> Result<()> {
    let check = async |arguments: &[&str], code: i32, says: &str| {
        let scene = scene()?;
        std::fs::write(scene.folder.path().join("bad.toml"), "spin_manifest_version = 2\nx = 1\n")?;
        let output = homeostat(&scene).args(arguments).output().await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
        anyhow::Ok(())
    };
    check(&["--no-such-flag"], 2, "--no-such-flag").await?;
    check(&["--variable", "nonsense"], 2, "NAME=VALUE").await?;
    check(&["--from", "bad.toml"], 2, "bad.toml:1: the top level lacks the field `application`").await?;
    check(&["--from", "none.toml"], 2, "none.toml: no such file; start it in the folder").await?;
    check(&["--runtime-config-file", "bad.toml"], 2, "bad.toml:1: unknown field `spin_manifest_version`")
        .await?;
    check(&["--variable", "nope=1"], 2, "no such variable").await?;
    check(&["--listen", "192.0.2.1:1"], 1, "cannot listen on 192.0.2.1:1").await
}

#[tokio::test]
async fn without_redis_server_it_says_what_to_do() -> Result<()> {
    let scene = scene()?;
    let output = up(&scene).env("PATH", "/nowhere").output().await?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("apt-get install redis-server") && said.contains("--redis"), "{said}");
    Ok(())
}

#[tokio::test]
async fn component_output_is_in_the_log_with_the_component_name() -> Result<()> {
    let scene = scene()?;
    let mut command = up(&scene);
    command.args(["--log-format", "json"]);
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    let address = line_with(&mut lines, "serves ").await?;
    assert!(reqwest::get(format!("{address}/print")).await?.status().is_success());
    signal(&child, "TERM").await?;
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await??;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    for (level, line) in [("INFO", "a line for stdout"), ("WARN", "a line for stderr")] {
        let found =
            log.lines().find(|entry| entry.contains(line)).with_context(|| format!("{line} in {log}"))?;
        for part in [format!("\"level\":\"{level}\""), "\"component\":\"probe\"".to_owned()] {
            assert!(found.contains(&part), "{found}");
        }
    }
    Ok(())
}

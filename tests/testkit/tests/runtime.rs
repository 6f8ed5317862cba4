//! What the tests run on: which program, and that all of it ends.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use homeostat_testkit::group::{Group, Joins};
use homeostat_testkit::server::eventually;
use tokio::process::Command;

const WITHIN: Duration = Duration::from_secs(20);

/// As `spin up`: a parent that waits, and a child for each kind of trigger.
const SPIN: &str = "#!/bin/sh\nsleep 1000 &\necho $! > trigger.new\nmv trigger.new trigger\nwait\n";

async fn spin(folder: &Path) -> io::Result<(Group, String)> {
    let script = folder.join("spin");
    std::fs::write(&script, SPIN)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    // By its shell: a script just written may still be open in a process forked meanwhile.
    let mut command = Command::new("/bin/sh");
    command.arg(&script).arg("up").current_dir(folder);
    let group = Group::spawn(command, Joins::Own)?;
    let trigger = async || std::fs::read_to_string(folder.join("trigger")).ok();
    let trigger = eventually(WITHIN, trigger).await.ok_or_else(|| io::Error::other("no trigger"))?;
    Ok((group, trigger.trim().to_owned()))
}

/// Gone, or dead and not yet waited for.
fn is_over(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.is_empty() || status.contains("State:\tZ")
}

async fn check(end: impl AsyncFnOnce(Group) -> io::Result<()>) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (group, trigger) = spin(folder.path()).await?;
    assert!(!is_over(&trigger), "the trigger is not there");
    end(group).await?;
    let over = eventually(WITHIN, async || is_over(&trigger).then_some(())).await;
    over.ok_or_else(|| io::Error::other("the trigger outlived its parent"))
}

#[tokio::test]
async fn a_kill_reaches_the_triggers_below() -> io::Result<()> {
    check(async |mut group| group.kill().await).await
}

#[tokio::test]
async fn the_triggers_end_with_the_handle() -> io::Result<()> {
    check(async |group| {
        drop(group);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_triggers_end_when_their_parent_ended_before() -> io::Result<()> {
    check(async |mut group| {
        group.signal(rustix::process::Signal::KILL)?;
        group.wait().await?;
        drop(group);
        Ok(())
    })
    .await
}

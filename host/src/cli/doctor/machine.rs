//! The programs on this machine, and their versions.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::finding::Finding;

/// How long a program may take to tell its version.
const TELL_WITHIN: Duration = Duration::from_secs(10);

/// The oldest Spin that runs components of its SDK 7.
const SPIN_MIN: (u32, u32) = (4, 1);

/// The oldest Redis that the scripts are tested with.
pub(super) const REDIS_MIN: (u32, u32) = (7, 0);

/// Ours, Redis's and Spin's.
pub(super) async fn versions() -> Vec<Finding> {
    let (redis, spin) = tokio::join!(tell("redis-server"), tell("spin"));
    vec![
        Finding::ok("version", concat!("homeostat ", env!("CARGO_PKG_VERSION"))),
        redis_server(redis.as_deref()),
        spin_version(spin.as_deref()),
    ]
}

/// What a program says to `--version`; `None` when it is not on the PATH or fails.
async fn tell(program: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(TELL_WITHIN, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first `major.minor` in a text, however it is introduced.
pub(super) fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split(|letter: char| !letter.is_ascii_digit() && letter != '.').find_map(|word| {
        let mut parts = word.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

fn redis_server(told: Option<&str>) -> Finding {
    let install = "install it (apt-get install redis-server, brew install redis), or name a server of your own with \
                   --redis";
    match told.map(version_in) {
        None => Finding::warn(
            "version",
            "redis-server is not on the PATH, so `homeostat up` cannot start one",
            install,
        ),
        Some(Some(version)) if version >= REDIS_MIN => {
            Finding::ok("version", format!("redis-server {}.{}", version.0, version.1))
        }
        Some(Some((major, minor))) => {
            let (least, least_minor) = REDIS_MIN;
            let text = format!("redis-server {major}.{minor} is older than {least}.{least_minor}");
            Finding::wrong("version", text, install)
        }
        Some(None) => Finding::skip("version", "redis-server does not tell its version"),
    }
}

fn spin_version(told: Option<&str>) -> Finding {
    let (least, least_minor) = SPIN_MIN;
    match told.map(version_in) {
        None => Finding::ok("version", "no spin on the PATH; `homeostat up` needs none"),
        Some(Some(version)) if version >= SPIN_MIN => {
            Finding::ok("version", format!("spin {}.{}", version.0, version.1))
        }
        Some(Some((major, minor))) => {
            let text =
                format!("spin {major}.{minor} cannot run these components, which need {least}.{least_minor}");
            Finding::warn(
                "version",
                text,
                format!("install Spin {least}.{least_minor} or later, or use `homeostat up`"),
            )
        }
        Some(None) => Finding::skip("version", "spin does not tell its version"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let check = |text: &str, expected| assert_eq!(version_in(text), expected, "{text}");
        check("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", Some((7, 0)));
        check("spin 4.1.0 (abc1234 2026-01-01)", Some((4, 1)));
        check("7.2", Some((7, 2)));
        check("unknown", None);
        check("", None);
    }

    #[test]
    fn programs_that_are_too_old_are_named() {
        let check = |finding: Finding, level| assert_eq!(finding.level, level, "{finding}");
        check(redis_server(Some("v=7.0.15")), Level::Ok);
        check(redis_server(Some("v=6.2.1")), Level::Wrong);
        check(redis_server(Some("?")), Level::Skip);
        check(redis_server(None), Level::Warn);
        check(spin_version(Some("spin 4.1.0")), Level::Ok);
        check(spin_version(Some("spin 10.0.0")), Level::Ok);
        check(spin_version(Some("spin 4.0.9")), Level::Warn);
        check(spin_version(None), Level::Ok);
    }
}

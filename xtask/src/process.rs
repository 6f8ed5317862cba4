//! Running other programs: with a time limit where they may hang, and a sign of life where they
//! are long.
//!
//! What this does not do: interpret what they print.
//! Invariant: a program that failed is an error that names the command as it was run.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a running program is looked at: short, as some take milliseconds.
const POLL: Duration = Duration::from_millis(50);
/// Between two signs of life of a long step, when nobody watches a terminal.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Runs a program whose own output goes to this one's, until it ends.
///
/// # Errors
/// When it cannot be started or ends with anything but 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = wait(command, None)?;
    check(command, status)
}

/// Runs a program silently, all it says going to `log`, which is named when it fails.
///
/// # Errors
/// As [`run`]; with the last lines of the log.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    let status = wait(command, None)?;
    check(command, status).with_context(|| {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        format!("{}\n(all of it in {})", tail(&said, 15), log.display())
    })
}

/// Whether a program ends well within `limit`; it is killed when it does not.
///
/// # Errors
/// When it cannot be started or watched.
pub(crate) fn ends_well_within(command: &mut Command, limit: Duration) -> Result<bool> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(wait(command, Some(limit))?.is_some_and(|status| status.success()))
}

/// What a short program printed, without the last line break; `None` when it failed or is missing.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let printed = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| printed.trim_end().to_owned())
}

/// Whether a program of this name is on the path.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// `None` when the limit passed and the program was killed.
fn wait(command: &mut Command, limit: Option<Duration>) -> Result<Option<ExitStatus>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child =
        command.stdin(Stdio::null()).spawn().with_context(|| format!("`{name}` could not be started"))?;
    let started = Instant::now();
    let mut next_sign = HEARTBEAT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            end(&mut child)?;
            return Ok(None);
        }
        if started.elapsed() >= next_sign {
            sign_of_life(&name, started.elapsed());
            next_sign += HEARTBEAT;
        }
        thread::sleep(POLL);
    }
}

fn end(child: &mut Child) -> Result<()> {
    child.kill().context("a program over its time could not be ended")?;
    child.wait().map(drop).context("a program over its time did not go away")
}

fn sign_of_life(name: &str, elapsed: Duration) {
    if !std::io::stderr().is_terminal() {
        let short = Path::new(name).file_name().map_or(name.into(), |file| file.to_string_lossy());
        eprintln!("      … {short} is still at work ({} s)", elapsed.as_secs());
    }
}

fn check(command: &Command, status: Option<ExitStatus>) -> Result<()> {
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("`{}` failed ({status})", shown(command)),
        None => bail!("`{}` took too long", shown(command)),
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_program_is_ended_at_its_limit() {
        let mut hangs = Command::new("sleep");
        hangs.arg("600");
        assert!(!ends_well_within(&mut hangs, Duration::from_millis(100)).unwrap());
    }

    #[test]
    fn a_failed_program_is_named_with_its_arguments() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("`sh -c exit 3`") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_missing_program_gives_no_answer() {
        assert_eq!(answer(&mut Command::new("no-such-program-here")), None);
        assert_eq!(answer(Command::new("echo").arg("yes")).as_deref(), Some("yes"));
    }

    #[test]
    fn the_tail_of_a_short_text_is_all_of_it() {
        assert_eq!(tail("a\nb", 5), "a\nb");
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
    }
}

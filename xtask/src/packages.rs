//! The machine's package manager: apt-get, as root or through sudo.
//!
//! What this does not do: know which packages a task needs; the tasks do.
//! Invariant: never asks a question, so that it also runs without a terminal.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Installs packages by apt-get.
///
/// # Errors
/// When there is no apt-get, no right to use it, or it fails; the text names the packages.
pub(crate) fn install(names: &[&str]) -> Result<()> {
    let list = names.join(" ");
    if !process::on_path("apt-get") {
        bail!("this machine has no apt-get; install {list} by its own package manager and run this again");
    }
    run(&["update", "-qq"]).with_context(|| format!("to install: {list}"))?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(names);
    run(&arguments).with_context(|| format!("to install: {list}"))
}

fn run(arguments: &[&str]) -> Result<()> {
    let mut command = command(privilege()?);
    process::run(command.args(arguments))
}

#[derive(Debug, PartialEq, Eq)]
enum Privilege {
    Root,
    Sudo,
}

fn privilege() -> Result<Privilege> {
    let user = process::answer(Command::new("id").arg("-u"));
    decide(user.as_deref(), process::on_path("sudo").then_some(()))
}

fn decide(user: Option<&str>, sudo: Option<()>) -> Result<Privilege> {
    match (user, sudo) {
        (Some("0"), _) => Ok(Privilege::Root),
        (_, Some(())) => Ok(Privilege::Sudo),
        (_, None) => {
            bail!("packages are missing, and you are neither root nor is there sudo; install them as root")
        }
    }
}

fn command(privilege: Privilege) -> Command {
    match privilege {
        Privilege::Root => {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        }
        Privilege::Sudo => {
            let mut command = Command::new("sudo");
            command.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            command
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_needs_no_sudo_and_nobody_else_goes_without() {
        assert_eq!(decide(Some("0"), None).unwrap(), Privilege::Root);
        assert_eq!(decide(Some("1000"), Some(())).unwrap(), Privilege::Sudo);
        assert!(decide(Some("1000"), None).unwrap_err().to_string().contains("as root"));
    }
}

//! A program and everything it starts, ended together.
//!
//! Spin runs a process for each kind of trigger below the one that was started, and they outlive it
//! when it is killed. What it does not do: reach what left the group.
//!
//! Invariant: the group ends with its handle. Who kills the test itself has to end the group by
//! hand, as it is no longer the test's own.

use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

/// A running program with a process group of its own, or within the caller's.
#[derive(Debug)]
pub struct Group {
    child: Child,
    /// The group, when it is the child's own.
    own: Option<Pid>,
}

/// Whose group a program joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    /// The caller's: what ends the caller's group ends it too. For a program of one process.
    Callers,
    /// Its own, which is killed whole.
    Own,
}

impl Group {
    /// Starts a program; it is killed when the handle is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(mut command: Command, joins: Joins) -> io::Result<Self> {
        if joins == Joins::Own {
            command.process_group(0);
        }
        let child = command.kill_on_drop(true).spawn()?;
        let own = child.id().filter(|_| joins == Joins::Own).and_then(pid);
        Ok(Self { child, own })
    }

    /// The program's process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// How the program ended, if it has.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Signals the program alone, which passes on what it wants to.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        // No id: it has ended already.
        let Some(pid) = self.child.id().and_then(pid) else { return Ok(()) };
        Ok(kill_process(pid, signal)?)
    }

    /// SIGKILL to all of it, and waits for the program.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.kill_group();
        self.child.kill().await
    }

    /// What of the group is gone already needs no kill.
    fn kill_group(&self) {
        if let Some(group) = self.own {
            let _gone = kill_process_group(group, Signal::KILL).is_err();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill_group();
    }
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

//! The machine: what it is, what else it does, and which processor runs what.

use std::path::Path;
use std::process::Command;

use clap::ValueEnum;
use serde::Serialize;

/// Which processor runs what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pins {
    /// The server alone on processor 0; Redis and the load on processor 1.
    Split,
    /// As the scheduler likes.
    None,
}

/// What numbers depend on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    processor: String,
    processors: usize,
    kernel: String,
    redis: String,
    /// The load average over a minute before the first measurement.
    load_before: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let info = read("/proc/cpuinfo");
        let processor = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        Self {
            processor: processor.trim_start_matches([' ', '\t', ':']).to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            redis: redis_version(),
            load_before: load(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self { processor, processors, kernel, redis, load_before } = self;
        format!("{processors} x {processor}, Linux {kernel}, {redis}; load average before: {load_before}")
    }
}

/// The load averages over 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Resident memory of a process in KiB.
pub(crate) fn resident_kib(pid: u32) -> Option<u64> {
    let status = read(format!("/proc/{pid}/status"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time a process has used, all threads, in seconds.
pub(crate) fn processor_s(pid: u32) -> Option<f64> {
    /// `sysconf(_SC_CLK_TCK)` on every Linux there is.
    const TICKS_PER_S: f64 = 100.0;
    let stat = read(format!("/proc/{pid}/stat"));
    // The name in parentheses may hold spaces; the 14th and 15th fields are the 12th and 13th after it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

/// Binds a running process and its threads to a list of processors.
pub(crate) fn bind(pid: u32, processors: &str) -> std::io::Result<()> {
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", processors, &pid.to_string()]);
    let status = command.stdout(std::process::Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other("taskset could not bind a process")) }
}

fn redis_version() -> String {
    let output = Command::new("redis-server").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

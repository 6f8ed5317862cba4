//! A component's log, which is its standard error.

use crate::clock::wall_clock_ms;

/// How the line of an internal event begins.
const EVENT: &str = "{\"event\":";

/// Writes a line. That of an internal event is given the time, `at_ms`, as Spin adds none.
#[expect(clippy::print_stderr, reason = "standard error is a component's log")]
pub fn write_line(line: &str) {
    let stamped = match line.strip_prefix(EVENT) {
        Some(rest) => format!("{{\"at_ms\":{},\"event\":{rest}\n", wall_clock_ms()),
        None => format!("{line}\n"),
    };
    // At once: a line in parts costs a call of the host for each.
    eprint!("{stamped}");
}

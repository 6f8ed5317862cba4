//! How far it is, on a terminal.
//!
//! Does not: write anything when standard error is no terminal.

use std::io::{IsTerminal, Write};

/// Rows between two looks.
const EVERY: u64 = 1 << 16;

/// Shows how far it is.
pub(super) struct Progress {
    shown: bool,
    bytes: Option<u64>,
}

impl Progress {
    /// `bytes`: how long the input is, where that is known.
    pub(super) fn new(bytes: Option<u64>) -> Self {
        // Where the rows go to the terminal themselves, they are progress enough.
        let shown = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        Self { shown, bytes: bytes.filter(|bytes| *bytes > 0) }
    }

    /// At this line, which begins at this byte.
    pub(super) fn at(&self, line: u64, byte: u64) {
        if !self.shown || !line.is_multiple_of(EVERY) {
            return;
        }
        let text = match self.bytes {
            Some(bytes) => format!("\r{:>3} % ({line} lines)", byte.saturating_mul(100) / bytes),
            None => format!("\r{line} lines"),
        };
        Self::write(&text);
    }

    /// Clears the line.
    pub(super) fn finish(&self) {
        if self.shown {
            Self::write("\r                              \r");
        }
    }

    fn write(text: &str) {
        let mut terminal = std::io::stderr().lock();
        // A terminal that went away needs no progress.
        let _gone = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush()).is_err();
    }
}

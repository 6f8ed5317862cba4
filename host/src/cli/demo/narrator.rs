//! The voice of the demo: one line for each thing that happens, with the time.
//!
//! Colours only for a terminal; nothing at all for a script, which reads the summary.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Reads the story.
    Person,
    /// Reads the summary.
    Script,
}

/// Tells the story on standard output.
pub(super) struct Narrator {
    audience: Audience,
    paint: Paint,
    began: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Paint {
    Colours,
    Plain,
}

#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Green,
    Red,
}

impl Narrator {
    pub(super) fn new(audience: Audience) -> Self {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let paint = if colours { Paint::Colours } else { Paint::Plain };
        Self { audience, paint, began: Instant::now() }
    }

    /// Seconds since the beginning.
    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Begins an act.
    pub(super) fn heading(&mut self, text: &str) {
        let painted = self.ink(Ink::Bold, text);
        self.line(&format!("\n{painted}"));
    }

    /// Something was done from outside.
    pub(super) fn step(&mut self, text: &str) {
        let at = self.clock();
        self.line(&format!("{at}  {text}"));
    }

    /// Homeostat did or saw something, by its own account.
    pub(super) fn homeostat(&mut self, text: &str) {
        let (at, arrow) = (self.clock(), self.ink(Ink::Green, "homeostat"));
        self.line(&format!("{at}  {arrow}  {text}"));
    }

    /// What was told was checked.
    pub(super) fn check(&mut self, text: &str, held: bool) {
        let (at, mark) =
            (self.clock(), if held { self.ink(Ink::Green, "✓") } else { self.ink(Ink::Red, "✗") });
        self.line(&format!("{at}  {mark} {text}"));
    }

    /// A line without a time.
    pub(super) fn line(&mut self, text: &str) {
        if self.audience == Audience::Person {
            self.write(text);
        }
    }

    /// For scripts alone.
    pub(super) fn summary(&mut self, json: &serde_json::Value) {
        if self.audience == Audience::Script {
            self.write(&format!("{json:#}"));
        }
    }

    fn write(&mut self, text: &str) {
        let mut out = std::io::stdout().lock();
        // Nobody reads it any more: the exit code still tells.
        let _unread = writeln!(out, "{text}").and_then(|()| out.flush()).is_err();
    }

    fn clock(&self) -> String {
        let now = homeostat_testkit::rfc3339(homeostat_testkit::now_ms());
        let time = now.split(['T', 'Z']).nth(1).unwrap_or_default();
        let text = format!("{time}Z {:>5.1} s", self.seconds());
        self.ink(Ink::Dim, &text)
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            _ if self.paint == Paint::Plain => return text.to_owned(),
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Green => "32",
            Ink::Red => "31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

//! Findings in words and as JSON.

use anyhow::Result;
use serde::Serialize;

use crate::machine::{Machine, Pins, load};

/// One bench.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    name: &'static str,
    circumstances: Vec<String>,
    numbers: Vec<Number>,
    /// The load averages over 1, 5 and 15 minutes when it ended; the bench itself is part of them.
    load_after: String,
}

#[derive(Debug, Serialize)]
struct Number {
    what: String,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
}

/// What a number should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// This or more.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
}

impl Target {
    fn met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::Below(most) => value < most,
        }
    }
}

impl Section {
    pub(crate) fn new(name: &'static str) -> Self {
        eprintln!("[{name}]");
        Self { name, circumstances: Vec::new(), numbers: Vec::new(), load_after: String::new() }
    }

    pub(crate) fn circumstance(&mut self, text: impl Into<String>) {
        self.circumstances.push(text.into());
    }

    pub(crate) fn number(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.push(what.into(), value, unit, None);
    }

    pub(crate) fn aimed(&mut self, what: impl Into<String>, value: f64, unit: &'static str, target: Target) {
        self.push(what.into(), value, unit, Some(target));
    }

    fn push(&mut self, what: String, value: f64, unit: &'static str, target: Option<Target>) {
        let number = Number { what, value, unit, target };
        eprintln!("      {}", number.text());
        self.numbers.push(number);
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("\n{}", self.name)];
        lines.extend(self.circumstances.iter().map(|text| format!("  ({text})")));
        lines.extend(self.numbers.iter().map(|number| format!("  {}", number.text())));
        lines.push(format!("  load average after: {}", self.load_after));
        lines.join("\n")
    }
}

impl Number {
    fn text(&self) -> String {
        let Self { what, value, unit, target } = self;
        let value = if *value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
        let verdict = target.map_or(String::new(), |target| {
            let met = if target.met_by(self.value) { "met" } else { "MISSED" };
            match target {
                Target::AtLeast(least) => format!("   target at least {least}: {met}"),
                Target::Below(most) => format!("   target below {most}: {met}"),
            }
        });
        format!("{what:<58} {value:>10} {unit}{verdict}")
    }
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    pins: Pins,
    sections: Vec<Section>,
}

impl Report {
    pub(crate) fn new(pins: Pins) -> Self {
        Self { machine: Machine::look(), pins, sections: Vec::new() }
    }

    pub(crate) fn add(&mut self, mut section: Section) {
        section.load_after = load();
        self.sections.push(section);
    }

    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    pub(crate) fn text(&self) -> String {
        let pins = match self.pins {
            Pins::Split => "server on processor 0, Redis and load on processor 1, unless said otherwise",
            Pins::None => "not pinned",
        };
        let head = format!("{}\n{pins}", self.machine.text());
        self.sections.iter().fold(head, |text, section| format!("{text}\n{}", section.text()))
    }
}

/// The value below which a share of all lies, of a sorted list; nearest rank.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    #[expect(clippy::cast_precision_loss, reason = "lengths far below 2^52")]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::{Target, percentile};

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let check = |share, expected| assert_eq!(percentile(&values, share), Some(expected), "{share}");
        check(0.5, 50.0);
        check(0.99, 99.0);
        check(1.0, 100.0);
        check(0.0, 1.0);
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn a_missed_target_is_missed() {
        assert!(Target::AtLeast(0.5).met_by(0.5) && !Target::AtLeast(0.5).met_by(0.49));
        assert!(Target::Below(50.0).met_by(49.9) && !Target::Below(50.0).met_by(50.0));
    }
}

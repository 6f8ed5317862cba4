//! The lines that a run writes: what was decided, and apart from it what is true.

use serde::Serialize;

/// What a system said of one life. Times are seconds after the start of what is judged.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Said {
    /// When it called the life bad (or, in a cell about repairs, fixed); first call first.
    pub calls_s: Vec<f64>,
    /// When it first called it healthy.
    pub healthy_s: Option<f64>,
    /// When it first said that it cannot see.
    pub blind_s: Option<f64>,
}

impl Said {
    /// Notes a call.
    pub fn call(&mut self, at_s: f64) {
        self.calls_s.push(at_s);
    }
}

#[derive(Serialize)]
struct Decision<'a> {
    life: &'a str,
    system: &'a str,
    #[serde(flatten)]
    said: &'a Said,
}

#[derive(Serialize)]
struct Label<'a> {
    life: &'a str,
    cell: &'a str,
}

/// JSON lines of a part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    /// What was decided, under names that tell nothing.
    pub decisions: String,
    /// Which cell a life belongs to.
    pub labels: String,
    /// Forecasts.
    pub forecasts: String,
    /// What came true of them.
    pub series: String,
}

impl Lines {
    /// Adds what a system said of a life.
    pub fn decision(&mut self, life: &str, system: &str, said: &Said) {
        push(&mut self.decisions, &Decision { life, system, said });
    }

    /// Adds what is true of a life.
    pub fn label(&mut self, life: &str, cell: &str) {
        push(&mut self.labels, &Label { life, cell });
    }
}

/// Adds a line. What cannot be written as JSON would be missed by the scorer, which refuses lives
/// that nobody spoke of.
pub(crate) fn push(lines: &mut String, value: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(value) {
        lines.push_str(&line);
        lines.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_holds_no_truth() {
        let mut lines = Lines::default();
        lines.decision("00ff", "x", &Said { calls_s: vec![5.0], healthy_s: None, blind_s: Some(7.0) });
        lines.label("00ff", "s1/faulty");
        assert_eq!(
            lines.decisions,
            "{\"life\":\"00ff\",\"system\":\"x\",\"calls_s\":[5.0],\"healthy_s\":null,\"blind_s\":7.0}\n"
        );
        assert_eq!(lines.labels, "{\"life\":\"00ff\",\"cell\":\"s1/faulty\"}\n");
    }
}

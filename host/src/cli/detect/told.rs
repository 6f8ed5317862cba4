//! What is told of a series beside its rows: on standard error, and in the JSON form.
//!
//! Does not: repeat itself; of each kind the first few are told with their line, then a count.
//! Invariant: what is kept does not grow with the input.

use homeostat_detection::series::{Judged, Note, Verdict};
use serde::Serialize;

use super::super::output::{plain, span};
use super::super::{CliError, FAILURE};
use super::row::{Row, UnreadRow};

/// Of each kind so many are told with their lines.
const LINES_MAX: usize = 5;

/// A kind of thing that is told.
#[derive(Default)]
struct Kind {
    count: u64,
    lines: Vec<String>,
}

impl Kind {
    fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.lines.len() < LINES_MAX {
            self.lines.push(text());
        }
    }

    fn print(&self, name: &str) {
        self.lines.iter().for_each(|line| say(line));
        let more = self.count - self.lines.len() as u64;
        if more > 0 {
            say(&format!("and {more} more {name}"));
        }
    }
}

/// Everything that is told when the input is through.
#[derive(Default)]
pub(super) struct Told {
    rows: u64,
    learning: u64,
    anomalies: u64,
    missing: Kind,
    duplicates: Kind,
    late: Kind,
    gaps: Kind,
    unread: Kind,
}

impl Told {
    pub(super) fn unread(&mut self, row: &UnreadRow) {
        self.unread.add(|| row.to_string());
    }

    pub(super) fn row(&mut self, row: &Row, judged: &Judged) {
        self.rows += 1;
        match judged.verdict {
            Verdict::Learning => self.learning += 1,
            Verdict::Anomaly => self.anomalies += 1,
            Verdict::Normal | Verdict::Blind => {}
        }
        let Some(note) = judged.note else { return };
        let text = || format!("line {}: {}", row.line, text(note));
        match note {
            Note::Missing => self.missing.add(text),
            Note::Duplicate => self.duplicates.add(text),
            Note::Late(_) | Note::SetBack(_) => self.late.add(text),
            Note::Gap(_) => self.gaps.add(text),
        }
    }

    /// Says it on standard error.
    pub(super) fn print(&self) {
        self.missing.print("without a value");
        self.duplicates.print("with the time of the row before");
        self.late.print("out of order");
        self.gaps.print("gaps");
        self.unread.print("that could not be read");
        let (rows, learning, anomalies) = (self.rows, self.learning, self.anomalies);
        say(&format!("{rows} rows: {learning} learned from, {anomalies} anomalies"));
    }

    /// Whether the input was read.
    pub(super) fn verdict(&self) -> Result<(), CliError> {
        match (self.unread.count, self.rows) {
            (0, 0) => Err(CliError::Usage("there is no row in the input".to_owned())),
            (0, _) => Ok(()),
            (unread, 0) => Err(CliError::Usage(format!("none of {unread} rows could be read"))),
            (unread, _) => Err(CliError::Failure(anyhow::anyhow!(
                "{unread} rows could not be read; the others were judged without them (exit code {FAILURE})"
            ))),
        }
    }
}

#[expect(clippy::print_stderr, reason = "told beside the rows, whatever the log does")]
fn say(text: &str) {
    eprintln!("{}", plain(text));
}

fn text(note: Note) -> String {
    match note {
        Note::Missing => "no value: blind".to_owned(),
        Note::Duplicate => "the same time as the row before: answered alike, not counted again".to_owned(),
        Note::Late(by_ms) => format!("{} earlier than a row before: not used", span(by_ms)),
        Note::SetBack(by_ms) => format!("the clock was set back by {}: going on from there", span(by_ms)),
        Note::Gap(ms) => format!("nothing for {} before this row", span(ms)),
    }
}

/// The JSON form of a row.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    timestamp: &'a str,
    value: Option<f64>,
    anomaly_score: f64,
    verdict: Verdict,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    moved: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// The JSON form of a row.
pub(super) fn line<'a>(row: &'a Row, judged: &Judged) -> Line<'a> {
    Line {
        timestamp: &row.time,
        value: row.value,
        anomaly_score: judged.score,
        verdict: judged.verdict,
        moved: judged.moved,
        note: judged.note.map(text),
    }
}

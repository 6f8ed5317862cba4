//! What the operator's commands print: lines, tables, JSON, ages.
//!
//! Does not: log. Answers go to standard output, whole.
//! Invariant: text that came over the network is printed without control characters, so that a
//! payload cannot move the cursor of a terminal.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::CliError;

/// Between the columns of a table.
const GAP: &str = "  ";

/// Prints a line of an answer.
pub(super) fn line(text: &str) {
    // A reader that went away, as `| head` does, is no failure.
    let _unread = writeln!(std::io::stdout(), "{text}").is_err();
}

/// A list as the API gives one.
#[derive(Serialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

/// Prints an answer as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(&serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?);
    Ok(())
}

/// The text on one line, without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Rows under a heading, each column as wide as its widest cell; the last one is not padded.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|name| (*name).to_owned()).collect();
    let all = || std::iter::once(&heading).chain(rows);
    let width = |column: usize| {
        let cells = all().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let written = all().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    });
    written.collect::<Vec<_>>().join("\n")
}

/// A span of time in its largest unit: `12s`, `5m`, `3h`, `9d`.
pub(super) fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..=119 => format!("{s}s"),
        120..=7_199 => format!("{}m", s / 60),
        7_200..=172_799 => format!("{}h", s / 3_600),
        _ => format!("{}d", s / 86_400),
    }
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// An id that nobody used before.
pub(super) fn random_id() -> Result<String, CliError> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes for an id: {error}"))?;
    Ok(homeostat_schema::id::timed(now_ms(), random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_its_cells() {
        let rows = [vec!["open".to_owned(), "é".to_owned()], vec!["a".to_owned(), "bc".to_owned()]];
        assert_eq!(table(&["S", "TITLE"], &rows), "S     TITLE\nopen  é\na     bc");
        assert_eq!(table(&["S"], &[]), "S");
    }

    #[test]
    fn a_payload_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{9b}d"), "a [2Jb c d");
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        for (ms, expected) in
            [(0, "0s"), (119_999, "119s"), (120_000, "2m"), (7_200_000, "2h"), (172_800_000, "2d")]
        {
            assert_eq!(span(ms), expected);
        }
    }

    #[test]
    fn two_ids_differ() -> Result<(), CliError> {
        assert_ne!(random_id()?, random_id()?);
        Ok(())
    }
}

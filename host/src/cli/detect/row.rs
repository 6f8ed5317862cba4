//! Rows of the input: a line of CSV into a time and a value.
//!
//! Does not: judge, or stop at a row that it cannot read.
//! Invariant: every line that is not blank, a comment (`#`) or the heading gives a row or an
//! error with its line number; memory does not grow with a line, nor with a quote that is never
//! closed: a cell ends with its line.

use std::borrow::Cow;
use std::io::{BufRead, Read};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Numbers from here on are milliseconds, below seconds: the year 5138 in seconds, 1973 in
/// milliseconds.
const SECONDS_MAX: f64 = 1e11;

/// A longer line, in bytes, is no row: two cells need less than 100.
const LINE_MAX: usize = 64 * 1024;

/// So much of a cell is quoted in an error.
const QUOTED_MAX: usize = 40;

/// Values that say that there is none, in lower case.
const MISSING: [&str; 8] = ["", "nan", "na", "n/a", "null", "none", "-", "?"];

/// A row that has a time.
pub(super) struct Row {
    /// In the input, from 1.
    pub(super) line: u64,
    /// Where it begins in the input.
    pub(super) byte: u64,
    /// The time as it was written.
    pub(super) time: String,
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    /// The value as it was written.
    pub(super) text: String,
    /// The value, if there is one that is a number and finite.
    pub(super) value: Option<f64>,
}

/// A row that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub(super) struct UnreadRow {
    line: u64,
    why: String,
}

/// The input itself could not be read further.
#[derive(Debug, thiserror::Error)]
#[error("the input cannot be read after line {line}")]
pub(super) struct Stopped {
    line: u64,
    source: std::io::Error,
}

/// Why there is no row.
pub(super) enum Unread {
    Row(UnreadRow),
    Stopped(Stopped),
}

/// Reads rows one after the other.
pub(super) struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    line: u64,
    byte: u64,
    /// A heading may still come.
    first: bool,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), line: 0, byte: 0, first: true }
    }

    /// The next row; `None` at the end of the input.
    pub(super) fn next(&mut self) -> Option<Result<Row, Unread>> {
        loop {
            match self.read_line() {
                Ok(Some(Length::Fits)) => {}
                Ok(Some(Length::TooLong)) => {
                    return Some(Err(Unread::Row(self.unread(format!("longer than {LINE_MAX} bytes")))));
                }
                Ok(None) => return None,
                Err(source) => return Some(Err(Unread::Stopped(Stopped { line: self.line, source }))),
            }
            let text = String::from_utf8_lossy(&self.buffer);
            // Some programs put a mark of the encoding before everything.
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let read = self.row(text);
            let first = std::mem::replace(&mut self.first, false);
            if !(first && read.is_err() && is_heading(text)) {
                return Some(read.map_err(Unread::Row));
            }
        }
    }

    /// Fills the buffer with the next line; `None` at the end of the input.
    fn read_line(&mut self) -> std::io::Result<Option<Length>> {
        self.byte += self.buffer.len() as u64;
        self.buffer.clear();
        let most = LINE_MAX as u64 + 1;
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.buffer)?;
        self.line += u64::from(read > 0);
        if read <= LINE_MAX || self.buffer.ends_with(b"\n") {
            return Ok((read > 0).then_some(Length::Fits));
        }
        self.byte += self.input.skip_until(b'\n')? as u64;
        Ok(Some(Length::TooLong))
    }

    fn row(&self, text: &str) -> Result<Row, UnreadRow> {
        let mut cells = text.split(',').map(bare);
        let time = cells.next().unwrap_or_default().to_owned();
        let at_ms = at_ms(&time).ok_or_else(|| {
            self.unread(format!(
                "`{}` is not a time: RFC 3339, `YYYY-MM-DD hh:mm:ss`, or seconds or milliseconds since 1970",
                quoted(&time)
            ))
        })?;
        let none = || self.unread("there is no second column with a value".to_owned());
        let text = cells.next().ok_or_else(none)?.to_owned();
        let value =
            value(&text).ok_or_else(|| self.unread(format!("`{}` is not a number", quoted(&text))))?;
        Ok(Row { line: self.line, byte: self.byte, time, at_ms, text, value })
    }

    fn unread(&self, why: String) -> UnreadRow {
        UnreadRow { line: self.line, why }
    }
}

enum Length {
    Fits,
    TooLong,
}

/// Names in place of a time and a value.
fn is_heading(text: &str) -> bool {
    text.split(',').nth(1).map(bare).is_some_and(|value| !value.is_empty() && value.parse::<f64>().is_err())
}

/// A cell without the spaces and quotes around it.
fn bare(cell: &str) -> &str {
    cell.trim().trim_matches('"').trim()
}

/// The value; inside, `None` says that there is none.
#[expect(clippy::option_option, reason = "not readable, or read as nothing")]
fn value(text: &str) -> Option<Option<f64>> {
    if let Ok(value) = text.parse::<f64>() {
        return Some(value.is_finite().then_some(value));
    }
    MISSING.contains(&text.to_ascii_lowercase().as_str()).then_some(None)
}

/// Milliseconds since 1970 of a time in any of the forms that are read.
fn at_ms(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<f64>() {
        return from_number(number);
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let civil: DateTime = text.parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_millisecond())
}

fn from_number(number: f64) -> Option<i64> {
    let ms = if number.abs() < SECONDS_MAX { number * 1000.0 } else { number };
    // The years -9999 to 9999, as the other forms have it.
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds of the comparison")]
    (ms.abs() < 2.5e14).then(|| ms.round() as i64)
}

fn quoted(text: &str) -> String {
    let cut: String = super::super::output::plain(text).chars().take(QUOTED_MAX).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// A cell of CSV, quoted where it must be.
pub(super) fn cell(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_time_is_read() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(at_ms(text), expected, "{text}");
        check("2014-04-10T00:00:00Z", Some(1_397_088_000_000));
        check("2014-04-10T02:00:00+02:00", Some(1_397_088_000_000));
        check("2014-04-10 00:00:00", Some(1_397_088_000_000));
        check("2014-04-10 00:00:00.250", Some(1_397_088_000_250));
        check("2014-04-10T00:00:00", Some(1_397_088_000_000));
        check("1397088000", Some(1_397_088_000_000));
        check("1397088000.25", Some(1_397_088_000_250));
        check("1397088000000", Some(1_397_088_000_000));
        check("yesterday", None);
        check("", None);
        check("NaN", None);
        check("1e300", None);
        check("2014-13-10 00:00:00", None);
    }

    fn check(input: &str, expected: &[Result<(i64, Option<f64>), &str>]) {
        let mut reader = Reader::new(input.as_bytes());
        let mut found = Vec::new();
        while let Some(read) = reader.next() {
            found.push(match read {
                Ok(row) => Ok((row.at_ms / 1000, row.value)),
                Err(Unread::Row(unread)) => Err(unread.to_string()),
                Err(Unread::Stopped(stopped)) => Err(stopped.to_string()),
            });
        }
        let expected: Vec<_> = expected.iter().map(|row| row.map_err(str::to_owned)).collect();
        assert_eq!(found, expected, "{input}");
    }

    #[test]
    fn a_heading_may_be_there_or_not() {
        check("timestamp,value\n1,2\n", &[Ok((1, Some(2.0)))]);
        check("\"timestamp\",\"value\"\n\"1\",\"2\"\n", &[Ok((1, Some(2.0)))]);
        check("\u{feff}time, value\r\n1, 2\r\n", &[Ok((1, Some(2.0)))]);
        check("1,2\n2,3", &[Ok((1, Some(2.0))), Ok((2, Some(3.0)))]);
        check("", &[]);
        check("\u{feff}1,2\n", &[Ok((1, Some(2.0)))]);
    }

    #[test]
    fn a_missing_value_is_a_row_without_one() {
        check(
            "1,\n2,NaN\n3,null\n4,inf\n5,-\n6, n/a ,more\n",
            &[Ok((1, None)), Ok((2, None)), Ok((3, None)), Ok((4, None)), Ok((5, None)), Ok((6, None))],
        );
    }

    #[test]
    fn a_row_that_cannot_be_read_is_told_with_its_line_and_the_next_goes_on() {
        check(
            "time,value\n\n# note\n1,2\nx,3\n3,lots\n4\n5,6\n",
            &[
                Ok((1, Some(2.0))),
                Err(
                    "line 5: `x` is not a time: RFC 3339, `YYYY-MM-DD hh:mm:ss`, or seconds or milliseconds since 1970",
                ),
                Err("line 6: `lots` is not a number"),
                Err("line 7: there is no second column with a value"),
                Ok((5, Some(6.0))),
            ],
        );
    }

    #[test]
    fn a_long_line_and_an_open_quote_cost_their_own_row_only() {
        let long = "x".repeat(3 * LINE_MAX);
        check(
            &format!("1,2\n{long}\n\"2,3\n3,\"4\n"),
            &[
                Ok((1, Some(2.0))),
                Err("line 2: longer than 65536 bytes"),
                Ok((2, Some(3.0))),
                Ok((3, Some(4.0))),
            ],
        );
        check(&long, &[Err("line 1: longer than 65536 bytes")]);
    }

    #[test]
    fn a_cell_is_quoted_where_it_must_be() {
        assert_eq!(cell("a"), "a");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}

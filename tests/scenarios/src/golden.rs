//! The expected timeline, a file beside the scenario.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Set to anything, it makes what came out the expectation.
const UPDATE: &str = "UPDATE_GOLDEN";

/// Whether what comes out is to be the expectation.
pub fn is_update() -> bool {
    std::env::var_os(UPDATE).is_some()
}

/// A golden file.
pub struct Golden(PathBuf);

impl Golden {
    /// The one of a scenario: the same name with `.timeline`.
    pub fn beside(scenario: &Path) -> Self {
        Self(scenario.with_extension("timeline"))
    }

    /// Compares, or writes when `UPDATE_GOLDEN` is set.
    ///
    /// # Errors
    /// With the lines that differ; or when the file cannot be read or written.
    pub fn compare(&self, told: &str) -> Result<()> {
        let file = self.0.display();
        if is_update() {
            return std::fs::write(&self.0, told).with_context(|| format!("cannot write {file}"));
        }
        let expected = std::fs::read_to_string(&self.0)
            .with_context(|| format!("cannot read {file}; {UPDATE}=1 writes it"))?;
        if expected == told {
            return Ok(());
        }
        bail!("{file} says otherwise ({UPDATE}=1 takes the new one):\n{}", difference(&expected, told))
    }
}

/// Both texts line by line, with `-` for what is expected only and `+` for what is new.
fn difference(expected: &str, told: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), told.lines().collect());
    let lengths = common_lengths(&old, &new);
    let length = |i: usize, j: usize| lengths.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let (mark, line) = match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                (i, j) = (i + 1, j + 1);
                (' ', *a)
            }
            (Some(a), b) if b.is_none() || length(i + 1, j) >= length(i, j + 1) => {
                i += 1;
                ('-', *a)
            }
            (_, Some(b)) => {
                j += 1;
                ('+', *b)
            }
            _ => break,
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{mark} {line}");
    }
    text
}

/// How many lines the rests from `i` and `j` have in common, in order.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut rows = vec![vec![0; new.len() + 1]];
    for a in old.iter().rev() {
        let below = rows.last().cloned().unwrap_or_default();
        let mut row = vec![0; new.len() + 1];
        for (j, b) in new.iter().enumerate().rev() {
            row[j] = if a == b { below[j + 1] + 1 } else { below[j].max(row[j + 1]) };
        }
        rows.push(row);
    }
    rows.reverse();
    rows
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_shows_both_sides_in_their_place() {
        let check = |old: &str, new: &str, expected: &str| assert_eq!(difference(old, new), expected);
        check("a\nb\nc\n", "a\nx\nc\n", "  a\n- b\n+ x\n  c\n");
        check("a\n", "a\nb\n", "  a\n+ b\n");
        check("a\nb\n", "b\n", "- a\n  b\n");
        check("", "", "");
    }
}

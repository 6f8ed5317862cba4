//! What is wrong with a configuration, and where.

use std::fmt;

use thiserror::Error;

/// A value out of its range, or at odds with another.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{field}`: {reason}")]
pub struct Invalid {
    /// The path, such as `environments.stage.score_min` or `service[0].match[1].name`.
    pub field: String,
    /// What is wrong and what is expected.
    pub reason: String,
}

/// Why a text is not a configuration. Shown as `file:line:column: what; what to do`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Refused before it was read.
    #[error("{file}: {bytes} bytes, but a configuration has at most {max}")]
    TooLarge {
        /// As the caller named it.
        file: String,
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Not TOML or JSON, a field that does not exist, or a value of another type.
    #[error("{place}: {reason}{}", hint(suggestion.as_deref()))]
    Malformed {
        /// Where.
        place: Place,
        /// What is wrong and what is expected.
        reason: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
    /// Well-formed, but a value cannot be.
    #[error("{place}: {invalid}")]
    Invalid {
        /// Where.
        place: Place,
        /// What.
        invalid: Invalid,
    },
}

/// A place in a file. Lines and columns count from 1; absent where only the file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As the caller named it.
    pub file: String,
    /// Line and column.
    pub position: Option<(usize, usize)>,
}

impl Place {
    /// The place of a byte offset in a text.
    pub(super) fn at(file: &str, text: &str, offset: Option<usize>) -> Self {
        let position = offset.and_then(|offset| text.get(..offset)).map(|before| {
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
            (line, column)
        });
        Self { file: file.to_owned(), position }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

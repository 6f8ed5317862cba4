//! What was looked at, how it is, and how to mend it.

use std::fmt;

use serde::Serialize;

use crate::cli::output::plain;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Could not be looked at, and nothing follows from that.
    Skip,
    /// Works, and may surprise.
    Warn,
    /// Must be mended.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at, in a word.
    pub(super) check: &'static str,
    /// How it is.
    pub(super) level: Level,
    /// What was seen.
    pub(super) text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, text: text.into(), mend: None }
    }

    pub(super) fn skip(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Skip, text: text.into(), mend: None }
    }

    pub(super) fn warn(check: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, level: Level::Warn, text: text.into(), mend: Some(mend.into()) }
    }

    pub(super) fn wrong(check: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, level: Level::Wrong, text: text.into(), mend: Some(mend.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Skip => "skip",
            Level::Warn => "warn",
            Level::Wrong => "WRONG",
        };
        write!(f, "{level:<5}  {:<10}  {}", self.check, plain(&self.text))?;
        match &self.mend {
            Some(mend) => write!(f, "\n{:19}-> {}", "", plain(mend)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_is_wrong() {
        let wrong = Finding::wrong("redis", "gone\u{7}", "start it");
        assert_eq!(wrong.to_string(), "WRONG  redis       gone \n                   -> start it");
        assert_eq!(Finding::ok("redis", "there").to_string(), "ok     redis       there");
    }
}

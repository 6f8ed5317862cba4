//! Numbers that could not be read: when is that more than one scrape that failed?
//!
//! One failed scrape in a hundred is usual, and the next one reads. It is blindness when another one
//! fails, or nothing is read for [`AGAIN_MS`]: within a minute either way.

use serde::{Deserialize, Serialize};

/// So long after a scrape that failed, something is read again; milliseconds.
const AGAIN_MS: u64 = 45_000;

/// The scrapes that failed since something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unread {
    /// None.
    #[default]
    None,
    /// One, at this time by its own clock and by ours, milliseconds.
    Once { at_ms: u64, seen_ms: u64 },
    /// More than that; it was told.
    Told,
}

impl Unread {
    /// A scrape failed; whether that is news.
    pub(crate) fn failed(&mut self, at_ms: u64, seen_ms: u64) -> bool {
        match *self {
            Self::None => {
                *self = Self::Once { at_ms, seen_ms };
                false
            }
            // Replicas, and the same event twice, tell of one moment.
            Self::Once { at_ms: first_ms, .. } if at_ms <= first_ms => false,
            Self::Once { .. } => {
                *self = Self::Told;
                true
            }
            Self::Told => false,
        }
    }

    /// Something was read.
    pub(crate) fn read(&mut self) {
        *self = Self::None;
    }

    /// When it is blindness if nothing is read, by our clock.
    pub(crate) fn due_ms(self) -> Option<u64> {
        match self {
            Self::Once { seen_ms, .. } => Some(seen_ms.saturating_add(AGAIN_MS)),
            Self::None | Self::Told => None,
        }
    }

    /// The time went on: takes note when it is blindness now; whether that is news.
    pub(crate) fn falls_due(&mut self, now_ms: u64) -> bool {
        let due = self.due_ms().is_some_and(|due| due <= now_ms);
        if due {
            *self = Self::Told;
        }
        due
    }

    /// Whether nothing failed since something was read.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_scrape_is_nothing_and_two_or_a_long_one_are_told_once() {
        let mut unread = Unread::default();
        assert!(!unread.failed(1_000, 2_000) && !unread.failed(1_000, 9_000));
        assert_eq!(unread.due_ms(), Some(47_000));
        unread.read();
        assert!(!unread.falls_due(99_000) && unread.is_none());
        assert!(!unread.failed(100_000, 100_000));
        assert!(unread.failed(115_000, 115_000) && !unread.failed(130_000, 130_000));
        unread.read();
        assert!(!unread.failed(200_000, 200_000) && !unread.falls_due(244_999));
        assert!(unread.falls_due(245_000) && !unread.falls_due(246_000));
    }
}

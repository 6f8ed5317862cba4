//! How late observations come: how long a batch has to stay open for the slowest sender.
//!
//! The greatest lateness of the last two quarters of an hour of event time counts, so that one that
//! is over is forgotten.

use serde::{Deserialize, Serialize};

/// How long a lateness is remembered, at least; milliseconds.
const REMEMBERED_MS: u64 = 900_000;

/// The state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Lateness {
    /// Which quarter of an hour.
    quarter: u64,
    greatest_ms: u64,
    before_ms: u64,
}

impl Lateness {
    /// An observation would have needed its batch open for `late_ms` more, at `now_ms`.
    pub(super) fn note(&mut self, late_ms: u64, now_ms: u64) {
        self.go_on(now_ms);
        self.greatest_ms = self.greatest_ms.max(late_ms);
    }

    /// How long batches are kept open at `now_ms`.
    pub(super) fn wait_ms(&self, now_ms: u64) -> u64 {
        let mut now = *self;
        now.go_on(now_ms);
        now.greatest_ms.max(now.before_ms)
    }

    fn go_on(&mut self, now_ms: u64) {
        let quarter = now_ms / REMEMBERED_MS;
        if quarter > self.quarter {
            let next = quarter == self.quarter + 1;
            self.before_ms = if next { self.greatest_ms } else { 0 };
            (self.quarter, self.greatest_ms) = (quarter, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_counts_until_it_is_long_over() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.wait_ms(0), 0);
        lateness.note(8_000, 1_000);
        lateness.note(2_000, 2_000);
        assert_eq!(lateness.wait_ms(3_000), 8_000);
        assert_eq!(lateness.wait_ms(REMEMBERED_MS), 8_000);
        lateness.note(1_000, REMEMBERED_MS);
        assert_eq!(lateness.wait_ms(2 * REMEMBERED_MS - 1), 8_000);
        assert_eq!(lateness.wait_ms(2 * REMEMBERED_MS), 1_000);
        assert_eq!(lateness.wait_ms(9 * REMEMBERED_MS), 0);
    }
}

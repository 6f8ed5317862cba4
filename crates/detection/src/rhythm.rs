//! How often somebody reports.
//!
//! Known once [`INTERVALS_MIN`] intervals were seen: the second longest of the last
//! [`INTERVALS_MAX`], which one gap does not move, and which is long enough where two report in turn,
//! or several replicas one after the other and then none for a while.

use serde::{Deserialize, Serialize};

/// Intervals kept.
const INTERVALS_MAX: usize = 16;
/// Intervals seen before there is a rhythm.
const INTERVALS_MIN: usize = 2;
/// Reports nearer than this came together: one event for each signal or replica, say.
const TOGETHER_MS: u64 = 1000;

/// The last intervals between reports, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Rhythm(Vec<u64>);

impl Rhythm {
    /// Takes the interval between two reports; none when they came together.
    pub(crate) fn note(&mut self, interval_ms: u64) {
        if interval_ms >= TOGETHER_MS {
            self.0.push(interval_ms);
            self.0.drain(..self.0.len().saturating_sub(INTERVALS_MAX));
        }
    }

    /// The usual interval, once it is known.
    pub(crate) fn interval_ms(&self) -> Option<u64> {
        let known = self.0.len();
        if known < INTERVALS_MIN {
            return None;
        }
        let mut intervals = self.0.clone();
        intervals.sort_unstable();
        intervals.get((known / 2).max(known - 2)).copied()
    }

    /// How many intervals it is known from.
    pub(crate) fn samples(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was taken.
    pub(crate) fn is_new(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gap_changes_nothing_and_two_in_turn_are_one_rhythm() {
        let check = |intervals: &[u64], expected: Option<u64>| {
            let mut rhythm = Rhythm::default();
            intervals.iter().for_each(|interval| rhythm.note(*interval));
            assert_eq!(rhythm.interval_ms(), expected, "{intervals:?}");
            assert!(rhythm.samples() <= INTERVALS_MAX);
        };
        check(&[], None);
        check(&[5_000], None);
        check(&[5_000, 999, 0], None);
        check(&[5_000, 6_000], Some(6_000));
        check(&[5_000, 5_000, 900_000], Some(5_000));
        check(&[10_000, 50_000, 10_000, 50_000, 10_000, 50_000, 10_000], Some(50_000));
        let five_replicas = [5_000, 5_000, 5_000, 5_000, 40_000].repeat(4);
        check(&five_replicas, Some(40_000));
        check(&[900_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000], Some(5_000));
    }
}

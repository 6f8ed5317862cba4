//! When a source usually speaks, and when its silence is longer than that.
//!
//! The gaps between a source's events are counted in buckets, each twice as long as the one
//! before. A count halves every two weeks. The longest usual gap is the upper end of the highest
//! bucket that still holds at least a quarter of a gap, so that a quiet weekend is usual for a
//! month after the last one. A source is silent when nothing came for twice its longest usual gap
//! and for the floor.
//!
//! Opens: silence beyond that, once, after [`GAPS_MIN`] gaps were seen. Closes: with the next event.
//!
//! What this does not do: tell hours of the day apart.

use serde::{Deserialize, Serialize};

use crate::memory::Memory;
use crate::{Answer, Next, Report};

/// Buckets of gaps; the first holds those up to a second, the last those above 97 days.
const BUCKETS: usize = 24;
/// The upper end of the first bucket, milliseconds.
const FIRST_MS: u64 = 1_000;
/// The time in which a count halves, milliseconds: two weeks.
const HALF_LIFE_MS: f64 = 14.0 * 86_400_000.0;
/// What still counts as usual.
const USUAL_MIN: f64 = 0.25;
/// How much longer than usual silence must be.
const LONGER: u64 = 2;
/// Before so many gaps were seen nobody knows what is usual.
const GAPS_MIN: u64 = 8;

/// A source fell silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// When it last spoke, milliseconds since the epoch.
    pub since_ms: u64,
    /// The longest gap that is usual, milliseconds.
    pub usual_ms: u64,
}

/// What is known of a source's gaps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rhythm {
    /// When it last spoke.
    last_ms: u64,
    gaps: u64,
    /// Counts as of `last_ms`; at most [`BUCKETS`].
    buckets: Vec<f64>,
    /// Whether its silence was told.
    told: bool,
}

impl Rhythm {
    /// Something came. Times earlier than the last are not looked at.
    fn came(&mut self, at_ms: u64) {
        if at_ms <= self.last_ms {
            return;
        }
        let gap_ms = at_ms - self.last_ms;
        if self.last_ms > 0 {
            self.fade(gap_ms);
            self.buckets.resize(BUCKETS, 0.0);
            if let Some(count) = self.buckets.get_mut(bucket(gap_ms)) {
                *count += 1.0;
            }
            self.gaps = self.gaps.saturating_add(1);
        }
        self.last_ms = at_ms;
        self.told = false;
    }

    #[expect(clippy::cast_precision_loss, reason = "spans of time are far below 2^53 ms")]
    fn fade(&mut self, passed_ms: u64) {
        let left = (-(passed_ms as f64) / HALF_LIFE_MS).exp2();
        self.buckets.iter_mut().for_each(|count| *count *= left);
    }

    fn usual_ms(&self) -> Option<u64> {
        let highest = self.buckets.iter().rposition(|count| *count >= USUAL_MIN)?;
        Some(FIRST_MS << highest)
    }

    /// Its silence, when it is to be told.
    fn silence(&mut self, now_ms: u64, floor_ms: u64) -> Option<Silence> {
        let usual_ms = self.usual_ms().filter(|_| self.gaps >= GAPS_MIN)?;
        let bound_ms = usual_ms.saturating_mul(LONGER).max(floor_ms);
        let silent = now_ms.saturating_sub(self.last_ms) > bound_ms;
        if self.told || !silent {
            return None;
        }
        self.told = true;
        Some(Silence { since_ms: self.last_ms, usual_ms })
    }
}

/// The bucket of a gap: 0 up to a second, 1 up to two, 2 up to four, and so on.
fn bucket(gap_ms: u64) -> usize {
    let doubled = gap_ms.saturating_sub(1) / FIRST_MS;
    let bits = u64::BITS - doubled.leading_zeros();
    usize::try_from(bits).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// One look at when events came.
#[derive(Debug)]
pub(crate) struct Listening {
    floor_ms: u64,
    now_ms: u64,
    report: Report,
}

impl Listening {
    pub(crate) fn new(floor_s: u64, memory: Memory, now_ms: u64) -> Self {
        let report = Report { memory, ..Report::default() };
        Self { floor_ms: floor_s.saturating_mul(1000), now_ms, report }
    }

    pub(crate) fn next(&mut self, answer: Answer) -> Next {
        match answer {
            Answer::Begin => return Next::Recall { after_ms: self.report.memory.rhythm.last_ms },
            Answer::Came(mut times) => {
                times.sort_unstable();
                self.report.seen = times.len();
                times.into_iter().for_each(|at_ms| self.report.memory.rhythm.came(at_ms));
                self.report.silence = self.report.memory.rhythm.silence(self.now_ms, self.floor_ms);
                self.report.memory.failures = 0;
            }
            Answer::Failed(why) => self.report.problem = Some(why),
            _ => self.report.problem = Some("another answer was expected".to_owned()),
        }
        Next::Finished(Box::new(self.report.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;
    const HOUR_MS: u64 = 60 * MINUTE_MS;
    const DAY_MS: u64 = 24 * HOUR_MS;

    #[test]
    fn buckets_double() {
        let check = |gap_ms: u64, expected: usize| assert_eq!(bucket(gap_ms), expected, "{gap_ms}");
        check(0, 0);
        check(1_000, 0);
        check(1_001, 1);
        check(2_000, 1);
        check(2_001, 2);
        check(4_000, 2);
        check(u64::MAX, BUCKETS - 1);
    }

    fn after(gaps: impl IntoIterator<Item = u64>) -> Rhythm {
        let mut rhythm = Rhythm::default();
        let mut at_ms = DAY_MS;
        rhythm.came(at_ms);
        for gap_ms in gaps {
            at_ms += gap_ms;
            rhythm.came(at_ms);
        }
        rhythm
    }

    #[test]
    fn silence_is_told_once_and_only_beyond_what_is_usual() {
        let mut rhythm = after([MINUTE_MS; 20]);
        let last = rhythm.last_ms;
        assert_eq!(rhythm.usual_ms(), Some(64_000));
        assert_eq!(rhythm.silence(last + 2 * MINUTE_MS, 0), None);
        assert_eq!(rhythm.clone().silence(last + 10 * MINUTE_MS, HOUR_MS), None, "below the floor");
        let told = rhythm.silence(last + 10 * MINUTE_MS, MINUTE_MS);
        assert_eq!(told, Some(Silence { since_ms: last, usual_ms: 64_000 }));
        assert_eq!(rhythm.silence(last + 20 * MINUTE_MS, MINUTE_MS), None, "told twice");
        rhythm.came(last + 30 * MINUTE_MS);
        assert!(rhythm.silence(last + 30 * MINUTE_MS + 3 * HOUR_MS, MINUTE_MS).is_some(), "silent again");
    }

    #[test]
    fn nights_and_weekends_become_usual() {
        // Ten events in the eight hours of each working day, for two weeks.
        let day = |weekend: bool| {
            let night = if weekend { 64 * HOUR_MS } else { 16 * HOUR_MS };
            std::iter::repeat_n(48 * MINUTE_MS, 10).chain([night])
        };
        let weeks = (0..10).flat_map(|number| day(number % 5 == 4));
        let mut rhythm = after(weeks);
        let last = rhythm.last_ms;
        assert_eq!(rhythm.silence(last + 64 * HOUR_MS, HOUR_MS), None);
        assert!(rhythm.silence(last + 10 * DAY_MS, HOUR_MS).is_some());
    }

    #[test]
    fn a_few_events_say_nothing_of_what_is_usual() {
        let mut rhythm = after([MINUTE_MS; 5]);
        assert_eq!(rhythm.silence(rhythm.last_ms + 30 * DAY_MS, MINUTE_MS), None);
        assert_eq!(Rhythm::default().silence(DAY_MS, MINUTE_MS), None);
    }

    #[test]
    fn what_was_usual_long_ago_is_forgotten() {
        let busy = (0..60 * 24).map(|_| HOUR_MS);
        let mut rhythm = after(std::iter::once(20 * DAY_MS).chain(busy));
        let last = rhythm.last_ms;
        assert!(rhythm.silence(last + DAY_MS, HOUR_MS).is_some());
    }
}

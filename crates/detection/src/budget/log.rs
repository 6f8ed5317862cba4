//! What was counted lately, in batches of time, oldest first.
//!
//! What this does not do: remember all. It holds [`KEPT`] batches; the caller takes the oldest away
//! or has neighbours put together, older ones sooner, so that a batch is about an eighth as long as
//! it is old.
//!
//! Invariant: batches do not overlap, and begin and end at multiples of [`BATCH_MS`].

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{number::float, sequential::Tally, verify::BATCH_MS};

/// Four minutes of a service that reports all the time, or, put together, more than an hour at an
/// eighth of its age each; 2 KB.
pub(super) const KEPT: usize = 48;

/// From (included), until (excluded), all requests and the bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Batch(u64, u64, u64, u64);

impl Batch {
    fn at(at_ms: u64) -> Self {
        let from_ms = at_ms - at_ms % BATCH_MS;
        Self(from_ms, from_ms.saturating_add(BATCH_MS), 0, 0)
    }

    pub(super) fn begin_ms(self) -> u64 {
        self.0
    }

    pub(super) fn end_ms(self) -> u64 {
        self.1
    }

    pub(super) fn tally(self) -> Tally {
        Tally { total: self.2, bad: self.3 }
    }

    fn with(self, tally: Tally) -> Self {
        let both = self.tally().plus(tally);
        Self(self.0, self.1, both.total, both.bad)
    }

    /// Errors beyond what is allowed.
    fn excess(self, allowed: f64) -> f64 {
        float(self.tally().bad()) - allowed * float(self.tally().total)
    }
}

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Log(VecDeque<Batch>);

impl Log {
    pub(super) fn add(&mut self, at_ms: u64, tally: Tally) {
        let place = self.0.partition_point(|batch| batch.end_ms() <= at_ms);
        match self.0.get_mut(place) {
            Some(batch) if batch.begin_ms() <= at_ms => *batch = batch.with(tally),
            _ => self.0.insert(place, Batch::at(at_ms).with(tally)),
        }
    }

    /// The oldest, while there are more than are kept.
    pub(super) fn overflow(&mut self) -> Option<Tally> {
        if self.0.len() <= KEPT {
            return None;
        }
        self.0.pop_front().map(Batch::tally)
    }

    /// Puts neighbours together until there are no more than are kept.
    pub(super) fn condense(&mut self) {
        while self.0.len() > KEPT {
            let Some(first) = self.finest() else { return };
            let Some(second) = self.0.remove(first.saturating_add(1)) else { return };
            if let Some(batch) = self.0.get_mut(first) {
                *batch = Batch(batch.0, second.1, batch.2, batch.3).with(second.tally());
            }
        }
    }

    /// The first of the two neighbours that are shortest for their age.
    fn finest(&self) -> Option<usize> {
        let end_ms = self.0.back()?.end_ms();
        let length = |(one, next): (&Batch, &Batch)| {
            float(next.end_ms() - one.begin_ms()) / float(end_ms.saturating_sub(one.begin_ms()).max(1))
        };
        let lengths = self.0.iter().zip(self.0.iter().skip(1)).map(length).enumerate();
        lengths.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(place, _)| place)
    }

    /// The run of batches that ended by `until_ms` with the most errors beyond the share that is
    /// allowed: where it begins and what was counted in it. Nothing when no batch has more.
    pub(super) fn worst_until(&self, until_ms: u64, allowed: f64) -> Option<(u64, Tally)> {
        let ended = self.0.iter().filter(|batch| batch.end_ms() <= until_ms);
        let mut run = (0.0, 0, Tally::default());
        let mut worst = run;
        for batch in ended {
            // A run that is not beyond what is allowed adds nothing to what follows it.
            if run.0 <= 0.0 {
                run = (0.0, batch.begin_ms(), Tally::default());
            }
            run = (run.0 + batch.excess(allowed), run.1, run.2.plus(batch.tally()));
            if run.0 > worst.0 {
                worst = run;
            }
        }
        (worst.0 > 0.0).then_some((worst.1, worst.2))
    }

    /// What was counted before `from_ms`, which is left out from now on.
    pub(super) fn cut(&mut self, from_ms: u64) -> Tally {
        let before = self.0.partition_point(|batch| batch.end_ms() <= from_ms);
        self.0.drain(..before).fold(Tally::default(), |all, batch| all.plus(batch.tally()))
    }

    /// The batches that began at `from_ms` or later.
    pub(super) fn since(&self, from_ms: u64) -> impl Iterator<Item = Batch> {
        self.0.iter().copied().filter(move |batch| batch.begin_ms() >= from_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(counted: &[(u64, u64, u64)]) -> Log {
        let mut log = Log::default();
        counted.iter().for_each(|(s, total, bad)| log.add(s * 1000, Tally { total: *total, bad: *bad }));
        log
    }

    #[test]
    fn the_worst_run_begins_where_the_errors_began() {
        let check = |counted: &[(u64, u64, u64)], until_s: u64, expected: Option<(u64, u64, u64)>| {
            let worst = log(counted).worst_until(until_s * 1000, 0.01);
            let worst = worst.map(|(from_ms, tally)| (from_ms / 1000, tally.total, tally.bad));
            assert_eq!(worst, expected, "{counted:?}");
        };
        check(&[], 100, None);
        check(&[(0, 100, 1), (5, 100, 0)], 100, None);
        check(&[(0, 100, 0), (5, 100, 30), (10, 100, 40)], 100, Some((5, 200, 70)));
        // What came after is not looked at, and a calm end is not part of it.
        check(&[(0, 100, 0), (5, 100, 30), (10, 100, 40)], 10, Some((5, 100, 30)));
        check(&[(0, 100, 30), (5, 100, 0), (10, 100, 0)], 100, Some((0, 100, 30)));
        // The later of two runs with a long calm between them, when it is the worse one.
        check(&[(0, 100, 3), (5, 900, 0), (10, 100, 30)], 100, Some((10, 100, 30)));
    }

    #[test]
    fn what_is_recent_stays_fine_and_what_is_old_becomes_coarse() {
        let mut log = Log::default();
        for batch in 0..720 {
            log.add(batch * BATCH_MS, Tally { total: 10, bad: 1 });
            log.condense();
        }
        assert_eq!(log.0.len(), KEPT);
        let end_ms = 720 * BATCH_MS;
        for batch in &log.0 {
            let (length, age) = (batch.end_ms() - batch.begin_ms(), end_ms - batch.begin_ms());
            assert!(length <= BATCH_MS.max(age / 5), "{length} ms at an age of {age} ms");
        }
        assert_eq!(log.since(0).fold(0, |all, batch| all + batch.tally().total), 7_200);
    }

    proptest! {
        #[test]
        fn batches_never_overlap_and_nothing_is_lost(
            all in prop::collection::vec((prop_oneof![0..2_000_000_u64, any::<u64>()], 0..1000_u64), 1..200),
        ) {
            let mut log = Log::default();
            for (at_ms, total) in &all {
                log.add(*at_ms, Tally { total: *total, bad: 0 });
                log.condense();
                prop_assert!(log.0.len() <= KEPT);
            }
            let pairs = log.0.iter().zip(log.0.iter().skip(1));
            prop_assert!(pairs.into_iter().all(|(one, next)| one.end_ms() <= next.begin_ms()));
            let counted: u64 = log.since(0).map(|batch| batch.tally().total).sum();
            prop_assert_eq!(counted, all.iter().map(|(_, total)| total).sum::<u64>());
        }
    }
}

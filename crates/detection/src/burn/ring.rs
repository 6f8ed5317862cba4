//! Twelve slots of time with what was counted in each.
//!
//! Invariant: 96 bytes of counters. A slot that would overflow is halved first, which keeps its
//! share of errors.

use serde::{Deserialize, Serialize};

use crate::{number::float, sequential::Tally};

/// Slots of a ring.
const SLOTS: usize = 12;
const SLOTS_LONG: u64 = SLOTS as u64;
const MINUTE_MS: u64 = 60_000;

/// Good and bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Slot(u32, u32);

impl Slot {
    fn add(&mut self, tally: Tally) {
        let (mut good, mut bad) = (
            u64::from(self.0).saturating_add(tally.total - tally.bad().min(tally.total)),
            u64::from(self.1).saturating_add(tally.bad()),
        );
        while good > u64::from(u32::MAX) || bad > u64::from(u32::MAX) {
            (good, bad) = (good / 2, bad / 2);
        }
        *self = Self(u32::try_from(good).unwrap_or(u32::MAX), u32::try_from(bad).unwrap_or(u32::MAX));
    }
}

/// The state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ring {
    minutes: u64,
    /// The number of the newest slot since the epoch; slot `n` is at `n` modulo twelve.
    newest: u64,
    slots: [Slot; SLOTS],
}

impl Ring {
    /// Slots so many minutes long, above 0.
    pub(super) fn of(minutes: u64) -> Self {
        Self { minutes, newest: 0, slots: [Slot::default(); SLOTS] }
    }

    fn number(&self, at_ms: u64) -> u64 {
        at_ms / (self.minutes.max(1) * MINUTE_MS)
    }

    /// Whether its slot was given to a later time.
    pub(super) fn is_past(&self, at_ms: u64) -> bool {
        self.number(at_ms).saturating_add(SLOTS_LONG) <= self.newest
    }

    /// Counts, unless it is past.
    pub(super) fn add(&mut self, at_ms: u64, tally: Tally) {
        if self.is_past(at_ms) {
            return;
        }
        let number = self.number(at_ms);
        if number > self.newest {
            let cleared = (number - self.newest).min(SLOTS_LONG);
            (0..cleared).for_each(|back| *self.slot(number - back) = Slot::default());
            self.newest = number;
        }
        self.slot(number).add(tally);
    }

    fn slot(&mut self, number: u64) -> &mut Slot {
        &mut self.slots[place(number)]
    }

    /// All and the bad ones in the last `slots` slots, the running one among them. Of the slot
    /// before those as much counts as the running one still lacks, where the ring reaches so far.
    pub(super) fn sum(&self, now_ms: u64, slots: u64) -> (f64, f64) {
        let (now, length_ms) = (self.number(now_ms), self.minutes.max(1) * MINUTE_MS);
        let lacking = 1.0 - float(now_ms % length_ms) / float(length_ms);
        let whole = (0..slots).map(|back| (back, 1.0));
        let weighed = whole.chain((slots < SLOTS_LONG).then_some((slots, lacking)));
        weighed.fold((0.0, 0.0), |(total, bad), (back, weight)| {
            let Slot(ok, failed) = now.checked_sub(back).map_or(Slot::default(), |number| self.kept(number));
            let (ok, failed) = (weight * float(ok.into()), weight * float(failed.into()));
            (total + ok + failed, bad + failed)
        })
    }

    fn kept(&self, number: u64) -> Slot {
        let known = number <= self.newest && number.saturating_add(SLOTS_LONG) > self.newest;
        if known { self.slots[place(number)] } else { Slot::default() }
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number % SLOTS_LONG).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT_MS: u64 = 5 * MINUTE_MS;

    fn ring(counted: &[(u64, u64, u64)]) -> Ring {
        let mut ring = Ring::of(5);
        counted.iter().for_each(|(at_ms, total, bad)| ring.add(*at_ms, Tally { total: *total, bad: *bad }));
        ring
    }

    #[test]
    fn a_window_slides_over_its_slots() {
        let start = 1_000 * SLOT_MS;
        let ring = ring(&[(start, 100, 10), (start + SLOT_MS, 50, 0)]);
        // One slot: at first all of the one before, then ever less of it.
        assert_eq!(ring.sum(start + SLOT_MS, 1), (150.0, 10.0));
        assert_eq!(ring.sum(start + SLOT_MS + SLOT_MS / 2, 1), (100.0, 5.0));
        assert_eq!(ring.sum(start + SLOT_MS, 12), (150.0, 10.0));
        assert_eq!(ring.sum(start + 12 * SLOT_MS, 12), (50.0, 0.0));
        assert_eq!(ring.sum(start + 99 * SLOT_MS, 12), (0.0, 0.0));
    }

    #[test]
    fn order_does_not_matter_and_what_is_past_does_not_count() {
        let (a, b, c) = ((0, 10, 1), (3 * SLOT_MS, 20, 2), (11 * SLOT_MS, 30, 3));
        assert_eq!(ring(&[a, b, c]), ring(&[c, a, b]));
        let mut late = ring(&[(12 * SLOT_MS, 5, 5)]);
        assert!(late.is_past(0) && !late.is_past(SLOT_MS));
        late.add(0, Tally { total: 10, bad: 10 });
        assert_eq!(late.sum(12 * SLOT_MS, 12), (5.0, 5.0));
    }

    #[test]
    fn a_full_slot_keeps_its_share() {
        let billion = 3_000_000_000;
        let full = ring(&[(0, billion, billion / 10), (1, billion, billion / 10), (2, u64::MAX, 0)]);
        let (total, bad) = ring(&[(0, billion, billion / 10), (1, billion, billion / 10)]).sum(0, 12);
        assert!((bad / total - 0.1).abs() < 1e-6, "{bad} {total}");
        assert!(full.sum(0, 12).0 > 1e9);
    }
}

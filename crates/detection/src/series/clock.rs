//! The order of rows: duplicates, late ones, gaps, a clock that was set back.
//!
//! What this does not do: sort. A late row is told and not used, for what came before it is gone.
//! Invariant: times that are used never go back, except after [`LATE_MAX`] late rows in a row,
//! which are taken for a clock that was set back.

use serde::{Deserialize, Serialize};

/// So many late rows in a row, and the clock was set back: the series goes on from there. As long
/// as an hour repeated in steps of a minute, when a local time is put back, is still only late.
const LATE_MAX: u16 = 64;

/// A step this many times the usual is a gap.
const GAP_TIMES: f64 = 3.0;

/// Steps until it is known what is usual.
const STEPS_MIN: u32 = 8;

/// How fast the usual step follows: a share of itself for each row.
const STEP_RATE: f64 = 0.05;

/// Something about a row beside its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// There is no value, or none that is a number.
    Missing,
    /// The same time as the row before: it does not count again.
    Duplicate,
    /// Earlier than a row before, by so many milliseconds: it is not used.
    Late(u64),
    /// Many rows were late: the clock was set back, by so many milliseconds.
    SetBack(u64),
    /// Nothing for so many milliseconds before this row, which is longer than usual.
    Gap(u64),
}

/// What is known of the rows' times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Clock {
    last_ms: Option<i64>,
    /// The usual step, a running median.
    step_ms: f64,
    steps: u32,
    late: u16,
}

/// Whether a row is used, and what is to be told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Use it.
    Use(Option<Note>),
    /// Do not use it.
    Pass(Note),
}

impl Clock {
    /// Takes the time of the next row.
    pub(super) fn tick(&mut self, at_ms: i64) -> Turn {
        let Some(last_ms) = self.last_ms else {
            self.last_ms = Some(at_ms);
            return Turn::Use(None);
        };
        let step_ms = last_ms.abs_diff(at_ms);
        if at_ms == last_ms {
            return Turn::Pass(Note::Duplicate);
        }
        if at_ms < last_ms {
            return self.late(at_ms, step_ms);
        }
        self.late = 0;
        self.last_ms = Some(at_ms);
        Turn::Use(self.step(step_ms))
    }

    /// The usual step in milliseconds, once it is known.
    pub(super) fn usual_ms(&self) -> Option<f64> {
        (self.steps >= STEPS_MIN).then_some(self.step_ms)
    }

    fn late(&mut self, at_ms: i64, by_ms: u64) -> Turn {
        self.late += 1;
        if self.late < LATE_MAX {
            return Turn::Pass(Note::Late(by_ms));
        }
        self.late = 0;
        self.last_ms = Some(at_ms);
        Turn::Use(Some(Note::SetBack(by_ms)))
    }

    fn step(&mut self, step_ms: u64) -> Option<Note> {
        #[expect(clippy::cast_precision_loss, reason = "a step of 2^53 ms is 285,000 years")]
        let step = step_ms as f64;
        let gap = self.usual_ms().is_some_and(|usual| step > GAP_TIMES * usual);
        if self.steps == 0 {
            self.step_ms = step;
        } else if step > self.step_ms {
            self.step_ms = step.min(self.step_ms * (1.0 + STEP_RATE));
        } else {
            self.step_ms = step.max(self.step_ms * (1.0 - STEP_RATE));
        }
        self.steps = self.steps.saturating_add(1);
        gap.then_some(Note::Gap(step_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[i64], expected: &[Turn]) {
        let mut clock = Clock::default();
        let turns: Vec<Turn> = times.iter().map(|at_ms| clock.tick(*at_ms)).collect();
        assert_eq!(turns, expected, "{times:?}");
    }

    const USE: Turn = Turn::Use(None);

    #[test]
    fn duplicates_and_late_rows_are_passed_over() {
        check(
            &[10, 10, 20, 5, 30],
            &[USE, Turn::Pass(Note::Duplicate), USE, Turn::Pass(Note::Late(15)), USE],
        );
        check(&[-5, 0, i64::MAX], &[USE, USE, USE]);
        check(&[i64::MIN, i64::MAX], &[USE, USE]);
    }

    #[test]
    fn a_gap_is_told_once_the_step_is_known() {
        let mut times: Vec<i64> = (0..10).map(|row| row * 60_000).collect();
        times.push(9 * 60_000 + 180_000);
        times.push(9 * 60_000 + 180_000 + 240_000);
        let mut expected = vec![USE; 11];
        expected.push(Turn::Use(Some(Note::Gap(240_000))));
        check(&times, &expected);
    }

    #[test]
    fn many_late_rows_are_a_clock_that_was_set_back() {
        let mut clock = Clock::default();
        assert_eq!(clock.tick(1_000_000), USE);
        for row in 0..i64::from(LATE_MAX) - 1 {
            assert!(matches!(clock.tick(row), Turn::Pass(Note::Late(_))));
        }
        assert!(matches!(clock.tick(100), Turn::Use(Some(Note::SetBack(_)))));
        assert_eq!(clock.tick(101), USE);
    }
}

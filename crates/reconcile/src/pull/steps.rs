//! Which steps are asked for: complete ones only, each once, not too far back.
//!
//! A step is the span of time that ends at a multiple of its length and is known by that end.
//!
//! Invariant: at most [`STEPS_MAX`] steps, none of them before the end of the last one taken.

/// Steps of one look.
pub const STEPS_MAX: u64 = 120;
/// How far back a look goes, milliseconds: within what still counts as fresh, a quarter of an hour.
const BACK_MS_MAX: u64 = 10 * 60_000;
/// A scrape that began before the end of a step is stored after so long, milliseconds. The clocks of
/// Prometheus and of Redis may differ by less than that.
const SETTLE_MS: u64 = 2_000;

/// Steps one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The end of the first one, milliseconds since the epoch.
    pub(crate) first_ms: u64,
    /// The end of the last one.
    pub(crate) last_ms: u64,
    /// The length of each.
    pub(crate) step_ms: u64,
}

impl Steps {
    /// The complete steps that begin at `until_ms` or later; only the newest one when that is 0, or
    /// in the future, as when a clock was set back.
    pub(crate) fn after(until_ms: u64, step_ms: u64, now_ms: u64) -> Option<Self> {
        let step_ms = step_ms.max(1);
        let last_ms = now_ms.saturating_sub(SETTLE_MS) / step_ms * step_ms;
        let back = (BACK_MS_MAX / step_ms).clamp(1, STEPS_MAX) - 1;
        let oldest_ms = last_ms.saturating_sub(back * step_ms);
        let first_ms = if until_ms == 0 || until_ms > now_ms {
            last_ms
        } else {
            // Of another length, the last one taken may have ended within a step of this one.
            (until_ms.div_ceil(step_ms) + 1).saturating_mul(step_ms).max(oldest_ms)
        };
        (last_ms > 0 && first_ms <= last_ms).then_some(Self { first_ms, last_ms, step_ms })
    }

    pub(crate) fn count(self) -> usize {
        usize::try_from((self.last_ms - self.first_ms) / self.step_ms + 1).unwrap_or(usize::MAX)
    }

    pub(crate) fn ends(self) -> impl Iterator<Item = u64> {
        (0..self.count() as u64).map(move |number| self.first_ms + number * self.step_ms)
    }

    pub(crate) fn contains(self, at_ms: u64) -> bool {
        (self.first_ms..=self.last_ms).contains(&at_ms)
            && (at_ms - self.first_ms).is_multiple_of(self.step_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000;

    #[test]
    fn only_complete_steps_that_were_not_taken_are_asked_for() {
        let check = |until_s: u64, step_s: u64, now_s: u64, expected: Option<(u64, u64)>| {
            let steps = Steps::after(until_s * S, step_s * S, now_s * S);
            let ends = steps.map(|steps| (steps.first_ms / S, steps.last_ms / S));
            assert_eq!(ends, expected, "until {until_s}, step {step_s}, now {now_s}");
        };
        check(0, 5, 10_000, Some((9_995, 9_995)));
        check(0, 5, 10_002, Some((10_000, 10_000)));
        check(9_995, 5, 10_001, None);
        check(9_995, 5, 10_002, Some((10_000, 10_000)));
        check(9_980, 5, 10_002, Some((9_985, 10_000)));
        // Ten minutes back, and no more than so many steps.
        check(1, 5, 10_002, Some((9_405, 10_000)));
        check(1, 1, 10_002, Some((9_881, 10_000)));
        check(1, 300, 10_002, Some((9_600, 9_900)));
        // The step became longer, or shorter.
        check(9_975, 30, 10_002, None);
        check(9_945, 30, 10_002, Some((9_990, 9_990)));
        check(9_990, 5, 10_002, Some((9_995, 10_000)));
        // The clock was set back.
        check(20_000, 5, 10_002, Some((10_000, 10_000)));
        check(0, 5, 3, None);
    }

    proptest! {
        #[test]
        fn looks_at_any_times_take_each_step_once(step_s in 1_u64..40, waits in prop::collection::vec(1_u64..60_000, 1..60)) {
            let (mut now_ms, mut until_ms) = (1_764_244_800_000_u64, 0);
            let mut taken = Vec::new();
            for wait in waits {
                now_ms += wait;
                if let Some(steps) = Steps::after(until_ms, step_s * S, now_ms) {
                    prop_assert!(steps.last_ms + SETTLE_MS <= now_ms);
                    prop_assert!(steps.ends().all(|end| steps.contains(end)));
                    prop_assert!(steps.count() as u64 <= STEPS_MAX);
                    taken.extend(steps.ends());
                    until_ms = steps.last_ms;
                }
            }
            // Looks are at most a minute apart, and two seconds behind.
            for pair in taken.windows(2) {
                prop_assert_eq!(pair[1] - pair[0], step_s * S);
            }
        }

        #[test]
        fn no_number_makes_it_overflow(until: u64, step in 0_u64..1_000_000, now: u64) {
            if let Some(steps) = Steps::after(until, step, now) {
                prop_assert!(steps.count() as u64 <= STEPS_MAX && steps.last_ms <= now);
            }
        }
    }
}

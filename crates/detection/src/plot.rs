//! How a comparison of two versions went, thinned out to what a person looks at.
//!
//! Kept beside the judge's state, not in it: nothing is judged by it. What is kept are sums since
//! the comparison began, so that leaving out a moment loses none of what was counted.
//!
//! Invariant: at most [`POINTS_MAX`] points, evenly apart, the first and the newest among them.
//! With counts of a usual size that is 2 KB of the state as it is stored, at most 7 KB.

use homeostat_schema::types::{self, PlotPoint};
use serde::{Deserialize, Serialize};

use crate::{
    judge::{Glance, Shown, told},
    number::float,
    sequential::{Arms, Tally},
    stored::{self, Packed, StoredError},
};

/// The version of the stored form.
const FORM: u32 = 1;

/// Points of a plot: a terminal is no wider, and no more is seen in a small picture.
pub(crate) const POINTS_MAX: usize = 60;
/// One place is for the newest moment.
const KEPT_MAX: usize = POINTS_MAX - 1;

/// Which metric a plot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Errors,
    Latency,
}

/// The moments of a comparison.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Plot {
    /// Of `every` batches one, the first among them.
    kept: Vec<Moment>,
    newest: Option<Moment>,
    every: u32,
    /// Batches since the last one that was kept.
    since: u32,
    /// The batch that was seen last.
    batch: u64,
}

/// What was known at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Moment {
    at_ms: u64,
    ln_evidence: f32,
    /// Errors and requests since the comparison began.
    errors: Option<Arms>,
    latency: Option<Latency>,
}

/// A level of both versions, in milliseconds, and how many measurements it is of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Latency {
    baseline: (f32, u64),
    canary: (f32, u64),
}

impl Plot {
    /// Takes what is known after a batch; the same batch twice changes nothing.
    pub(crate) fn after_batch(&mut self, batch: u64, glance: impl FnOnce() -> Glance) {
        if batch <= self.batch {
            return;
        }
        self.batch = batch;
        let Some(moment) = Moment::of(&glance()) else { return };
        self.newest = Some(moment);
        self.since = self.since.saturating_add(1);
        if self.kept.is_empty() || self.since >= self.every {
            self.kept.push(moment);
            self.since = 0;
        }
        if self.kept.len() > KEPT_MAX {
            self.thin_out();
        }
    }

    /// Takes what was known when a decision was made.
    pub(crate) fn at_decision(&mut self, glance: &Glance) {
        self.newest = Moment::of(glance).or(self.newest);
    }

    /// Every other one is left out from now on. The last one kept goes, as it has an odd place.
    fn thin_out(&mut self) {
        self.since = self.every.max(1);
        self.every = self.every.max(1).saturating_mul(2);
        let mut place = 0;
        self.kept.retain(|_| {
            place += 1;
            place % 2 == 1
        });
    }

    /// As it is told; `None` while there is nothing to show of the metric.
    pub(crate) fn told(&self, of: Of, bound: f64) -> Option<types::Plot> {
        let newest = self.newest.filter(|newest| self.kept.last() != Some(newest));
        let mut before = Arms::default();
        let moments = self.kept.iter().chain(newest.as_ref());
        let points: Vec<PlotPoint> = moments.filter_map(|moment| moment.point(of, &mut before)).collect();
        let (metric, unit) = match of {
            Of::Errors => ("errors", "1"),
            Of::Latency => ("latency-ms", "ms"),
        };
        let plot =
            types::Plot { metric: metric.to_owned(), unit: unit.to_owned(), bound: told(bound), points };
        (!plot.points.is_empty()).then_some(plot)
    }
}

impl Moment {
    /// `None` before both versions were seen.
    fn of(glance: &Glance) -> Option<Self> {
        let find =
            |metric: &str| glance.shown.iter().find(|(name, _)| name == metric).map(|(_, shown)| *shown);
        let errors = match find("errors") {
            Some(Shown::Counts(arms)) if arms.both() => Some(arms),
            _ => None,
        };
        let latency = match find("latency-ms").or_else(|| find("latency-level")) {
            Some(Shown::Levels { baseline, canary }) if baseline.1 > 0 && canary.1 > 0 => {
                let level = |(value, count): (f64, u64)| (single(value), count);
                Some(Latency { baseline: level(baseline), canary: level(canary) })
            }
            _ => None,
        };
        let ln_evidence = single(glance.ln_evidence);
        let moment = Self { at_ms: glance.at_ms, ln_evidence, errors, latency };
        (moment.errors.is_some() || moment.latency.is_some()).then_some(moment)
    }

    fn point(&self, of: Of, before: &mut Arms) -> Option<PlotPoint> {
        let ((baseline, baseline_samples), (canary, canary_samples)) = match of {
            Of::Errors => {
                let now = self.errors?;
                let since = |now: Tally, then: Tally| {
                    let total = now.total.saturating_sub(then.total);
                    let bad = now.bad.saturating_sub(then.bad);
                    (if total == 0 { 0.0 } else { float(bad) / float(total) }, total)
                };
                let both = (since(now.baseline, before.baseline), since(now.canary, before.canary));
                *before = now;
                both
            }
            Of::Latency => {
                let level = |(value, count): (f32, u64)| (f64::from(value), count);
                let latency = self.latency?;
                (level(latency.baseline), level(latency.canary))
            }
        };
        Some(PlotPoint {
            at: self.at_ms,
            baseline: told(baseline),
            baseline_samples,
            canary: told(canary),
            canary_samples,
            statistic: told(f64::from(self.ln_evidence).exp()),
        })
    }
}

/// Seven digits are enough to look at.
#[expect(clippy::cast_possible_truncation, reason = "what is lost is less than what is told")]
fn single(value: f64) -> f32 {
    (value as f32).clamp(f32::MIN, f32::MAX)
}

impl Packed for Plot {
    fn packed(&self) -> Vec<u8> {
        stored::pack(FORM, self)
    }

    fn unpacked(bytes: &[u8]) -> Result<Self, StoredError> {
        stored::unpack("the plot", FORM, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_MS: u64 = 5_000;

    fn arms(batches: u64) -> Arms {
        Arms {
            canary: Tally { total: 50 * batches, bad: batches },
            baseline: Tally { total: 450 * batches, bad: 5 * batches },
        }
    }

    fn glance(batch: u64) -> Glance {
        Glance {
            at_ms: batch * EVERY_MS,
            ln_evidence: float(batch),
            shown: vec![("errors".to_owned(), Shown::Counts(arms(batch)))],
        }
    }

    fn after(batches: u64) -> Plot {
        let mut plot = Plot::default();
        (1..=batches).for_each(|batch| plot.after_batch(batch, || glance(batch)));
        plot
    }

    #[test]
    fn however_long_it_takes_the_points_are_few_and_even_and_nothing_is_lost() {
        for batches in [1, 2, 59, 60, 61, 118, 119, 120, 121, 1_000, 17_280] {
            let points = after(batches).told(Of::Errors, 100.0).expect("there is something").points;
            assert!(points.len() <= POINTS_MAX, "{batches}: {}", points.len());
            assert!(points.len() as u64 >= batches.min(29), "{batches}: {}", points.len());
            let (first, last) = (&points[0], &points[points.len() - 1]);
            assert_eq!((first.at, last.at), (EVERY_MS, batches * EVERY_MS), "{batches}");
            let requests: u64 = points.iter().map(|point| point.canary_samples).sum();
            assert_eq!(requests, 50 * batches, "{batches}");
            assert!(points.iter().all(|point| point.canary == 0.02), "{batches}");
            let gaps: Vec<u64> = points.windows(2).map(|two| two[1].at - two[0].at).collect();
            let even = gaps.split_last().is_none_or(|(_, most)| most.windows(2).all(|two| two[0] == two[1]));
            assert!(even, "{batches}: {gaps:?}");
        }
    }

    #[test]
    fn the_decision_is_the_last_point() {
        let mut plot = after(3);
        plot.at_decision(&Glance { ln_evidence: 7.0, ..glance(4) });
        let points = plot.told(Of::Errors, 100.0).expect("there is something").points;
        assert_eq!(points.iter().map(|point| point.at / EVERY_MS).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!((points[3].statistic - 1097.0).abs() < 1.0, "{}", points[3].statistic);
        assert_eq!(plot.told(Of::Latency, 100.0), None);
    }

    #[test]
    fn the_same_batch_twice_and_one_arm_alone_change_nothing() {
        let mut plot = after(3);
        plot.after_batch(3, || glance(9));
        assert_eq!(plot, after(3));
        let alone = Glance { shown: Vec::new(), ..glance(1) };
        let mut plot = Plot::default();
        plot.after_batch(1, || alone);
        assert_eq!(plot.told(Of::Errors, 100.0), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let check = |plot: &Plot, bytes_max: usize| {
            let bytes = crate::stored::pack(1, plot).len();
            assert!(bytes <= bytes_max, "{bytes}");
        };
        check(&after(17_280), 2 * 1024);
        let most = Arms {
            canary: Tally { total: u64::MAX, bad: u64::MAX },
            baseline: Tally { total: u64::MAX, bad: u64::MAX },
        };
        let levels = Shown::Levels { baseline: (1.0, u64::MAX), canary: (1.0, u64::MAX) };
        let mut plot = Plot::default();
        for batch in 1..=17_280 {
            let shown = vec![("errors".to_owned(), Shown::Counts(most)), ("latency-ms".to_owned(), levels)];
            plot.after_batch(batch, || Glance { at_ms: u64::MAX - 17_280 + batch, ln_evidence: 1.0, shown });
        }
        check(&plot, 7 * 1024);
    }
}

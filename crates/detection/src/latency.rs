//! Latency beyond the environment's threshold.
//!
//! Looks bad when at least [`OVER_MIN`] of the last [`LOOKED_AT`] observations since the release are
//! above it (so their median is too), and is fine when the median of the last [`LOOKED_AT`], at least
//! [`FINE_MIN`] of them, is within it.
//!
//! This is one look, as after an attempt. For the look that a service gets at each observation it
//! says how the service is now, and [`crate::stream`] says whether that is proven: were a healthy
//! service above the threshold in a share p of its observations, independently, one look at five
//! would be wrong with chance `5 p⁴ (1 - p) + p⁵` (binomial tail), 4.6e-4 for 10 %, and some look sooner
//! or later with certainty.

use homeostat_schema::types::Evidence;

use crate::{
    observation::Observation,
    score::{Part, Standing},
    settings::Settings,
};

/// Observations looked at.
pub(crate) const LOOKED_AT: usize = 5;
/// Of these, above the threshold for a finding.
pub(crate) const OVER_MIN: usize = 4;
/// Observations within the threshold before it is believed.
pub(crate) const FINE_MIN: usize = 3;

/// The last observations that have a latency, looked at.
pub(crate) struct Look<'a> {
    last: Vec<(&'a Observation, f64)>,
    median: f64,
    over: usize,
    ms_max: f64,
}

/// Looks at the last observations; `None` when none of them has a latency.
pub(crate) fn look<'a>(observations: &[&'a Observation], settings: &Settings) -> Option<Look<'a>> {
    let (last, ms_max) = (last(observations), settings.latency_ms_max);
    let median = median(last.iter().map(|(_, ms)| *ms).collect())?;
    let over = last.iter().filter(|(_, ms)| *ms > ms_max).count();
    Some(Look { last, median, over, ms_max })
}

/// What the last observations say; `None` when none of them has a latency.
pub(crate) fn part(observations: &[&Observation], settings: &Settings) -> Option<Part> {
    look(observations, settings).map(|look| look.part())
}

impl Look<'_> {
    /// How they stand, without the words: for a look at each observation.
    pub(crate) fn standing(&self) -> Standing {
        standing(self.over, self.last.len(), self.median > self.ms_max)
    }

    /// The same in words.
    pub(crate) fn part(&self) -> Part {
        Part { standing: self.standing(), evidence: self.evidence() }
    }

    fn evidence(&self) -> Evidence {
        let Self { last, median, over, ms_max } = self;
        let samples = last.iter().filter_map(|(one, _)| one.latency).map(|latency| latency.samples);
        Evidence {
            metric: "latency-ms".to_owned(),
            observed: *median,
            bound: *ms_max,
            unit: "ms".to_owned(),
            samples: samples.fold(0, u64::saturating_add),
            text: format!(
                "median {median:.0} ms of the last {} observations; {over} of them above {ms_max:.0} ms",
                last.len(),
            ),
            events: last.iter().map(|(one, _)| one.event.clone()).collect(),
        }
    }
}

/// How `over` of `n` observations stand. Also used for error rates of which nobody said how many
/// requests are behind them.
pub(crate) fn standing(over: usize, n: usize, median_is_over: bool) -> Standing {
    match (over, n) {
        (over, _) if over >= OVER_MIN => Standing::Bad,
        _ if median_is_over => Standing::Doubtful,
        (_, n) if n < FINE_MIN => Standing::Waiting,
        _ => Standing::Fine,
    }
}

fn last<'a>(observations: &[&'a Observation]) -> Vec<(&'a Observation, f64)> {
    let with = observations.iter().filter_map(|one| one.latency.map(|latency| (*one, latency.ms)));
    let mut with: Vec<_> = with.collect();
    with.drain(..with.len().saturating_sub(LOOKED_AT));
    with
}

/// The lower median: of an even number the lower of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    values.get(middle).copied()
}

//! What both arms have shown, for whoever draws it.

use super::reasons;
use super::rollout::Rollout;
use super::settings::Settings;
use super::stream::{Stream, Test};
use crate::sequential::Arms;

/// Of measurements this quantile is shown.
const QUANTILE: f64 = 0.9;

/// A rollout at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Glance {
    /// The newest event time, milliseconds.
    pub at_ms: u64,
    /// The logarithm of the evidence that the canary is worse.
    pub ln_evidence: f64,
    /// The metrics with arms, by name.
    pub shown: Vec<(String, Shown)>,
}

/// What one metric has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown {
    /// Counts since both arms report.
    Counts(Arms),
    /// A level (the 90th percentile of measurements, the mean of gauges), and of how many.
    Levels {
        /// The old version.
        baseline: (f64, u64),
        /// The new version.
        canary: (f64, u64),
    },
}

impl Rollout {
    /// What was shown in the batches that are closed.
    pub fn glance(&self) -> Glance {
        let shown = self.streams.iter().filter_map(|stream| Some((stream.metric.clone(), of(stream)?)));
        Glance { at_ms: self.newest_ms, ln_evidence: reasons::ln_evidence(self), shown: shown.collect() }
    }

    /// The same with what was told until now.
    pub fn glance_ahead(&self, settings: &Settings) -> Glance {
        self.ahead(settings).glance()
    }
}

fn of(stream: &Stream) -> Option<Shown> {
    match &stream.test {
        Test::Counts(contest) => Some(Shown::Counts(contest.seen().0)),
        Test::Samples(samples) => {
            let (canary, baseline) = samples.histograms();
            let level =
                |histogram: &super::Histogram| Some((histogram.quantile(QUANTILE)?, histogram.count()));
            Some(Shown::Levels { baseline: level(baseline)?, canary: level(canary)? })
        }
        Test::Gauges(gauges) => {
            let (canary, baseline, batches) = gauges.seen();
            Some(Shown::Levels { baseline: (baseline, batches), canary: (canary, batches) })
        }
        Test::PastCounts(_) | Test::PastSamples(_) | Test::PastGauges(_) => None,
    }
}

//! A decision of the judge about the new version, in words that are kept to be shown.

use homeostat_schema::types::Evidence;
use serde::{Deserialize, Serialize};

use crate::{
    judge::{Decision, Verdict},
    score::evidence,
};

/// Metrics told beside the one that weighs most.
const BESIDE_MAX: usize = 3;

/// What is kept of a decision, to be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    pub(crate) score: f64,
    statistic: f64,
    bound: f64,
    samples: u64,
    text: String,
}

impl Said {
    pub(crate) fn of(decision: &Decision) -> Self {
        let first = decision.because.first();
        Self {
            verdict: decision.verdict,
            score: decision.score,
            statistic: first.map_or(0.0, |because| because.statistic),
            bound: first.map_or(0.0, |because| because.bound),
            samples: first.map_or(0, |because| because.samples),
            text: words(decision),
        }
    }

    /// The metrics after the first, each with its part of the evidence, and what would change it all.
    pub(crate) fn beside(decision: &Decision) -> Vec<Self> {
        let others = decision.because.iter().skip(1).take(BESIDE_MAX);
        let mut beside: Vec<Self> = others
            .map(|because| Self {
                statistic: because.statistic,
                bound: because.bound,
                samples: because.samples,
                text: format!("{}: {}; {} s", because.metric, because.text, because.seconds),
                ..Self::of(decision)
            })
            .collect();
        let text = format!("another verdict takes {}", decision.would_change);
        beside.push(Self { text, ..Self::of(decision) });
        beside
    }

    /// The same in other words.
    pub(crate) fn in_words(decision: &Decision, text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::of(decision) }
    }

    pub(crate) fn evidence(&self, event: &str) -> Evidence {
        Evidence {
            observed: self.statistic,
            bound: self.bound,
            samples: self.samples,
            events: vec![event.to_owned()],
            ..evidence("canary", &self.text)
        }
    }
}

fn words(decision: &Decision) -> String {
    let reason = decision.because.first().map_or("nothing to go by yet", |because| because.text.as_str());
    format!("canary {}: {reason}; score {:.0} of 100", decision.verdict.name(), decision.score)
}

//! Other tools' rules, written anew from what they publish, on the same ticks.
//!
//! Each is checked in its own file against examples that its makers published. Nothing here is
//! their code. What this does not do: everything around the rule (querying, weights, promotion).
//!
//! Invariant: a peer sees a tick only after it has ended, and calls at most once in a life.

pub mod argo;
pub mod ewma;
pub mod experts;
pub mod flagger;
pub mod kayenta;
pub mod lindon_malek;
pub mod mann_whitney;
pub mod peeking;
pub mod pipecd;

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use crate::sim::counts::Tick;

/// A rule that looks at a canary, tick by tick.
pub trait Peer {
    /// Looks at one more tick. True when it now says that the canary is bad.
    fn look(&mut self, tick: &Tick) -> bool;
}

/// The rules and their settings, as `frozen.toml` names them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Setting {
    /// Mann–Whitney on points of a minute, from the start on, at every interval.
    Kayenta(kayenta::Setting),
    /// A threshold for each interval, and how many may fail.
    Flagger(flagger::Setting),
    /// A threshold for each measurement, and how many may fail.
    Argo(argo::Setting),
    /// One of three strategies on the points of each interval.
    Pipecd(pipecd::Setting),
    /// The sequential multinomial test.
    LindonMalek(lindon_malek::Setting),
    /// A two-proportion z-test, again and again.
    Peeking(peeking::Setting),
    /// A z-score against an exponentially weighted past.
    Ewma(ewma::Setting),
}

impl Setting {
    /// The rule at the start of a life. `before` is what the arm would have shown at the same time
    /// of the deployment before, for rules that look there.
    pub fn start<'a>(&self, before: &'a [Tick]) -> Box<dyn Peer + 'a> {
        match *self {
            Self::Kayenta(setting) => Box::new(kayenta::Kayenta::new(setting)),
            Self::Flagger(setting) => Box::new(flagger::Flagger::new(setting)),
            Self::Argo(setting) => Box::new(argo::Argo::new(setting)),
            Self::Pipecd(setting) => Box::new(pipecd::Pipecd::new(setting, before)),
            Self::LindonMalek(setting) => Box::new(lindon_malek::LindonMalek::new(setting)),
            Self::Peeking(setting) => Box::new(peeking::Peeking::new(setting)),
            Self::Ewma(setting) => Box::new(ewma::Ewma::new(setting)),
        }
    }
}

/// Sums ticks into windows of a fixed length that begin at the canary's start.
#[derive(Debug, Clone)]
struct Window {
    length_s: i64,
    baseline: Tally,
    canary: Tally,
}

impl Window {
    fn new(length_s: u32) -> Self {
        Self { length_s: i64::from(length_s).max(1), baseline: Tally::default(), canary: Tally::default() }
    }

    /// Both arms of the window that ends with this tick, when one does.
    fn take(&mut self, tick: &Tick) -> Option<(Tally, Tally)> {
        if tick.at_s < 0 {
            return None;
        }
        self.baseline = self.baseline.plus(tick.baseline);
        self.canary = self.canary.plus(tick.canary);
        let ends = (tick.at_s + TICK_S) % self.length_s == 0;
        ends.then(|| (std::mem::take(&mut self.baseline), std::mem::take(&mut self.canary)))
    }
}

/// Length of a tick; intervals of all rules are multiples of it.
pub const TICK_S: i64 = 5;

#[cfg(test)]
mod testing {
    use super::*;

    /// A tick of 5 s.
    pub(super) fn tick(at_s: i64, baseline: (u64, u64), canary: (u64, u64)) -> Tick {
        let tally = |(bad, total)| Tally { total, bad };
        Tick { at_s, baseline: tally(baseline), canary: tally(canary) }
    }

    /// When a peer calls, in seconds, if the same tick repeats for an hour.
    pub(super) fn call(peer: &mut dyn Peer, baseline: (u64, u64), canary: (u64, u64)) -> Option<i64> {
        (0..720)
            .map(|index| index * TICK_S)
            .find_map(|at_s| peer.look(&tick(at_s, baseline, canary)).then_some(at_s + TICK_S))
    }
}

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
pub mod howard_ramdas;
pub mod kayenta;
pub mod lindon_malek;
pub mod mann_whitney;
pub mod peeking;
pub mod pipecd;
pub mod seen;

pub use seen::{Seen, Statistic};
use serde::Deserialize;

use crate::sim::Tick;

/// A rule that looks at a canary, tick by tick; `S` is counts or latencies.
pub trait Peer<S> {
    /// Looks at one more tick. True when it now says that the canary is bad.
    fn look(&mut self, tick: &Tick<S>) -> bool;
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
    /// The sequential multinomial test, of counts.
    LindonMalek(lindon_malek::Setting),
    /// Bands around distribution functions, of latencies.
    HowardRamdas(howard_ramdas::Setting),
    /// A z-test of two proportions or means, again and again.
    Peeking(peeking::Setting),
    /// A z-score against an exponentially weighted past.
    Ewma(ewma::Setting),
}

impl Setting {
    /// The rule at the start of a life. `before` is what the arm would have shown at the same time
    /// of the deployment before, for rules that look there. None when the rule is not for `S`.
    pub fn start<'a, S: Seen>(&self, before: &'a [Tick<S>]) -> Option<Box<dyn Peer<S> + 'a>> {
        Some(match *self {
            Self::Kayenta(setting) => Box::new(kayenta::Kayenta::new(setting)),
            Self::Flagger(setting) => Box::new(flagger::Flagger::new(setting)),
            Self::Argo(setting) => Box::new(argo::Argo::new(setting)),
            Self::Pipecd(setting) => Box::new(pipecd::Pipecd::new(setting, before)),
            Self::LindonMalek(_) | Self::HowardRamdas(_) => return S::sequential(self),
            Self::Peeking(setting) => Box::new(peeking::Peeking::new(setting)),
            Self::Ewma(setting) => Box::new(ewma::Ewma::new(setting)),
        })
    }
}

/// Sums ticks into windows of a fixed length that begin at the canary's start.
#[derive(Debug, Clone)]
struct Window<S> {
    length_s: i64,
    baseline: S,
    canary: S,
}

impl<S: Seen> Window<S> {
    fn new(length_s: u32) -> Self {
        Self { length_s: i64::from(length_s).max(1), baseline: S::default(), canary: S::default() }
    }

    /// Both arms of the window that ends with this tick, when one does.
    fn take(&mut self, tick: &Tick<S>) -> Option<(S, S)> {
        if tick.at_s < 0 {
            return None;
        }
        self.baseline.add(&tick.baseline);
        self.canary.add(&tick.canary);
        let ends = (tick.at_s + TICK_S) % self.length_s == 0;
        ends.then(|| (std::mem::take(&mut self.baseline), std::mem::take(&mut self.canary)))
    }
}

/// Length of a tick; intervals of all rules are multiples of it.
pub const TICK_S: i64 = 5;

#[cfg(test)]
mod testing {
    use homeostat_detection::sequential::Tally;

    use super::*;

    /// A tick of 5 s.
    pub(super) fn tick(at_s: i64, baseline: (u64, u64), canary: (u64, u64)) -> Tick<Tally> {
        let tally = |(bad, total)| Tally { total, bad };
        Tick { at_s, baseline: tally(baseline), canary: tally(canary) }
    }

    /// When a peer calls, in seconds, if the same tick repeats for an hour.
    pub(super) fn call(peer: &mut dyn Peer<Tally>, baseline: (u64, u64), canary: (u64, u64)) -> Option<i64> {
        first(|at_s| peer.look(&tick(at_s, baseline, canary)))
    }

    /// The same of latencies.
    pub(super) fn slow(peer: &mut dyn Peer<Vec<f64>>, baseline: &[f64], canary: &[f64]) -> Option<i64> {
        let tick = |at_s| Tick { at_s, baseline: baseline.to_vec(), canary: canary.to_vec() };
        first(|at_s| peer.look(&tick(at_s)))
    }

    fn first(mut calls: impl FnMut(i64) -> bool) -> Option<i64> {
        (0..720).map(|index| index * TICK_S).find_map(|at_s| calls(at_s).then_some(at_s + TICK_S))
    }
}

//! A share of failed requests beyond the environment's threshold.
//!
//! Looks bad when, pooled over the last [`POOL`] observations since the release, the failures are too
//! many for chance: with `k` failed of `n` requests, the chance of as many at a true rate equal
//! to the threshold `m` is at most `exp(-n · KL(k/n ‖ m))`, where
//! `KL(p ‖ m) = p ln(p/m) + (1-p) ln((1-p)/(1-m))` (Chernoff's bound in Hoeffding's form, JASA
//! 1963, Theorem 1; it holds at every n). It takes [`CHANCE_MAX`], at least [`BURSTS_MIN`]
//! observations above the threshold (one burst is not enough), and the last [`latency::FINE_MIN`]
//! pooled still above it. It is fine when these are within the threshold.
//!
//! This is one look, as after an attempt, and assumes that requests fail independently. For the look
//! that a service gets at each observation it says how the service is now, and [`crate::stream`] says
//! whether that is proven, bursts or not.
//!
//! For a service with an objective [`crate::budget`] judges what was counted instead.
//!
//! A rate of which the sender did not say how many requests are behind it is not pooled: those are
//! held against the threshold one by one, as latency is.

use homeostat_schema::types::Evidence;

use crate::{
    latency,
    observation::{Errors, Observation},
    score::{Part, Standing},
};

/// Observations pooled.
pub(crate) const POOL: usize = 8;
/// The chance of a false finding in one look, at a true rate equal to the threshold.
const CHANCE_MAX: f64 = 1e-6;
/// Observations above the threshold that a finding needs.
const BURSTS_MIN: usize = 2;
/// The threshold is kept this far from 0 and 1, where the bound has no meaning.
const RATE_EDGE: f64 = 1e-9;

/// The last observations that have an error rate, looked at.
pub(crate) struct Look<'a> {
    pool: Vec<(&'a Observation, Errors)>,
    seen: Seen,
    standing: Standing,
    rate_max: f64,
}

/// What was seen of them.
enum Seen {
    /// So many requests, of which so many failed.
    Counted { bad: f64, total: f64 },
    /// Rates only: their median, and how many were above the threshold.
    OneByOne { median: f64, over: usize },
}

/// Looks at the last observations when at most this share of requests may fail; `None` when none of
/// them has an error rate.
pub(crate) fn look<'a>(observations: &[&'a Observation], rate_max: f64) -> Option<Look<'a>> {
    let counted = with_rates(observations).filter(|(_, errors)| errors.total > 0).collect();
    let looks = [by_counting(last(counted, POOL), rate_max), look_uncounted(observations, rate_max)];
    looks.into_iter().flatten().max_by_key(|look| look.standing.gravity())
}

/// The same of rates only of which nobody said how many requests are behind them.
pub(crate) fn look_uncounted<'a>(observations: &[&'a Observation], rate_max: f64) -> Option<Look<'a>> {
    let uncounted = with_rates(observations).filter(|(_, errors)| errors.total == 0).collect();
    one_by_one(last(uncounted, latency::LOOKED_AT), rate_max)
}

/// What the last observations say; `None` when none of them has an error rate.
pub(crate) fn part(observations: &[&Observation], rate_max: f64) -> Option<Part> {
    look(observations, rate_max).map(|look| look.part())
}

fn with_rates<'a>(observations: &[&'a Observation]) -> impl Iterator<Item = (&'a Observation, Errors)> {
    observations.iter().filter_map(|one| one.errors.map(|errors| (*one, errors)))
}

fn last<T>(mut items: Vec<T>, n: usize) -> Vec<T> {
    items.drain(..items.len().saturating_sub(n));
    items
}

fn by_counting(pool: Vec<(&Observation, Errors)>, rate_max: f64) -> Option<Look<'_>> {
    let (bad, total) = counts(&pool)?;
    let (recent_bad, recent_total) = counts(pool.get(pool.len().saturating_sub(latency::FINE_MIN)..)?)?;
    let over = pool.iter().filter(|(_, errors)| errors.rate > rate_max).count();
    let proven = over >= BURSTS_MIN && is_beyond_chance(bad, total, rate_max);
    let recent_is_over = recent_bad / recent_total > rate_max;
    let standing = match (recent_is_over, proven) {
        (true, true) => Standing::Bad,
        (true, false) => Standing::Doubtful,
        (false, _) if pool.len() < latency::FINE_MIN => Standing::Waiting,
        (false, _) => Standing::Fine,
    };
    Some(Look { pool, seen: Seen::Counted { bad, total }, standing, rate_max })
}

/// Failed and all requests.
fn counts(pool: &[(&Observation, Errors)]) -> Option<(f64, f64)> {
    let bad: f64 = pool.iter().map(|(_, errors)| errors.rate * errors.total as f64).sum();
    let total: f64 = pool.iter().map(|(_, errors)| errors.total as f64).sum();
    (total > 0.0).then_some((bad, total))
}

fn is_beyond_chance(bad: f64, total: f64, rate_max: f64) -> bool {
    let (p, m) = (bad / total, rate_max.clamp(RATE_EDGE, 1.0 - RATE_EDGE));
    p > m && total * divergence(p, m) >= -CHANCE_MAX.ln()
}

/// `KL(p ‖ m)` of two Bernoulli variables, in nats; `0 ln 0` is 0.
fn divergence(p: f64, m: f64) -> f64 {
    let term = |p: f64, m: f64| if p <= 0.0 { 0.0 } else { p * (p / m).ln() };
    term(p, m) + term(1.0 - p, 1.0 - m)
}

fn one_by_one(last: Vec<(&Observation, Errors)>, rate_max: f64) -> Option<Look<'_>> {
    let mut rates: Vec<f64> = last.iter().map(|(_, errors)| errors.rate).collect();
    rates.sort_by(f64::total_cmp);
    let median = *rates.get(rates.len().checked_sub(1)? / 2)?;
    let over = rates.iter().filter(|rate| **rate > rate_max).count();
    let standing = latency::standing(over, rates.len(), median > rate_max);
    Some(Look { pool: last, seen: Seen::OneByOne { median, over }, standing, rate_max })
}

impl Look<'_> {
    /// How they stand, without the words: for a look at each observation.
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// The same in words.
    pub(crate) fn part(&self) -> Part {
        Part { standing: self.standing, evidence: self.evidence() }
    }

    fn evidence(&self) -> Evidence {
        let (n, allowed) = (self.pool.len(), self.rate_max * 100.0);
        let (observed, samples, text) = match self.seen {
            Seen::Counted { bad, total } => (
                bad / total,
                total as u64,
                format!(
                    "{bad:.0} of {total:.0} requests failed in the last {n} observations, at most \
                     {allowed:.2} % are allowed"
                ),
            ),
            Seen::OneByOne { median, over } => (
                median,
                n as u64,
                format!(
                    "median error rate {:.2} % of the last {n} observations; {over} of them above {allowed:.2} %",
                    median * 100.0
                ),
            ),
        };
        Evidence {
            metric: "error-rate".to_owned(),
            observed,
            bound: self.rate_max,
            unit: "1".to_owned(),
            samples,
            text,
            events: self.pool.iter().map(|(one, _)| one.event.clone()).collect(),
        }
    }
}

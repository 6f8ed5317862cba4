//! What an arm shows, and what rules ask of it: so that one rule judges counts and latencies.
//!
//! Invariant: a statistic is higher when the arm is worse.

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use super::howard_ramdas::HowardRamdas;
use super::lindon_malek::LindonMalek;
use super::peeking::{Sample, z, z_of_means};
use super::{Peer, Setting};

/// What a rule's query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// The share of requests that failed, of counts.
    #[default]
    ErrorShare,
    /// The mean, of latencies.
    Mean,
    /// What this share of latencies is not above: the p99 at 0.99.
    Quantile(f64),
}

/// Counts of errors ([`Tally`]), or latencies in milliseconds.
pub trait Seen: Clone + Default + 'static {
    /// Adds what came after it.
    fn add(&mut self, more: &Self);

    /// What the query answers; none without requests, or where there is no such statistic.
    fn value(&self, statistic: Statistic) -> Option<f64>;

    /// The z-score of its being worse than the other; none where it is not defined.
    fn z(&self, other: &Self) -> Option<f64>;

    /// The sequential test that was published for such data; none when the setting is of another.
    fn sequential(setting: &Setting) -> Option<Box<dyn Peer<Self>>>;
}

impl Seen for Tally {
    fn add(&mut self, more: &Self) {
        *self = self.plus(*more);
    }

    fn value(&self, statistic: Statistic) -> Option<f64> {
        (statistic == Statistic::ErrorShare && self.total > 0).then(|| self.share())
    }

    fn z(&self, other: &Self) -> Option<f64> {
        z(*self, *other)
    }

    fn sequential(setting: &Setting) -> Option<Box<dyn Peer<Self>>> {
        let Setting::LindonMalek(setting) = setting else { return None };
        Some(Box::new(LindonMalek::new(*setting)))
    }
}

impl Seen for Vec<f64> {
    fn add(&mut self, more: &Self) {
        self.extend_from_slice(more);
    }

    fn value(&self, statistic: Statistic) -> Option<f64> {
        match statistic {
            Statistic::ErrorShare => None,
            Statistic::Mean => (!self.is_empty()).then(|| Sample::of(self).mean),
            Statistic::Quantile(share) => quantile(self, share),
        }
    }

    fn z(&self, other: &Self) -> Option<f64> {
        z_of_means(Sample::of(self), Sample::of(other))
    }

    fn sequential(setting: &Setting) -> Option<Box<dyn Peer<Self>>> {
        let Setting::HowardRamdas(setting) = setting else { return None };
        Some(Box::new(HowardRamdas::new(*setting)))
    }
}

/// The least value that at least this share of them is not above.
fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let rank = libm::ceil(share * values.len() as f64) as usize;
    let mut values = values.to_vec();
    Some(*values.select_nth_unstable_by(rank.saturating_sub(1).min(last), f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let check = |share: f64, expected: f64| assert_eq!(quantile(&hundred, share), Some(expected));
        check(0.0, 1.0);
        check(0.5, 50.0);
        check(0.95, 95.0);
        check(0.99, 99.0);
        check(1.0, 100.0);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn what_is_not_measured_has_no_value() {
        assert_eq!(Tally { total: 9, bad: 1 }.value(Statistic::Mean), None);
        assert_eq!(Tally::default().value(Statistic::ErrorShare), None);
        assert_eq!(vec![1.0].value(Statistic::ErrorShare), None);
        assert_eq!(Vec::new().value(Statistic::Mean), None);
        assert_eq!(vec![1.0, 2.0].value(Statistic::Mean), Some(1.5));
    }
}

//! S6: errors before an attempt, and after it: brought back, or not.

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use crate::seed::Random;

/// The service. Times are seconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Seconds that one tick counts over.
    pub tick_s: u32,
    /// Requests a second.
    pub requests_per_s: f64,
    /// The share of requests that fail when nothing is wrong.
    pub error_share: f64,
    /// How long all was well before.
    pub usual_s: u32,
    /// How long it was bad, until the attempt.
    pub bad_s: u32,
    /// How long it is looked at after.
    pub life_s: u32,
}

/// What was wrong, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repair {
    /// What the errors were multiplied by.
    pub was: f64,
    /// What they are multiplied by after the attempt; 1 is fixed.
    pub is: f64,
    /// Variance over mean of the errors.
    pub spread: f64,
    /// How long all was well before, seconds.
    pub usual_s: u32,
}

/// One tick with errors of this multiple of the usual share.
pub fn tick(service: &Service, times: f64, spread: f64, random: &mut Random) -> Tally {
    let total = random.count(service.requests_per_s * f64::from(service.tick_s));
    let bad = random.bursty(total as f64 * service.error_share * times, spread);
    Tally { total, bad: bad.min(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_the_multiple_that_was_asked_for() {
        let service = Service {
            tick_s: 5,
            requests_per_s: 50.0,
            error_share: 0.002,
            usual_s: 1200,
            bad_s: 300,
            life_s: 3600,
        };
        let mut random = Random::of(1, "repair", 0);
        let seen =
            (0..10_000).map(|_| tick(&service, 3.0, 2.0, &mut random)).fold(Tally::default(), Tally::plus);
        assert!((seen.share() / 0.006 - 1.0).abs() < 0.05, "{}", seen.share());
    }
}

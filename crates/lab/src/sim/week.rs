//! S3: one stream with no control, through a week with days and nights.
//!
//! Traffic and, a little, the share of errors follow the hour; errors come in bursts. Most streams
//! are healthy for a week; some become worse at a known time.

use homeostat_detection::sequential::Tally;
use serde::Deserialize;

use crate::seed::Random;

const DAY_S: f64 = 86_400.0;

/// The stream.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Seconds that one tick counts over.
    pub tick_s: u32,
    /// Mean requests a second.
    pub requests_per_s: f64,
    /// The share of requests that fail when nothing is wrong.
    pub error_share: f64,
    /// How far traffic swings around its mean in a day, 0 to 1.
    pub traffic_swing: f64,
    /// How far the share of errors does.
    pub error_swing: f64,
}

/// What becomes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worse {
    /// What the errors are multiplied by.
    pub ratio: f64,
    /// From when on, seconds.
    pub onset_s: f64,
}

/// The counts of the tick that begins at `at_s`, with bursts of this spread.
pub fn tick(stream: &Stream, spread: f64, worse: Option<Worse>, at_s: f64, random: &mut Random) -> Tally {
    let phase = libm::sin(at_s / DAY_S * std::f64::consts::TAU);
    let mean = stream.requests_per_s * f64::from(stream.tick_s) * (1.0 + stream.traffic_swing * phase);
    let ratio = worse.filter(|worse| at_s >= worse.onset_s).map_or(1.0, |worse| worse.ratio);
    let share = stream.error_share * (1.0 + stream.error_swing * phase) * ratio;
    let total = random.count(mean);
    Tally { total, bad: random.bursty(total as f64 * share, spread).min(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_follows_the_hour_and_errors_the_fault() {
        let stream = Stream {
            tick_s: 10,
            requests_per_s: 50.0,
            error_share: 0.002,
            traffic_swing: 0.5,
            error_swing: 0.0,
        };
        let worse = Some(Worse { ratio: 5.0, onset_s: DAY_S });
        let mut random = Random::of(1, "week", 0);
        let mut of = |from: f64| {
            let ticks = (0..2000).map(|index| from + f64::from(index) * 10.0);
            let tallies = ticks.map(|at| tick(&stream, 3.0, worse, at, &mut random));
            tallies.fold(Tally::default(), Tally::plus)
        };
        let (day, night, after) = (of(10_000.0), of(55_000.0), of(DAY_S));
        assert!(day.total > 2 * night.total);
        assert!((day.share() - 0.002).abs() < 0.0005);
        assert!((after.share() - 0.01).abs() < 0.002);
    }
}

//! What everybody gets, with no second version beside it to compare: has it become worse than it may
//! be, however often one looks?
//!
//! Each observation since the release is a value from 0 to 1: the share of requests that failed, or
//! whether the latency was above its bound. An e-detector ([`EDetector`]) bets that the mean of these
//! values is above what may be: `error_rate_max`, or one in twenty. As long as each value's mean, given
//! all before it, is not, it takes on average at least [`RUN_LENGTH`] observations until it reaches
//! [`RUN_LENGTH`], which is proof. Latency above its bound five times in a row is proof, and so are five
//! observations in which everything fails; where half fails and one in twenty may, it takes seven.
//!
//! Observations in the window may still be put in order, so they are bet on anew at each look; those
//! that left it are in the kept state for good.
//!
//! What this does not do: say that it is bad now. What was proven may be over; the last observations
//! say that (see [`crate::latency`] and [`crate::error_rate`]).

use serde::{Deserialize, Serialize};

use crate::{
    cause::SUSPICIOUS_MIN,
    number::times,
    observation::Observation,
    score::{Part, Standing},
    sequential::EDetector,
    settings::Settings,
};

/// A detector at this value is proof. False alarms of a service that is as bad as it may be, all the
/// time, are at least so many observations apart on average: at one in ten seconds eleven days.
pub(crate) const RUN_LENGTH: f64 = 1e5;
/// The share of observations that may be above the bound of the latency.
const SLOW_MAX: f64 = 0.05;

/// Both streams of a service, without what is in the window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Streams {
    #[serde(default, skip_serializing_if = "Stream::is_new")]
    latency: Stream,
    #[serde(default, skip_serializing_if = "Stream::is_new")]
    errors: Stream,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Stream {
    detector: Option<EDetector>,
    /// Since when the detector is at [`SUSPICIOUS_MIN`] or above without a break, milliseconds.
    suspicious_ms: Option<u64>,
    /// Observations up to this time are history, milliseconds: a finding about them is closed.
    history_ms: u64,
}

impl Streams {
    /// Takes what left the window.
    pub(crate) fn take(&mut self, one: &Observation, settings: &Settings) {
        if let Some(latency) = one.latency {
            let slow = if latency.ms > settings.latency_ms_max { 1.0 } else { 0.0 };
            self.latency.observe(slow, one.at_ms, SLOW_MAX);
        }
        // What is counted is taken from the budget where there is an objective.
        let errors = one.errors.filter(|errors| settings.objective.is_none() || errors.total == 0);
        if let Some(errors) = errors {
            self.errors.observe(errors.rate, one.at_ms, settings.error_rate_max);
        }
    }

    /// With what is in the window.
    pub(crate) fn with(&self, window: &[Observation], settings: &Settings) -> Self {
        let mut whole = self.clone();
        window.iter().for_each(|one| whole.take(one, settings));
        whole
    }

    pub(crate) fn latency(&self) -> &Stream {
        &self.latency
    }

    pub(crate) fn errors(&self) -> &Stream {
        &self.errors
    }

    /// The finding about latency is closed: what came until then is history.
    pub(crate) fn close_latency(&mut self, until_ms: u64) {
        self.latency = Stream::after(until_ms);
    }

    /// The same of errors.
    pub(crate) fn close_errors(&mut self, until_ms: u64) {
        self.errors = Stream::after(until_ms);
    }

    pub(crate) fn is_new(&self) -> bool {
        self.latency.is_new() && self.errors.is_new()
    }
}

impl Stream {
    fn after(history_ms: u64) -> Self {
        Self { history_ms, ..Self::default() }
    }

    fn is_new(&self) -> bool {
        *self == Self::default()
    }

    fn observe(&mut self, value: f64, at_ms: u64, mean: f64) {
        if at_ms <= self.history_ms {
            return;
        }
        let fresh = EDetector::of_shares(mean, 1.0);
        let detector = self.detector.get_or_insert_with(|| fresh.clone());
        // Another bound is another question.
        if !detector.asks_as(&fresh) {
            *detector = fresh;
        }
        detector.observe(value);
        match detector.value() >= SUSPICIOUS_MIN {
            true => self.suspicious_ms = self.suspicious_ms.or(Some(at_ms)),
            false => self.suspicious_ms = None,
        }
    }

    /// Since when it is suspicious without a break, milliseconds.
    pub(crate) fn suspicious_ms(&self) -> Option<u64> {
        self.suspicious_ms
    }

    fn value(&self) -> f64 {
        self.detector.as_ref().map_or(0.0, EDetector::value)
    }

    /// How the last observations stand, which is bad only when that is proven, and doubtful until then.
    pub(crate) fn standing(&self, looks: Standing) -> Standing {
        match looks {
            Standing::Bad | Standing::Doubtful if self.is_proof() => Standing::Bad,
            Standing::Bad | Standing::Doubtful => Standing::Doubtful,
            fine => fine,
        }
    }

    /// The same of a part, in words.
    pub(crate) fn judge(&self, mut part: Part) -> Part {
        part.standing = self.standing(part.standing);
        let said = times(self.value().max(1.0).ln());
        let needed = times(RUN_LENGTH.ln());
        part.evidence.text += &match part.standing {
            Standing::Bad => format!("; evidence {said} that this is more than chance"),
            Standing::Doubtful => format!("; evidence {said} of the {needed} that would prove it"),
            _ => String::new(),
        };
        part
    }

    fn is_proof(&self) -> bool {
        self.value() >= RUN_LENGTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homeostat_schema::config::Config;

    use crate::{
        error_rate, latency,
        observation::{Errors, Latency},
    };

    const LIVES: u64 = 200;
    const LOOKS: u64 = 10_000;
    const REQUESTS: u64 = 200;

    /// A second, and one request in twenty.
    fn settings() -> Settings {
        Settings::of(&Config::default(), "prod", "shop", 1)
    }

    /// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), as a share.
    struct Chance(u64);

    impl Chance {
        fn share(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            crate::number::float((mixed ^ (mixed >> 31)) >> 11) / crate::number::float(1 << 53)
        }
    }

    fn observation(look: u64, ms: f64, rate: f64) -> Observation {
        Observation {
            at_ms: (look + 1) * 10_000,
            seen_ms: (look + 1) * 10_000,
            event: look.to_string(),
            latency: Some(Latency { ms, samples: REQUESTS }),
            errors: Some(Errors { rate, total: REQUESTS }),
        }
    }

    /// Lives in which the proof came, of each stream, and those in which the last observations alone
    /// would have been enough.
    fn calls(mut life: impl FnMut(&mut Chance) -> (f64, f64)) -> [u64; 4] {
        let settings = settings();
        let mut called = [0; 4];
        for seed in 0..LIVES {
            let (mut chance, mut streams) = (Chance(seed), Streams::default());
            let mut window: Vec<Observation> = Vec::new();
            let mut is = [false; 4];
            for look in 0..LOOKS {
                let (ms, rate) = life(&mut chance);
                let one = observation(look, ms, rate);
                streams.take(&one, &settings);
                window.push(one);
                window.drain(..window.len().saturating_sub(10));
                let shown: Vec<&Observation> = window.iter().collect();
                let bad = |part: Option<Part>| part.is_some_and(|part| part.standing == Standing::Bad);
                is[0] |= streams.latency.value() >= RUN_LENGTH;
                is[1] |= streams.errors.value() >= RUN_LENGTH;
                is[2] |= bad(latency::part(&shown, &settings));
                is[3] |= bad(error_rate::part(&shown, settings.error_rate_max));
            }
            called.iter_mut().zip(is).for_each(|(count, is)| *count += u64::from(is));
        }
        called
    }

    /// The chance of a false alarm within so many observations is at most their share of the run
    /// length (the detector less the number of observations is a supermartingale, and Doob's
    /// inequality): 10 % of the lives here, of services that are as bad as they may be all the time.
    #[test]
    fn what_is_as_bad_as_it_may_be_is_seldom_called_however_often_one_looks() {
        let as_bad_as_may_be = |chance: &mut Chance| {
            let slow = if chance.share() < SLOW_MAX { 3000.0 } else { 200.0 };
            // Failures come in bursts: a tenth of the observations has all of them.
            let rate = if chance.share() < 0.1 { chance.share() } else { 0.0 };
            (slow, rate)
        };
        let [latency, errors, latency_at_once, errors_at_once] = calls(as_bad_as_may_be);
        // 20 expected at most; 35 come with a chance below 0.1 %.
        assert!(latency <= 35 && errors <= 35, "{latency} and {errors} of {LIVES}");
        // The last observations alone would have been wrong far more often.
        assert!(latency_at_once > 30 && errors_at_once > 190, "{latency_at_once} and {errors_at_once}");
    }

    #[test]
    fn what_is_half_as_bad_as_it_may_be_is_never_called() {
        let half = |chance: &mut Chance| {
            let slow = if chance.share() < SLOW_MAX / 2.0 { 3000.0 } else { 200.0 };
            (slow, if chance.share() < 0.05 { chance.share() } else { 0.0 })
        };
        let [latency, errors, ..] = calls(half);
        assert_eq!((latency, errors), (0, 0));
    }

    #[test]
    fn it_is_suspicious_before_it_is_proven_and_forgets_what_is_closed() {
        let settings = settings();
        let bad: Vec<_> = (0..5).map(|look| observation(look, 5000.0, 1.0)).collect();
        let at = |count: usize| Streams::default().with(&bad[..count], &settings);
        assert_eq!([3, 4].map(|count| at(count).errors.suspicious_ms), [None, Some(40_000)]);
        assert_eq!(at(5).latency.suspicious_ms, Some(40_000));
        assert!(at(4).errors.value() < RUN_LENGTH && at(5).errors.value() >= RUN_LENGTH);
        let mut closed = at(5);
        closed.close_errors(50_000);
        let again = closed.with(&bad, &settings);
        assert!(again.errors.value() == 0.0 && again.latency.value() > RUN_LENGTH);
        // Another bound is another question.
        let looser = Settings { error_rate_max: 0.1, ..settings.clone() };
        let mut asked_anew = at(4);
        asked_anew.take(&bad[4], &looser);
        assert!(asked_anew.errors.value() < 20.0 && asked_anew.latency.value() >= RUN_LENGTH);
    }

    #[test]
    fn a_new_stream_is_not_stored_and_an_older_state_begins_anew() {
        let stored = |streams: &Streams| serde_json::to_string(streams).unwrap();
        assert_eq!(stored(&Streams::default()), "{}");
        let used = Streams::default().with(&[observation(0, 5000.0, 1.0)], &settings());
        assert_eq!(serde_json::from_str::<Streams>(&stored(&used)).unwrap(), used);
        assert!(stored(&used).len() < 500, "{}", stored(&used).len());
    }
}

//! The health score: 0 to 100, with its parts.
//!
//! Each part is between 0 and 1: 1 is well; [`UNPROVEN_MIN`] or above is doubtful; at most
//! [`PROVEN_MAX`] is proven bad; nothing lies between. With `worst` the lowest part and `mean`
//! the mean of all [`PARTS`], where a part of which nothing is known counts as 1,
//!
//! ```text
//! score = 100 · (0.8 · worst + 0.2 · mean)
//! ```
//!
//! so that every part counts, one bad part suffices, and doubt alone never does: with one part
//! proven bad the score is at most 26 (8 + 20 · 7.1 / 8 with a canary, a queue and alerts beside the five),
//! with none it is at least 60. The default thresholds (30, 40, 50) lie between. What is proven to
//! be worse than before an attempt to mend it has the score 0, lower than what was found, whatever
//! else is well.
//!
//! Verdict: `bad` when the score, missing telemetry left out of it, is below the threshold; else
//! `blind` when telemetry is missing; else `watching` when a part is doubtful or waits for news,
//! or there is no part at all; else `healthy`.

use homeostat_schema::types::{Evidence, Health, Verdict};

use crate::settings::Settings;

/// Deployment, run, latency, error rate, telemetry. A fixed number, so that scores taken with more
/// and with fewer parts known can be compared.
const PARTS: usize = 5;
/// The highest value of a part that is proven bad.
pub(crate) const PROVEN_MAX: f64 = 0.1;
/// The lowest value of a part that is merely doubtful.
pub(crate) const UNPROVEN_MIN: f64 = 0.6;
/// The value of a part that waits for news.
pub(crate) const WAITING: f64 = 0.9;
const WORST_WEIGHT: f64 = 0.8;
const MEAN_WEIGHT: f64 = 0.2;

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Fine,
    /// Too little is known yet.
    Waiting,
    /// It looks bad, but that is not proven.
    Doubtful,
    /// Proven bad.
    Bad,
    /// Proven to be worse than before an attempt to mend it.
    Worse,
    /// Telemetry is missing.
    Blind,
}

impl Standing {
    /// Which of two on the same matter counts: the higher.
    pub(crate) fn gravity(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Fine => 1,
            Self::Doubtful | Self::Blind => 2,
            Self::Bad => 3,
            Self::Worse => 4,
        }
    }
}

/// One part of the health of a service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) standing: Standing,
    pub(crate) evidence: Evidence,
}

impl Part {
    fn value(&self) -> f64 {
        match self.standing {
            Standing::Fine => 1.0,
            Standing::Waiting => WAITING,
            Standing::Doubtful => UNPROVEN_MIN + (WAITING - UNPROVEN_MIN) * self.closeness(),
            Standing::Blind => UNPROVEN_MIN,
            Standing::Bad => PROVEN_MAX * self.closeness(),
            Standing::Worse => 0.0,
        }
    }

    /// How near the observed is to what is allowed: 1 within it, towards 0 far beyond it.
    fn closeness(&self) -> f64 {
        let (observed, bound) = (self.evidence.observed, self.evidence.bound);
        if observed <= bound || observed <= 0.0 { 1.0 } else { (bound / observed).clamp(0.0, 1.0) }
    }
}

/// Puts the parts together, the worst first.
pub(crate) fn health(mut parts: Vec<Part>, settings: &Settings) -> Health {
    parts.sort_by(|a, b| a.value().total_cmp(&b.value()));
    let score = score(&parts);
    let verdict = verdict(&parts, settings.score_min);
    Health { verdict, score, because: parts.into_iter().map(|part| part.evidence).collect() }
}

/// The answer when nothing is known at all: neither well nor bad.
pub(crate) fn nothing_known(text: &str) -> Health {
    let part = Part { standing: Standing::Blind, evidence: evidence("telemetry", text) };
    Health {
        verdict: Verdict::Blind,
        score: score(std::slice::from_ref(&part)),
        because: vec![part.evidence],
    }
}

/// Evidence that is words only.
pub(crate) fn evidence(metric: &str, text: &str) -> Evidence {
    Evidence {
        metric: metric.to_owned(),
        observed: 0.0,
        bound: 0.0,
        unit: "1".to_owned(),
        samples: 0,
        text: text.to_owned(),
        events: Vec::new(),
    }
}

fn score(parts: &[Part]) -> f64 {
    if parts.iter().any(|part| part.standing == Standing::Worse) {
        return 0.0;
    }
    let values: Vec<f64> = parts.iter().map(Part::value).collect();
    let worst = values.iter().copied().fold(1.0, f64::min);
    let unknown = PARTS.saturating_sub(values.len()) as f64;
    let mean = (values.iter().sum::<f64>() + unknown) / PARTS.max(values.len()) as f64;
    let exact = 100.0 * (WORST_WEIGHT * worst + MEAN_WEIGHT * mean);
    // To a tenth: more would pretend to a precision the parts do not have.
    ((10.0 * exact).round() / 10.0).clamp(0.0, 100.0)
}

fn verdict(parts: &[Part], score_min: f64) -> Verdict {
    let seen: Vec<Part> = parts.iter().filter(|part| part.standing != Standing::Blind).cloned().collect();
    let any = |wanted: &[Standing]| parts.iter().any(|part| wanted.contains(&part.standing));
    if score(&seen) < score_min {
        Verdict::Bad
    } else if any(&[Standing::Blind]) {
        Verdict::Blind
    } else if parts.is_empty()
        || any(&[Standing::Waiting, Standing::Doubtful, Standing::Bad, Standing::Worse])
    {
        Verdict::Watching
    } else {
        Verdict::Healthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(score_min: f64) -> Settings {
        Settings {
            score_min,
            timeout_ms: 1,
            latency_ms_max: 1.0,
            error_rate_max: 0.1,
            objective: None,
            judge: crate::judge::Settings::default(),
            seasonal: true,
            flake: crate::flake::Settings::default(),
            capacity: None,
            config_version: 1,
        }
    }

    fn part(standing: Standing, observed: f64) -> Part {
        let evidence = Evidence { observed, bound: 1.0, ..evidence("latency-ms", "as told") };
        Part { standing, evidence }
    }

    #[test]
    fn parts_make_the_score_and_the_verdict() {
        let check = |parts: &[(Standing, f64)], score_min: f64, score: f64, verdict: Verdict| {
            let parts = parts.iter().map(|(standing, observed)| part(*standing, *observed)).collect();
            let health = health(parts, &settings(score_min));
            assert!((health.score - score).abs() < 1e-9, "{}", health.score);
            assert_eq!(health.verdict, verdict);
        };
        check(&[], 50.0, 100.0, Verdict::Watching);
        check(&[(Standing::Fine, 0.0)], 50.0, 100.0, Verdict::Healthy);
        check(&[(Standing::Waiting, 0.0)], 50.0, 91.6, Verdict::Watching);
        check(&[(Standing::Fine, 0.0), (Standing::Doubtful, 2.0)], 50.0, 79.0, Verdict::Watching);
        // Just beyond the bound, twice, and without end.
        check(&[(Standing::Bad, 1.0)], 30.0, 24.4, Verdict::Bad);
        check(&[(Standing::Bad, 2.0)], 30.0, 20.2, Verdict::Bad);
        check(&[(Standing::Bad, f64::INFINITY)], 30.0, 16.0, Verdict::Bad);
        check(&[(Standing::Bad, 1.0), (Standing::Blind, 0.0)], 30.0, 22.8, Verdict::Bad);
        check(&[(Standing::Doubtful, f64::INFINITY); 5], 50.0, 60.0, Verdict::Watching);
        check(&[(Standing::Worse, 1.0), (Standing::Fine, 0.0)], 30.0, 0.0, Verdict::Bad);
        // However strict the threshold, missing telemetry alone is not bad.
        check(&[(Standing::Blind, 0.0), (Standing::Fine, 0.0)], 99.0, 66.4, Verdict::Blind);
    }
}

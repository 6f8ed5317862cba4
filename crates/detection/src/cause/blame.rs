//! The hypotheses weighed, and said in plain words.

use super::{CHANGE_MS_MAX, KnownChange, KnownSignature, Signature, calls::HOPS_MAX};
use crate::{
    number::{float, percent, span, times},
    sequential::ln_weighted_exp,
};

/// A posterior from which a change is blamed.
pub const BLAME_MIN: f64 = 0.8;
/// The prior of *no change*.
const NO_CHANGE: f64 = 0.3;
/// The delay from a change to its symptom: a mixture of exponentials, weight and mean in seconds.
const DELAYS: [(f64, f64); 3] = [(0.5, 600.0), (0.3, 7_200.0), (0.2, 86_400.0)];
/// What a call between the two services makes of a change's weight.
const HOP: f64 = 0.5;
/// What suspicion before the change makes of it.
const VETO: f64 = 0.05;
/// Of the others, so many are named in the text.
const OTHERS_NAMED: usize = 2;

/// The logarithms that add up to a change's weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// How often such changes fail.
    pub prior: f64,
    /// The delay's density, per second.
    pub time: f64,
    /// The e-value of those who have it against those who have not; 0 without one.
    pub split: f64,
    /// How far the services are apart.
    pub distance: f64,
    /// 0, or what suspicion before the change makes of it.
    pub veto: f64,
}

impl Terms {
    /// The logarithm of the weight.
    pub fn sum(&self) -> f64 {
        self.prior + self.time + self.split + self.distance + self.veto
    }
}

/// A change as an explanation.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// The change's id.
    pub change: String,
    /// What it changed.
    pub service: String,
    /// From the change to the symptom, milliseconds.
    pub delay_ms: u64,
    /// Calls between the two services; `None` when further than five or not known.
    pub hops: Option<u32>,
    /// Where its weight comes from.
    pub terms: Terms,
    /// Its share of all hypotheses, 0 to 1.
    pub posterior: f64,
}

impl Suspect {
    /// `None` for a change that came after the symptom, or long before it.
    pub(super) fn of(
        change: &KnownChange,
        symptom: &KnownSignature,
        hops: Option<u32>,
        split: Option<f64>,
    ) -> Option<Self> {
        let delay_s = symptom.began_s().checked_sub(change.at_s()).filter(|delay_s| *delay_s > 0)?;
        if delay_s > CHANGE_MS_MAX / 1000 {
            return None;
        }
        let vetoed = symptom.suspicious_s() < change.at_s();
        let terms = Terms {
            prior: change.failure().ln(),
            time: ln_weighted_exp(
                DELAYS.iter().map(|(weight, mean)| (weight / mean, -float(delay_s) / mean)),
            ),
            split: split.unwrap_or(0.0),
            distance: f64::from(hops.unwrap_or(HOPS_MAX)) * HOP.ln(),
            veto: if vetoed { VETO.ln() } else { 0.0 },
        };
        Some(Self {
            change: change.id().to_owned(),
            service: change.service().to_owned(),
            delay_ms: delay_s * 1000,
            hops,
            terms,
            posterior: 0.0,
        })
    }

    fn words(&self) -> String {
        let hops = match self.hops {
            Some(0) => "the same service".to_owned(),
            Some(1) => format!("one call away (×{HOP})"),
            Some(hops) => format!("{hops} calls away (×{:.2})", HOP.powi(i32::try_from(hops).unwrap_or(0))),
            None => format!("no known calls between them ({})", times(self.terms.distance)),
        };
        let split = match self.terms.split {
            0.0 => "no comparison of those with and without it".to_owned(),
            split => format!("those with it against those without: {}", times(split)),
        };
        let veto = match self.terms.veto {
            0.0 => String::new(),
            _ => format!(", suspicious before it already (×{VETO})"),
        };
        format!(
            "{} of {} ({}): {} before, {} against no change at that delay; such changes fail in {}; {hops}; {split}{veto}",
            self.change,
            self.service,
            percent(self.posterior),
            span(self.delay_ms),
            times(self.terms.time - ln_uniform()),
            percent(self.terms.prior.exp()),
        )
    }
}

/// All hypotheses of one signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Blame {
    /// The changes, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// The posterior of *no change*.
    pub no_change: f64,
    /// In plain words, with every term.
    pub text: String,
}

impl Blame {
    pub(super) fn of(mut suspects: Vec<Suspect>, signature: &Signature<'_>) -> Self {
        let no_change = NO_CHANGE.ln() + ln_uniform();
        let sums = suspects.iter().map(|suspect| suspect.terms.sum()).chain([no_change]);
        let all = ln_weighted_exp(sums.collect::<Vec<_>>().iter().map(|sum| (1.0, *sum)));
        for suspect in &mut suspects {
            suspect.posterior = (suspect.terms.sum() - all).exp();
        }
        suspects.sort_by(|a, b| b.posterior.total_cmp(&a.posterior).then_with(|| a.change.cmp(&b.change)));
        let mut blame = Self { suspects, no_change: (no_change - all).exp(), text: String::new() };
        blame.text = blame.words(signature);
        blame
    }

    /// The likeliest change, if it is likelier than *no change*.
    pub fn leading(&self) -> Option<&Suspect> {
        self.suspects.first().filter(|first| first.posterior > self.no_change)
    }

    /// The change that is blamed.
    pub fn blamed(&self) -> Option<&Suspect> {
        self.suspects.first().filter(|first| first.posterior >= BLAME_MIN)
    }

    fn words(&self, signature: &Signature<'_>) -> String {
        let about = format!("{} of {}", signature.kind, signature.service);
        let Some(first) = self.suspects.first() else {
            return format!("no change in the 72 h before {about}: nothing to blame");
        };
        let verdict = match (self.blamed(), self.leading()) {
            (Some(_), _) => format!("{about} is blamed on"),
            (None, Some(_)) => {
                format!("{about} is likeliest from, but not certainly ({} needed),", percent(BLAME_MIN))
            }
            (None, None) => format!("{about} is likeliest from no change; the nearest is"),
        };
        let others = self.suspects.iter().skip(1).take(OTHERS_NAMED);
        let others: String = others.map(|other| format!(". Next {}", other.words())).collect();
        format!("{verdict} {}{others}. No change: {}", first.words(), percent(self.no_change))
    }
}

/// The density of a symptom's time when no change made it: any of 72 hours.
fn ln_uniform() -> f64 {
    -(float(CHANGE_MS_MAX) / 1000.0).ln()
}

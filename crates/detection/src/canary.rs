//! The old and the new version side by side: what events tell of an arm, judged.
//!
//! An observation with the attribute `arm` (`baseline` or `canary`) goes to [`crate::judge`], and
//! one that says `scrape` = `failed` makes it blind. Opens when the judge calls the rollout bad; what
//! it is about follows the weightiest reason. Closes with the next release, or when the new version
//! no longer takes traffic while the old one does: it was taken back.
//!
//! What this does not do: hold anything against a threshold; the other detectors do, and see the
//! old version only.

use homeostat_schema::types::{self, Event, EventKind, Evidence, FindingKind};
use serde::{Deserialize, Serialize};

use crate::{
    comparison::Comparison,
    judge::{Arm, Decision, Observation, Rollout, Verdict, What},
    observation::{errors, latency},
    plot::{Of, Plot},
    progress::happened_ms,
    score::{Part, Standing, evidence},
    settings::Settings,
    stored,
};

/// A new version that was called bad and is not heard of for so long, while the old one is, was
/// taken back.
const TAKEN_BACK_MS: u64 = 60_000;
/// A new version heard of this near to the newest word of the old one still takes traffic.
pub(crate) const STILL_THERE_MS: u64 = 20_000;
/// The rollout's name in what the judge says; nobody sees it.
const NAME: &str = "rollout";

/// What the new version is worse in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Regression {
    Errors,
    Measurements,
    /// The old version reports, the new one does not.
    Silence,
}

/// What came of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Worse(Regression),
    Blind,
}

/// Both versions since the release.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Canary {
    #[serde(with = "stored::text")]
    rollout: Rollout,
    /// A finding is open.
    pub(crate) open: Option<Regression>,
    baseline_ms: u64,
    canary_ms: u64,
    /// When the new version was heard of last, by our clock.
    #[serde(default)]
    canary_seen_ms: u64,
    /// Why it was called bad and taken back; until the next release, or word of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken_back: Option<Said>,
    /// How far our clock was ahead of the sender's when it was heard last.
    ahead_ms: u64,
    /// The last words of the judge.
    said: Option<Said>,
    /// The last observation of an arm.
    event: String,
    /// How it went.
    #[serde(default, with = "stored::text")]
    plot: Plot,
}

/// What is kept of a decision, to be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Said {
    verdict: Verdict,
    score: f64,
    statistic: f64,
    bound: f64,
    samples: u64,
    text: String,
}

/// Which arm an event is of; `None` when it names none.
pub(crate) fn arm(event: &Event) -> Option<Arm> {
    match attribute(event, "arm")? {
        "baseline" => Some(Arm::Baseline),
        "canary" => Some(Arm::Canary),
        _ => None,
    }
}

/// Whether the event says that nothing could be read.
pub(crate) fn is_failed_scrape(event: &Event) -> bool {
    attribute(event, "scrape") == Some("failed")
}

fn attribute<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    event.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

impl Canary {
    /// Takes an observation of an arm, or a failed scrape.
    pub(crate) fn take(&mut self, event: &Event, settings: &Settings) -> Option<News> {
        if !matches!(event.kind, EventKind::Observation) {
            return None;
        }
        let (arm, at_ms) = (arm(event), happened_ms(event));
        let told: Vec<What> = if is_failed_scrape(event) {
            vec![What::Event { event: "scrape_failed".to_owned() }]
        } else {
            arm.map(|_| signals(event)).unwrap_or_default()
        };
        if !told.is_empty() && !is_failed_scrape(event) {
            self.heard(arm, at_ms, event);
        }
        let mut news = None;
        for what in told {
            let observation = Observation { rollout: NAME.to_owned(), at_ms, arm, what };
            let decision = self.rollout.observe(&observation, &settings.judge);
            self.draw();
            news = decision.and_then(|decision| self.decided(&decision, settings)).or(news);
        }
        self.close_when_taken_back();
        news
    }

    /// A newer release went out: what came before is history.
    pub(crate) fn released(&mut self, at_ms: u64, settings: &Settings) {
        let what = What::Event { event: "deployed".to_owned() };
        let observation = Observation { rollout: NAME.to_owned(), at_ms, arm: None, what };
        let _nothing_to_say_of_it = self.rollout.observe(&observation, &settings.judge);
        (self.open, self.said, self.canary_ms) = (None, None, 0);
        (self.canary_seen_ms, self.taken_back, self.plot) = (0, None, Plot::default());
    }

    /// Nothing was heard until now.
    pub(crate) fn tick(&mut self, now_ms: u64, settings: &Settings) -> Option<News> {
        let theirs = now_ms.saturating_sub(self.ahead_ms);
        let decision = self.rollout.tick(NAME, theirs, &settings.judge)?;
        self.decided(&decision, settings)
    }

    /// Goes on with the plot, once the new version is judged.
    fn draw(&mut self) {
        if self.canary_ms > 0 && !self.rollout.awaits_restart() {
            self.plot.after_batch(self.rollout.closed_to(), || self.rollout.glance());
        }
    }

    /// How it went until now: by latency when that is what is worse, else by errors.
    pub(crate) fn plot(&self, settings: &Settings) -> Option<types::Plot> {
        let bound = 1.0 / settings.judge.alpha;
        let (first, second) = match self.open {
            Some(Regression::Measurements) => (Of::Latency, Of::Errors),
            _ => (Of::Errors, Of::Latency),
        };
        self.plot.told(first, bound).or_else(|| self.plot.told(second, bound))
    }

    /// When it will be blind if nothing more is heard, by our clock; `None` when it is.
    pub(crate) fn due_ms(&self, settings: &Settings) -> Option<u64> {
        let seen = self.said.as_ref().is_none_or(|said| said.verdict != Verdict::Blind);
        let due = self.rollout.blind_at_ms(&settings.judge).filter(|_| seen && self.open.is_none())?;
        Some(due.saturating_add(self.ahead_ms))
    }

    fn heard(&mut self, arm: Option<Arm>, at_ms: u64, event: &Event) {
        let last = match arm {
            Some(Arm::Canary) => {
                self.canary_seen_ms = self.canary_seen_ms.max(event.received_at);
                self.taken_back = None;
                &mut self.canary_ms
            }
            _ => &mut self.baseline_ms,
        };
        *last = at_ms.max(*last);
        self.ahead_ms = event.received_at.saturating_sub(at_ms);
        self.event = crate::text::key(&event.id);
    }

    fn decided(&mut self, decision: &Decision, settings: &Settings) -> Option<News> {
        // What was heard of the release before says nothing of this one, neither good nor bad.
        let of_before = matches!(decision.verdict, Verdict::Healthy | Verdict::Bad);
        if of_before && self.rollout.awaits_restart() {
            return None;
        }
        if self.canary_ms > 0 && !self.rollout.awaits_restart() {
            self.plot.at_decision(&self.rollout.glance_ahead(&settings.judge));
        }
        let before = self.said.as_ref().map(|said| said.verdict);
        let first = decision.because.first();
        self.said = Some(Said::of(decision));
        match decision.verdict {
            Verdict::Bad if self.open.is_none() => {
                let regression = regression(first.map(|because| because.metric.as_str()));
                self.open = Some(regression);
                Some(News::Worse(regression))
            }
            Verdict::Blind if before != Some(Verdict::Blind) => Some(News::Blind),
            _ => None,
        }
    }

    fn close_when_taken_back(&mut self) {
        if self.open.is_some() && self.baseline_ms.saturating_sub(self.canary_ms) > TAKEN_BACK_MS {
            let (event, taken_back) = (std::mem::take(&mut self.event), self.said.take());
            *self = Self { baseline_ms: self.baseline_ms, event, taken_back, ..Self::default() };
        }
    }

    /// How the new version stands; `None` while there is none.
    pub(crate) fn part(&self) -> Option<Part> {
        let said = self.said.as_ref().filter(|_| self.canary_ms > 0)?;
        let standing = match (self.open, said.verdict) {
            (Some(_), _) | (None, Verdict::Bad) => Standing::Bad,
            (None, Verdict::Blind) => Standing::Blind,
            (None, Verdict::Healthy) => Standing::Fine,
            (None, Verdict::Watching) => Standing::Waiting,
        };
        Some(Part { standing, evidence: said.evidence(&self.event) })
    }

    /// Where the new version stands, for who asks whether to go on with it; the release is not
    /// known here.
    pub(crate) fn comparison(&self, settings: &Settings) -> Comparison {
        let said = self.said.as_ref().filter(|_| self.canary_ms > 0);
        let now = self.rollout.so_far(NAME, &settings.judge);
        let (verdict, said) = match (said, &self.taken_back) {
            // What it was called bad for stays the reason, however the evidence goes on.
            (Some(said), _) if self.open.is_some() => (Verdict::Bad, said.clone()),
            (Some(said), _) => (said.verdict, Said::of(&now)),
            (None, Some(before)) => (Verdict::Bad, before.clone()),
            (None, None) => (Verdict::Watching, Said::nothing(settings)),
        };
        Comparison {
            verdict: verdict.into(),
            score: said.score,
            would_change: if verdict == now.verdict { now.would_change } else { String::new() },
            because: said.evidence(&self.event),
            heard_at: Some(self.canary_seen_ms).filter(|at| *at > 0),
            version: None,
            commit: None,
            plot: self.plot(settings),
        }
    }

    /// How it stands after an attempt: only while a bad version still takes traffic is there
    /// anything to say.
    pub(crate) fn part_since(&self, since_ms: u64) -> Option<Part> {
        let there =
            self.canary_ms > since_ms && self.baseline_ms.saturating_sub(self.canary_ms) <= STILL_THERE_MS;
        self.part().filter(|_| there && self.open.is_some())
    }
}

impl Said {
    fn of(decision: &Decision) -> Self {
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

    /// Before anything was heard of a new version.
    fn nothing(settings: &Settings) -> Self {
        let text = "nothing was heard of a new version since the release".to_owned();
        Self { text, ..Self::of(&Rollout::default().so_far(NAME, &settings.judge)) }
    }

    fn evidence(&self, event: &str) -> Evidence {
        Evidence {
            observed: self.statistic,
            bound: self.bound,
            samples: self.samples,
            events: vec![event.to_owned()],
            ..evidence("canary", &self.text)
        }
    }
}

impl Regression {
    pub(crate) fn kind(self) -> FindingKind {
        match self {
            Self::Errors => FindingKind::ErrorRateHigh,
            Self::Measurements => FindingKind::LatencyHigh,
            Self::Silence => FindingKind::DeploymentFailed,
        }
    }
}

fn regression(metric: Option<&str>) -> Regression {
    match metric {
        Some("latency-ms") => Regression::Measurements,
        Some("errors") => Regression::Errors,
        _ => Regression::Silence,
    }
}

/// What the judge reads of an event of an arm.
fn signals(event: &Event) -> Vec<What> {
    let errors = errors(&event.signals).filter(|errors| errors.total > 0).map(|errors| What::Bernoulli {
        metric: "errors".to_owned(),
        bad: errors.bad(),
        total: errors.total,
    });
    let latency = latency(event).map(|latency| {
        let metric = "latency-ms".to_owned();
        match latency.samples {
            0 | 1 => What::Sample { metric, values: vec![latency.ms] },
            // One number for many requests: a quantile, say.
            _ => What::Gauge { metric, value: latency.ms },
        }
    });
    errors.into_iter().chain(latency).collect()
}

fn words(decision: &Decision) -> String {
    let reason = decision.because.first().map_or("nothing to go by yet", |because| because.text.as_str());
    format!("canary {}: {reason}; score {:.0} of 100", decision.verdict.name(), decision.score)
}

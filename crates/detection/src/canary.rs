//! The old and the new version side by side: what events tell of an arm, judged.
//!
//! An observation with the attribute `arm` (`baseline` or `canary`) goes to [`crate::judge`], and
//! one that says `scrape` = `failed` makes it blind. Opens when the judge calls the rollout bad; what
//! it is about follows the weightiest reason. Closes with the next release, or when the new version
//! no longer takes traffic while the old one does: it was taken back. One that was called bad for
//! its silence closes when it reports again.
//!
//! Silence of the new version is held against it only while its deployment is under way and after it
//! was heard once, or said to be there (its deployment names the arm `canary`, or its scrape fails
//! while the old version's does not: a target that is down). Before that nobody knows that there is a
//! new version beside the old one, and afterwards there is none any more: it took over.
//!
//! What this does not do: hold anything against a threshold; the other detectors do, and see the
//! old version only.

use homeostat_schema::types::{self, Event, EventKind, Evidence, FindingKind};
use serde::{Deserialize, Serialize};

use crate::{
    arm::{self, LATENCY, LATENCY_LEVEL},
    comparison::Comparison,
    judge::{self, Arm, Decision, Observation, Rollout, Verdict, What},
    pace::{self, SILENT_INTERVALS},
    plot::{Of, Plot},
    progress::happened_ms,
    rhythm::Rhythm,
    said::Said,
    score::{Part, Standing},
    settings::Settings,
    stored,
    unread::Unread,
};

/// A new version that was called bad and is not heard of for so long, while the old one is, was
/// taken back.
const TAKEN_BACK_MS: u64 = 60_000;
/// A new version heard of this near to the newest word of the old one still takes traffic.
const STILL_THERE_MS: u64 = 20_000;
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
    /// How far our clock was ahead of the sender's when the newest was heard.
    ahead_ms: u64,
    /// Whether it was said that nothing could be read.
    #[serde(default, skip_serializing_if = "Unread::is_none")]
    unread: Unread,
    /// How often the whole service is told of, milliseconds; 0 while that is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    whole_ms: u64,
    /// How often each version reports.
    #[serde(default, skip_serializing_if = "Rhythm::is_new")]
    baseline_rhythm: Rhythm,
    #[serde(default, skip_serializing_if = "Rhythm::is_new")]
    canary_rhythm: Rhythm,
    /// The last words of the judge.
    said: Option<Said>,
    /// What else was held against it, or for it, when it was called bad.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    beside: Vec<Said>,
    /// The last observation of an arm.
    event: String,
    /// How it went.
    #[serde(default, with = "stored::text")]
    plot: Plot,
}

impl Canary {
    /// Takes an observation of an arm, or a failed scrape.
    pub(crate) fn take(&mut self, event: &Event, settings: &Settings) -> Option<News> {
        if !matches!(event.kind, EventKind::Observation) {
            return None;
        }
        let (arm, at_ms) = (arm::of(event), happened_ms(event));
        if arm::is_down(event) {
            self.rollout.expect_canary(at_ms, &self.judged_by(settings));
            return None;
        }
        let told: Vec<What> = if arm::is_failed_scrape(event) {
            vec![What::event(What::SCRAPE_FAILED)]
        } else {
            arm.map(|_| arm::signals(event)).unwrap_or_default()
        };
        if !told.is_empty() && !arm::is_failed_scrape(event) {
            self.heard(arm, at_ms, event, settings);
        }
        let judged_by = self.judged_by(settings);
        let told_by = Some(arm::teller(&event.id));
        let mut news = None;
        for what in told {
            let observation = Observation { rollout: NAME.to_owned(), at_ms, arm, told_by, what };
            let decision = self.rollout.observe(&observation, &judged_by);
            self.draw();
            news = decision.and_then(|decision| self.decided(&decision, settings)).or(news);
        }
        self.close_when_taken_back(settings);
        news.or(self.note_unread(event, settings))
    }

    /// Takes note of what can be read; whether it is news that nothing can.
    fn note_unread(&mut self, event: &Event, settings: &Settings) -> Option<News> {
        // Nobody waits for an arm after its deployment.
        if self.rollout.is_completed() || !self.rollout.is_unread(&self.judged_by(settings)) {
            self.unread.read();
        } else if arm::is_failed_scrape(event) && self.unread.failed(happened_ms(event), event.received_at) {
            return Some(News::Blind);
        }
        None
    }

    /// A newer release went out: what came before is history.
    pub(crate) fn released(&mut self, at_ms: u64, settings: &Settings) {
        self.tell(What::RELEASED, at_ms, settings);
        (self.open, self.said, self.canary_ms) = (None, None, 0);
        // A pause between two rollouts is no interval of theirs.
        self.baseline_ms = 0;
        (self.canary_seen_ms, self.taken_back, self.plot) = (0, None, Plot::default());
        self.beside.clear();
        self.canary_rhythm = Rhythm::default();
    }

    /// The new version is beside the old one, as its deployment says.
    pub(crate) fn announced(&mut self, at_ms: u64, settings: &Settings) {
        self.rollout.expect_canary(at_ms, &self.judged_by(settings));
    }

    /// The deployment is over: there is one version again, or soon.
    pub(crate) fn completed(&mut self, at_ms: u64, settings: &Settings) {
        if !self.rollout.is_completed() {
            self.tell(What::COMPLETED, at_ms, settings);
        }
    }

    fn tell(&mut self, event: &str, at_ms: u64, settings: &Settings) {
        let what = What::event(event);
        let observation = Observation { rollout: NAME.to_owned(), at_ms, arm: None, told_by: None, what };
        let _nothing_to_say_of_it = self.rollout.observe(&observation, &self.judged_by(settings));
    }

    /// The judge's settings, with slow senders given the time that they need.
    fn judged_by(&self, settings: &Settings) -> judge::Settings {
        let baseline_ms = self.baseline_rhythm.interval_ms().unwrap_or(self.whole_ms);
        let slower_ms = self.canary_rhythm.interval_ms().map_or(baseline_ms, |ms| ms.max(baseline_ms));
        pace::settings(&settings.judge, slower_ms)
    }

    /// How often the whole service is told of: the old version hardly less often, before its own
    /// rhythm is known.
    pub(crate) fn expect_every(&mut self, whole_ms: Option<u64>) {
        self.whole_ms = whole_ms.unwrap_or(0);
    }

    /// Nothing was heard until now.
    pub(crate) fn tick(&mut self, now_ms: u64, settings: &Settings) -> Option<News> {
        if self.unread.falls_due(now_ms) {
            return Some(News::Blind);
        }
        let theirs = now_ms.saturating_sub(self.ahead_ms);
        let decision = self.rollout.tick(NAME, theirs, &self.judged_by(settings))?;
        self.decided(&decision, settings)
    }

    /// Goes on with the plot, once the new version is judged.
    fn draw(&mut self) {
        if self.canary_ms > 0 && !self.rollout.awaits_restart() {
            self.plot.after_batch(self.rollout.closed_to_ms(), || self.rollout.glance());
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
        let seen = self.rollout.verdict() != Verdict::Blind;
        let due = self.rollout.blind_at_ms(&self.judged_by(settings));
        let due = due.filter(|_| seen && self.open.is_none()).map(|due| due.saturating_add(self.ahead_ms));
        due.into_iter().chain(self.unread.due_ms()).min()
    }

    fn heard(&mut self, arm: Option<Arm>, at_ms: u64, event: &Event, settings: &Settings) {
        if arm == Some(Arm::Canary) {
            if self.open == Some(Regression::Silence) {
                self.begin_anew(settings);
            }
            self.canary_seen_ms = self.canary_seen_ms.max(event.received_at);
            self.taken_back = None;
        }
        let (last, rhythm) = match arm {
            Some(Arm::Canary) => (&mut self.canary_ms, &mut self.canary_rhythm),
            _ => (&mut self.baseline_ms, &mut self.baseline_rhythm),
        };
        if at_ms < *last {
            return;
        }
        if *last > 0 {
            rhythm.note(at_ms - *last);
        }
        *last = at_ms;
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
            self.plot.at_decision(&self.rollout.glance_ahead(&self.judged_by(settings)));
        }
        let before = self.said.as_ref().map(|said| said.verdict);
        let first = decision.because.first();
        self.said = Some(Said::of(decision));
        match decision.verdict {
            Verdict::Bad if self.open.is_none() => {
                let regression = regression(first.map(|because| because.metric.as_str()));
                self.open = Some(regression);
                self.beside = Said::beside(decision);
                Some(News::Worse(regression))
            }
            // One scrape that failed is no news yet.
            Verdict::Blind if self.rollout.is_unread(&self.judged_by(settings)) => None,
            Verdict::Blind if before != Some(Verdict::Blind) => Some(News::Blind),
            _ => None,
        }
    }

    /// What is called bad for its silence is not taken back by being silent.
    fn close_when_taken_back(&mut self, settings: &Settings) {
        let told = self.open.is_some_and(|open| open != Regression::Silence);
        if told && !self.is_within(TAKEN_BACK_MS, self.baseline_ms, settings) {
            let taken_back = self.said.take();
            self.begin_anew(settings);
            self.taken_back = taken_back;
        }
    }

    /// The same release, judged from now on: its deployment is as far as it was.
    fn begin_anew(&mut self, settings: &Settings) {
        let (at_ms, completed) = (self.baseline_ms.max(self.canary_ms), self.rollout.is_completed());
        self.released(at_ms, settings);
        if completed {
            self.completed(at_ms, settings);
        }
    }

    /// How the new version stands; `None` while there is none. The service was heard of last at
    /// `heard_ms`.
    pub(crate) fn part(&self, heard_ms: u64, settings: &Settings) -> Option<Part> {
        let said = self.said.as_ref().filter(|_| self.canary_ms > 0 || self.open.is_some())?;
        let there = || self.is_within(STILL_THERE_MS, heard_ms, settings);
        if self.rollout.is_completed() && self.open.is_none() && !there() {
            return None;
        }
        let standing = match (self.open, said.verdict) {
            (Some(_), _) | (None, Verdict::Bad) => Standing::Bad,
            (None, Verdict::Blind) => Standing::Blind,
            (None, Verdict::Healthy) => Standing::Fine,
            (None, Verdict::Watching) => Standing::Waiting,
        };
        Some(Part { standing, evidence: said.evidence(&self.event) })
    }

    /// The other reasons of the decision that it is bad, and what would change it. Reasons of the
    /// finding, and no part of the health.
    pub(crate) fn beside(&self) -> Vec<Evidence> {
        self.beside.iter().map(|said| said.evidence(&self.event)).collect()
    }

    /// Where the new version stands, for who asks whether to go on with it; the release is not
    /// known here.
    pub(crate) fn comparison(&self, settings: &Settings) -> Comparison {
        let said = self.said.as_ref().filter(|_| self.canary_ms > 0);
        let now = self.rollout.so_far(NAME, &self.judged_by(settings));
        let (verdict, said) = match (said, &self.taken_back) {
            // What it was called bad for stays the reason, however the evidence goes on.
            (Some(said), _) if self.open.is_some() => (Verdict::Bad, said.clone()),
            (Some(said), _) => (said.verdict, Said::of(&now)),
            (None, Some(before)) => (Verdict::Bad, before.clone()),
            (None, None) if self.canary_ms > 0 => (now.verdict, Said::of(&now)),
            (None, None) => (Verdict::Watching, nothing_heard(settings)),
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
    pub(crate) fn part_since(&self, since_ms: u64, settings: &Settings) -> Option<Part> {
        let near = self.is_within(STILL_THERE_MS, self.baseline_ms, settings);
        let there = self.canary_ms > since_ms && near;
        self.part(self.baseline_ms, settings).filter(|_| there && self.open.is_some())
    }

    /// Whether the new version was heard of this near to a time, or as near as its sender lets it be.
    fn is_within(&self, near_ms: u64, heard_ms: u64, settings: &Settings) -> bool {
        let interval_ms = self.canary_rhythm.interval_ms().unwrap_or(0);
        let near_ms = near_ms.max(interval_ms.saturating_mul(SILENT_INTERVALS));
        let late_ms = self.rollout.wait_ms(&self.judged_by(settings));
        heard_ms.saturating_sub(self.canary_ms) <= near_ms.saturating_add(late_ms)
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

fn regression(metric: Option<&str>) -> Regression {
    match metric {
        Some(LATENCY | LATENCY_LEVEL) => Regression::Measurements,
        Some("errors") => Regression::Errors,
        _ => Regression::Silence,
    }
}

/// Before anything was heard of a new version.
fn nothing_heard(settings: &Settings) -> Said {
    let nothing = Rollout::default().so_far(NAME, &settings.judge);
    Said::in_words(&nothing, "nothing was heard of a new version since the release")
}

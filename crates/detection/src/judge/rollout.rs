//! The state of one rollout: observations in, decisions out.
//!
//! Observations go into batches of event time. A batch is closed by an observation of a later one
//! (or by [`Rollout::tick`]), and only then judged for good. When senders keep a rhythm, so that
//! the last two batches had one shape, a batch of that shape is looked at as soon as it is full:
//! the verdict does not wait for the next observation. Nothing is kept of such a look but what was
//! said.
//!
//! What this does not do: know its own name, or other rollouts.
//!
//! A decision is made when the verdict changes, or the score moves by [`SCORE_STEP`] or more since
//! the last decision.

use serde::{Deserialize, Serialize};

use super::batch::{Batch, Content, Lane, Refused};
use super::decision::{Decision, Verdict};
use super::lateness::Lateness;
use super::settings::Settings;
use super::silence::Silence;
use super::stream::{Stream, Test};
use super::watch::{Blindness, Watch};
use super::{Observation, What, events, reasons};

/// A smaller change of the score is not told.
pub(super) const SCORE_STEP: f64 = 1.0;
/// More streams of one rollout are refused: the state is bounded.
pub(super) const STREAMS_MAX: usize = 32;
/// Batches open at once; more than the longest grace needs.
const OPEN_MAX: usize = 64;
/// The state of one rollout.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rollout {
    /// As set when the first observation came, or longer if it is set to be since then.
    pub(super) batch_ms: u64,
    pub(super) first_ms: u64,
    pub(super) newest_ms: u64,
    /// Batches before this one are closed.
    pub(super) closed_to: u64,
    open: Vec<Batch>,
    /// Of the last closed batch, and how many before it were alike.
    shape: Vec<(u8, Lane, u8)>,
    alike: u8,
    pub(super) streams: Vec<Stream>,
    pub(super) silence: Silence,
    pub(super) watch: Watch,
    /// When the last new version was told of, and the batch that begins with it.
    pub(super) deployed_ms: Option<u64>,
    pub(super) restart_at: Option<u64>,
    pub(super) said: Said,
    ignored: Ignored,
    /// The fields from here on came with the second form.
    pub(super) later: Later,
}

/// What the first form did not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Later {
    lateness: Lateness,
    /// The new version took over: a silent arm says nothing any more.
    pub(super) completed: bool,
}

/// The last decision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) verdict: Verdict,
    pub(super) score: f64,
    /// It was shown to be no worse than tolerated; holds unless something turns up.
    pub(super) shown: bool,
}

impl Default for Said {
    fn default() -> Self {
        Self { verdict: Verdict::Watching, score: reasons::score(0.0), shown: false }
    }
}

/// Observations that were counted and not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ignored {
    /// Of a batch that was closed already.
    pub late: u64,
    /// Told twice.
    pub repeated: u64,
    /// Beyond a bound (streams, times in a batch), or of another kind than its metric had before.
    pub unfit: u64,
}

impl Rollout {
    /// Takes one observation, of whatever rollout it says it is; what changed is told.
    pub fn observe(&mut self, observation: &Observation, settings: &Settings) -> Option<Decision> {
        let at_ms = observation.at_ms;
        self.begin(at_ms, settings);
        // What could not be read may still come: a failed scrape closes no batch.
        let goes_on = !events::is_failed_scrape(&observation.what);
        let later = goes_on && at_ms > self.newest_ms;
        let closed = goes_on && {
            self.newest_ms = self.newest_ms.max(at_ms);
            self.close_due(settings)
        };
        let lane = Lane::of(observation.arm);
        let new = if let What::Event { event } = &observation.what {
            self.event(event, lane, at_ms, settings) || later
        } else {
            self.take(observation, lane, settings)
        };
        let decision = if closed || self.sight_changed(settings) {
            self.decide(&observation.rollout, self.newest_ms.max(at_ms), settings)
        } else {
            None
        };
        // What is told twice is no reason to look again.
        decision.or_else(|| if new { self.look(&observation.rollout, settings) } else { None })
    }

    /// Lets time go on with nothing heard: closes batches, and notices silence.
    pub fn tick(&mut self, rollout: &str, now_ms: u64, settings: &Settings) -> Option<Decision> {
        self.begin(now_ms, settings);
        self.newest_ms = self.newest_ms.max(now_ms);
        self.close_due(settings);
        self.decide(rollout, self.newest_ms, settings)
    }

    /// When [`Rollout::tick`] would find it blind, if nothing more is heard.
    pub fn blind_at_ms(&self, settings: &Settings) -> Option<u64> {
        self.watch.blind_at_ms(self.deployed_ms, settings).filter(|_| !self.later.completed)
    }

    /// Closes what is open, and says the last word.
    pub fn finish(&mut self, rollout: &str, settings: &Settings) -> Decision {
        self.close_up_to(u64::MAX, settings);
        self.judge(settings);
        let mut decision = reasons::decision(self, rollout, self.newest_ms, settings);
        decision.last = true;
        decision
    }

    /// Where it stands, with what was told until now and the verdict that was said last. Changes
    /// nothing.
    pub fn so_far(&self, rollout: &str, settings: &Settings) -> Decision {
        reasons::decision(&self.ahead(settings), rollout, self.newest_ms, settings)
    }

    /// As if all open batches were over; what was said stays.
    pub(super) fn ahead(&self, settings: &Settings) -> Self {
        let mut ahead = self.clone();
        ahead.close_up_to(u64::MAX, settings);
        ahead.said = self.said;
        ahead
    }

    /// Batches of event time before this are over, milliseconds.
    pub fn closed_to_ms(&self) -> u64 {
        self.closed_to.saturating_mul(self.batch_ms)
    }

    /// Whether a new version was told of and nothing of it was judged yet: verdicts are still about
    /// the one before.
    pub fn awaits_restart(&self) -> bool {
        self.restart_at.is_some()
    }

    /// The verdict that was said last.
    pub fn verdict(&self) -> Verdict {
        self.said.verdict
    }

    /// What was counted and not used.
    pub fn ignored(&self) -> Ignored {
        self.ignored
    }

    fn begin(&mut self, at_ms: u64, settings: &Settings) {
        if self.batch_ms == 0 {
            self.batch_ms = settings.batch_ms.max(1);
            self.first_ms = at_ms;
        } else if self.batch_ms < settings.batch_ms {
            self.rebatch(settings);
        }
    }

    /// Goes on with batches of another length. What comes of the time that is half over is left out:
    /// part of it may have been judged.
    pub(super) fn rebatch(&mut self, settings: &Settings) {
        for batch in std::mem::take(&mut self.open) {
            self.restart_before(batch.index, settings);
            self.close(&batch, settings);
        }
        let restart_ms = self.restart_at.map(|at| at.saturating_mul(self.batch_ms));
        self.batch_ms = settings.batch_ms.max(1);
        self.closed_to = self.newest_ms / self.batch_ms + 1;
        self.restart_at = restart_ms.map(|at_ms| (at_ms / self.batch_ms).max(self.closed_to));
        (self.shape, self.alike) = (Vec::new(), 0);
    }

    /// Whether it was new, and used.
    fn take(&mut self, observation: &Observation, lane: Lane, settings: &Settings) -> bool {
        let index = observation.at_ms / self.batch_ms;
        self.note_lateness(index, settings);
        if index < self.closed_to {
            self.ignored.late += 1;
            self.late(lane, observation.at_ms);
            return false;
        }
        let Some(stream) = self.stream_of(observation) else {
            self.ignored.unfit += 1;
            return false;
        };
        self.first_ms = self.first_ms.min(observation.at_ms);
        self.watch.heard(lane, observation.at_ms);
        if self.open.len() >= OPEN_MAX {
            self.close_up_to(index, settings);
        }
        let at = u32::try_from(observation.at_ms % self.batch_ms).unwrap_or(u32::MAX);
        let Some(content) = Content::of(&observation.what, at) else { return false };
        let known = observation.told_by.unwrap_or(at);
        match self.batch(index).map(|batch| batch.take(stream, lane, known, content)) {
            Some(Ok(())) => return true,
            Some(Err(Refused::Twice)) => self.ignored.repeated += 1,
            Some(Err(Refused::TooMany)) | None => self.ignored.unfit += 1,
        }
        false
    }

    /// Keeps batches open for senders as slow as this one.
    fn note_lateness(&mut self, index: u64, settings: &Settings) {
        let over_ms = index.saturating_add(1).saturating_mul(self.batch_ms);
        let late_ms = self.newest_ms.saturating_sub(over_ms).saturating_add(1);
        if self.newest_ms >= over_ms && late_ms <= settings.grace_ms_max {
            self.later.lateness.note(late_ms, self.newest_ms);
        }
    }

    /// Too late to be judged; that it reports counts all the same.
    fn late(&mut self, lane: Lane, at_ms: u64) {
        self.watch.heard(lane, at_ms);
        if lane == Lane::Canary {
            self.silence.late_canary(at_ms);
        }
    }

    /// The open batch of an index, made when there is none.
    fn batch(&mut self, index: u64) -> Option<&mut Batch> {
        let place = self.open.binary_search_by_key(&index, |batch| batch.index);
        let place = place.unwrap_or_else(|place| {
            self.open.insert(place, Batch::new(index));
            place
        });
        self.open.get_mut(place)
    }

    /// The stream of an observation, made when there is none; `None` for one that does not fit.
    fn stream_of(&mut self, observation: &Observation) -> Option<u8> {
        let (What::Bernoulli { metric, .. } | What::Sample { metric, .. } | What::Gauge { metric, .. }) =
            &observation.what
        else {
            return None;
        };
        let test = Test::of(observation)?;
        let same = |stream: &Stream| stream.metric == *metric && stream.test.is_armed() == test.is_armed();
        if let Some(place) = self.streams.iter().position(same) {
            let fits = self.streams.get(place).is_some_and(|stream| stream.test.is_like(&test));
            return u8::try_from(place).ok().filter(|_| fits);
        }
        if self.streams.len() >= STREAMS_MAX {
            return None;
        }
        self.streams.push(Stream::new(metric, test));
        u8::try_from(self.streams.len() - 1).ok()
    }

    /// Closes every batch whose time is over; whether there was one.
    fn close_due(&mut self, settings: &Settings) -> bool {
        let over = self.newest_ms.saturating_sub(self.wait_ms(settings)) / self.batch_ms.max(1);
        self.close_up_to(over, settings)
    }

    /// How long after its time an observation may come and still be taken.
    pub fn wait_ms(&self, settings: &Settings) -> u64 {
        let late_ms = self.later.lateness.wait_ms(self.newest_ms).min(settings.grace_ms_max);
        late_ms.max(settings.grace_ms)
    }

    fn close_up_to(&mut self, index: u64, settings: &Settings) -> bool {
        self.closed_to = self.closed_to.max(index);
        let mut closed = false;
        while self.open.first().is_some_and(|batch| batch.index < index) {
            let batch = self.open.remove(0);
            self.restart_before(batch.index, settings);
            self.close(&batch, settings);
            self.note_shape(&batch);
            closed = true;
        }
        closed
    }

    /// A new version begins with a batch: what was seen of the one before is forgotten.
    fn restart_before(&mut self, index: u64, settings: &Settings) {
        if self.restart_at.is_some_and(|at| at <= index) {
            self.restart_at = None;
            self.streams.iter_mut().for_each(|stream| stream.restart(settings));
            // The next look at the evidence says so.
            self.said.shown = false;
            if self.said.verdict == Verdict::Bad || self.said.verdict == Verdict::Healthy {
                self.said.verdict = Verdict::Watching;
            }
        }
    }

    fn close(&mut self, batch: &Batch, settings: &Settings) {
        for (id, stream) in (0_u8..).zip(self.streams.iter_mut()) {
            stream.close(batch, id, settings);
        }
        reasons::give_weights(&mut self.streams);
        let open = !self.later.completed;
        self.silence.advance(batch.index.saturating_mul(self.batch_ms), open, settings);
        for id in (0_u8..).take(self.streams.len()) {
            if let Some(content) = batch.content(id, Lane::Baseline) {
                self.silence.baseline(content.units());
            }
            if let Some(content) = batch.content(id, Lane::Canary) {
                self.silence.canary(content.units(), batch.index.saturating_mul(self.batch_ms));
            }
        }
    }

    fn note_shape(&mut self, batch: &Batch) {
        if self.has_last_shape(batch) {
            self.alike = self.alike.saturating_add(1);
        } else {
            self.shape = batch.shape().map(|(stream, lane, times)| (stream, lane, short(times))).collect();
            self.alike = 0;
        }
    }

    fn has_last_shape(&self, batch: &Batch) -> bool {
        batch.shape().map(|(stream, lane, times)| (stream, lane, short(times))).eq(self.shape.iter().copied())
    }

    /// Looks at a batch that is full by the rhythm of those before it, without closing it.
    fn look(&mut self, rollout: &str, settings: &Settings) -> Option<Decision> {
        let [batch] = self.open.as_slice() else { return None };
        if self.alike == 0 || !self.has_last_shape(batch) {
            return None;
        }
        let mut ahead = self.clone();
        ahead.close_up_to(u64::MAX, settings);
        let decision = ahead.decide(rollout, self.newest_ms, settings);
        if decision.is_some() {
            self.said = ahead.said;
        }
        decision
    }

    /// Whether it became blind, or sees again.
    fn sight_changed(&self, settings: &Settings) -> bool {
        let blind = self.blindness(settings).is_some();
        match self.said.verdict {
            Verdict::Blind => !blind,
            Verdict::Bad => false,
            Verdict::Watching | Verdict::Healthy => blind,
        }
    }

    /// Why nothing can be said. An arm that fell silent after the new version took over has gone.
    pub(super) fn blindness(&self, settings: &Settings) -> Option<Blindness> {
        let wait_ms = self.wait_ms(settings);
        let blindness = self.watch.blindness(self.newest_ms, self.deployed_ms, wait_ms, settings);
        blindness.filter(|blindness| *blindness == Blindness::ScrapeFailed || !self.later.completed)
    }

    fn decide(&mut self, rollout: &str, at_ms: u64, settings: &Settings) -> Option<Decision> {
        let before = self.said;
        self.judge(settings);
        let moved = (self.said.score - before.score).abs() >= SCORE_STEP;
        if moved || self.said.verdict != before.verdict {
            return Some(reasons::decision(self, rollout, at_ms, settings));
        }
        // Small steps add up against what was last said.
        self.said.score = before.score;
        None
    }

    fn judge(&mut self, settings: &Settings) {
        let evidence = reasons::ln_evidence(self);
        let (verdict, shown) = reasons::verdict(self, evidence, settings);
        self.said = Said { verdict, score: reasons::score(evidence), shown };
    }
}

fn short(times: usize) -> u8 {
    u8::try_from(times).unwrap_or(u8::MAX)
}

//! Burn rates: how fast a service uses up the errors that its objective allows.
//!
//! A burn rate of 1 uses the whole budget (`1 − slo`) up in exactly the objective's period. Four
//! pairs of windows, after chapter 5 of Google's Site Reliability Workbook: an alert opens when
//! *both* windows of a pair burn faster than the pair's factor, `part of the budget · period /
//! long window`, and closes when one no longer does; the short one makes it end soon after the
//! errors end. Over 30 days: 14.4 in 1 h and 5 min (page), 6 in 6 h and 30 min (page), 3 in 1 d and
//! 2 h (ticket), 1 in 3 d and 6 h (ticket).
//!
//! Guard for little traffic, where one failed request of three is a burn rate in the hundreds: a
//! pair fires only with 5 failed requests in its short window, or with 2 in the long one and an
//! e-detector on the same counts (see [`crate::sequential::EDetector`], batches of a minute, mean
//! at most the budget) at a week's worth or above. At an objective of 99.9 % one failure brings that
//! detector to hundreds, so a bound of 20 would guard nothing.
//!
//! What this does not do: alert on silence. Windows without requests do not fire, and an hour
//! without any is *blind*.
//!
//! Invariants: three rings of twelve slots, 288 bytes of counters; the order of reports changes
//! nothing as long as they come within the minute they are of; a report with the source and time of
//! one of the last 32 is taken once. Whoever may deliver older ones again must refuse them before,
//! and reports must be increments that do not overlap, from sources that count different requests.

use serde::{Deserialize, Serialize};

use crate::{
    recent::Recent,
    sequential::{EDetector, Tally},
    stored::{self, StoredError},
};

mod pair;
mod ring;
mod text;

pub use crate::report::{Counted, Taken};
pub use pair::{
    Firing, Objective, ObjectiveError, PAIRS, Pair, Rate, Urgency, Window, factor, seconds_to_fire,
};
use ring::Ring;

/// The stored form's version.
const SCHEMA: u32 = 1;
/// Failed requests in the short window that are enough by themselves.
pub const BAD_MIN: f64 = 5.0;
/// Failed requests in the long window that it takes at least; one is an accident.
pub const BAD_MIN_LONG: f64 = 2.0;
/// The e-detector's value that is enough with [`BAD_MIN_LONG`]: as many minutes with requests as a
/// week has, on average, pass before a service exactly at its objective reaches it.
pub const EVIDENCE_MIN: f64 = 10_080.0;
/// The e-detector takes a minute's requests as one value.
const BATCH_MS: u64 = 60_000;
/// Clocks differ by less; what is further ahead would push the present out of the rings.
pub const AHEAD_MS_MAX: u64 = 60_000;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No pair fires.
    Within,
    /// A pair fires; see [`Judged::firing`].
    Burning,
    /// No requests for an hour: nothing can be said.
    Blind,
}

/// How it stands, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// How it stands.
    pub verdict: Verdict,
    /// The pairs that fire, the fastest first; at most four.
    pub firing: Vec<Firing>,
    /// Every window, the shortest first.
    pub rates: [Rate; 7],
    /// The e-detector's value.
    pub evidence: f64,
    /// In plain words.
    pub text: String,
}

/// The state of one objective of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Burn {
    schema: u32,
    objective: Objective,
    /// Slots of five minutes, half an hour and six hours.
    rings: [Ring; 3],
    detector: EDetector,
    /// The minute that is open: its number, and what it holds.
    open: u64,
    pending: Tally,
    recent: Recent,
}

impl Burn {
    /// Nothing counted yet.
    pub fn new(objective: Objective) -> Self {
        Self {
            schema: SCHEMA,
            objective,
            rings: [Ring::of(5), Ring::of(30), Ring::of(360)],
            detector: EDetector::new(1.0, objective.budget()),
            open: 0,
            pending: Tally::default(),
            recent: Recent::default(),
        }
    }

    /// Reads a stored state; nothing stored is an objective nobody counted for. With another
    /// objective than the stored one the counts stay, and the detector begins anew.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>, objective: Objective) -> Result<Self, StoredError> {
        let Some(mut state) = stored::decode::<Self>("a burn rate", SCHEMA, bytes)? else {
            return Ok(Self::new(objective));
        };
        state.hold_to(objective);
        Ok(state)
    }

    /// Another objective from now on: the counts stay, and the detector begins anew.
    pub fn hold_to(&mut self, objective: Objective) {
        if self.objective != objective {
            self.objective = objective;
            self.detector = EDetector::new(1.0, objective.budget());
        }
    }

    /// What it is held to.
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// The stored form; below 2 KB.
    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    /// Takes what one source counted.
    pub fn observe(&mut self, counted: Counted<'_>, now_ms: u64) -> Taken {
        if counted.at_ms > now_ms.saturating_add(AHEAD_MS_MAX) {
            return Taken::Ahead;
        }
        if self.rings.iter().all(|ring| ring.is_past(counted.at_ms)) {
            return Taken::Late;
        }
        if !self.recent.is_new(counted.source, counted.at_ms) {
            return Taken::Duplicate;
        }
        self.rings.iter_mut().for_each(|ring| ring.add(counted.at_ms, counted.tally));
        self.close_until(counted.at_ms / BATCH_MS);
        if counted.at_ms / BATCH_MS == self.open {
            self.pending = self.pending.plus(counted.tally);
        }
        Taken::Counted
    }

    /// How it stands at `now_ms`.
    pub fn judge(&mut self, now_ms: u64) -> Judged {
        // A minute is complete a minute after its end: by then its reports are there.
        self.close_until((now_ms / BATCH_MS).saturating_sub(1));
        let rates = Window::ALL.map(|window| self.rate(window, now_ms));
        let evidence = self.detector.value();
        let firing: Vec<_> =
            PAIRS.iter().filter_map(|pair| self.objective.firing(pair, &rates, evidence)).collect();
        let silent = rates.iter().any(|rate| rate.window == Window::Hour && rate.total <= 0.0);
        let verdict = match (firing.is_empty(), silent) {
            (false, _) => Verdict::Burning,
            (true, true) => Verdict::Blind,
            (true, false) => Verdict::Within,
        };
        let text = text::of(verdict, &firing, &rates, &self.objective);
        Judged { verdict, firing, rates, evidence, text }
    }

    fn rate(&self, window: Window, now_ms: u64) -> Rate {
        let (ring, slots) = window.place();
        let (total, bad) = self.rings.get(ring).map_or((0.0, 0.0), |ring| ring.sum(now_ms, slots));
        let share = if total > 0.0 { bad / total } else { 0.0 };
        Rate { window, total, bad, burn: share / self.objective.budget() }
    }

    fn close_until(&mut self, minute: u64) {
        if minute <= self.open {
            return;
        }
        let closed = std::mem::take(&mut self.pending);
        self.open = minute;
        if closed.total > 0 {
            self.detector.observe(closed.share());
        }
    }
}

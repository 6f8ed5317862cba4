//! What is remembered of one series, and what it says of the next value.

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::clock::{Clock, Note, Turn};
use super::novelty::Novelty;
use crate::stored::{self, StoredError};

/// The stored form's version, and what it is called.
const SCHEMA: u32 = 2;
const WHAT: &str = "the series";

/// Values are taken to be at most this far from 0, so that no square of one overflows.
const VALUE_MAX: f64 = 1e150;

/// Values that are learned from before any is judged.
const LEARNING: u32 = 100;

/// The score from which a value is an anomaly, when nothing else is set.
const ANOMALY_SCORE: f64 = 0.5;

/// What may be set for a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// A value with at least this score is an anomaly; 0 to 1.
    pub anomaly_score: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { anomaly_score: ANOMALY_SCORE }
    }
}

/// What is said of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Too little was seen to judge.
    Learning,
    /// As before.
    Normal,
    /// Unusual, or the series has moved.
    Anomaly,
    /// Nothing can be said: no value, a row out of order, or the first one after a gap.
    Blind,
}

impl Verdict {
    /// The word of the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Normal => "normal",
            Self::Anomaly => "anomaly",
            Self::Blind => "blind",
        }
    }
}

/// The answer to one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// How unusual, 0 to 1; 0 where nothing was judged.
    pub score: f64,
    /// In one word.
    pub verdict: Verdict,
    /// Whether the series has moved and stayed there: the detector with a stated run length. It
    /// starts anew after it said so.
    pub moved: bool,
    /// What is to be told of the row beside its value.
    pub note: Option<Note>,
}

/// The state of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    clock: Clock,
    novelty: Novelty,
    alarm: Alarm,
    /// Values seen.
    seen: u32,
    /// What the row before was answered, for one that repeats it.
    last_score: f64,
    last_verdict: Verdict,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            novelty: Novelty::default(),
            alarm: Alarm::default(),
            seen: 0,
            last_score: 0.0,
            last_verdict: Verdict::Learning,
        }
    }
}

impl Series {
    /// The stored state is never longer, in bytes.
    pub const BYTES_MAX: usize = 4096;

    /// Reads a stored state; nothing stored is a series nobody saw.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, StoredError> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let state: Self = stored::unpack(WHAT, SCHEMA, bytes)?;
        if state.novelty.is_sound() { Ok(state) } else { Err(StoredError::Damaged { what: WHAT }) }
    }

    /// The stored form, at most [`Series::BYTES_MAX`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        stored::pack(SCHEMA, self)
    }

    /// Judges a row from the rows before it, and takes it. `at_ms` is in milliseconds since the
    /// epoch; a value that is missing or not finite is answered `blind`.
    pub fn observe(&mut self, at_ms: i64, value: Option<f64>, settings: &Settings) -> Judged {
        let Some(value) = value.filter(|value| value.is_finite()) else { return blind(Note::Missing) };
        let note = match self.clock.tick(at_ms) {
            Turn::Pass(Note::Duplicate) => return self.again(),
            Turn::Pass(note) => return blind(note),
            Turn::Use(note) => note,
        };
        let judged = self.judge(at_ms, value.clamp(-VALUE_MAX, VALUE_MAX), note, settings);
        (self.last_score, self.last_verdict) = (judged.score, judged.verdict);
        judged
    }

    /// How strong the evidence is that the series has moved: reaches 100,000 on average once in
    /// that many healthy values, or more rarely.
    pub fn evidence(&self) -> f64 {
        self.alarm.value()
    }

    /// The usual time between two rows in milliseconds, once it is known.
    pub fn usual_step_ms(&self) -> Option<f64> {
        self.clock.usual_ms()
    }

    fn again(&self) -> Judged {
        let (score, verdict) = (self.last_score, self.last_verdict);
        Judged { score, verdict, moved: false, note: Some(Note::Duplicate) }
    }

    fn judge(&mut self, at_ms: i64, value: f64, note: Option<Note>, settings: &Settings) -> Judged {
        let moved = self.alarm.observe(at_ms, value, Some(self.novelty.season()));
        let score = self.novelty.observe(at_ms, value);
        let learning = self.seen < LEARNING;
        self.seen = self.seen.saturating_add(1);
        let score = if learning { 0.0 } else { score };
        let verdict = if learning {
            Verdict::Learning
        } else if score >= settings.anomaly_score || moved {
            Verdict::Anomaly
        } else if matches!(note, Some(Note::Gap(_))) {
            Verdict::Blind
        } else {
            Verdict::Normal
        };
        Judged { score, verdict, moved, note }
    }
}

fn blind(note: Note) -> Judged {
    Judged { score: 0.0, verdict: Verdict::Blind, moved: false, note: Some(note) }
}

//! Capacity: will the queue pass its limit within the hour, and how many replicas would prevent it?
//!
//! From an upper bound of the load at some times ahead (the caller's: see
//! [`crate::series::forecast`], whose bound is exceeded in 5 % of times) the queue is carried
//! forward: what arrives at most, less what the replicas take at full load. The finding opens when
//! it passes its limit within the hour, and closes when it has not for five minutes.
//!
//! Replicas wanted are those that carry the highest bound of the next ten minutes at 70 % of their
//! load each; when the queue is about to pass, the highest bound of the hour, and what waits already
//! within ten minutes. More are wanted at once; fewer only after five minutes in which fewer
//! sufficed all the time, and then as many as the most demanding of these minutes asked for.
//!
//! What this does not do: forecast, or scale. Without a bound, or with one that is no number, it is
//! *blind*: nothing opens, closes or is scaled.
//!
//! Invariants: an observation not newer than the last one changes nothing; scaling the unit of the
//! load, the queue and the capacity together changes nothing; the state is below 200 bytes.

use serde::{Deserialize, Serialize};

use crate::{
    number::{float, span},
    series::forecast::replicas,
    stored::{self, StoredError},
};

/// The stored form's version.
const SCHEMA: u32 = 1;
/// How far the queue is carried forward.
pub const HORIZON_MS: u64 = 3_600_000;
/// In this time new replicas are there, and what waits is to be worked off.
pub const LEAD_MS: u64 = 600_000;
/// So long fewer replicas must suffice, and the queue must not be about to pass.
pub const HOLD_MS: u64 = 300_000;
/// After a longer gap nobody knows what sufficed in between.
pub const GAP_MS_MAX: u64 = 120_000;
/// Times ahead that are looked at.
pub const AHEAD_MAX: usize = 16;
/// The queue is carried forward in such steps, 240 in all.
const STEP_MS: u64 = 15_000;

/// What a service can carry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The queue's limit, in items, above 0.
    pub queue_max: f64,
    /// What one replica takes at full load, items a second, above 0.
    pub per_replica: f64,
    /// Never fewer.
    pub replicas_min: u32,
    /// Never more.
    pub replicas_max: u32,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// When, milliseconds.
    pub at_ms: u64,
    /// Replicas that work.
    pub replicas: u32,
    /// Items that wait.
    pub queue: f64,
    /// Items that arrive in a second.
    pub load: f64,
}

/// How high the load will be at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    /// From now, milliseconds.
    pub in_ms: u64,
    /// Items a second.
    pub load_max: f64,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The queue stays within its limit as far as the bound reaches.
    Enough,
    /// The queue passes its limit within the hour, or did a moment ago.
    Passing,
    /// There is no bound to go by.
    Blind,
}

/// What to do with the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Nothing.
    Stay,
    /// More: by so many, to so many.
    Up {
        /// More than now.
        by: u32,
        /// All.
        to: u32,
    },
    /// Fewer: by so many, to so many.
    Down {
        /// Fewer than now.
        by: u32,
        /// All.
        to: u32,
    },
}

/// How it stands, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// How it stands.
    pub verdict: Verdict,
    /// In how many milliseconds the queue passes its limit; none when it does not as far as the
    /// bound reaches.
    pub passes_in_ms: Option<u64>,
    /// Replicas that suffice, within the settings' bounds; none when blind.
    pub wanted: Option<u32>,
    /// What to do.
    pub scale: Scale,
    /// In plain words.
    pub text: String,
}

/// Since when fewer replicas suffice, and the most that were wanted since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Fewer {
    since_ms: u64,
    wanted: u32,
}

/// The state of one queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    schema: u32,
    last_ms: Option<u64>,
    fewer: Option<Fewer>,
    /// The finding is open; and since when it would not open.
    open: bool,
    calm_ms: Option<u64>,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { schema: SCHEMA, last_ms: None, fewer: None, open: false, calm_ms: None }
    }
}

impl Capacity {
    /// Reads a stored state; nothing stored is a queue nobody looked at.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, StoredError> {
        Ok(stored::decode("a capacity", SCHEMA, bytes)?.unwrap_or_default())
    }

    /// The stored form; below 200 bytes.
    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self)
    }

    /// Looks at a service: how it is, and how high its load will be at most, in any order and at
    /// most [`AHEAD_MAX`] times.
    pub fn observe(&mut self, now: &Now, ahead: &[Ahead], settings: &Settings) -> Judged {
        let newer = self.last_ms.is_none_or(|last_ms| now.at_ms > last_ms);
        let Some(course) = Course::of(now, ahead, settings) else {
            self.fewer = if newer { None } else { self.fewer };
            return blind();
        };
        let passes_in_ms = course.passes_in_ms(now, settings);
        let Some(wanted) = course.wanted(now, passes_in_ms, settings) else { return blind() };
        if newer {
            self.follow(now, passes_in_ms, wanted);
        }
        let scale = self.scale(now, wanted);
        let verdict = if self.open { Verdict::Passing } else { Verdict::Enough };
        let text = words(now, &course, passes_in_ms, wanted, scale, settings);
        Judged { verdict, passes_in_ms, wanted: Some(wanted), scale, text }
    }

    /// Whether the finding is open.
    pub fn is_passing(&self) -> bool {
        self.open
    }

    fn follow(&mut self, now: &Now, passes_in_ms: Option<u64>, wanted: u32) {
        let gap = self.last_ms.is_some_and(|last_ms| now.at_ms - last_ms > GAP_MS_MAX);
        if gap {
            (self.fewer, self.calm_ms) = (None, None);
        }
        self.last_ms = Some(now.at_ms);
        self.fewer = (wanted < now.replicas).then(|| {
            let before = self.fewer.unwrap_or(Fewer { since_ms: now.at_ms, wanted });
            Fewer { wanted: before.wanted.max(wanted), ..before }
        });
        if passes_in_ms.is_some() {
            (self.open, self.calm_ms) = (true, None);
        } else {
            let calm_ms = *self.calm_ms.get_or_insert(now.at_ms);
            self.open &= now.at_ms.saturating_sub(calm_ms) < HOLD_MS;
        }
    }

    fn scale(&self, now: &Now, wanted: u32) -> Scale {
        if let Some(by) = wanted.checked_sub(now.replicas).filter(|by| *by > 0) {
            return Scale::Up { by, to: wanted };
        }
        let Some(fewer) = self.fewer else { return Scale::Stay };
        let held = now.at_ms.saturating_sub(fewer.since_ms) >= HOLD_MS;
        match now.replicas.checked_sub(fewer.wanted).filter(|by| held && *by > 0) {
            Some(by) => Scale::Down { by, to: fewer.wanted },
            None => Scale::Stay,
        }
    }
}

fn blind() -> Judged {
    Judged {
        verdict: Verdict::Blind,
        passes_in_ms: None,
        wanted: None,
        scale: Scale::Stay,
        text: "there is no bound of the load to come: nothing can be said".to_owned(),
    }
}

/// The load to come at most: from now on, from time to time.
struct Course(Vec<Ahead>);

impl Course {
    /// `None` when something is no number.
    fn of(now: &Now, ahead: &[Ahead], settings: &Settings) -> Option<Self> {
        let sound = |number: f64| number.is_finite() && number >= 0.0;
        let positive = |number: f64| sound(number) && number > 0.0;
        let usable = !ahead.is_empty()
            && ahead.iter().all(|ahead| sound(ahead.load_max))
            && sound(now.queue)
            && sound(now.load)
            && positive(settings.queue_max)
            && positive(settings.per_replica);
        let mut course: Vec<_> = ahead.iter().copied().take(AHEAD_MAX).collect();
        course.push(Ahead { in_ms: 0, load_max: now.load });
        course.sort_by_key(|ahead| ahead.in_ms);
        usable.then_some(Self(course))
    }

    /// As far as the bound reaches.
    fn end_ms(&self) -> u64 {
        self.0.last().map_or(0, |last| last.in_ms).min(HORIZON_MS)
    }

    /// Straight from one bound to the next.
    fn load_at(&self, in_ms: u64) -> f64 {
        let next = self.0.iter().position(|ahead| ahead.in_ms >= in_ms);
        let after = next.and_then(|next| self.0.get(next)).or(self.0.last());
        let before = next.and_then(|next| self.0.get(next.checked_sub(1)?));
        match (before, after) {
            (Some(before), Some(after)) => {
                let part = float(in_ms - before.in_ms) / float((after.in_ms - before.in_ms).max(1));
                before.load_max + (after.load_max - before.load_max) * part
            }
            (None, Some(only)) => only.load_max,
            _ => 0.0,
        }
    }

    fn passes_in_ms(&self, now: &Now, settings: &Settings) -> Option<u64> {
        let carried = f64::from(now.replicas) * settings.per_replica;
        let mut queue = now.queue;
        let mut in_ms = 0;
        // At most 240 steps: the course ends after an hour.
        while queue <= settings.queue_max {
            if in_ms >= self.end_ms() {
                return None;
            }
            let load = self.load_at(in_ms + STEP_MS / 2);
            queue = (queue + (load - carried) * float(STEP_MS) / 1000.0).max(0.0);
            in_ms += STEP_MS;
        }
        Some(in_ms)
    }

    /// The highest bound in that time, its ends among them.
    fn highest(&self, until_ms: u64) -> f64 {
        let within = self.0.iter().filter(|ahead| ahead.in_ms <= until_ms).map(|ahead| ahead.load_max);
        within.fold(self.load_at(until_ms.min(self.end_ms())), f64::max)
    }

    fn wanted(&self, now: &Now, passes_in_ms: Option<u64>, settings: &Settings) -> Option<u32> {
        let load = match passes_in_ms {
            Some(_) => self.highest(HORIZON_MS) + now.queue * 1000.0 / float(LEAD_MS),
            None => self.highest(LEAD_MS),
        };
        let most = settings.replicas_max.max(settings.replicas_min);
        Some(replicas(load, settings.per_replica)?.clamp(settings.replicas_min, most))
    }
}

fn words(
    now: &Now,
    course: &Course,
    passes_in_ms: Option<u64>,
    wanted: u32,
    scale: Scale,
    settings: &Settings,
) -> String {
    let reach = course.end_ms();
    let passes = match passes_in_ms {
        Some(0) => "is over its limit".to_owned(),
        Some(in_ms) => format!("passes its limit in {}", span(in_ms)),
        None => format!("stays within its limit for the {} that the bound reaches", span(reach)),
    };
    let scale = match scale {
        Scale::Stay => format!("{wanted} would do; nothing to scale"),
        Scale::Up { by, to } if to == settings.replicas_max => {
            format!("scale up by {by} to {to}, which is all that is allowed")
        }
        Scale::Up { by, to } => format!("scale up by {by} to {to}"),
        Scale::Down { by, to } => format!("scale down by {by} to {to}, which sufficed for {}", span(HOLD_MS)),
    };
    format!(
        "the queue holds {:.0} of {:.0} and {passes}: {:.1}/s arrive, at most {:.1}/s within {}, {} replicas take {:.1}/s; {scale}",
        now.queue,
        settings.queue_max,
        now.load,
        course.highest(reach),
        span(reach),
        now.replicas,
        f64::from(now.replicas) * settings.per_replica,
    )
}

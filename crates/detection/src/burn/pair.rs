//! Objectives, windows, and when a pair of windows fires.

use serde::{Deserialize, Serialize};

use super::{BAD_MIN, BAD_MIN_LONG, EVIDENCE_MIN};
use crate::number::float;

const HOUR_MS: u64 = 3_600_000;

/// What cannot be an objective.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ObjectiveError {
    /// With no errors allowed there is no budget to burn, and below a half nothing to keep.
    #[error("an objective is a share of good requests from 0.5 to 0.999999, not {0}")]
    Share(f64),
    /// The longest window is three days.
    #[error("the period of an objective is from 3 to 366 days, not {0} days")]
    Period(f64),
}

/// What share of requests must go well, over which period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    slo: f64,
    period_ms: u64,
}

impl Objective {
    /// `slo` is a share, 0.5 to 0.999999; `period_ms` is from 3 to 366 days, as a rule 30 days.
    ///
    /// # Errors
    /// [`ObjectiveError`] when it is outside of these.
    pub fn new(slo: f64, period_ms: u64) -> Result<Self, ObjectiveError> {
        const DAY_MS: u64 = 24 * HOUR_MS;
        if !(0.5..=0.999_999).contains(&slo) {
            return Err(ObjectiveError::Share(slo));
        }
        if !(3 * DAY_MS..=366 * DAY_MS).contains(&period_ms) {
            return Err(ObjectiveError::Period(float(period_ms) / float(DAY_MS)));
        }
        Ok(Self { slo, period_ms })
    }

    /// The share of requests that may fail, above 0.
    pub fn budget(&self) -> f64 {
        1.0 - self.slo
    }

    /// The share of good requests.
    pub fn slo(&self) -> f64 {
        self.slo
    }

    /// Over which period, milliseconds.
    pub fn period_ms(&self) -> u64 {
        self.period_ms
    }

    /// The burn rate from which a pair fires.
    pub fn factor(&self, pair: &Pair) -> f64 {
        factor(pair.budget_part, self.period_ms, pair.long.length_ms())
    }

    pub(super) fn firing(&self, pair: &Pair, rates: &[Rate; 7], evidence: f64) -> Option<Firing> {
        let of = |window: Window| rates.iter().find(|rate| rate.window == window);
        let (long, short) = (of(pair.long)?, of(pair.short)?);
        let factor = self.factor(pair);
        let burns = long.burn > factor && short.burn > factor;
        let enough = short.bad >= BAD_MIN || (evidence >= EVIDENCE_MIN && long.bad >= BAD_MIN_LONG);
        (burns && enough).then_some(Firing { pair: *pair, factor, long: *long, short: *short })
    }
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Wake somebody, or heal.
    Page,
    /// Tomorrow is soon enough.
    Ticket,
}

/// A span of time up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// 5 min.
    FiveMinutes,
    /// 30 min.
    HalfHour,
    /// 1 h.
    Hour,
    /// 2 h.
    TwoHours,
    /// 6 h.
    SixHours,
    /// 1 d.
    Day,
    /// 3 d.
    ThreeDays,
}

impl Window {
    /// All, the shortest first.
    pub const ALL: [Self; 7] = [
        Self::FiveMinutes,
        Self::HalfHour,
        Self::Hour,
        Self::TwoHours,
        Self::SixHours,
        Self::Day,
        Self::ThreeDays,
    ];

    /// Which ring it is read from, and how many slots of it. The windows that are a whole ring (an
    /// hour, six hours, three days) are up to a slot shorter, since one slot is still running.
    pub(super) fn place(self) -> (usize, u64) {
        match self {
            Self::FiveMinutes => (0, 1),
            Self::HalfHour => (0, 6),
            Self::Hour => (0, 12),
            Self::TwoHours => (1, 4),
            Self::SixHours => (1, 12),
            Self::Day => (2, 4),
            Self::ThreeDays => (2, 12),
        }
    }

    /// Milliseconds.
    pub fn length_ms(self) -> u64 {
        match self {
            Self::FiveMinutes => HOUR_MS / 12,
            Self::HalfHour => HOUR_MS / 2,
            Self::Hour => HOUR_MS,
            Self::TwoHours => 2 * HOUR_MS,
            Self::SixHours => 6 * HOUR_MS,
            Self::Day => 24 * HOUR_MS,
            Self::ThreeDays => 72 * HOUR_MS,
        }
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5 min",
            Self::HalfHour => "30 min",
            Self::Hour => "1 h",
            Self::TwoHours => "2 h",
            Self::SixHours => "6 h",
            Self::Day => "1 d",
            Self::ThreeDays => "3 d",
        }
    }
}

/// Two windows that must both burn too fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// What it asks for.
    pub urgency: Urgency,
    /// The part of the whole budget that is gone when the long window is full of it, 0 to 1.
    pub budget_part: f64,
    /// The window that gives certainty.
    pub long: Window,
    /// The window that tells whether it goes on.
    pub short: Window,
}

/// The pairs, the fastest first (Site Reliability Workbook, chapter 5, table 5-8, with the tickets
/// as Sloth sets them).
pub const PAIRS: [Pair; 4] = [
    Pair { urgency: Urgency::Page, budget_part: 0.02, long: Window::Hour, short: Window::FiveMinutes },
    Pair { urgency: Urgency::Page, budget_part: 0.05, long: Window::SixHours, short: Window::HalfHour },
    Pair { urgency: Urgency::Ticket, budget_part: 0.10, long: Window::Day, short: Window::TwoHours },
    Pair { urgency: Urgency::Ticket, budget_part: 0.10, long: Window::ThreeDays, short: Window::SixHours },
];

/// The burn rate that uses `budget_part` (0 to 1) of a period's budget in the long window.
pub fn factor(budget_part: f64, period_ms: u64, long_ms: u64) -> f64 {
    budget_part * float(period_ms) / float(long_ms.max(1))
}

/// Seconds of errors at `share` (0 to 1) until the long window burns faster than `factor`, after a
/// window without errors and with even traffic. More than the window is long: never.
pub fn seconds_to_fire(objective: &Objective, factor: f64, share: f64, long: Window) -> f64 {
    objective.budget() * factor / share * float(long.length_ms() / 1000)
}

/// What one window holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Which.
    pub window: Window,
    /// Requests in it. Not whole where a slot counts in part.
    pub total: f64,
    /// Failed ones.
    pub bad: f64,
    /// How many times faster than the budget allows; 0 without requests.
    pub burn: f64,
}

/// A pair that fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Firing {
    /// Which.
    pub pair: Pair,
    /// The burn rate from which it fires.
    pub factor: f64,
    /// What the long window holds.
    pub long: Rate,
    /// What the short window holds.
    pub short: Rate,
}

//! How far a deployment or run got, and which of two deliveries is the newer state.
//!
//! Order: the attempt first (a higher attempt starts over, a finished one is final for its
//! attempt), then queued < waiting < running < finished, then the sender's time, then a fixed
//! order of results and the event's id, so that any two deliveries have one winner. The state kept
//! is the highest seen, hence the same in whatever order deliveries come, and a duplicate never
//! moves it.

use homeostat_schema::types::{Event, Status};
use serde::{Deserialize, Serialize};

use crate::text;

/// A status that orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Progress {
    Queued,
    Waiting,
    Running,
    Skipped,
    Cancelled,
    Success,
    Failure,
    Superseded,
}

/// The newest known state of a subject, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) attempt: u32,
    pub(crate) progress: Progress,
    /// See [`happened_ms`].
    pub(crate) at_ms: u64,
    /// By ours.
    pub(crate) seen_ms: u64,
    pub(crate) event: String,
}

/// Whether a delivery was news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    Ahead,
    NotAtAll,
}

/// When an event happened: by the sender's clock, but not after we heard of it. A clock that is
/// ahead, or a made-up time, would otherwise overrule everything that comes later.
pub(crate) fn happened_ms(event: &Event) -> u64 {
    event.occurred_at.min(event.received_at)
}

impl Progress {
    /// `None` for statuses that say nothing about how far something got.
    pub(crate) fn of(status: &Status) -> Option<Self> {
        Some(match status {
            Status::Queued => Self::Queued,
            Status::Waiting => Self::Waiting,
            Status::Running => Self::Running,
            Status::Success => Self::Success,
            Status::Failure => Self::Failure,
            Status::Cancelled => Self::Cancelled,
            Status::Skipped => Self::Skipped,
            Status::Superseded => Self::Superseded,
            Status::Firing | Status::Resolved | Status::Unknown | Status::Other(_) => return None,
        })
    }

    fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Waiting => 1,
            Self::Running => 2,
            _ => 3,
        }
    }

    /// Queued, waiting or running.
    pub(crate) fn is_under_way(self) -> bool {
        self.rank() < 3
    }

    /// It ended well or badly, and not merely ended.
    pub(crate) fn is_decided(self) -> bool {
        matches!(self, Self::Success | Self::Failure)
    }
}

impl Mark {
    /// The state that one event tells of.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        Some(Self {
            attempt: event.correlation.run_attempt.unwrap_or(1).max(1),
            progress: Progress::of(&event.status)?,
            at_ms: happened_ms(event),
            seen_ms: event.received_at,
            event: text::key(&event.id),
        })
    }

    /// Whether this is a state from before the other, by more than the last resort of the order.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        let place = |mark: &Self| (mark.attempt, mark.progress.rank(), mark.at_ms);
        place(self) < place(other)
    }

    /// Takes the other state if it is newer.
    pub(crate) fn advance(&mut self, other: &Self) -> Moved {
        if other.order() <= self.order() {
            return Moved::NotAtAll;
        }
        *self = other.clone();
        Moved::Ahead
    }

    fn order(&self) -> (u32, u8, u64, Progress, &str) {
        (self.attempt, self.progress.rank(), self.at_ms, self.progress, &self.event)
    }
}

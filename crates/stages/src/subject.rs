//! Who is asked by a look: a sender for what it sent, or Prometheus for numbers.
//!
//! Invariant: no two of one configuration have the same key.

use homeostat_reconcile::{Look, Memory, Origins, PROMETHEUS};
use homeostat_schema::config::{Config, Pull, Reconcile};

/// What comes before a pull's id in its key; no reconciler's id has a `/`.
pub(crate) const PULL: &str = "pull/";

/// The longest wait after looks at a sender that failed, milliseconds.
const SENDER_WAIT_MS_MAX: u64 = 3_600_000;
/// The longest wait after looks at Prometheus that failed, milliseconds: numbers that are back are
/// to be seen soon, and the server is the operator's own.
const NUMBERS_WAIT_MS_MAX: u64 = 30_000;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    Sender(&'a Reconcile),
    Numbers(&'a Pull),
}

impl<'a> Subject<'a> {
    pub(crate) fn all(config: &'a Config) -> impl Iterator<Item = Self> {
        let senders = config.reconcilers.iter().map(Self::Sender);
        senders.chain(config.pulls.iter().map(Self::Numbers))
    }

    /// The one with this key.
    pub(crate) fn of(config: &'a Config, key: &str) -> Option<Self> {
        match key.strip_prefix(PULL) {
            Some(id) => config.pull(id).map(Self::Numbers),
            None => config.reconciler(key).map(Self::Sender),
        }
    }

    /// What its timer, its memory and what it found are known by.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Sender(of) => of.id.clone(),
            Self::Numbers(of) => format!("{PULL}{}", of.id),
        }
    }

    pub(crate) fn source(self) -> &'a str {
        match self {
            Self::Sender(of) => &of.source,
            Self::Numbers(_) => PROMETHEUS,
        }
    }

    pub(crate) fn look(self, memory: Memory, origins: &Origins, now_ms: u64) -> Look {
        match self {
            Self::Sender(of) => Look::open(of, memory, origins, now_ms),
            Self::Numbers(of) => Look::at_numbers(of, memory, origins, now_ms),
        }
    }

    /// How long to wait after so many looks that failed one after another, milliseconds.
    pub(crate) fn patience_ms(self, failures: u32) -> u64 {
        let (every_s, max_ms) = match self {
            Self::Sender(of) => (of.every_s, SENDER_WAIT_MS_MAX),
            // Before a step ended there is nothing to ask for.
            Self::Numbers(of) => (of.every_s.max(of.step_s), NUMBERS_WAIT_MS_MAX),
        };
        let every_ms = every_s.saturating_mul(1000);
        every_ms.saturating_mul(1 << failures.min(16)).min(max_ms.max(every_ms))
    }
}

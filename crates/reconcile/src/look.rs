//! One look, whatever is asked.

use homeostat_schema::config::{Ask, Pull, Reconcile};

use crate::alertmanager::Alerts;
use crate::ledger::{Book, Ledger};
use crate::memory::Memory;
use crate::pull::Pulling;
use crate::rhythm::Listening;
use crate::{Answer, Next, Origins};

/// One conversation with a sender.
#[derive(Debug)]
pub struct Look(Kind);

#[derive(Debug)]
enum Kind {
    Ledger(Box<Ledger>),
    Alerts(Alerts),
    Listening(Listening),
    Pulling(Box<Pulling>),
}

impl Look {
    /// Begins one, at `now_ms` since the epoch, with what was remembered of the last.
    pub fn open(reconcile: &Reconcile, memory: Memory, origins: &Origins, now_ms: u64) -> Self {
        let ask = serde_json::to_string(&reconcile.ask).unwrap_or_default();
        let memory = if memory.ask == ask { memory } else { Memory { ask, ..Memory::default() } };
        if let Some(book) = Book::of(&reconcile.ask, origins) {
            return Self(Kind::Ledger(Box::new(Ledger::new(book, memory, now_ms))));
        }
        Self(match &reconcile.ask {
            Ask::Rhythm { floor_s, .. } => Kind::Listening(Listening::new(*floor_s, memory, now_ms)),
            _ => Kind::Alerts(Alerts::new(origins, memory, now_ms)),
        })
    }

    /// Begins one at Prometheus.
    pub fn at_numbers(pull: &Pull, memory: Memory, origins: &Origins, now_ms: u64) -> Self {
        // What was taken stays taken, whatever is asked now.
        Self(Kind::Pulling(Box::new(Pulling::new(pull, origins, memory, now_ms))))
    }

    /// What to do next: [`Answer::Begin`] first, then what came of it.
    pub fn next(&mut self, answer: Answer) -> Next {
        match &mut self.0 {
            Kind::Ledger(ledger) => ledger.next(answer),
            Kind::Alerts(alerts) => alerts.next(answer),
            Kind::Listening(listening) => listening.next(answer),
            Kind::Pulling(pulling) => pulling.next(answer),
        }
    }
}

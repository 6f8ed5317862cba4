//! The switches that make a stand-in fail.
//!
//! A fault waits for the first request it fits, is used up by it, and leaves all others alone.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How the next fitting request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused with this status; nothing is done.
    Status(u16),
    /// Done, but the connection ends before the answer.
    LoseAnswer,
    /// Done and answered, this much later.
    Delay(Duration),
    /// The connection ends; nothing is done.
    Drop,
}

/// Faults lying in wait, oldest first.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Mutex<VecDeque<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    method: String,
    path_part: String,
    fault: Fault,
}

impl Faults {
    /// The next request with this method whose path contains `path_part` meets `fault`.
    pub fn next(&self, method: &str, path_part: &str, fault: Fault) {
        let waiting = Waiting { method: method.to_owned(), path_part: path_part.to_owned(), fault };
        self.lock().push_back(waiting);
    }

    /// How many have not been met yet.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut waiting = self.lock();
        let place = waiting.iter().position(|one| one.method == method && path.contains(&one.path_part))?;
        waiting.remove(place).map(|one| one.fault)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

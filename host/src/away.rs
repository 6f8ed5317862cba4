//! What is said of a server that is away: a line when it goes, one a minute while it stays away, and
//! one when it is back, however many connections lead to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines about one server that stays away.
const REPEATED_AFTER: Duration = Duration::from_secs(60);

/// The servers that are away, as those who want to reach them find out.
#[derive(Debug, Default)]
pub(crate) struct Away(Mutex<BTreeMap<String, Missed>>);

#[derive(Debug)]
struct Missed {
    by: BTreeSet<String>,
    said_at: Instant,
}

impl Away {
    /// Whether a line is due, now that `by` does not reach `server`.
    pub(crate) fn is_due(&self, server: &str, by: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(missed) = all.get_mut(server) else {
            let missed = Missed { by: BTreeSet::from([by.to_owned()]), said_at: Instant::now() };
            all.insert(server.to_owned(), missed);
            return true;
        };
        missed.by.insert(by.to_owned());
        let due = missed.said_at.elapsed() >= REPEATED_AFTER;
        if due {
            missed.said_at = Instant::now();
        }
        due
    }

    /// Whether `server` is back for everybody, now that `by` reaches it.
    pub(crate) fn is_back(&self, server: &str, by: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(missed) = all.get_mut(server) else { return false };
        missed.by.remove(by);
        missed.by.is_empty() && all.remove(server).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Away;

    #[test]
    fn a_server_that_many_miss_is_told_once_and_is_back_once() {
        let away = Away::default();
        assert!(!away.is_back("a", "1"), "nobody missed it");
        assert!(away.is_due("a", "1"));
        assert!(!away.is_due("a", "2"));
        assert!(!away.is_due("a", "1"));
        assert!(away.is_due("b", "1"), "another server");
        assert!(!away.is_back("a", "1"), "2 still misses it");
        assert!(away.is_back("a", "2"));
        assert!(!away.is_back("a", "2"));
        assert!(away.is_due("a", "1"), "away once more");
    }
}

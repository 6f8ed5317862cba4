//! Who calls whom, as far as it is known.
//!
//! What this does not do: know directions. A service suffers from what it calls and from those
//! that call it.

use std::collections::{BTreeMap, BTreeSet};

use super::SERVICE_BYTES_MAX;
use crate::recent::bounded_name;

/// Calls that are looked at; a graph with more is cut there.
const CALLS_MAX: usize = 4_096;
/// Further is no hypothesis worth looking for.
pub(super) const HOPS_MAX: u32 = 5;

/// The call graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calls {
    beside: BTreeMap<String, BTreeSet<String>>,
}

impl Calls {
    /// From pairs of services of which one calls the other; the first 4096 of them.
    pub fn of<'a>(calls: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut beside: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (caller, called) in calls.into_iter().take(CALLS_MAX) {
            let (a, b) = (bounded_name(caller, SERVICE_BYTES_MAX), bounded_name(called, SERVICE_BYTES_MAX));
            beside.entry(a.clone()).or_default().insert(b.clone());
            beside.entry(b).or_default().insert(a);
        }
        Self { beside }
    }

    /// The fewest calls between two services; `None` beyond five, or when none are known.
    pub(super) fn hops(&self, from: &str, to: &str) -> Option<u32> {
        let mut reached = BTreeSet::from([from]);
        let mut edge = vec![from];
        for hops in 0..=HOPS_MAX {
            if reached.contains(to) {
                return Some(hops);
            }
            let beside = edge.iter().filter_map(|service| self.beside.get(*service)).flatten();
            edge = beside.map(String::as_str).filter(|next| reached.insert(next)).collect();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_way_counts_in_either_direction() {
        let calls = Calls::of([("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("x", "y")]);
        let check = |from: &str, to: &str, expected: Option<u32>| assert_eq!(calls.hops(from, to), expected);
        check("a", "a", Some(0));
        check("a", "c", Some(2));
        check("d", "a", Some(1));
        check("a", "x", None);
        check("never", "never", Some(0));
        let long: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        let calls = Calls::of(long.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())));
        assert_eq!((calls.hops("0", "5"), calls.hops("0", "6")), (Some(5), None));
    }
}

//! What one instance of the ingest remembers from request to request: who sent forgeries, which
//! secrets are still used.
//!
//! An estimate on purpose: it costs no round trip, so that a flood is shed for less than it costs
//! to send. Each instance of the component has its own; where instances live for one request
//! (Spin) nothing is shed here, and the bound of the inbox is what holds.
//!
//! An address that only forges is not shut out, since behind a proxy everyone has one address: it
//! is let send small bodies only, which cost little to refuse and are what most deliveries are.
//!
//! What this does not do: bound an address that has proven itself lately; decide by what a
//! delivery says.
//!
//! Invariant: memory is bounded by [`ADDRESSES_MAX`] and by [`FLUSH_COUNT`].

use std::collections::BTreeMap;

/// Refusals a second that an address is let try for long, by each instance.
pub const REFUSALS_PER_S: u32 = 10;
/// The longest body read of an address beyond that, bytes.
pub const FORGER_BODY_MAX: usize = 64 * 1024;
/// After a proof an address is not bounded for this long, milliseconds.
pub const PROVEN_FOR_MS: u64 = 10 * 60 * 1000;
/// Addresses remembered; more make all but the proven ones forgotten.
pub const ADDRESSES_MAX: usize = 4_096;
/// Seconds of its rate that a sender may send at once: what a sender's retries pile up.
const BURST_S: u32 = 4;
/// Counts are written after this time, milliseconds,
const FLUSH_MS: u64 = 1_000;
/// or after so many: an instance lives for about a hundred requests, and what it still holds at its
/// end is not counted.
pub const FLUSH_COUNT: u64 = 16;
/// Thousandths of a token, so that slow rates fill evenly.
const WHOLE: u64 = 1_000;

/// Whether a request is worth reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Yes.
    Within,
    /// It comes too fast; it may be tried again later.
    Over,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Gate {
    addresses: BTreeMap<String, Address>,
    counts: BTreeMap<String, u64>,
    flushed_ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct Address {
    refusals: Bucket,
    /// Milliseconds since the epoch; 0 never.
    proven_ms: u64,
}

/// A token bucket.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u64,
    at_ms: u64,
}

impl Gate {
    /// Before a body is read: whether its address still may send a long one.
    pub fn knock(&mut self, address: &str, now_ms: u64) -> Pace {
        let Some(known) = self.addresses.get_mut(address) else { return Pace::Within };
        if known.proven_ms > 0 && now_ms.saturating_sub(known.proven_ms) <= PROVEN_FOR_MS {
            return Pace::Within;
        }
        known.refusals.fill(REFUSALS_PER_S, now_ms);
        if known.refusals.left >= WHOLE { Pace::Within } else { Pace::Over }
    }

    /// A delivery was refused.
    pub fn refused(&mut self, instance: &str, address: &str, now_ms: u64) {
        self.count(format!("refused:{instance}"));
        self.address(address, now_ms).refusals.take(REFUSALS_PER_S, now_ms);
    }

    /// A delivery was proven, with the secret in this place of its list.
    pub fn proven(&mut self, instance: &str, key: usize, address: &str, now_ms: u64) {
        self.count(format!("key:{instance}:{key}"));
        self.address(address, now_ms).proven_ms = now_ms;
    }

    /// Something was shed.
    pub fn shed(&mut self, instance: &str) {
        self.count(format!("shed:{instance}"));
    }

    /// The counts to be added to the store's, when it is time again.
    pub fn due(&mut self, now_ms: u64) -> BTreeMap<String, u64> {
        let pending: u64 = self.counts.values().sum();
        if pending < FLUSH_COUNT && now_ms.saturating_sub(self.flushed_ms) < FLUSH_MS {
            return BTreeMap::new();
        }
        self.flushed_ms = now_ms;
        std::mem::take(&mut self.counts)
    }

    fn count(&mut self, name: String) {
        *self.counts.entry(name).or_default() += 1;
    }

    fn address(&mut self, address: &str, now_ms: u64) -> &mut Address {
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(address) {
            let proven = |known: &Address| now_ms.saturating_sub(known.proven_ms) <= PROVEN_FOR_MS;
            self.addresses.retain(|_, known| proven(known));
        }
        if self.addresses.len() >= ADDRESSES_MAX {
            self.addresses.clear();
        }
        let new = || Address { refusals: Bucket::full(REFUSALS_PER_S, now_ms), proven_ms: 0 };
        self.addresses.entry(address.to_owned()).or_insert_with(new)
    }
}

impl Bucket {
    fn full(rate: u32, now_ms: u64) -> Self {
        Self { left: Self::size(rate), at_ms: now_ms }
    }

    fn size(rate: u32) -> u64 {
        u64::from(rate) * u64::from(BURST_S) * WHOLE
    }

    /// A thousandth of the rate drops in each millisecond.
    fn fill(&mut self, rate: u32, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.left = self.left.saturating_add(passed.saturating_mul(u64::from(rate))).min(Self::size(rate));
        self.at_ms = self.at_ms.max(now_ms);
    }

    fn take(&mut self, rate: u32, now_ms: u64) {
        self.fill(rate, now_ms);
        self.left = self.left.saturating_sub(WHOLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn refuse(gate: &mut Gate, address: &str, times: u32, now_ms: u64) {
        (0..times).for_each(|_| gate.refused("github", address, now_ms));
    }

    #[test]
    fn an_address_that_forges_is_bounded_and_others_are_not() {
        let mut gate = Gate::default();
        assert_eq!(gate.knock("a", NOW), Pace::Within);
        refuse(&mut gate, "a", REFUSALS_PER_S * BURST_S - 1, NOW);
        assert_eq!(gate.knock("a", NOW), Pace::Within);
        refuse(&mut gate, "a", 1, NOW);
        assert_eq!(gate.knock("a", NOW), Pace::Over);
        assert_eq!(gate.knock("b", NOW), Pace::Within);
        assert_eq!(gate.knock("a", NOW + 100), Pace::Within, "one more after a tenth of a second");
    }

    #[test]
    fn an_address_that_proved_itself_is_not_bounded_whatever_else_it_sends() {
        let mut gate = Gate::default();
        gate.proven("github", 1, "proxy", NOW);
        refuse(&mut gate, "proxy", 10_000, NOW);
        assert_eq!(gate.knock("proxy", NOW + PROVEN_FOR_MS), Pace::Within);
        refuse(&mut gate, "proxy", 10_000, NOW + PROVEN_FOR_MS + 1);
        assert_eq!(gate.knock("proxy", NOW + PROVEN_FOR_MS + 1), Pace::Over);
    }

    #[test]
    fn memory_is_bounded_and_proven_addresses_are_kept() {
        let mut gate = Gate::default();
        gate.proven("github", 1, "known", NOW);
        (0..3 * ADDRESSES_MAX).for_each(|at| gate.refused("github", &format!("a{at}"), NOW));
        assert!(gate.addresses.len() <= ADDRESSES_MAX);
        assert!(gate.addresses.contains_key("known"));
    }

    #[test]
    fn counts_are_given_once_and_seldom() {
        let mut gate = Gate::default();
        gate.proven("github/team-a", 2, "a", NOW);
        gate.refused("github", "a", NOW);
        gate.refused("github", "a", NOW);
        let first = gate.due(NOW);
        let names: Vec<_> = first.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(names, [("key:github/team-a:2", 1), ("refused:github", 2)]);
        gate.shed("github");
        assert!(gate.due(NOW + FLUSH_MS - 1).is_empty());
        assert_eq!(gate.due(NOW + FLUSH_MS).len(), 1);
        assert!(gate.due(NOW + 3 * FLUSH_MS).is_empty());
        (0..FLUSH_COUNT).for_each(|_| gate.shed("github"));
        assert_eq!(gate.due(NOW + 3 * FLUSH_MS).len(), 1, "many are not kept back");
    }
}

//! One stage's inbox in one shard: entries, cursor, lease, bell, tries, state, timers.

use std::collections::BTreeMap;
use std::fmt;

use crate::step::{Input, State};
use crate::store::{Batch, Fetch, Fetched};

/// Dead letters in one fetch; as in `lua/fetch.lua`.
const DEAD_PER_FETCH_MAX: usize = 64;

/// Bytes of payload after which a batch is full; as in `lua/fetch.lua`.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// A stream id: milliseconds, and a number within them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryId {
    pub(crate) ms: u64,
    pub(crate) n: u64,
}

impl EntryId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (ms, n) = text.split_once('-')?;
        Some(Self { ms: ms.parse().ok()?, n: n.parse().ok()? })
    }

    /// The id of an entry appended at `now_ms` after this one.
    pub(crate) fn next(self, now_ms: u64) -> Self {
        if now_ms > self.ms { Self { ms: now_ms, n: 0 } } else { Self { ms: self.ms, n: self.n + 1 } }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.ms, self.n)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    pub(crate) fields: Vec<String>,
    pub(crate) payload: Vec<u8>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inbox {
    entries: BTreeMap<EntryId, Entry>,
    last: EntryId,
    pub(crate) cursor: EntryId,
    pub(crate) seq: u64,
    pub(crate) open: u32,
    pub(crate) solo: u32,
    pub(crate) now_ms: u64,
    /// The token, and when it ends.
    pub(crate) lease: Option<(String, u64)>,
    pub(crate) bell_until: Option<u64>,
    pub(crate) tries: BTreeMap<String, u32>,
    pub(crate) errors: BTreeMap<String, String>,
    pub(crate) state: BTreeMap<String, Vec<u8>>,
    /// Due times, by fields and name.
    pub(crate) due: BTreeMap<(Vec<String>, String), u64>,
}

/// What taking the next batch came to.
pub(crate) struct Taken {
    pub(crate) fetched: Fetched,
    pub(crate) unfinished: bool,
    pub(crate) dead: Vec<(Input, String)>,
    /// A full round of dead letters: there may be more to look at.
    pub(crate) more: bool,
}

impl Inbox {
    pub(crate) fn append(&mut self, now_ms: u64, fields: Vec<String>, payload: Vec<u8>) -> EntryId {
        self.last = self.last.next(now_ms);
        self.entries.insert(self.last, Entry { fields, payload });
        self.last
    }

    pub(crate) fn unread(&self) -> impl Iterator<Item = (&EntryId, &Entry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.entries.range((Excluded(self.cursor), Unbounded))
    }

    pub(crate) fn entry(&self, id: &EntryId) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(crate) fn holder(&self, now_ms: u64) -> Option<&str> {
        self.lease.as_ref().filter(|(_, until)| *until > now_ms).map(|(token, _)| token.as_str())
    }

    pub(crate) fn has_work(&self, now_ms: u64) -> bool {
        let now_ms = now_ms.max(self.now_ms);
        self.unread().next().is_some() || self.due.values().any(|due| *due <= now_ms)
    }

    pub(crate) fn fields(&self, fields: &[String]) -> State {
        State(fields.iter().map(|field| (field.clone(), self.state.get(field).cloned())).collect())
    }

    pub(crate) fn trim(&mut self, horizon_ms: u64) -> u64 {
        let before = self.entries.len();
        let cursor = self.cursor;
        self.entries.retain(|id, _| *id > cursor || id.ms >= horizon_ms);
        u64::try_from(before - self.entries.len()).unwrap_or(u64::MAX)
    }

    pub(crate) fn hand_back(&mut self, untried: Option<&Input>) {
        self.open = 0;
        self.lease = None;
        if let Some(input) = untried {
            match self.tries.get_mut(&input.id) {
                Some(tries) if *tries > 1 => *tries -= 1,
                _ => {
                    self.tries.remove(&input.id);
                }
            }
        }
    }

    /// The fetch, from the lease on; `term` makes a new token.
    pub(crate) fn take(&mut self, fetch: &Fetch<'_>, clock_ms: u64, term: u64) -> Taken {
        let mut taken = Taken { fetched: Fetched::Busy, unfinished: false, dead: Vec::new(), more: false };
        if self.holder(clock_ms).is_some_and(|holder| Some(holder) != fetch.token) {
            return taken;
        }
        self.now_ms = self.now_ms.max(clock_ms);
        taken.unfinished = self.open > 0;
        self.solo = self.solo.max(self.open);
        let (inputs, tries) = self.next_inputs(fetch, &mut taken.dead);
        let dead = u32::try_from(taken.dead.len()).unwrap_or(u32::MAX);
        if inputs.is_empty() {
            self.open = 0;
            self.lease = None;
            taken.more = taken.dead.len() == DEAD_PER_FETCH_MAX;
            if !taken.more {
                (self.solo, self.bell_until) = (0, None);
            }
            taken.fetched = Fetched::Idle { dead };
            return taken;
        }
        let token = fetch.token.map_or_else(|| format!("{term}"), str::to_owned);
        self.lease = Some((token.clone(), clock_ms + fetch.lease_ms));
        self.open = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let needed: Vec<_> = inputs.iter().flat_map(|input| input.fields.clone()).collect();
        let (state, seq, now_ms) = (self.fields(&needed), self.seq, self.now_ms);
        taken.fetched = Fetched::Batch(Batch { token, seq, now_ms, tries, dead, inputs, state });
        taken
    }

    fn next_inputs(&mut self, fetch: &Fetch<'_>, dead: &mut Vec<(Input, String)>) -> (Vec<Input>, u32) {
        for _ in 0..DEAD_PER_FETCH_MAX {
            let want = if self.solo > 0 { 1 } else { fetch.batch.max(1) };
            let inputs = self.gather(usize::try_from(want).unwrap_or(usize::MAX));
            let [input] = inputs.as_slice() else { return (inputs, 0) };
            let tries = self.tries.entry(input.id.clone()).or_default();
            *tries += 1;
            if *tries <= fetch.tries {
                let tries = *tries;
                return (inputs, tries);
            }
            dead.push(self.condemn(input));
        }
        (Vec::new(), 0)
    }

    fn condemn(&mut self, input: &Input) -> (Input, String) {
        let error = self.errors.remove(&input.id);
        self.consume(input);
        self.seq += 1;
        self.solo = self.solo.saturating_sub(1);
        (input.clone(), error.unwrap_or_else(|| "its worker was lost each time".to_owned()))
    }

    /// Moves past an input: the cursor over an entry, a timer out of the list.
    pub(crate) fn consume(&mut self, input: &Input) {
        self.tries.remove(&input.id);
        self.errors.remove(&input.id);
        match &input.timer {
            Some(name) => {
                self.due.remove(&(input.fields.clone(), name.clone()));
            }
            None => self.cursor = EntryId::parse(&input.id).unwrap_or(self.cursor).max(self.cursor),
        }
    }

    fn gather(&self, want: usize) -> Vec<Input> {
        let entries: Vec<_> = self.unread().take(want).collect();
        let timers = self.due.iter().filter(|(_, due)| **due <= self.now_ms);
        // A timer goes before an entry of the same millisecond; timers of one by their member.
        let mut inputs: Vec<(u64, u8, String, u64, Input)> = timers
            .map(|((fields, name), due)| {
                let member = crate::fields::timer_member(fields, name);
                let id = format!("t:{due}:{name}");
                let input = Input { id, fields: fields.clone(), timer: Some(name.clone()), payload: vec![] };
                (*due, 0, member, 0, input)
            })
            .collect();
        inputs.extend(entries.into_iter().map(|(id, entry)| {
            let (fields, payload) = (entry.fields.clone(), entry.payload.clone());
            (id.ms, 1, String::new(), id.n, Input { id: id.to_string(), fields, timer: None, payload })
        }));
        inputs.sort_by(|a, b| (a.0, a.1, &a.2, a.3).cmp(&(b.0, b.1, &b.2, b.3)));
        let mut bytes = 0;
        let fits = |input: &Input| {
            let fits = bytes < BATCH_BYTES_MAX;
            bytes += input.payload.len();
            fits
        };
        inputs.into_iter().take(want).map(|(.., input)| input).take_while(fits).collect()
    }
}

//! The store in memory, with a clock that stands still until told: for simulation, property tests
//! and tests of steps.
//!
//! What it does not do: it keeps nothing and answers at once. The same contract tests run on it
//! and on Redis, so what holds here holds there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use crate::cell::Cell;
use crate::check;
use crate::limits::Bounds;
use crate::name::{Shard, Stage};
use crate::seen;
use crate::step::{Input, State};
use crate::store::{
    Commit, Committed, DeadLetter, Fetch, Fetched, Ingest, Ingested, Lag, Release, Released, Replayed, Ring,
    Store, StoreError, TickReport,
};

mod commit;
mod inbox;
mod view;

use inbox::{EntryId, Inbox};
pub use view::View;

/// Where a fresh store's clock stands: 2025-11-27T12:00:00Z.
pub const START_MS: u64 = 1_764_244_800_000;

/// A store in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    cell: Cell,
    bounds: Bounds,
    inner: Rc<RefCell<Inner>>,
}

/// Everything it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inner {
    now_ms: u64,
    inboxes: BTreeMap<(Stage, Shard), Inbox>,
    /// By day and id.
    seen: BTreeSet<(i64, String)>,
    views: BTreeMap<String, View>,
    dead: Vec<(EntryId, Buried)>,
    counters: BTreeMap<String, i64>,
    /// Rung and not yet taken by anyone.
    bells: VecDeque<(Stage, Shard)>,
    terms: u64,
}

/// A dead letter without its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Buried {
    stage: Stage,
    shard: Shard,
    id: String,
    fields: Vec<String>,
    timer: Option<String>,
    payload: Vec<u8>,
    error: String,
    at_ms: u64,
}

impl MemoryStore {
    /// An empty store; its clock stands at [`START_MS`].
    pub fn new(cell: Cell) -> Self {
        let inner = Inner { now_ms: START_MS, ..Inner::default() };
        Self { cell, bounds: Bounds::default(), inner: Rc::new(RefCell::new(inner)) }
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// What the clock says, in milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.inner.borrow().now_ms
    }

    /// Moves the clock forward.
    pub fn advance_ms(&self, by_ms: u64) {
        self.inner.borrow_mut().now_ms += by_ms;
    }

    /// Takes the oldest bell in flight.
    pub fn take_bell(&self) -> Option<(Stage, Shard)> {
        self.inner.borrow_mut().bells.pop_front()
    }

    /// A read model, by its key under `hs:v:`.
    pub fn view(&self, key: &str) -> Option<View> {
        let inner = self.inner.borrow();
        inner.views.get(key).filter(|view| !view.is_over(inner.now_ms)).cloned()
    }

    /// The keys of all read models.
    pub fn view_keys(&self) -> Vec<String> {
        self.inner.borrow().views.keys().cloned().collect()
    }

    /// A committed state field.
    pub fn state(&self, stage: Stage, shard: &Shard, field: &str) -> Option<Vec<u8>> {
        self.inner.borrow().inboxes.get(&(stage, shard.clone()))?.state.get(field).cloned()
    }

    /// The timers that are set: due time, name.
    pub fn timers(&self, stage: Stage, shard: &Shard) -> Vec<(u64, String)> {
        let inner = self.inner.borrow();
        let inbox = inner.inboxes.get(&(stage, shard.clone()));
        let mut timers: Vec<_> = inbox
            .into_iter()
            .flat_map(|inbox| &inbox.due)
            .map(|((_, name), due)| (*due, name.clone()))
            .collect();
        timers.sort();
        timers
    }

    /// The earliest due time of any timer: where a simulation may jump to.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.inner.borrow().inboxes.values().flat_map(|inbox| inbox.due.values()).min().copied()
    }

    /// The unread entries of an inbox, payload by payload.
    pub fn unread(&self, stage: Stage, shard: &Shard) -> Vec<Vec<u8>> {
        let inner = self.inner.borrow();
        let inbox = inner.inboxes.get(&(stage, shard.clone()));
        inbox
            .map(|inbox| inbox.unread().map(|(_, entry)| entry.payload.clone()).collect())
            .unwrap_or_default()
    }

    /// The lease's token and the number the next commit must carry.
    pub fn lease(&self, stage: Stage, shard: &Shard) -> (Option<String>, u64) {
        let inner = self.inner.borrow();
        let inbox = inner.inboxes.get(&(stage, shard.clone()));
        inbox.map_or((None, 0), |inbox| (inbox.holder(inner.now_ms).map(str::to_owned), inbox.seq))
    }

    /// Ends a lease as if it had run out.
    pub fn expire_lease(&self, stage: Stage, shard: &Shard) {
        if let Some(inbox) = self.inner.borrow_mut().inboxes.get_mut(&(stage, shard.clone())) {
            inbox.lease = None;
        }
    }

    /// A number that is the same for two stores that go on in the same way. Bells in flight,
    /// counters and the numbers of leases and commits are left out, as they only name things.
    pub fn fingerprint(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut inner = self.inner.borrow().clone();
        inner.bells.clear();
        inner.counters.clear();
        inner.terms = 0;
        for inbox in inner.inboxes.values_mut() {
            inbox.seq = 0;
            if let Some((token, _)) = &mut inbox.lease {
                token.clear();
            }
        }
        let mut hasher = DefaultHasher::new();
        inner.hash(&mut hasher);
        hasher.finish()
    }
}

impl Inner {
    fn inbox(&mut self, stage: Stage, shard: &Shard) -> &mut Inbox {
        self.inboxes.entry((stage, shard.clone())).or_default()
    }

    fn count(&mut self, what: &str, stage: Stage, by: i64) {
        *self.counters.entry(format!("{what}:{stage}")).or_default() += by;
    }

    fn append(&mut self, stage: Stage, shard: &Shard, fields: Vec<String>, payload: Vec<u8>) -> EntryId {
        let now_ms = self.now_ms;
        let id = self.inbox(stage, shard).append(now_ms, fields, payload);
        self.count("appended", stage, 1);
        id
    }

    /// After an append: only when no bell is under way.
    fn ring_once(&mut self, stage: Stage, shard: &Shard, bell_ms: u64) {
        let now_ms = self.now_ms;
        let inbox = self.inbox(stage, shard);
        if inbox.bell_until.is_none_or(|until| until <= now_ms) {
            inbox.bell_until = Some(now_ms + bell_ms);
            self.bells.push_back((stage, shard.clone()));
        }
    }

    /// Regardless of the flag.
    fn ring_always(&mut self, stage: Stage, shard: &Shard, bell_ms: u64) {
        let until = self.now_ms + bell_ms;
        self.inbox(stage, shard).bell_until = Some(until);
        self.bells.push_back((stage, shard.clone()));
    }

    fn bury(&mut self, stage: Stage, shard: &Shard, input: &Input, error: &str) {
        let last = self.dead.last().map(|(id, _)| *id).unwrap_or_default();
        let buried = Buried {
            stage,
            shard: shard.clone(),
            id: input.id.clone(),
            fields: input.fields.clone(),
            timer: input.timer.clone(),
            payload: input.payload.clone(),
            error: error.to_owned(),
            at_ms: self.now_ms,
        };
        self.dead.push((last.next(self.now_ms), buried));
        self.count("dead", stage, 1);
    }

    fn fetch(&mut self, fetch: &Fetch<'_>, bell_ms: u64) -> Fetched {
        let now_ms = self.now_ms;
        let term = self.terms + 1;
        let taken = self.inbox(fetch.stage, fetch.shard).take(fetch, now_ms, term);
        if taken.unfinished {
            self.count("unfinished", fetch.stage, 1);
        }
        for (input, error) in &taken.dead {
            self.bury(fetch.stage, fetch.shard, input, error);
        }
        match &taken.fetched {
            Fetched::Batch(_) if fetch.token.is_none() => self.terms += 1,
            Fetched::Idle { .. } if taken.more => self.ring_always(fetch.stage, fetch.shard, bell_ms),
            _ => {}
        }
        taken.fetched
    }

    fn lag_of(&self, stage: Stage, shard: &Shard, inbox: &Inbox) -> Lag {
        let oldest = inbox.unread().next().map(|(id, _)| self.now_ms.saturating_sub(id.ms));
        Lag {
            stage,
            shard: shard.clone(),
            unread: u64::try_from(inbox.unread().count()).unwrap_or(u64::MAX),
            due: u64::try_from(inbox.due.values().filter(|due| **due <= self.now_ms).count())
                .unwrap_or(u64::MAX),
            open: u64::from(inbox.open),
            oldest_ms: oldest.unwrap_or(0),
        }
    }
}

impl Store for MemoryStore {
    fn cell(&self) -> &Cell {
        &self.cell
    }

    async fn ingest(&self, event: &Ingest<'_>) -> Result<Ingested, StoreError> {
        check::ingest(&self.cell, event).map_err(StoreError::Refused)?;
        let inner = &mut *self.inner.borrow_mut();
        let days = event.day - seen::SEEN_DAYS_BACK..=event.day + seen::SEEN_DAYS_AHEAD;
        if event.ids.iter().any(|id| days.clone().any(|day| inner.seen.contains(&(day, (*id).to_owned())))) {
            inner.count("duplicate", event.stage, 1);
            return Ok(Ingested::Duplicate);
        }
        let unread = inner.inbox(event.stage, event.shard).unread().count();
        if u64::try_from(unread).unwrap_or(u64::MAX) >= self.bounds.inbox_max {
            inner.count("full", event.stage, 1);
            return Ok(Ingested::Full);
        }
        inner.seen.extend(event.ids.iter().map(|id| (event.day, (*id).to_owned())));
        let id = inner.append(event.stage, event.shard, event.fields.to_vec(), event.payload.to_vec());
        inner.ring_once(event.stage, event.shard, self.bounds.bell_ms);
        Ok(Ingested::Accepted(id.to_string()))
    }

    async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, StoreError> {
        Ok(self.inner.borrow_mut().fetch(fetch, self.bounds.bell_ms))
    }

    async fn read_fields(&self, stage: Stage, shard: &Shard, fields: &[String]) -> Result<State, StoreError> {
        check::fields(fields).map_err(StoreError::Refused)?;
        Ok(self.inner.borrow_mut().inbox(stage, shard).fields(fields))
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        check::effects(&self.cell, commit.effects).map_err(StoreError::Refused)?;
        self.inner.borrow_mut().commit(commit, self.bounds.bell_ms)
    }

    async fn release(&self, release: &Release<'_>) -> Result<Released, StoreError> {
        let inner = &mut *self.inner.borrow_mut();
        let now_ms = inner.now_ms;
        let inbox = inner.inbox(release.stage, release.shard);
        if inbox.holder(now_ms) != Some(release.token) {
            return Ok(Released::Lost);
        }
        inbox.hand_back(release.untried);
        if release.ring == Ring::Now && inbox.has_work(now_ms) {
            inner.ring_always(release.stage, release.shard, self.bounds.bell_ms);
            return Ok(Released::Rung);
        }
        inbox.bell_until = None;
        Ok(Released::Quiet)
    }

    async fn ring(&self, stage: Stage, shard: &Shard) -> Result<(), StoreError> {
        self.inner.borrow_mut().ring_always(stage, shard, self.bounds.bell_ms);
        Ok(())
    }

    async fn tick(&self) -> Result<TickReport, StoreError> {
        let lag = self.lag().await?;
        let inner = &mut *self.inner.borrow_mut();
        let now_ms = inner.now_ms;
        let mut report = TickReport { lag, ..TickReport::default() };
        for (stage, shard) in inner.inboxes.keys().cloned().collect::<Vec<_>>() {
            let inbox = inner.inbox(stage, &shard);
            report.trimmed += inbox.trim(now_ms.saturating_sub(self.bounds.keep_ms));
            let is_waiting = inbox.open > 0 || inbox.has_work(now_ms);
            if is_waiting && inbox.holder(now_ms).is_none() {
                inner.ring_always(stage, &shard, self.bounds.bell_ms);
                report.rung.push((stage, shard));
            }
        }
        Ok(report)
    }

    async fn lag(&self) -> Result<Vec<Lag>, StoreError> {
        let inner = self.inner.borrow();
        Ok(inner.inboxes.iter().map(|((stage, shard), inbox)| inner.lag_of(*stage, shard, inbox)).collect())
    }

    async fn counters(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        Ok(self.inner.borrow().counters.clone())
    }

    async fn dead_letters(&self, after: &str, count: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let after = EntryId::parse(after).unwrap_or_default();
        let inner = self.inner.borrow();
        let letters = inner.dead.iter().filter(|(id, _)| *id > after).map(|(id, buried)| DeadLetter {
            id: id.to_string(),
            stage: buried.stage.to_string(),
            shard: buried.shard.to_string(),
            input: Input {
                id: buried.id.clone(),
                fields: buried.fields.clone(),
                timer: buried.timer.clone(),
                payload: buried.payload.clone(),
            },
            error: buried.error.clone(),
            at_ms: buried.at_ms,
        });
        Ok(letters.take(usize::try_from(count.max(1)).unwrap_or(usize::MAX)).collect())
    }

    async fn replay(&self, letter: &DeadLetter) -> Result<Replayed, StoreError> {
        let (stage, shard) = check::home(&self.cell, letter).map_err(StoreError::Refused)?;
        let inner = &mut *self.inner.borrow_mut();
        let found = inner.dead.iter().position(|(id, _)| id.to_string() == letter.id);
        let Some(index) = found else { return Ok(Replayed::Gone) };
        let (_, buried) = inner.dead.remove(index);
        match buried.timer {
            Some(name) => {
                let now_ms = inner.now_ms;
                inner.inbox(stage, &shard).due.insert((buried.fields, name), now_ms);
            }
            None => {
                inner.append(stage, &shard, buried.fields, buried.payload);
            }
        }
        inner.ring_once(stage, &shard, self.bounds.bell_ms);
        inner.count("replayed", stage, 1);
        Ok(Replayed::Done)
    }
}

//! Every interleaving of an appender and some workers, each store operation one atomic step.
//!
//! The workers run the real drain on the real in-memory store; only the order is ours. A schedule
//! is replayed from the start to reach a state; states met before are not entered again.
//!
//! A scenario may also let leases run out at any moment, which is what a crash or a stall comes
//! to; then a tick follows when nobody is called any more, and every entry must be done once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Waking, Poll, Waker};

use homeostat_flow::Ring;
use homeostat_flow::memory::MemoryStore;
use homeostat_flow::{
    Cell, Commit, Committed, Context, DeadLetter, Effects, Fetch, Fetched, Ingest, Ingested, Input, Lag,
    Limits, Release, Released, Replayed, Shard, Stage, State, Step, StepError, Store, StoreError, TickReport,
    Verdict, Write, drain,
};

const STAGE: Stage = Stage::new("work");

/// A fault put into the protocol, to see that the search finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The protocol as it is.
    None,
    /// A bounded stop with work left does not ring.
    SilentStop,
    /// The flag is not cleared where nothing is left.
    FlagKept,
    /// A worker looks whether there is work in one step and gives its lease up in another.
    LateRelease,
    /// A commit goes through under whatever lease and number there is.
    BlindCommit,
}

/// What is played.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Entries that arrive, one after the other.
    pub appends: u32,
    /// Workers that hear every bell.
    pub workers: usize,
    /// One more, which drains once, unasked, and hears nothing: a drain over HTTP.
    pub deaf: bool,
    /// Batches before a worker stops.
    pub batches: u32,
    /// How many leases run out, at any moment.
    pub expiries: u32,
    /// The fault.
    pub mutant: Mutant,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// Ends in which all was done.
    pub ends: usize,
    /// An order that ends with work left and nobody called, or with an entry done twice.
    pub wrong: Option<Vec<usize>>,
}

/// States beyond which the search gives up; the largest scenario in use has a tenth of that.
const STATES_MAX: usize = 2_000_000;

/// Searches every order.
///
/// # Panics
/// When there are more states than any scenario in use has.
pub fn search(scenario: Scenario) -> Found {
    let mut found = Found { states: 0, ends: 0, wrong: None };
    let mut seen = BTreeSet::new();
    let mut open = vec![Vec::new()];
    while let Some(schedule) = open.pop() {
        let mut play = Play::new(scenario);
        for choice in &schedule {
            play.take(*choice);
        }
        if !seen.insert(play.key()) {
            continue;
        }
        assert!(seen.len() < STATES_MAX, "the search does not end");
        let choices = play.choices();
        if choices.is_empty() {
            found.ends += 1;
            if !play.is_right() && found.wrong.is_none() {
                found.wrong = Some(schedule.clone());
            }
        }
        for choice in choices {
            let mut longer = schedule.clone();
            longer.push(choice);
            open.push(longer);
        }
    }
    found.states = seen.len();
    found
}

/// The choice that lets a lease run out.
const EXPIRY: usize = usize::MAX - 1;
/// The choice that ticks.
const TICK: usize = usize::MAX;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// One run, as far as it has got. Choice 0 is the appender, choice n worker n; see [`Play::take`].
struct Play {
    scenario: Scenario,
    store: MemoryStore,
    appended: u32,
    expired: u32,
    workers: Vec<Worker>,
}

struct Worker {
    /// Bells heard and not answered.
    heard: u32,
    is_deaf: bool,
    running: Option<Task>,
    /// What this drain has seen so far, which decides what it does next.
    history: Rc<RefCell<History>>,
}

#[derive(Default)]
struct History {
    answers: Vec<&'static str>,
    /// Token and number of the last batch.
    batch: Option<(String, u64)>,
}

impl Play {
    fn new(scenario: Scenario) -> Self {
        let store = MemoryStore::new(Cell::new(1, &[STAGE]));
        let worker =
            |is_deaf| Worker { heard: u32::from(is_deaf), is_deaf, running: None, history: Rc::default() };
        let workers = (0..scenario.workers).map(|_| worker(false)).chain(scenario.deaf.then(|| worker(true)));
        Self { scenario, store, appended: 0, expired: 0, workers: workers.collect() }
    }

    fn choices(&self) -> Vec<usize> {
        let appender = (self.appended < self.scenario.appends).then_some(0);
        let ready = |worker: &Worker| worker.running.is_some() || worker.heard > 0;
        let workers =
            self.workers.iter().enumerate().filter(|(_, worker)| ready(worker)).map(|(index, _)| index + 1);
        let holder = self.store.lease(STAGE, &Shard::service(0)).0;
        let expiry = (self.expired < self.scenario.expiries && holder.is_some()).then_some(EXPIRY);
        let choices: Vec<_> = appender.into_iter().chain(workers).chain(expiry).collect();
        let needs_tick = choices.is_empty() && self.scenario.expiries > 0 && !self.is_done();
        if needs_tick { vec![TICK] } else { choices }
    }

    fn take(&mut self, choice: usize) {
        match choice {
            0 => {
                self.appended += 1;
                append(&self.store, self.appended);
            }
            EXPIRY => {
                self.expired += 1;
                self.store.expire_lease(STAGE, &Shard::service(0));
            }
            TICK => drop(now(self.store.tick())),
            worker => self.step_worker(worker - 1),
        }
        while self.store.take_bell().is_some() {
            for worker in self.workers.iter_mut().filter(|worker| !worker.is_deaf) {
                worker.heard += 1;
            }
        }
    }

    /// One store operation of a worker; a worker at rest answers a bell first.
    fn step_worker(&mut self, index: usize) {
        let (store, scenario) = (self.store.clone(), self.scenario);
        let worker = &mut self.workers[index];
        let mut task = worker.running.take().unwrap_or_else(|| {
            worker.heard -= 1;
            worker.history.take();
            let stepped = Stepped { store, mutant: scenario.mutant, history: worker.history.clone() };
            let mut task: Task = Box::pin(work(stepped, scenario.batches));
            assert!(poll(&mut task).is_pending(), "it waits in front of its first operation");
            task
        });
        if poll(&mut task).is_pending() {
            worker.running = Some(task);
        } else {
            worker.history.take();
        }
    }

    /// Two runs with the same key go on in the same ways.
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.store.fingerprint(), self.appended, self.expired).hash(&mut hasher);
        let (holder, seq) = self.store.lease(STAGE, &Shard::service(0));
        for worker in &self.workers {
            let history = worker.history.borrow();
            (worker.heard, worker.running.is_some(), &history.answers).hash(&mut hasher);
            // Names differ between runs; whose lease it is and whether a batch is stale does not.
            let batch = history.batch.as_ref();
            batch.map(|(token, number)| (holder.as_ref() == Some(token), *number == seq)).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Everything done, each entry once.
    fn is_right(&self) -> bool {
        let view = self.store.view("count");
        let once = |number: u32| {
            view.as_ref().and_then(|view| view.field(&number.to_string())).is_some_and(|count| count == b"1")
        };
        self.is_done() && (1..=self.scenario.appends).all(once)
    }

    fn is_done(&self) -> bool {
        self.store.unread(STAGE, &Shard::service(0)).is_empty()
    }
}

fn poll(task: &mut Task) -> Poll<()> {
    task.as_mut().poll(&mut Waking::from_waker(Waker::noop()))
}

fn append(store: &MemoryStore, number: u32) {
    let (shard, id) = (Shard::service(0), number.to_string());
    let event =
        Ingest { stage: STAGE, shard: &shard, ids: &[&id], day: 1, fields: &[], payload: id.as_bytes() };
    let ingested = now(store.ingest(&event));
    assert!(matches!(ingested, Ok(Ingested::Accepted(_))), "{ingested:?}");
}

/// The output of a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Waking::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the store in memory answers at once"),
    }
}

/// Counts each entry.
struct Count;

impl Step for Count {
    type Hand = ();

    fn stage(&self) -> Stage {
        STAGE
    }
    fn apply(&self, (): &mut (), _: &Context, input: &Input, _: &State) -> Result<Verdict, StepError> {
        let field = String::from_utf8_lossy(&input.payload).into_owned();
        let count = Write::Add { key: "count".to_owned(), field, by: 1 };
        Ok(Verdict::Done(Effects { writes: vec![count], ..Effects::default() }))
    }
}

async fn work(store: Stepped, batches: u32) {
    let limits = Limits { batch: 1, batches, ..Limits::STEPS };
    drain(&store, &Count, &Shard::service(0), &limits).await.expect("a drain");
}

/// The store as a worker sees it: it waits in front of every operation until it is its turn.
struct Stepped {
    store: MemoryStore,
    mutant: Mutant,
    history: Rc<RefCell<History>>,
}

impl Stepped {
    async fn turn(&self) {
        let mut waited = false;
        std::future::poll_fn(|_| {
            if waited {
                return Poll::Ready(());
            }
            waited = true;
            Poll::Pending
        })
        .await;
    }

    fn note(&self, what: &'static str) {
        self.history.borrow_mut().answers.push(what);
    }

    /// The faulty release: in a step of its own, without looking again.
    async fn late_release(&self, token: &str) -> Result<Fetched, StoreError> {
        self.note("nothing seen");
        self.turn().await;
        let shard = Shard::service(0);
        let release = Release { stage: STAGE, shard: &shard, token, untried: None, ring: Ring::AtTick };
        self.store.release(&release).await?;
        Ok(Fetched::Idle { dead: 0 })
    }
}

impl Store for Stepped {
    fn cell(&self) -> &Cell {
        self.store.cell()
    }
    async fn ingest(&self, event: &Ingest<'_>) -> Result<Ingested, StoreError> {
        self.store.ingest(event).await
    }
    async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, StoreError> {
        self.turn().await;
        if let (Mutant::LateRelease, Some(token)) = (self.mutant, fetch.token)
            && self.store.unread(STAGE, fetch.shard).is_empty()
        {
            return self.late_release(token).await;
        }
        let fetched = self.store.fetch(fetch).await?;
        self.note(match &fetched {
            Fetched::Busy => "busy",
            Fetched::Idle { .. } => "idle",
            Fetched::Batch(_) => "batch",
        });
        if let Fetched::Batch(batch) = &fetched {
            self.history.borrow_mut().batch = Some((batch.token.clone(), batch.seq));
        }
        if self.mutant == Mutant::FlagKept && matches!(fetched, Fetched::Idle { .. }) {
            // Sets the flag; the bell that goes with it is dropped.
            self.store.ring(STAGE, fetch.shard).await?;
            while self.store.take_bell().is_some() {}
        }
        Ok(fetched)
    }
    async fn read_fields(&self, stage: Stage, shard: &Shard, fields: &[String]) -> Result<State, StoreError> {
        self.store.read_fields(stage, shard, fields).await
    }
    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        self.turn().await;
        let (holder, seq) = self.store.lease(STAGE, commit.shard);
        let committed = match (self.mutant, &holder) {
            (Mutant::BlindCommit, Some(token)) => {
                self.store.commit(&Commit { token, seq, ..*commit }).await?
            }
            _ => self.store.commit(commit).await?,
        };
        self.note(match committed {
            Committed::Done { .. } => "done",
            Committed::Lost => "lost",
            Committed::Stale => "stale",
        });
        Ok(committed)
    }
    async fn release(&self, release: &Release<'_>) -> Result<Released, StoreError> {
        self.turn().await;
        let ring = if self.mutant == Mutant::SilentStop { Ring::AtTick } else { release.ring };
        let released = self.store.release(&Release { ring, ..*release }).await?;
        self.note("released");
        Ok(released)
    }
    async fn ring(&self, stage: Stage, shard: &Shard) -> Result<(), StoreError> {
        self.store.ring(stage, shard).await
    }
    async fn tick(&self) -> Result<TickReport, StoreError> {
        self.store.tick().await
    }
    async fn lag(&self) -> Result<Vec<Lag>, StoreError> {
        self.store.lag().await
    }
    async fn counters(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        self.store.counters().await
    }
    async fn dead_letters(&self, after: &str, count: u32) -> Result<Vec<DeadLetter>, StoreError> {
        self.store.dead_letters(after, count).await
    }
    async fn replay(&self, letter: &DeadLetter) -> Result<Replayed, StoreError> {
        self.store.replay(letter).await
    }
}

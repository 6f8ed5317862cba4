//! A store that kills its worker at a named point: the worker's future never goes on, and is dropped.

use std::cell::{Cell as Flag, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use homeostat_flow::{
    Batch, Cell, Commit, Committed, DeadLetter, Fetch, Fetched, Ingest, Ingested, Lag, Release, Released,
    Replayed, Shard, Stage, State, Store, StoreError, TickReport,
};

/// A moment in a worker's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// It has a lease and a batch.
    AfterFetch,
    /// It has stepped, nothing is sent.
    BeforeCommit,
    /// The commit has landed, its answer is not read.
    AfterCommit,
    /// It is about to stop with work left.
    BeforeRelease,
}

/// When to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Never, unless the step says so.
    Live,
    /// At the `nth` passing of a point, from 1.
    At(Point, u32),
    /// At the `nth` passing of any point, from 1.
    AtAny(u32),
}

/// What a worker that may die sees of a store.
pub struct FaultStore<'a, S> {
    inner: &'a S,
    plan: Plan,
    passed: Flag<u32>,
    dead: Flag<bool>,
    /// The lease it holds, for ending it after its death.
    lease: RefCell<Option<(Stage, Shard, String)>>,
}

impl<'a, S: Store> FaultStore<'a, S> {
    /// A worker with a plan.
    pub fn new(inner: &'a S, plan: Plan) -> Self {
        Self { inner, plan, passed: Flag::new(0), dead: Flag::new(false), lease: RefCell::new(None) }
    }

    /// Kills the worker at its next point; what a trap inside a step does.
    pub fn kill(&self) {
        self.dead.set(true);
    }

    /// The lease a dead worker left behind.
    pub fn lease(&self) -> Option<(Stage, Shard, String)> {
        self.lease.borrow().clone()
    }

    /// Runs a worker; `None` when it died on the way.
    pub async fn run<F: Future>(&self, worker: F) -> Option<F::Output> {
        let mut worker = pin!(worker);
        poll_fn(|context| match worker.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.dead.get() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    async fn pass(&self, point: Point) {
        let counts = match self.plan {
            Plan::Live => false,
            Plan::At(at, _) => at == point,
            Plan::AtAny(_) => true,
        };
        if counts {
            self.passed.set(self.passed.get() + 1);
            let (Plan::At(_, nth) | Plan::AtAny(nth)) = self.plan else { return };
            if self.passed.get() == nth {
                self.dead.set(true);
            }
        }
        if self.dead.get() {
            std::future::pending::<()>().await;
        }
    }

    fn remember(&self, fetch: &Fetch<'_>, fetched: &Fetched) {
        *self.lease.borrow_mut() = match fetched {
            Fetched::Batch(Batch { token, .. }) => Some((fetch.stage, fetch.shard.clone(), token.clone())),
            _ => None,
        };
    }
}

impl<S: Store> Store for FaultStore<'_, S> {
    fn cell(&self) -> &Cell {
        self.inner.cell()
    }
    async fn ingest(&self, event: &Ingest<'_>) -> Result<Ingested, StoreError> {
        self.inner.ingest(event).await
    }
    async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, StoreError> {
        let fetched = self.inner.fetch(fetch).await?;
        self.remember(fetch, &fetched);
        self.pass(Point::AfterFetch).await;
        Ok(fetched)
    }
    async fn read_fields(&self, stage: Stage, shard: &Shard, fields: &[String]) -> Result<State, StoreError> {
        self.inner.read_fields(stage, shard, fields).await
    }
    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        self.pass(Point::BeforeCommit).await;
        let committed = self.inner.commit(commit).await?;
        self.pass(Point::AfterCommit).await;
        Ok(committed)
    }
    async fn release(&self, release: &Release<'_>) -> Result<Released, StoreError> {
        self.pass(Point::BeforeRelease).await;
        self.inner.release(release).await
    }
    async fn ring(&self, stage: Stage, shard: &Shard) -> Result<(), StoreError> {
        self.inner.ring(stage, shard).await
    }
    async fn tick(&self) -> Result<TickReport, StoreError> {
        self.inner.tick().await
    }
    async fn lag(&self) -> Result<Vec<Lag>, StoreError> {
        self.inner.lag().await
    }
    async fn counters(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        self.inner.counters().await
    }
    async fn dead_letters(&self, after: &str, count: u32) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead_letters(after, count).await
    }
    async fn replay(&self, letter: &DeadLetter) -> Result<Replayed, StoreError> {
        self.inner.replay(letter).await
    }
}

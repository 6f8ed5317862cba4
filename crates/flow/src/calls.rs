//! The drain of a stage of external calls: mark, look, call, result, one intent at a time.
//!
//! Invariants: no call before its mark is committed; no call that could outlast the lease; an
//! intent ends with one result, which is `unknown` when nobody can tell.

use crate::batch::{Asked, Known, checked, context, settle};
use crate::drain::{Drained, Ended, hand_back, stop};
use crate::limits::{CLOSING_TRIES, Limits};
use crate::name::Shard;
use crate::step::{Action, CallOutcome, Effects, LookFirst, Opening, StepError};
use crate::store::{Batch, Commit, Committed, Failure, Fetch, Fetched, Release, Ring, Store, StoreError};

/// A clock that only ever goes forward, for measuring how much of a lease is used up.
pub trait Clock {
    /// Milliseconds since some fixed moment.
    fn elapsed_ms(&self) -> u64;
}

/// Works off one stage's intents in one shard. Safe to call at any time, as [`crate::drain()`].
///
/// # Errors
/// [`StoreError`] when the store failed or refused; an intent without a result is looked at
/// again after a tick.
pub async fn drain_calls<S: Store, C: Clock, A: Action>(
    store: &S,
    clock: &C,
    action: &A,
    shard: &Shard,
    limits: &Limits,
) -> Result<Drained, StoreError> {
    let mut drained = Drained::default();
    let mut lease: Option<String> = None;
    let started_ms = clock.elapsed_ms();
    for _ in 0..limits.batches {
        // Read before the request: the lease cannot have begun earlier.
        let leased_ms = clock.elapsed_ms();
        let batch = match store.fetch(&ask(action, shard, lease.as_deref(), limits)).await? {
            Fetched::Busy => {
                return Ok(drained.ended(if lease.is_some() { Ended::Lost } else { Ended::Busy }));
            }
            Fetched::Idle { dead } => {
                drained.dead += u64::from(dead);
                return Ok(drained.ended(Ended::Idle));
            }
            Fetched::Batch(batch) => batch,
        };
        drained.batches += 1;
        drained.dead += u64::from(batch.dead);
        let turn = Turn::new(store, clock, action, shard, limits, &batch, leased_ms);
        match turn.carry_out(&mut drained).await {
            Ok(Carried::On) => lease = Some(batch.token.clone()),
            Ok(Carried::Lost) => return Ok(drained.ended(Ended::Lost)),
            Ok(Carried::TooLate) => return Ok(drained.ended(Ended::Bounded)),
            Err(error) => return Err(hand_back(store, action.stage(), shard, &batch, error).await),
        }
        if clock.elapsed_ms().saturating_sub(started_ms) >= limits.drain_ms {
            break;
        }
    }
    stop(store, action.stage(), shard, lease.as_deref()).await?;
    Ok(drained.ended(Ended::Bounded))
}

fn ask<'a, A: Action>(action: &A, shard: &'a Shard, token: Option<&'a str>, limits: &Limits) -> Fetch<'a> {
    let tries = limits.tries.saturating_add(CLOSING_TRIES);
    Fetch { stage: action.stage(), shard, token, batch: 1, lease_ms: limits.lease_ms, tries }
}

enum Carried {
    /// Committed; the lease holds.
    On,
    /// Another worker goes on.
    Lost,
    /// Not enough of the lease was left to call; the intent was handed back.
    TooLate,
}

/// One intent under a lease.
struct Turn<'a, S, C, A> {
    store: &'a S,
    clock: &'a C,
    action: &'a A,
    shard: &'a Shard,
    limits: &'a Limits,
    batch: &'a Batch,
    known: Known,
    seq: u64,
    /// The store's clock at `leased_ms` or a little later.
    now_ms: u64,
    /// Own clock when the lease was last asked for.
    leased_ms: u64,
}

impl<'a, S: Store, C: Clock, A: Action> Turn<'a, S, C, A> {
    fn new(
        store: &'a S,
        clock: &'a C,
        action: &'a A,
        shard: &'a Shard,
        limits: &'a Limits,
        batch: &'a Batch,
        leased_ms: u64,
    ) -> Self {
        let known = Known::new(&batch.state);
        Self {
            store,
            clock,
            action,
            shard,
            limits,
            batch,
            known,
            seq: batch.seq,
            now_ms: batch.now_ms,
            leased_ms,
        }
    }

    async fn carry_out(mut self, drained: &mut Drained) -> Result<Carried, StoreError> {
        if self.batch.tries > self.limits.tries {
            return self.give_up("every worker that took it was lost", drained).await;
        }
        let look_first = match self.open().await? {
            Err(error) => return self.fail(&error, drained).await,
            Ok(Opening::Settled(effects)) => return self.settle(&effects, drained).await,
            Ok(Opening::Mark(effects)) => match self.mark(&effects).await? {
                Some(look_first) => look_first,
                None => return Ok(Carried::Lost),
            },
            // `open` answers what is needed itself; to look first would be right in any case.
            Ok(Opening::Started | Opening::Need(_)) => LookFirst::Yes,
        };
        if !self.has_time_to_call() {
            return self.leave().await;
        }
        let Some(input) = self.batch.inputs.first() else { return Ok(Carried::Lost) };
        let outcome = self.action.call(input, look_first, self.limits.call_ms).await;
        match self.close(&outcome).await? {
            Err(error) => self.fail(&error, drained).await,
            Ok(effects) => self.settle(&effects, drained).await,
        }
    }

    async fn open(&mut self) -> Result<Result<Opening, StepError>, StoreError> {
        let Some(input) = self.batch.inputs.first() else { return Ok(Err(StepError("no input".to_owned()))) };
        let context = context(self.action.stage(), self.shard, input, self.now_ms);
        let cell = self.store.cell();
        settle(self.store, (self.action.stage(), self.shard), input, &mut self.known, |state| {
            Ok(match self.action.open(&context, input, state)? {
                Opening::Need(more) => Asked::Need(more),
                Opening::Settled(effects) => Asked::Settled(Opening::Settled(checked(cell, effects)?)),
                Opening::Mark(effects) => Asked::Settled(Opening::Mark(checked(cell, effects)?)),
                Opening::Started => Asked::Settled(Opening::Started),
            })
        })
        .await
    }

    /// Commits that the call is about to be made; the cursor stays. `None` when the lease is lost.
    async fn mark(&mut self, effects: &Effects) -> Result<Option<LookFirst>, StoreError> {
        let asked_ms = self.clock.elapsed_ms();
        let commit = Commit { consumed: &[], open: 1, ..self.commit(effects) };
        let Committed::Done { seq, now_ms, .. } = self.store.commit(&commit).await? else { return Ok(None) };
        self.known.apply(effects);
        (self.seq, self.now_ms, self.leased_ms) = (seq, now_ms, asked_ms);
        Ok(Some(LookFirst::No))
    }

    fn has_time_to_call(&self) -> bool {
        let used_ms = self.clock.elapsed_ms().saturating_sub(self.leased_ms);
        used_ms + self.limits.call_ms + self.limits.margin_ms < self.limits.lease_ms
    }

    async fn leave(&self) -> Result<Carried, StoreError> {
        let untried = self.batch.inputs.first();
        let (stage, shard, token) = (self.action.stage(), self.shard, self.batch.token.as_str());
        self.store.release(&Release { stage, shard, token, untried, ring: Ring::AtTick }).await?;
        Ok(Carried::TooLate)
    }

    /// The state an intent's closing sees is all that its opening saw, and the mark.
    async fn close(&mut self, outcome: &CallOutcome) -> Result<Result<Effects, StepError>, StoreError> {
        let Some(input) = self.batch.inputs.first() else { return Ok(Err(StepError("no input".to_owned()))) };
        let passed_ms = self.clock.elapsed_ms().saturating_sub(self.leased_ms);
        let context = context(self.action.stage(), self.shard, input, self.now_ms + passed_ms);
        let effects = self.action.close(&context, input, &self.known.all(), outcome);
        Ok(effects.and_then(|effects| checked(self.store.cell(), effects)))
    }

    fn commit<'c>(&'c self, effects: &'c Effects) -> Commit<'c> {
        Commit {
            stage: self.action.stage(),
            shard: self.shard,
            token: &self.batch.token,
            seq: self.seq,
            lease_ms: self.limits.lease_ms,
            consumed: &self.batch.inputs,
            open: 0,
            effects,
            failed: None,
        }
    }

    async fn settle(&self, effects: &Effects, drained: &mut Drained) -> Result<Carried, StoreError> {
        let committed = self.store.commit(&self.commit(effects)).await?;
        let Committed::Done { .. } = committed else { return Ok(Carried::Lost) };
        drained.inputs += 1;
        Ok(Carried::On)
    }

    /// The intent could not be read: tried again, and given up at the last try.
    async fn fail(mut self, error: &StepError, drained: &mut Drained) -> Result<Carried, StoreError> {
        if self.batch.tries >= self.limits.tries {
            return self.give_up(&error.to_string(), drained).await;
        }
        self.commit_failed(&Effects::default(), &error.to_string(), self.limits.tries, drained).await
    }

    /// Closes the intent as unknown, as far as it can be closed, and buries it.
    async fn give_up(&mut self, reason: &str, drained: &mut Drained) -> Result<Carried, StoreError> {
        if let Some(input) = self.batch.inputs.first() {
            let fields = input.fields.clone();
            self.known.learn(self.store, self.action.stage(), self.shard, &fields).await?;
        }
        let closed = self.close(&CallOutcome::Unknown(reason.as_bytes().to_vec())).await?;
        // What cannot be closed either is a dead letter all the same; its error is kept there.
        self.commit_failed(&closed.unwrap_or_default(), reason, 0, drained).await
    }

    async fn commit_failed(
        &self,
        effects: &Effects,
        error: &str,
        tries: u32,
        drained: &mut Drained,
    ) -> Result<Carried, StoreError> {
        let Some(input) = self.batch.inputs.first() else { return Ok(Carried::Lost) };
        let failed = Some(Failure { input, error, tries });
        let commit = Commit { consumed: &[], failed, ..self.commit(effects) };
        let Committed::Done { dead, .. } = self.store.commit(&commit).await? else {
            return Ok(Carried::Lost);
        };
        drained.failed += 1;
        drained.dead += u64::from(dead);
        Ok(Carried::On)
    }
}

//! One batch through a pure step: state overlaid as inputs change it, effects gathered.
//!
//! Invariant: what a batch does to an input is what it would have met alone. An input sees only
//! the fields it named, a timer that an earlier input moved is not rung, and a timer set for a
//! time before the next input's ends the batch.

use std::collections::{BTreeMap, BTreeSet};

use crate::cell::fnv1a;
use crate::check;
use crate::limits::{BATCH_EFFECTS_MAX, NEED_ROUNDS_MAX};
use crate::name::{Shard, Stage};
use crate::step::{Context, Effects, Input, State, Step, StepError, Timer, Verdict};
use crate::store::{Batch, Store, StoreError};

/// State fields as they stand after the inputs so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known(BTreeMap<String, Option<Vec<u8>>>);

impl Known {
    pub(crate) fn new(state: &State) -> Self {
        Self(state.0.clone())
    }

    /// What an input that named `fields` may see.
    pub(crate) fn view(&self, fields: &[String]) -> State {
        State(fields.iter().filter_map(|field| Some((field.clone(), self.0.get(field)?.clone()))).collect())
    }

    /// Everything fetched so far.
    pub(crate) fn all(&self) -> State {
        State(self.0.clone())
    }

    pub(crate) fn apply(&mut self, effects: &Effects) {
        self.0.extend(effects.state.iter().cloned());
    }

    /// Fetches those of `fields` that are not known yet.
    pub(crate) async fn learn<S: Store>(
        &mut self,
        store: &S,
        stage: Stage,
        shard: &Shard,
        fields: &[String],
    ) -> Result<(), StoreError> {
        let missing: Vec<_> = fields.iter().filter(|field| !self.0.contains_key(*field)).cloned().collect();
        if !missing.is_empty() {
            self.0.extend(store.read_fields(stage, shard, &missing).await?.0);
        }
        Ok(())
    }
}

/// What an input's step or action is told of the world.
pub(crate) fn context(stage: Stage, shard: &Shard, input: &Input, now_ms: u64) -> Context {
    let seed = fnv1a(format!("{stage}/{shard}/{}", input.id).as_bytes());
    Context { now_ms, shard: shard.clone(), seed }
}

/// Asks again and again until `ask` no longer needs further fields.
///
/// The outer error is the store's, the inner one the input's own.
pub(crate) async fn settle<S: Store, T>(
    store: &S,
    place: (Stage, &Shard),
    input: &Input,
    known: &mut Known,
    mut ask: impl FnMut(&State) -> Result<Asked<T>, StepError>,
) -> Result<Result<T, StepError>, StoreError> {
    let mut fields = input.fields.clone();
    known.learn(store, place.0, place.1, &fields).await?;
    for _ in 0..NEED_ROUNDS_MAX {
        match ask(&known.view(&fields)) {
            Err(error) => return Ok(Err(error)),
            Ok(Asked::Settled(value)) => return Ok(Ok(value)),
            Ok(Asked::Need(more)) => {
                fields.extend(more);
                if let Err(problem) = check::fields(&fields) {
                    return Ok(Err(StepError(problem)));
                }
                known.learn(store, place.0, place.1, &fields).await?;
            }
        }
    }
    Ok(Err(StepError(format!("it asked for further state fields more than {NEED_ROUNDS_MAX} times"))))
}

/// What a step said, whatever kind of step it is.
pub(crate) enum Asked<T> {
    Settled(T),
    Need(Vec<String>),
}

/// The front part of a batch, digested.
#[derive(Debug, Default)]
pub(crate) struct Digested {
    /// How many inputs from the front.
    pub(crate) consumed: usize,
    pub(crate) effects: Effects,
    /// Why the input after them could not be digested.
    pub(crate) error: Option<StepError>,
}

/// Runs inputs through the step until one fails, the batch ends, or it has to end early.
pub(crate) async fn digest<S: Store, P: Step>(
    store: &S,
    step: &P,
    shard: &Shard,
    batch: &Batch,
) -> Result<Digested, StoreError> {
    let digested = run(store, step, shard, batch, batch.inputs.len()).await?;
    let (consumed, Some(error)) = (digested.consumed, &digested.error) else { return Ok(digested) };
    // The hand may hold a part of what failed: those before it once more, with an empty one.
    let before = run(store, step, shard, batch, consumed).await?;
    Ok(Digested { error: before.error.or_else(|| Some(error.clone())), ..before })
}

async fn run<S: Store, P: Step>(
    store: &S,
    step: &P,
    shard: &Shard,
    batch: &Batch,
    many: usize,
) -> Result<Digested, StoreError> {
    let mut known = Known::new(&batch.state);
    let mut hand = P::Hand::default();
    let mut digested = Digested::default();
    let mut timers = Timers::default();
    for (index, input) in batch.inputs.iter().take(many).enumerate() {
        if !timers.moved(input) {
            match apply(store, step, shard, batch, input, &mut known, &mut hand).await? {
                Err(error) => {
                    digested.error = Some(error);
                    return Ok(digested);
                }
                Ok(effects) => {
                    known.apply(&effects);
                    timers.note(&effects);
                    digested.effects.absorb(effects);
                }
            }
        }
        digested.consumed = index + 1;
        let is_full = digested.effects.len() > BATCH_EFFECTS_MAX;
        if is_full || timers.ring_before(batch.inputs.get(index + 1)) {
            break;
        }
    }
    match checked(store.cell(), step.put_down(hand, batch.now_ms)) {
        Ok(effects) => digested.effects.absorb(effects),
        // Whose it is will show when each goes alone.
        Err(error) => return Ok(Digested { error: Some(error), ..Digested::default() }),
    }
    Ok(digested)
}

async fn apply<S: Store, P: Step>(
    store: &S,
    step: &P,
    shard: &Shard,
    batch: &Batch,
    input: &Input,
    known: &mut Known,
    hand: &mut P::Hand,
) -> Result<Result<Effects, StepError>, StoreError> {
    let context = context(step.stage(), shard, input, batch.now_ms);
    let cell = store.cell();
    settle(store, (step.stage(), shard), input, known, |state| {
        match step.apply(hand, &context, input, state)? {
            Verdict::Need(more) => Ok(Asked::Need(more)),
            Verdict::Done(effects) => checked(cell, effects).map(Asked::Settled),
        }
    })
    .await
}

/// Effects out of bounds are their input's failure.
pub(crate) fn checked(cell: &crate::cell::Cell, effects: Effects) -> Result<Effects, StepError> {
    check::count(&effects).and_then(|()| check::effects(cell, &effects)).map_err(StepError)?;
    Ok(effects)
}

/// What the inputs so far did to timers.
#[derive(Debug, Default)]
struct Timers {
    touched: BTreeSet<(Vec<String>, String)>,
    /// The earliest time one was set for.
    earliest_ms: Option<u64>,
}

impl Timers {
    fn note(&mut self, effects: &Effects) {
        for timer in &effects.timers {
            self.touched.insert(timer.id());
            if let Timer::Set { due_ms, .. } = timer {
                self.earliest_ms = Some(self.earliest_ms.map_or(*due_ms, |known| known.min(*due_ms)));
            }
        }
    }

    /// Whether an earlier input set it anew or took it back, so that it does not ring now.
    fn moved(&self, input: &Input) -> bool {
        let Some(name) = &input.timer else { return false };
        self.touched.contains(&(input.fields.clone(), name.clone()))
    }

    /// Whether one has to ring before the next input.
    fn ring_before(&self, next: Option<&Input>) -> bool {
        let Some(next_ms) = next.and_then(input_ms) else { return false };
        self.earliest_ms.is_some_and(|earliest_ms| earliest_ms <= next_ms)
    }
}

/// The time an input belongs to: an entry's append, a timer's due time.
fn input_ms(input: &Input) -> Option<u64> {
    let text = if input.timer.is_some() { input.id.split(':').nth(1) } else { input.id.split('-').next() };
    text?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(id: &str, timer: Option<&str>) -> Input {
        Input { id: id.to_owned(), fields: vec![], timer: timer.map(str::to_owned), payload: vec![] }
    }

    #[test]
    fn an_input_belongs_to_the_time_in_its_id() {
        assert_eq!(input_ms(&input("1763712000000-3", None)), Some(1_763_712_000_000));
        assert_eq!(
            input_ms(&input("t:1763712000001:verify:7-1", Some("verify:7-1"))),
            Some(1_763_712_000_001)
        );
        assert_eq!(input_ms(&input("odd", None)), None);
    }

    #[test]
    fn the_seed_depends_on_stage_shard_and_id() {
        let seed = |stage, shard: u32, id| {
            context(Stage::new(stage), &Shard::service(shard), &input(id, None), 0).seed
        };
        assert_eq!(seed("plan", 1, "5-0"), seed("plan", 1, "5-0"));
        let others = [seed("act", 1, "5-0"), seed("plan", 2, "5-0"), seed("plan", 1, "5-1")];
        assert!(others.iter().all(|other| *other != seed("plan", 1, "5-0")));
    }
}

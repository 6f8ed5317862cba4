//! External calls: done once, looked at first after a crash, unknown when nobody can tell.

use std::cell::{Cell as Flag, RefCell};

use homeostat_flow::memory::{MemoryStore, View};
use homeostat_flow::{
    Action, CallOutcome, Cell, Clock, Context, Effects, Ended, Ingest, Input, Limits, LookFirst, Opening,
    Output, Ring, Shard, Stage, State, StepError, Store, Write, drain_calls,
};
use homeostat_flow_tests::fault::{FaultStore, Plan, Point};
use homeostat_flow_tests::world::World;

const ACT: Stage = Stage::new("act");
const LEARN: Stage = Stage::new("learn");
const FIELD: &str = "attempt:1";

/// A clock that is moved by hand, and by calls.
#[derive(Default)]
struct HandClock(Flag<u64>);

impl Clock for HandClock {
    fn elapsed_ms(&self) -> u64 {
        self.0.get()
    }
}

/// The target of the calls: it counts what was done to it.
#[derive(Default)]
struct Target {
    done: Flag<u32>,
    looked: Flag<u32>,
    is_mute: Flag<bool>,
    calls: RefCell<Vec<LookFirst>>,
}

/// Calls the target; unreadable intents are refused at opening.
struct Poke<'a> {
    target: &'a Target,
    clock: &'a HandClock,
    takes_ms: u64,
}

fn result(outcome: &CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Done(_) => "done",
        CallOutcome::Failed(_) => "failed",
        CallOutcome::Unknown(_) => "unknown",
    }
}

impl Action for Poke<'_> {
    fn stage(&self) -> Stage {
        ACT
    }

    fn open(&self, _: &Context, input: &Input, state: &State) -> Result<Opening, StepError> {
        if input.payload == b"unreadable" {
            return Err(StepError("cannot be read".to_owned()));
        }
        if !state.knows(FIELD) {
            return Ok(Opening::Need(vec![FIELD.to_owned()]));
        }
        Ok(match state.get(FIELD) {
            None => Opening::Mark(Effects {
                state: vec![(FIELD.to_owned(), Some(b"started".to_vec()))],
                ..Effects::default()
            }),
            Some(b"started") => Opening::Started,
            Some(_) => Opening::Settled(Effects::default()),
        })
    }

    async fn call(&self, _: &Input, look_first: LookFirst, _: u64) -> CallOutcome {
        self.clock.0.set(self.clock.0.get() + self.takes_ms);
        self.target.calls.borrow_mut().push(look_first);
        if look_first == LookFirst::Yes {
            self.target.looked.set(self.target.looked.get() + 1);
            if self.target.done.get() > 0 {
                return CallOutcome::Done(b"was done".to_vec());
            }
        }
        self.target.done.set(self.target.done.get() + 1);
        if self.target.is_mute.get() {
            CallOutcome::Unknown(b"no answer".to_vec())
        } else {
            CallOutcome::Done(vec![])
        }
    }

    fn close(
        &self,
        _: &Context,
        input: &Input,
        _: &State,
        outcome: &CallOutcome,
    ) -> Result<Effects, StepError> {
        if input.payload == b"unreadable" {
            return Err(StepError("cannot be read".to_owned()));
        }
        let result = result(outcome);
        let output = Output {
            stage: LEARN,
            shard: Shard::global(),
            fields: vec![],
            payload: result.as_bytes().to_vec(),
            ring: Ring::Now,
        };
        Ok(Effects {
            state: vec![(FIELD.to_owned(), Some(result.as_bytes().to_vec()))],
            outputs: vec![output],
            writes: vec![Write::Add { key: "results".to_owned(), field: result.to_owned(), by: 1 }],
            ..Effects::default()
        })
    }
}

async fn intend<S: Store>(store: &S, payload: &[u8]) {
    let shard = Shard::service(0);
    let event = Ingest { stage: ACT, shard: &shard, ids: &[], day: 1, fields: &[], payload };
    store.ingest(&event).await.expect("an answer");
}

struct Bench {
    world: World,
    target: Target,
    clock: HandClock,
}

impl Bench {
    async fn start() -> Self {
        let world = World::start(1, &[ACT, LEARN]);
        intend(&world.store, b"poke").await;
        Self { world, target: Target::default(), clock: HandClock::default() }
    }

    fn action(&self, takes_ms: u64) -> Poke<'_> {
        Poke { target: &self.target, clock: &self.clock, takes_ms }
    }

    /// A worker that dies by plan; its lease is ended.
    async fn die(&self, plan: Plan) {
        let worker = FaultStore::new(&self.world.store, plan);
        let action = self.action(10);
        let ended =
            worker.run(drain_calls(&worker, &self.clock, &action, &Shard::service(0), &Limits::CALLS)).await;
        assert!(ended.is_none(), "the worker was to die, and ended with {ended:?}");
        let (stage, shard, token) = worker.lease().expect("a lease");
        self.world.end_lease(stage, &shard, &token).await;
    }

    async fn drain(&self, takes_ms: u64) -> Ended {
        let action = self.action(takes_ms);
        let (store, shard) = (&self.world.store, Shard::service(0));
        drain_calls(store, &self.clock, &action, &shard, &Limits::CALLS).await.expect("a drain").ended
    }

    async fn results(&self) -> Vec<(String, String)> {
        self.world.view("results").await.into_iter().collect()
    }
}

fn one(result: &str) -> Vec<(String, String)> {
    vec![(result.to_owned(), "1".to_owned())]
}

#[tokio::test]
async fn an_intent_is_carried_out_once_and_its_result_goes_on() {
    let bench = Bench::start().await;
    assert_eq!(bench.drain(10).await, Ended::Idle);
    assert_eq!(bench.drain(10).await, Ended::Idle);
    assert_eq!(bench.target.done.get(), 1);
    assert_eq!(*bench.target.calls.borrow(), [LookFirst::No]);
    assert_eq!(bench.results().await, one("done"));
}

#[tokio::test]
async fn an_intent_that_comes_twice_is_carried_out_once() {
    let bench = Bench::start().await;
    intend(&bench.world.store, b"poke").await;
    bench.drain(10).await;
    assert_eq!(bench.target.done.get(), 1);
}

#[tokio::test]
async fn after_a_crash_behind_the_mark_the_target_is_looked_at_first() {
    let bench = Bench::start().await;
    // The first commit is the mark: dead before the call was made.
    bench.die(Plan::At(Point::AfterCommit, 1)).await;
    assert_eq!(bench.target.done.get(), 0);
    assert_eq!(bench.drain(10).await, Ended::Idle);
    assert_eq!(*bench.target.calls.borrow(), [LookFirst::Yes]);
    assert_eq!((bench.target.done.get(), bench.results().await), (1, one("done")));
}

#[tokio::test]
async fn after_a_crash_behind_the_call_it_is_not_made_again() {
    let bench = Bench::start().await;
    // The second commit is the result: dead with the call made and nothing written.
    bench.die(Plan::At(Point::BeforeCommit, 2)).await;
    assert_eq!(bench.target.done.get(), 1);
    assert_eq!(bench.drain(10).await, Ended::Idle);
    assert_eq!(*bench.target.calls.borrow(), [LookFirst::No, LookFirst::Yes]);
    assert_eq!((bench.target.done.get(), bench.results().await), (1, one("done")));
}

#[tokio::test]
async fn no_call_is_made_before_its_mark_is_committed() {
    let bench = Bench::start().await;
    bench.die(Plan::At(Point::BeforeCommit, 1)).await;
    assert_eq!(bench.target.calls.borrow().len(), 0);
}

#[tokio::test]
async fn a_lost_answer_is_an_unknown_result() {
    let bench = Bench::start().await;
    bench.target.is_mute.set(true);
    assert_eq!(bench.drain(10).await, Ended::Idle);
    assert_eq!((bench.target.done.get(), bench.results().await), (1, one("unknown")));
}

#[tokio::test]
async fn an_intent_that_outlives_five_workers_is_unknown_and_a_dead_letter() {
    let bench = Bench::start().await;
    bench.die(Plan::At(Point::AfterCommit, 1)).await;
    for _ in 1..5 {
        bench.die(Plan::At(Point::AfterFetch, 1)).await;
    }
    assert_eq!(bench.drain(10).await, Ended::Idle);
    assert_eq!(bench.results().await, one("unknown"));
    let letters = bench.world.store.dead_letters("0-0", 10).await.expect("a list");
    let errors: Vec<_> = letters.iter().map(|letter| letter.error.as_str()).collect();
    assert_eq!(errors, ["every worker that took it was lost"]);
    assert_eq!(bench.target.calls.borrow().len(), 0);
}

#[tokio::test]
async fn an_intent_that_cannot_be_read_is_a_dead_letter_after_five_tries() {
    let bench = Bench::start().await;
    intend(&bench.world.store, b"unreadable").await;
    intend(&bench.world.store, b"poke").await;
    assert_eq!(bench.drain(10).await, Ended::Idle);
    let letters = bench.world.store.dead_letters("0-0", 10).await.expect("a list");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].error, "cannot be read");
    assert_eq!(bench.results().await, one("done"));
}

/// A clock of its own world: on the store in memory, where both clocks are ours.
#[tokio::test]
async fn a_call_that_could_outlast_the_lease_is_not_made() {
    /// Each look at the clock costs five seconds: a worker that is starved of time.
    struct Starved(Flag<u64>);
    impl Clock for Starved {
        fn elapsed_ms(&self) -> u64 {
            self.0.set(self.0.get() + 5_000);
            self.0.get()
        }
    }
    let store = MemoryStore::new(Cell::new(1, &[ACT, LEARN]));
    intend(&store, b"poke").await;
    let (target, hand) = (Target::default(), HandClock::default());
    let action = Poke { target: &target, clock: &hand, takes_ms: 0 };
    let shard = Shard::service(0);
    let drained =
        drain_calls(&store, &Starved(Flag::new(0)), &action, &shard, &Limits::CALLS).await.expect("a drain");
    assert_eq!(drained.ended, Ended::Bounded);
    assert_eq!(target.calls.borrow().len(), 0);
    assert_eq!(store.view("results"), None::<View>);
    // The next worker has the time, and looks first, as the mark is there.
    let drained = drain_calls(&store, &hand, &action, &shard, &Limits::CALLS).await.expect("a drain");
    assert_eq!((drained.inputs, drained.ended), (1, Ended::Idle));
    assert_eq!(*target.calls.borrow(), [LookFirst::Yes]);
}

#[tokio::test]
async fn a_drain_of_calls_stops_at_its_bound_and_rings() {
    let bench = Bench::start().await;
    for _ in 0..3 {
        intend(&bench.world.store, b"poke").await;
    }
    assert_eq!(bench.drain(3_000).await, Ended::Bounded);
    assert!(bench.world.backlog().await > 0);
    let key = homeostat_flow::name::key(homeostat_flow::name::Kind::Bell, ACT, &Shard::service(0));
    assert_eq!(bench.world.command(&["EXISTS", &key]).await, ["1"]);
}

//! A poisonous entry is isolated and given up; its neighbours pass, and nobody else is blamed.

use homeostat_flow::{
    Context, Input, Limits, Replayed, Shard, Stage, State, Step, StepError, Store, Verdict, drain,
};
use homeostat_flow_tests::fault::{FaultStore, Plan};
use homeostat_flow_tests::stages::{ALL, Event, FIRST, Relay};
use homeostat_flow_tests::world::{World, send_to};

const SHARD: u32 = 0;

async fn fill(world: &World, poison_at: &[u32]) {
    for number in 0..40 {
        let id = if poison_at.contains(&number) { format!("poison{number}") } else { format!("e{number}") };
        let event = Event { service: "shop".to_owned(), id };
        send_to(&world.store, FIRST, &Shard::service(SHARD), &event).await;
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_digested_is_a_dead_letter_and_its_neighbours_pass() {
    let world = World::start(1, &ALL);
    fill(&world, &[3, 20, 21]).await;
    let [first, ..] = Relay::chain(1);
    let drained = drain(&world.store, &first, &Shard::service(SHARD), &Limits::STEPS).await.expect("a drain");
    assert_eq!((drained.inputs, drained.dead), (37, 3));
    let letters = world.store.dead_letters("0-0", 10).await.expect("a list");
    let errors: Vec<_> = letters.iter().map(|letter| letter.error.as_str()).collect();
    assert_eq!(
        errors,
        ["poison3 cannot be digested", "poison20 cannot be digested", "poison21 cannot be digested"]
    );
    assert_eq!(world.view("count:first").await.len(), 37);
}

#[tokio::test]
async fn a_dead_letter_can_be_replayed_once() {
    let world = World::start(1, &ALL);
    fill(&world, &[5]).await;
    let [first, ..] = Relay::chain(1);
    let shard = Shard::service(SHARD);
    drain(&world.store, &first, &shard, &Limits::STEPS).await.expect("a drain");
    let letters = world.store.dead_letters("0-0", 10).await.expect("a list");
    let [letter] = letters.as_slice() else { panic!("one letter, not {letters:?}") };
    assert_eq!(Event::decode(&letter.input.payload).expect("an event").id, "poison5");
    assert_eq!(world.store.replay(letter).await, Ok(Replayed::Done));
    assert_eq!(world.store.replay(letter).await, Ok(Replayed::Gone));
    let lag = world.store.lag().await.expect("lag");
    let unread: Vec<_> = lag.iter().filter(|lag| lag.stage == FIRST).map(|lag| lag.unread).collect();
    assert_eq!(unread, [1]);
    let again = drain(&world.store, &first, &shard, &Limits::STEPS).await.expect("a drain");
    assert_eq!((again.failed, again.dead), (3, 1), "it has all its tries again");
}

/// A step that kills its worker over one entry, as a trap does.
struct Trap<'a, S> {
    inner: Relay,
    worker: &'a FaultStore<'a, S>,
}

impl<S: Store> Step for Trap<'_, S> {
    type Hand = ();

    fn stage(&self) -> Stage {
        self.inner.stage()
    }

    fn apply(
        &self,
        hand: &mut (),
        context: &Context,
        input: &Input,
        state: &State,
    ) -> Result<Verdict, StepError> {
        if Event::decode(&input.payload).is_some_and(|event| event.id.starts_with("poison")) {
            self.worker.kill();
            return Ok(Verdict::Done(homeostat_flow::Effects::default()));
        }
        self.inner.apply(hand, context, input, state)
    }
}

#[tokio::test]
async fn an_entry_that_kills_its_worker_is_given_up_after_three_tries_alone() {
    let world = World::start(1, &ALL);
    fill(&world, &[7]).await;
    let [first, ..] = Relay::chain(1);
    let shard = Shard::service(SHARD);
    let mut deaths = 0;
    for _ in 0..20 {
        let worker = FaultStore::new(&world.store, Plan::Live);
        let step = Trap { inner: first, worker: &worker };
        if worker.run(drain(&worker, &step, &shard, &Limits::STEPS)).await.is_some() {
            break;
        }
        deaths += 1;
        let (stage, shard, token) = worker.lease().expect("a lease");
        world.end_lease(stage, &shard, &token).await;
    }
    assert_eq!(deaths, 4, "once in company, three times alone");
    let letters = world.store.dead_letters("0-0", 10).await.expect("a list");
    assert_eq!(letters.len(), 1);
    assert_eq!(Event::decode(&letters[0].input.payload).expect("an event").id, "poison7");
    assert_eq!(world.view("count:first").await.len(), 39);
}

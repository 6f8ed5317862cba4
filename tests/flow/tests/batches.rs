//! How inputs happen to be grouped changes nothing: a batch does what each input alone would do.

use homeostat_flow::limits::NAME_BYTES_MAX;
use homeostat_flow::memory::MemoryStore;
use homeostat_flow::{
    Cell, Context, Effects, Ended, Ingest, Input, Limits, Shard, Stage, State, Step, StepError, Store, Timer,
    Verdict, drain,
};
use proptest::prelude::*;

const STAGE: Stage = Stage::new("work");
const LOG: &str = "log";

/// What an entry asks of the step.
#[derive(Debug, Clone)]
enum Order {
    /// Only to be noted.
    Note,
    /// Sets (or moves) a timer to so long after the entry's own time.
    Set(u8, u16),
    /// Takes a timer back.
    Cancel(u8),
    /// Cannot be digested.
    Fail,
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        3 => Just(Order::Note),
        4 => (0..4_u8, 0..60_u16).prop_map(|(name, after)| Order::Set(name, after)),
        2 => (0..4_u8).prop_map(Order::Cancel),
        1 => Just(Order::Fail),
    ]
}

fn encode(number: usize, order: &Order) -> String {
    match order {
        Order::Note => format!("{number} note"),
        Order::Set(name, after) => format!("{number} set {name} {after}"),
        Order::Cancel(name) => format!("{number} cancel {name}"),
        Order::Fail => format!("{number} fail"),
    }
}

/// Writes down what it was given, in order.
struct Diary;

impl Diary {
    fn timers(words: &[&str], at_ms: u64) -> Vec<Timer> {
        match words {
            [_, "set", name, after] => {
                let due_ms = at_ms + after.parse::<u64>().unwrap_or(0);
                vec![Timer::Set { name: (*name).to_owned(), fields: vec![LOG.to_owned()], due_ms }]
            }
            [_, "cancel", name] => {
                vec![Timer::Cancel { name: (*name).to_owned(), fields: vec![LOG.to_owned()] }]
            }
            _ => vec![],
        }
    }
}

impl Step for Diary {
    type Hand = ();

    fn stage(&self) -> Stage {
        STAGE
    }

    fn apply(&self, (): &mut (), _: &Context, input: &Input, state: &State) -> Result<Verdict, StepError> {
        let text = String::from_utf8_lossy(&input.payload);
        let words: Vec<_> = text.split(' ').collect();
        if words.get(1) == Some(&"fail") {
            return Err(StepError("as ordered".to_owned()));
        }
        let at_ms = input.id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or(0);
        let line = if input.timer.is_some() { &input.id } else { text.as_ref() };
        let log = [state.get(LOG).unwrap_or_default(), line.as_bytes(), b"\n"].concat();
        let state = vec![(LOG.to_owned(), Some(log))];
        Ok(Verdict::Done(Effects { state, timers: Self::timers(&words, at_ms), ..Effects::default() }))
    }
}

/// Writes down the same, but keeps the diary in hand until the batch ends; what cannot be digested
/// is found out only when it is written down already.
struct Ledger;

impl Step for Ledger {
    type Hand = Option<Vec<u8>>;

    fn stage(&self) -> Stage {
        STAGE
    }

    fn apply(
        &self,
        hand: &mut Self::Hand,
        context: &Context,
        input: &Input,
        state: &State,
    ) -> Result<Verdict, StepError> {
        let log = hand.get_or_insert_with(|| state.get(LOG).unwrap_or_default().to_vec());
        let seen = State([(LOG.to_owned(), Some(log.clone()))].into());
        let mut effects = match Diary.apply(&mut (), context, input, &seen) {
            Ok(Verdict::Done(effects)) => effects,
            _ => Effects { state: vec![("x".repeat(NAME_BYTES_MAX + 1), None)], ..Effects::default() },
        };
        match effects.state.first() {
            Some((field, Some(longer))) if field == LOG => {
                log.clone_from(longer);
                effects.state.clear();
            }
            _ => log.extend_from_slice(b"half done\n"),
        }
        Ok(Verdict::Done(effects))
    }

    fn put_down(&self, hand: Self::Hand, _: u64) -> Effects {
        let state = hand.map(|log| (LOG.to_owned(), Some(log)));
        Effects { state: state.into_iter().collect(), ..Effects::default() }
    }
}

async fn run<P: Step>(step: &P, orders: &[(u8, Order)], batch: u32) -> (String, usize, Vec<(u64, String)>) {
    let (store, shard) = (MemoryStore::new(Cell::new(1, &[STAGE])), Shard::service(0));
    for (number, (pause_ms, order)) in orders.iter().enumerate() {
        store.advance_ms(u64::from(*pause_ms));
        let (payload, fields) = (encode(number, order), [LOG.to_owned()]);
        let event = Ingest {
            stage: STAGE,
            shard: &shard,
            ids: &[],
            day: 1,
            fields: &fields,
            payload: payload.as_bytes(),
        };
        store.ingest(&event).await.expect("an answer");
    }
    for _ in 0..2 {
        let limits = Limits { batch, ..Limits::STEPS };
        let drained = drain(&store, step, &shard, &limits).await.expect("a drain");
        assert_eq!(drained.ended, Ended::Idle);
        store.advance_ms(30);
    }
    let log = store.state(STAGE, &shard, LOG).unwrap_or_default();
    let dead = store.dead_letters("0-0", 100).await.expect("a list").len();
    (String::from_utf8_lossy(&log).into_owned(), dead, store.timers(STAGE, &shard))
}

fn ready<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_does_what_each_input_alone_would_do(
        orders in proptest::collection::vec((0..20_u8, order()), 1..25),
        batch in 2..30_u32,
    ) {
        let alone = ready(run(&Diary, &orders, 1));
        prop_assert_eq!(&alone, &ready(run(&Diary, &orders, batch)));
        prop_assert_eq!(&alone, &ready(run(&Ledger, &orders, batch)));
    }
}

#[test]
fn a_timer_set_for_an_earlier_time_than_the_next_entry_rings_before_it() {
    let orders = [(0, Order::Set(1, 5)), (20, Order::Note)];
    let (log, ..) = ready(run(&Diary, &orders, 64));
    let lines: Vec<_> = log.lines().map(|line| line.rsplit(':').next().unwrap_or_default()).collect();
    assert_eq!(lines, ["0 set 1 5", "1", "1 note"]);
}

#[test]
fn a_timer_taken_back_in_the_same_batch_does_not_ring() {
    let orders = [(0, Order::Set(1, 5)), (0, Order::Note), (0, Order::Cancel(1)), (20, Order::Note)];
    let (log, _, timers) = ready(run(&Diary, &orders, 64));
    assert_eq!(log.lines().count(), 4, "{log}");
    assert_eq!(timers, []);
}

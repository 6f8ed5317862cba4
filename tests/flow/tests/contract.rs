//! The store's contract, on Redis and in memory alike.

use homeostat_flow::{
    Batch, Commit, Committed, Effects, Failure, Fetched, Ingested, Input, Output, Release, Released,
    Replayed, Ring, Shard, Stage, Store, StoreError, Timer, Write,
};
use homeostat_flow_tests::contract::{InMemory, ONE, OnRedis, Subject, TWO, ask, batch, home, names, put};

macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod on_redis {
            $(#[tokio::test] async fn $name() { super::$name(<super::OnRedis as super::Subject>::fresh()).await; })+
        }
        mod in_memory {
            $(#[tokio::test] async fn $name() { super::$name(<super::InMemory as super::Subject>::fresh()).await; })+
        }
    };
}

contract!(
    any_of_several_ids_makes_a_duplicate,
    ids_are_looked_for_on_the_days_around,
    an_inbox_at_its_bound_is_full_until_it_is_worked_off,
    a_lease_keeps_others_out_and_idle_gives_it_up,
    a_commit_needs_the_lease_and_the_number,
    what_is_committed_is_fetched_with_the_next_input,
    an_unknown_stage_is_refused_whole,
    a_read_model_of_another_type_refuses_the_whole_commit,
    a_lost_worker_blames_nobody_and_inputs_go_alone,
    a_failed_input_is_tried_alone_three_times,
    a_failure_keeps_what_came_before_it,
    a_try_handed_back_is_not_counted,
    timers_and_entries_come_in_order_of_time,
    a_timer_goes_before_an_entry_of_the_same_millisecond,
    a_timer_can_be_moved_and_taken_back,
    a_stop_with_work_left_rings,
    read_models_are_written_as_described,
    outputs_reach_other_shards_and_are_seen_by_ticks,
    a_dead_timer_can_be_replayed,
    names_may_hold_any_letters,
    a_batch_is_bounded_in_bytes,
);

fn commit<'a>(batch: &'a Batch, consumed: &'a [Input], effects: &'a Effects, shard: &'a Shard) -> Commit<'a> {
    Commit {
        stage: ONE,
        shard,
        token: &batch.token,
        seq: batch.seq,
        lease_ms: 60_000,
        consumed,
        open: 0,
        effects,
        failed: None,
    }
}

async fn commit_all<S: Store>(store: &S, batch: &Batch, effects: &Effects) -> Result<Committed, StoreError> {
    store.commit(&commit(batch, &batch.inputs, effects, &home())).await
}

async fn commit_failed<S: Store>(store: &S, batch: &Batch, before: usize) -> Result<Committed, StoreError> {
    let (effects, shard) = (Effects::default(), home());
    let failed = Some(Failure { input: &batch.inputs[before], error: "odd", tries: 3 });
    store.commit(&Commit { failed, ..commit(batch, &batch.inputs[..before], &effects, &shard) }).await
}

async fn write<S: Store>(store: &S, writes: Vec<Write>) -> Result<Committed, StoreError> {
    put(store, &[], "w").await;
    let batch = batch(store, 10).await;
    let written = commit_all(store, &batch, &Effects { writes, ..Effects::default() }).await;
    if written.is_err() {
        let shard = home();
        let release =
            Release { stage: ONE, shard: &shard, token: &batch.token, untried: None, ring: Ring::AtTick };
        store.release(&release).await.expect("a release");
    } else {
        ask(store, Some(&batch.token), 10).await;
    }
    written
}

async fn any_of_several_ids_makes_a_duplicate<T: Subject>(subject: T) {
    let store = subject.store();
    assert!(matches!(put(store, &["a", "b"], "1").await, Ingested::Accepted(_)));
    assert_eq!(put(store, &["b"], "2").await, Ingested::Duplicate);
    assert_eq!(put(store, &["c", "a"], "3").await, Ingested::Duplicate);
    // The refused one reserved nothing.
    assert!(matches!(put(store, &["c"], "4").await, Ingested::Accepted(_)));
    assert_eq!(names(&batch(store, 10).await), ["1", "4"]);
}

async fn ids_are_looked_for_on_the_days_around<T: Subject>(subject: T) {
    let store = subject.store();
    let (shard, on) = (home(), |day| (day, 20_000));
    let check = async |(day, _): (i64, i64), expected: bool| {
        let event =
            homeostat_flow::Ingest { stage: ONE, shard: &shard, ids: &["x"], day, fields: &[], payload: b"" };
        let found = store.ingest(&event).await.expect("an answer");
        assert_eq!(found == Ingested::Duplicate, expected, "day {day}: {found:?}");
    };
    check(on(20_000), false).await;
    check(on(20_003), true).await;
    check(on(19_999), true).await;
    check(on(20_004), false).await;
}

async fn an_inbox_at_its_bound_is_full_until_it_is_worked_off<T: Subject>(subject: T) {
    let store = subject.store();
    for number in 0..5 {
        assert!(matches!(put(store, &[], &number.to_string()).await, Ingested::Accepted(_)));
    }
    assert_eq!(put(store, &["late"], "6").await, Ingested::Full);
    let batch = batch(store, 3).await;
    commit_all(store, &batch, &Effects::default()).await.expect("a commit");
    assert!(matches!(put(store, &["late"], "6").await, Ingested::Accepted(_)), "a full inbox reserves no id");
}

async fn a_lease_keeps_others_out_and_idle_gives_it_up<T: Subject>(subject: T) {
    let store = subject.store();
    assert_eq!(ask(store, None, 10).await, Fetched::Idle { dead: 0 });
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    assert_eq!(ask(store, None, 10).await, Fetched::Busy);
    commit_all(store, &first, &Effects::default()).await.expect("a commit");
    assert_eq!(ask(store, None, 10).await, Fetched::Busy, "a commit renews the lease");
    assert_eq!(ask(store, Some(&first.token), 10).await, Fetched::Idle { dead: 0 });
    put(store, &[], "2").await;
    assert_eq!(names(&batch(store, 10).await), ["2"]);
}

async fn a_commit_needs_the_lease_and_the_number<T: Subject>(subject: T) {
    let (store, none) = (subject.store(), Effects::default());
    put(store, &[], "1").await;
    put(store, &[], "2").await;
    let first = batch(store, 10).await;
    subject.end_lease(ONE, &home()).await;
    assert_eq!(commit_all(store, &first, &none).await, Ok(Committed::Lost));
    let second = batch(store, 10).await;
    assert_eq!(commit_all(store, &first, &none).await, Ok(Committed::Lost));
    let done = commit_all(store, &second, &none).await;
    assert!(
        matches!(done, Ok(Committed::Done { seq, dead: false, .. }) if seq == second.seq + 1),
        "{done:?}"
    );
    assert_eq!(commit_all(store, &second, &none).await, Ok(Committed::Stale));
}

async fn what_is_committed_is_fetched_with_the_next_input<T: Subject>(subject: T) {
    let store = subject.store();
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    assert_eq!(first.state.0, [("f".to_owned(), None)].into());
    let state = |value: Option<&[u8]>| Effects {
        state: vec![("f".to_owned(), Some(b"over".to_vec())), ("f".to_owned(), value.map(<[u8]>::to_vec))],
        ..Effects::default()
    };
    commit_all(store, &first, &state(Some(&[0, 255, 10]))).await.expect("a commit");
    put(store, &[], "2").await;
    let Fetched::Batch(second) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
    assert_eq!(
        second.state.get("f"),
        Some(&[0, 255, 10][..]),
        "the last word on a field stands, byte for byte"
    );
    commit_all(store, &second, &state(None)).await.expect("a commit");
    let read = store.read_fields(ONE, &home(), &["f".to_owned(), "g".to_owned()]).await.expect("fields");
    assert!(read.knows("f") && read.knows("g") && read.get("f").is_none(), "{read:?}");
}

async fn an_unknown_stage_is_refused_whole<T: Subject>(subject: T) {
    let store = subject.store();
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    let output =
        |stage| Output { stage, shard: home(), fields: vec![], payload: b"x".to_vec(), ring: Ring::Now };
    let effects = Effects {
        state: vec![("f".to_owned(), Some(b"1".to_vec()))],
        outputs: vec![output(TWO), output(Stage::new("nowhere"))],
        writes: vec![Write::Set { key: "v".to_owned(), value: b"1".to_vec(), ttl_ms: None }],
        ..Effects::default()
    };
    let refused = commit_all(store, &first, &effects).await;
    assert!(matches!(&refused, Err(StoreError::Refused(text)) if text.contains("nowhere")), "{refused:?}");
    assert_eq!(subject.show("v").await, "none");
    assert_eq!(store.read_fields(ONE, &home(), &["f".to_owned()]).await.expect("fields").get("f"), None);
    let lag = store.lag().await.expect("lag");
    assert!(lag.iter().all(|lag| lag.stage != TWO || lag.unread == 0), "{lag:?}");
    let done = commit_all(store, &first, &Effects::default()).await;
    assert!(matches!(done, Ok(Committed::Done { .. })), "the number was not used up: {done:?}");
}

async fn a_read_model_of_another_type_refuses_the_whole_commit<T: Subject>(subject: T) {
    let store = subject.store();
    let (key, field) = (|| "m".to_owned(), || "n".to_owned());
    let set = Write::Set { key: key(), value: b"text".to_vec(), ttl_ms: None };
    let other = Write::Set { key: "other".to_owned(), value: b"1".to_vec(), ttl_ms: None };
    write(store, vec![set.clone()]).await.expect("a commit");
    let add = Write::Add { key: key(), field: field(), by: 1 };
    let refused = write(store, vec![other.clone(), add.clone()]).await;
    assert!(matches!(&refused, Err(StoreError::Refused(text)) if text.contains("WRONGTYPE")), "{refused:?}");
    assert_eq!(
        (subject.show("m").await, subject.show("other").await),
        ("text".to_owned(), "none".to_owned())
    );
    // Within one commit: what an earlier write would make of it counts.
    let delete = Write::Delete { key: key() };
    write(store, vec![delete.clone(), add.clone()]).await.expect("a commit");
    assert!(write(store, vec![delete, set, add.clone()]).await.is_err());
    let word = Write::HashSet { key: key(), field: field(), value: b"word".to_vec() };
    write(store, vec![word]).await.expect("a commit");
    let refused = write(store, vec![other, add]).await;
    assert!(matches!(&refused, Err(StoreError::Refused(text)) if text.contains("BADNUMBER")), "{refused:?}");
    assert_eq!(subject.show("other").await, "none");
}

async fn a_lost_worker_blames_nobody_and_inputs_go_alone<T: Subject>(subject: T) {
    let store = subject.store();
    for name in ["1", "2", "3", "4"] {
        put(store, &[], name).await;
    }
    let lost = batch(store, 3).await;
    assert_eq!((lost.inputs.len(), lost.tries), (3, 0));
    subject.end_lease(ONE, &home()).await;
    let mut token = None;
    for name in ["1", "2", "3"] {
        let Fetched::Batch(alone) = ask(store, token.as_deref(), 3).await else { panic!("a batch") };
        assert_eq!((names(&alone), alone.tries), (vec![name.to_owned()], 1));
        commit_all(store, &alone, &Effects::default()).await.expect("a commit");
        token = Some(alone.token);
    }
    put(store, &[], "5").await;
    let Fetched::Batch(both) = ask(store, token.as_deref(), 3).await else { panic!("a batch") };
    assert_eq!(names(&both), ["4", "5"], "after three alone, in company again");
    let counters = store.counters().await.expect("counters");
    assert_eq!(counters.get("unfinished:one"), Some(&1), "{counters:?}");
}

async fn a_failed_input_is_tried_alone_three_times<T: Subject>(subject: T) {
    let store = subject.store();
    put(store, &[], "bad").await;
    put(store, &[], "good").await;
    let first = batch(store, 10).await;
    let done = commit_failed(store, &first, 0).await;
    assert!(matches!(done, Ok(Committed::Done { dead: false, .. })), "{done:?}");
    for tries in 1..=3 {
        let Fetched::Batch(alone) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
        assert_eq!((names(&alone), alone.tries), (vec!["bad".to_owned()], tries));
        let done = commit_failed(store, &alone, 0).await;
        assert!(matches!(done, Ok(Committed::Done { dead, .. }) if dead == (tries == 3)), "{done:?}");
    }
    let Fetched::Batch(rest) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
    assert_eq!(names(&rest), ["good"]);
    let letters = store.dead_letters("0-0", 10).await.expect("a list");
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].error.as_str(), letters[0].input.payload.as_slice()), ("odd", &b"bad"[..]));
    assert_eq!((letters[0].stage.as_str(), letters[0].shard.as_str()), ("one", "s0"));
    assert_eq!(letters[0].input.fields, ["f"]);
    assert_eq!(store.dead_letters(&letters[0].id, 10).await, Ok(vec![]));
}

async fn a_failure_keeps_what_came_before_it<T: Subject>(subject: T) {
    let store = subject.store();
    for name in ["1", "2", "bad", "3"] {
        put(store, &[], name).await;
    }
    let first = batch(store, 10).await;
    commit_failed(store, &first, 2).await.expect("a commit");
    let Fetched::Batch(next) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
    assert_eq!((names(&next), next.tries), (vec!["bad".to_owned()], 1));
}

async fn a_try_handed_back_is_not_counted<T: Subject>(subject: T) {
    let (store, shard) = (subject.store(), home());
    put(store, &[], "1").await;
    for _ in 0..10 {
        let alone = batch(store, 10).await;
        assert_eq!(alone.tries, 1);
        let release = Release {
            stage: ONE,
            shard: &shard,
            token: &alone.token,
            untried: alone.inputs.first(),
            ring: Ring::AtTick,
        };
        assert_eq!(store.release(&release).await, Ok(Released::Quiet));
    }
    let counters = store.counters().await.expect("counters");
    assert_eq!(counters.get("unfinished:one"), None, "{counters:?}");
}

fn timer(name: &str, due_ms: u64) -> Timer {
    Timer::Set { name: name.to_owned(), fields: vec!["f".to_owned()], due_ms }
}

async fn timers_and_entries_come_in_order_of_time<T: Subject>(subject: T) {
    let store = subject.store();
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    let now = first.now_ms;
    let timers = vec![timer("late", now + 3_600_000), timer("b", now - 10), timer("a", now - 20)];
    commit_all(store, &first, &Effects { timers, ..Effects::default() }).await.expect("a commit");
    put(store, &[], "2").await;
    let Fetched::Batch(next) = ask(store, Some(&first.token), 2).await else { panic!("a batch") };
    assert_eq!(names(&next), ["a", "b"]);
    assert_eq!(next.inputs[0].id, format!("t:{}:a", now - 20));
    assert_eq!(next.inputs[0].fields, ["f"]);
    assert!(next.state.knows("f"));
    commit_all(store, &next, &Effects::default()).await.expect("a commit");
    let Fetched::Batch(last) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
    assert_eq!(names(&last), ["2"]);
    commit_all(store, &last, &Effects::default()).await.expect("a commit");
    assert_eq!(ask(store, Some(&first.token), 10).await, Fetched::Idle { dead: 0 });
}

async fn a_timer_goes_before_an_entry_of_the_same_millisecond<T: Subject>(subject: T) {
    let store = subject.store();
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    let Ingested::Accepted(id) = put(store, &[], "2").await else { panic!("an id") };
    let at_ms = id.split('-').next().and_then(|ms| ms.parse().ok()).expect("milliseconds");
    let timers = vec![timer("after", at_ms + 1), timer("same", at_ms)];
    commit_all(store, &first, &Effects { timers, ..Effects::default() }).await.expect("a commit");
    let Fetched::Batch(next) = ask(store, Some(&first.token), 2).await else { panic!("a batch") };
    assert_eq!(names(&next), ["same", "2"]);
}

async fn a_timer_can_be_moved_and_taken_back<T: Subject>(subject: T) {
    let store = subject.store();
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    let past = first.now_ms - 10;
    let cancel = |name: &str| Timer::Cancel { name: name.to_owned(), fields: vec!["f".to_owned()] };
    let timers = vec![timer("x", past), timer("y", past), timer("z", past)];
    commit_all(store, &first, &Effects { timers, ..Effects::default() }).await.expect("a commit");
    let Fetched::Batch(all) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
    assert_eq!(names(&all), ["x", "y", "z"]);
    // Consuming x moves it; y is taken back by hand; z is not reached.
    let effects = Effects { timers: vec![timer("x", past + 3_600_000), cancel("y")], ..Effects::default() };
    let shard = home();
    let done = store.commit(&commit(&all, &all.inputs[..1], &effects, &shard)).await;
    assert!(matches!(done, Ok(Committed::Done { .. })), "{done:?}");
    let Fetched::Batch(rest) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
    assert_eq!(names(&rest), ["z"]);
}

async fn a_stop_with_work_left_rings<T: Subject>(subject: T) {
    let (store, shard) = (subject.store(), home());
    put(store, &[], "1").await;
    put(store, &[], "2").await;
    let first = batch(store, 1).await;
    commit_all(store, &first, &Effects::default()).await.expect("a commit");
    let stop = |token| Release { stage: ONE, shard: &shard, token, untried: None, ring: Ring::Now };
    assert_eq!(store.release(&stop("another's")).await, Ok(Released::Lost));
    assert_eq!(store.release(&stop(&first.token)).await, Ok(Released::Rung));
    let second = batch(store, 1).await;
    commit_all(store, &second, &Effects::default()).await.expect("a commit");
    assert_eq!(store.release(&stop(&second.token)).await, Ok(Released::Quiet));
}

async fn read_models_are_written_as_described<T: Subject>(subject: T) {
    let store = subject.store();
    let text = str::to_owned;
    let rank = |member: &str, score| Write::Rank { key: text("r"), member: text(member), score, keep: 2 };
    let writes = vec![
        Write::Set { key: text("s"), value: b"old".to_vec(), ttl_ms: None },
        Write::Set { key: text("s"), value: b"new".to_vec(), ttl_ms: Some(60_000) },
        Write::HashSet { key: text("h"), field: text("a"), value: b"x".to_vec() },
        Write::Add { key: text("h"), field: text("n"), by: 5 },
        Write::Add { key: text("h"), field: text("n"), by: -7 },
        rank("low", 1),
        rank("high", 1_764_244_800_000),
        rank("mid", 2),
        Write::Append { key: text("l"), payload: b"p".to_vec(), keep: 100 },
        Write::Append { key: text("l"), payload: b"q".to_vec(), keep: 100 },
        Write::Set { key: text("gone"), value: b"1".to_vec(), ttl_ms: None },
        Write::Delete { key: text("gone") },
    ];
    write(store, writes).await.expect("a commit");
    assert_eq!(subject.show("s").await, "new");
    assert_eq!(subject.show("h").await, r#"{"a": "x", "n": "-2"}"#);
    assert_eq!(subject.show("r").await, "mid high");
    assert_eq!(subject.show("l").await, "p q");
    assert_eq!(subject.show("gone").await, "none");
    let unrank = |member: &str| Write::Unrank { key: text("r"), member: text(member) };
    write(store, vec![unrank("mid")]).await.expect("a commit");
    assert_eq!(subject.show("r").await, "high");
    write(store, vec![unrank("high"), unrank("nobody")]).await.expect("a commit");
    assert_eq!(subject.show("r").await, "none");
}

async fn outputs_reach_other_shards_and_are_seen_by_ticks<T: Subject>(subject: T) {
    let store = subject.store();
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    let output =
        |shard| Output { stage: TWO, shard, fields: vec![], payload: b"o".to_vec(), ring: Ring::Now };
    let outputs = vec![output(Shard::environment("prod")), output(Shard::global()), output(Shard::global())];
    commit_all(store, &first, &Effects { outputs, ..Effects::default() }).await.expect("a commit");
    ask(store, Some(&first.token), 10).await;
    let report = store.tick().await.expect("a tick");
    let mut rung = report.rung;
    rung.sort();
    assert_eq!(rung, [(TWO, Shard::environment("prod")), (TWO, Shard::global())]);
    let lag = store.lag().await.expect("lag");
    let global = lag.iter().find(|lag| lag.stage == TWO && lag.shard == Shard::global()).expect("a row");
    assert_eq!((global.unread, global.due, global.open), (2, 0, 0));
    let counters = store.counters().await.expect("counters");
    assert_eq!(counters.get("appended:two"), Some(&3), "{counters:?}");
}

async fn a_dead_timer_can_be_replayed<T: Subject>(subject: T) {
    let store = subject.store();
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    let timers = vec![timer("x|y z", first.now_ms - 10)];
    commit_all(store, &first, &Effects { timers, ..Effects::default() }).await.expect("a commit");
    let mut letters = Vec::new();
    for _ in 0..3 {
        let Fetched::Batch(rung) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
        assert_eq!(names(&rung), ["x|y z"]);
        commit_failed(store, &rung, 0).await.expect("a commit");
        letters = store.dead_letters("0-0", 10).await.expect("a list");
    }
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].input.timer.as_deref(), Some("x|y z"));
    assert_eq!(ask(store, Some(&first.token), 10).await, Fetched::Idle { dead: 0 });
    assert_eq!(store.replay(&letters[0]).await, Ok(Replayed::Done));
    let again = batch(store, 10).await;
    assert_eq!(
        (names(&again), again.inputs[0].fields.clone()),
        (vec!["x|y z".to_owned()], vec!["f".to_owned()])
    );
}

async fn names_may_hold_any_letters<T: Subject>(subject: T) {
    let store = subject.store();
    let field = "env prod|svc%20:ä".to_owned();
    put(store, &[], "1").await;
    let first = batch(store, 10).await;
    let effects = Effects {
        state: vec![(field.clone(), Some(b"v".to_vec()))],
        outputs: vec![Output {
            stage: ONE,
            shard: home(),
            fields: vec![field.clone()],
            payload: vec![],
            ring: Ring::Now,
        }],
        ..Effects::default()
    };
    commit_all(store, &first, &effects).await.expect("a commit");
    let Fetched::Batch(next) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
    assert_eq!(next.inputs[0].fields, std::slice::from_ref(&field));
    assert_eq!(next.state.get(&field), Some(&b"v"[..]));
}

async fn a_batch_is_bounded_in_bytes<T: Subject>(subject: T) {
    let store = subject.store();
    let large = "x".repeat(3 << 20);
    for _ in 0..3 {
        put(store, &[], &large).await;
    }
    let first = batch(store, 10).await;
    assert_eq!(first.inputs.len(), 2, "the second goes over the bound, the third is left");
    commit_all(store, &first, &Effects::default()).await.expect("a commit");
    let Fetched::Batch(rest) = ask(store, Some(&first.token), 10).await else { panic!("a batch") };
    assert_eq!(rest.inputs.len(), 1);
}

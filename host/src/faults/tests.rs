//! Each fault, without a guest.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const HEALER: &str = "healer";

/// Arms one rule, makes `calls` Redis calls, and says what became of each and how often it was
/// carried out.
async fn check(strike: Strike, nth: usize, expected: &[Result<Fate<()>, Killed>], done: usize) {
    let faults = Faults::default();
    faults.arm(Rule::call(HEALER, Calls::Redis(vec![b"commit".to_vec()]), strike, nth));
    let carried_out = AtomicUsize::new(0);
    let mut fates = Vec::new();
    for _ in expected {
        let work = async { _ = carried_out.fetch_add(1, Ordering::SeqCst) };
        fates.push(faults.around(HEALER, Seen::Redis(&[b"EVALSHA", b"commit"]), work).await);
    }
    assert_eq!(fates, expected, "{strike:?}");
    assert_eq!(carried_out.load(Ordering::SeqCst), done, "{strike:?}");
    assert_eq!(faults.waiting(), 0, "{strike:?}");
}

#[tokio::test]
async fn calls_are_struck_once_at_the_nth() {
    let done = || Ok(Fate::Done(()));
    check(Strike::Kill(When::Before), 1, &[Err(Killed), done()], 1).await;
    check(Strike::Kill(When::After), 2, &[done(), Err(Killed), done()], 3).await;
    check(Strike::Fail, 1, &[Ok(Fate::Failed), done()], 1).await;
    check(Strike::Lose, 1, &[Ok(Fate::Lost), done()], 2).await;
}

#[tokio::test]
async fn a_rule_strikes_what_it_names_and_nothing_else() {
    let faults = Faults::default();
    let check = async |calls: Calls, component: &str, seen: Seen<'_>, expected: bool| {
        faults.arm(Rule::call(HEALER, calls.clone(), Strike::Fail, 1));
        let fate = faults.around(component, seen, async {}).await;
        assert_eq!(fate == Ok(Fate::Failed), expected, "{calls:?} {component} {seen:?}");
        lock(&faults.0.rules).clear();
    };
    let commit = || Calls::Redis(vec![b"commit".to_vec()]);
    let of_act = || Calls::Redis(vec![b"commit".to_vec(), b"act".to_vec()]);
    let post = || Calls::Outbound("POST /repos".to_owned());
    check(commit(), HEALER, Seen::Redis(&[b"EVALSHA", b"commit"]), true).await;
    check(commit(), HEALER, Seen::Redis(&[b"EVALSHA", b"commits"]), false).await;
    check(of_act(), HEALER, Seen::Redis(&[b"EVALSHA", b"commit", b"act"]), true).await;
    check(of_act(), HEALER, Seen::Redis(&[b"EVALSHA", b"commit", b"emit"]), false).await;
    check(commit(), "planner", Seen::Redis(&[b"EVALSHA", b"commit"]), false).await;
    check(commit(), HEALER, Seen::Other, false).await;
    check(post(), HEALER, Seen::Outbound("POST /repos/a/b"), true).await;
    check(post(), HEALER, Seen::Outbound("GET /repos/a/b"), false).await;
    check(post(), HEALER, Seen::Redis(&[b"POST /repos"]), false).await;
    for seen in [Seen::Other, Seen::Redis(&[b"GET"]), Seen::Outbound("GET /")] {
        check(Calls::Any, HEALER, seen, true).await;
    }
    check(Calls::Changes, HEALER, Seen::Redis(&[b"EVALSHA", b"commit"]), true).await;
    check(Calls::Changes, HEALER, Seen::Redis(&[b"HMGET", b"hs:config"]), false).await;
    check(Calls::Changes, HEALER, Seen::Outbound("GET /"), true).await;
    check(Calls::Changes, HEALER, Seen::Other, false).await;
}

#[tokio::test]
async fn a_held_instance_goes_on_when_released() {
    use When::{After, Before};
    let (done, lost) = (Fate::Done(0), Fate::Lost);
    check_hold(Strike::Hold(Before), 0, &done).await;
    check_hold(Strike::Hold(After), 1, &done).await;
    check_hold(Strike::HoldAndLose(Before), 0, &lost).await;
    check_hold(Strike::HoldAndLose(After), 1, &lost).await;
}

/// Holds a call, which was carried out so often by then, and says what it gives when released.
async fn check_hold(strike: Strike, by_then: usize, expected: &Fate<usize>) {
    let faults = Faults::default();
    faults.arm(Rule::call(HEALER, Calls::Any, strike, 1));
    let carried_out = AtomicUsize::new(0);
    let work = async { carried_out.fetch_add(1, Ordering::SeqCst) };
    let call = faults.around(HEALER, Seen::Other, work);
    let release = async {
        while faults.held() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(carried_out.load(Ordering::SeqCst), by_then, "{strike:?}");
        faults.release();
    };
    let (fate, ()) = tokio::join!(call, release);
    assert_eq!((fate.as_ref(), faults.held()), (Ok(expected), 0), "{strike:?}");
    assert_eq!(carried_out.load(Ordering::SeqCst), 1, "{strike:?}");
}

#[test]
fn doorbells_are_dropped_and_doubled() {
    let faults = Faults::default();
    assert_eq!(faults.hears(HEALER), 1);
    faults.arm(Rule::bell(HEALER, BellFault::Drop, 2));
    faults.arm(Rule::bell(HEALER, BellFault::Double, 3));
    assert_eq!(faults.hears("planner"), 1);
    let heard: Vec<usize> = (0..4).map(|_| faults.hears(HEALER)).collect();
    assert_eq!(heard, [1, 0, 2, 1]);
}

#[tokio::test]
async fn a_component_is_deaf_until_it_hears_again() {
    let faults = Faults::default();
    faults.arm(Rule::bell(HEALER, BellFault::Drop, 1));
    assert_eq!((faults.hears(HEALER), faults.is_deaf(HEALER), faults.is_deaf("planner")), (0, true, false));
    assert_eq!((faults.hears(HEALER), faults.is_deaf(HEALER)), (1, false));
    faults.arm(Rule::call(HEALER, Calls::Any, Strike::Kill(When::Before), 1));
    assert_eq!(
        (faults.around(HEALER, Seen::Other, async {}).await, faults.is_deaf(HEALER)),
        (Err(Killed), true)
    );
    assert_eq!((faults.hears(HEALER), faults.is_deaf(HEALER)), (1, false));
}

#[tokio::test]
async fn an_instance_that_cannot_be_ended_now_ends_at_its_next_call() {
    let faults = Faults::default();
    faults.kill_at_next_call(HEALER);
    assert_eq!(faults.around("planner", Seen::Other, async {}).await, Ok(Fate::Done(())));
    assert_eq!(faults.around(HEALER, Seen::Redis(&[b"GET"]), async {}).await, Err(Killed));
}

#[test]
fn handlers_are_counted_while_they_work() {
    let faults = Faults::default();
    let (one, two) = (faults.handle(), faults.handle());
    assert_eq!(faults.handling(), 2);
    drop((one, two));
    assert_eq!(faults.handling(), 0);
}

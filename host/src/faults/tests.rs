//! Each fault, without a guest.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

const HEALER: &str = "healer";

/// Arms one rule, makes `calls` Redis calls, and says what became of each and how often it was
/// carried out.
async fn check(strike: Strike, nth: usize, expected: &[Result<Fate<()>, Killed>], done: usize) {
    let faults = Faults::default();
    faults.arm(Rule::call(HEALER, Calls::Redis(b"commit".to_vec()), strike, nth));
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
    check(Strike::Delay(Duration::from_millis(1)), 1, &[done()], 1).await;
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
    let commit = || Calls::Redis(b"commit".to_vec());
    let post = || Calls::Outbound("POST /repos".to_owned());
    check(commit(), HEALER, Seen::Redis(&[b"EVALSHA", b"commit"]), true).await;
    check(commit(), HEALER, Seen::Redis(&[b"EVALSHA", b"commits"]), false).await;
    check(commit(), "planner", Seen::Redis(&[b"EVALSHA", b"commit"]), false).await;
    check(commit(), HEALER, Seen::Other, false).await;
    check(post(), HEALER, Seen::Outbound("POST /repos/a/b"), true).await;
    check(post(), HEALER, Seen::Outbound("GET /repos/a/b"), false).await;
    check(post(), HEALER, Seen::Redis(&[b"POST /repos"]), false).await;
    for seen in [Seen::Other, Seen::Redis(&[b"GET"]), Seen::Outbound("GET /")] {
        check(Calls::Any, HEALER, seen, true).await;
    }
}

#[tokio::test]
async fn a_delayed_call_is_late() {
    let faults = Faults::default();
    let delay = Duration::from_millis(20);
    faults.arm(Rule::call(HEALER, Calls::Any, Strike::Delay(delay), 1));
    let started = std::time::Instant::now();
    assert_eq!(faults.around(HEALER, Seen::Other, async { 7 }).await, Ok(Fate::Done(7)));
    assert!(started.elapsed() >= delay);
}

#[tokio::test]
async fn a_held_instance_goes_on_when_released() {
    for (when, expected) in [(When::Before, 0), (When::After, 1)] {
        let faults = Faults::default();
        faults.arm(Rule::call(HEALER, Calls::Any, Strike::Hold(when), 1));
        let carried_out = AtomicUsize::new(0);
        let work = async { carried_out.fetch_add(1, Ordering::SeqCst) };
        let call = faults.around(HEALER, Seen::Other, work);
        let release = async {
            while faults.held() == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(carried_out.load(Ordering::SeqCst), expected, "{when:?}");
            faults.release();
        };
        let (fate, ()) = tokio::join!(call, release);
        assert_eq!((fate, faults.held()), (Ok(Fate::Done(0)), 0), "{when:?}");
    }
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

#[test]
fn a_component_is_deaf_until_it_hears_again() {
    let faults = Faults::default();
    faults.arm(Rule::bell(HEALER, BellFault::Drop, 1));
    assert_eq!((faults.hears(HEALER), faults.is_deaf(HEALER), faults.is_deaf("planner")), (0, true, false));
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

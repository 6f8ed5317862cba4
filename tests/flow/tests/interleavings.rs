//! The wake-up race: in no order of appends, bells, drains and stops is work left with nobody called,
//! and in none is an entry done twice, whenever leases run out.

#![allow(clippy::print_stdout, reason = "how large a search was is shown when it fails")]

use homeostat_flow_tests::interleave::{Found, Mutant, Scenario, search};

const CALM: Scenario =
    Scenario { appends: 3, workers: 2, deaf: false, batches: 1_000, expiries: 0, mutant: Mutant::None };

fn check(scenario: Scenario) -> Found {
    let found = search(scenario);
    println!("{scenario:?}: {} states, {} ends", found.states, found.ends);
    found
}

fn assert_always_right(scenario: Scenario) {
    let found = check(scenario);
    assert!(found.ends > 0, "no run ended");
    assert_eq!(found.wrong, None, "{scenario:?}");
}

fn assert_found_out(scenario: Scenario) {
    assert!(check(scenario).wrong.is_some(), "the search missed {:?}", scenario.mutant);
}

#[test]
fn two_workers_are_never_stuck() {
    assert_always_right(CALM);
}

#[test]
fn two_workers_with_bounded_drains_are_never_stuck() {
    assert_always_right(Scenario { batches: 1, ..CALM });
    assert_always_right(Scenario { batches: 2, appends: 4, ..CALM });
}

#[test]
fn three_workers_with_bounded_drains_are_never_stuck() {
    assert_always_right(Scenario { workers: 3, batches: 1, ..CALM });
    assert_always_right(Scenario { workers: 3, batches: 2, appends: 4, deaf: true, ..CALM });
}

#[test]
fn a_deaf_lease_holder_leaves_nothing_behind() {
    assert_always_right(Scenario { deaf: true, ..CALM });
    assert_always_right(Scenario { deaf: true, batches: 1, ..CALM });
}

#[test]
fn of_several_workers_only_one_commits_whenever_leases_run_out() {
    assert_always_right(Scenario { appends: 2, expiries: 2, ..CALM });
    assert_always_right(Scenario { expiries: 2, batches: 1, ..CALM });
    assert_always_right(Scenario { workers: 3, appends: 2, expiries: 2, ..CALM });
}

#[test]
fn a_commit_that_checks_nothing_is_found_out() {
    assert_found_out(Scenario { mutant: Mutant::BlindCommit, expiries: 1, ..CALM });
}

#[test]
fn one_worker_alone_is_never_stuck() {
    assert_always_right(Scenario { workers: 1, appends: 5, batches: 1, ..CALM });
}

#[test]
fn a_stop_that_does_not_ring_is_found_out() {
    assert_found_out(Scenario { mutant: Mutant::SilentStop, batches: 1, ..CALM });
}

#[test]
fn a_flag_that_is_not_cleared_is_found_out() {
    assert_found_out(Scenario { mutant: Mutant::FlagKept, ..CALM });
}

#[test]
fn a_release_that_does_not_look_again_is_found_out() {
    assert_found_out(Scenario { mutant: Mutant::LateRelease, ..CALM });
}

//! A failed run is run again while the detector's number says that it pays.

use homeostat_schema::config::Mode;
use homeostat_schema::types::{
    AttemptResult, Evidence, Finding, FindingKind, IncidentState, Remedy, Verdict,
};

use super::Story;
use crate::testing::{config, finding};

/// A finding whose last reason says what another run is worth.
fn worth(kind: FindingKind, metric: &str, observed: f64, text: &str) -> Finding {
    let mut finding = finding("f1", kind);
    finding.health.because.push(Evidence {
        metric: metric.into(),
        observed,
        bound: 1.0,
        unit: "{run}".into(),
        samples: 5,
        text: text.into(),
        events: Vec::new(),
    });
    finding
}

fn failed_run(observed: f64) -> Finding {
    worth(FindingKind::RunFailed, Evidence::RERUN, observed, "flaky with a chance of 3.0 %")
}

#[test]
fn the_number_decides_and_nothing_else() {
    let check = |found: Finding, expected: &str| {
        let mut story = Story::new(config(Mode::Act));
        story.finds(found);
        assert_eq!(story.remedies(), [expected]);
    };
    check(finding("f1", FindingKind::RunFailed), "rerun-failed-jobs");
    check(failed_run(1.9), "rerun-failed-jobs");
    check(failed_run(1.0), "notify");
    check(failed_run(0.0), "notify");
    let told = |metric, observed, text| worth(FindingKind::RunFailed, metric, observed, text);
    check(told("run", 0.0, "rerun is not worth it, broken"), "rerun-failed-jobs");
    check(told(Evidence::RERUN, 9.0, "rerun is not worth it, broken"), "rerun-failed-jobs");
    check(worth(FindingKind::DeploymentFailed, Evidence::RERUN, 0.0, "of something else"), "rollback");
}

#[test]
fn a_person_is_told_why_a_broken_run_is_not_run_again() {
    let mut story = Story::new(config(Mode::Act));
    story.finds(failed_run(0.8));
    assert_eq!(
        story.timeline().trim(),
        "
run-failed of shop v2 in stage [escalated]
    0s run-failed of shop v2 in stage: bad, health score 20 of 100, because the deployment failed
    0s a person has it now: it is not run again: flaky with a chance of 3.0 %
    0s notify on Slack: dispatched, attempt 1
"
        .trim()
    );
    let message = story.last(&Remedy::Notify).reason;
    assert!(message.contains("it is not run again: flaky with a chance of 3.0 %"), "{message}");
    assert!(story.learned.is_empty());
}

#[test]
fn the_next_broken_commit_of_the_incident_is_not_run_again_and_told_of_once() {
    let mut story = Story::new(config(Mode::Act));
    story.finds(failed_run(0.8));
    let next = Finding { id: "f2".into(), commit: Some("c0ffee".into()), ..failed_run(0.5) };
    story.attempts(&Remedy::Notify, AttemptResult::Done, "Slack took the message").finds(next);
    assert_eq!(story.remedies(), ["notify"]);
    assert_eq!(story.timeline().matches("it is not run again").count(), 2);
}

#[test]
fn a_flaky_run_that_follows_a_broken_one_is_run_again() {
    let mut story = Story::new(config(Mode::Act));
    story.finds(failed_run(0.8)).attempts(&Remedy::Notify, AttemptResult::Done, "told");
    story.finds(Finding { id: "f2".into(), commit: Some("c0ffee".into()), ..failed_run(5.0) });
    assert_eq!(story.remedies(), ["notify", "rerun-failed-jobs"]);
    story.attempts(&Remedy::RerunFailedJobs, AttemptResult::Done, "runs again").looks(
        Verdict::Healthy,
        100.0,
        "the run succeeded",
    );
    assert_eq!(story.incident().state, IncidentState::Resolved);
    assert_eq!(story.rewards(), [1.0]);
}

#[test]
fn nobody_is_told_where_homeostat_only_looks_or_suggests() {
    for mode in [Mode::Observe, Mode::Suggest] {
        let mut story = Story::new(config(mode));
        story.finds(failed_run(0.8));
        assert!(story.dispatched.is_empty(), "{mode:?}");
        assert!(story.timeline().contains("it is not run again"), "{}", story.timeline());
    }
}

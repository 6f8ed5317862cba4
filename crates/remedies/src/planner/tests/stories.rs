//! Stories, each ending in what a person sees.

use homeostat_schema::config::{Mode, Window};
use homeostat_schema::types::{
    AttemptResult, Decision, Finding, FindingKind, GuardCheck, IncidentState, OperatorVerb, OperatorWord,
    Plot, PlotPoint, Remedy, TimelineFact, Verdict,
};
use homeostat_schema::wire;

use super::{Story, answer, assessed};
use crate::planner::{ATTEMPTS_PER_INCIDENT_MAX, Fact, WATCHES_MAX};
use crate::testing::{BAD_COMMIT, GOOD_COMMIT, START_MS, config, finding, health};

fn failed_deployment(mode: Mode) -> Story {
    let mut story = Story::new(config(mode));
    story.finds(finding("f1", FindingKind::DeploymentFailed));
    story
}

fn read(story: &Story, expected: &str) {
    assert_eq!(story.timeline().trim(), expected.trim());
}

fn last_held_by(story: &Story) -> Vec<String> {
    let plans = story.incident().timeline.iter().rev().filter_map(|item| match &item.fact {
        TimelineFact::Plan(plan) if plan.decision == Decision::HeldBack => Some(plan.guards.clone()),
        _ => None,
    });
    let failed = |guards: Vec<GuardCheck>| guards.into_iter().filter(|check| !check.passed);
    plans.take(1).flat_map(failed).map(|check| check.guard.name().to_owned()).collect()
}

#[test]
fn a_bad_deployment_is_rolled_back_and_cured() {
    let mut story = failed_deployment(Mode::Act);
    story
        .attempts(&Remedy::Rollback, AttemptResult::Done, "the Deployment web goes back to revision 3")
        .looks(Verdict::Healthy, 96.0, "12 requests, none failed");
    read(
        &story,
        "
deployment-failed of shop v2 in stage [resolved]
    0s deployment-failed of shop v2 in stage: bad, health score 20 of 100, because the deployment failed
    0s rollback on Deployment shop/web: dispatched, attempt 1
    2s rollback: done, the Deployment web goes back to revision 3
   47s cured after rollback: healthy, health score 96 of 100, because 12 requests, none failed (was 20)
",
    );
    assert_eq!(story.rewards(), [1.0]);
    assert_eq!(story.case.incident(), None);
    assert_eq!(story.incident().closed_at, Some(START_MS + 47_000));
}

#[test]
fn an_incident_keeps_the_plots_of_its_first_findings_and_no_more_points_than_fit() {
    let mut story = Story::new(config(Mode::Observe));
    let point = PlotPoint {
        at: 1,
        baseline: 0.01,
        baseline_samples: 450,
        canary: 0.02,
        canary_samples: 50,
        statistic: 7.0,
    };
    let plot = Plot { metric: "errors".into(), unit: "1".into(), bound: 50.0, points: vec![point; 61] };
    for number in 0..6 {
        let found = finding(&format!("f{number}"), FindingKind::ErrorRateHigh);
        story.finds(Finding { plot: Some(plot.clone()), ..found });
    }
    let plots = story.incident().timeline.iter().filter_map(|item| match &item.fact {
        TimelineFact::Finding(found) => Some(found.plot.as_ref().map_or(0, |plot| plot.points.len())),
        _ => None,
    });
    assert_eq!(plots.collect::<Vec<_>>(), [60, 60, 60, 60, 0, 0]);
}

#[test]
fn what_rollback_does_not_cure_is_redeployed() {
    let mut story = failed_deployment(Mode::Act);
    story
        .attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back")
        .looks(Verdict::Bad, 25.0, "still failing")
        .attempts(&Remedy::Redeploy, AttemptResult::Done, "deployed again")
        .looks(Verdict::Healthy, 90.0, "well");
    read(
        &story,
        "
deployment-failed of shop v2 in stage [resolved]
    0s deployment-failed of shop v2 in stage: bad, health score 20 of 100, because the deployment failed
    0s rollback on Deployment shop/web: dispatched, attempt 1
    2s rollback: done, rolled back
   47s not-cured after rollback: bad, health score 25 of 100, because still failing (was 20)
   47s redeploy on GitHub repository acme/shop: dispatched, attempt 2
   49s redeploy: done, deployed again
   94s cured after redeploy: healthy, health score 90 of 100, because well (was 20)
",
    );
    assert_eq!(story.rewards(), [-0.5, 1.0]);
}

#[test]
fn harm_is_paged_and_nothing_more_is_tried() {
    let mut story = failed_deployment(Mode::Act);
    story
        .attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back")
        .looks(Verdict::Bad, 5.0, "all requests fail")
        .attempts(&Remedy::Notify, AttemptResult::Done, "Slack took the message")
        .finds(finding("f2", FindingKind::ErrorRateHigh));
    read(
        &story,
        "
deployment-failed of shop v2 in stage [escalated]
    0s deployment-failed of shop v2 in stage: bad, health score 20 of 100, because the deployment failed
    0s rollback on Deployment shop/web: dispatched, attempt 1
    2s rollback: done, rolled back
   47s harmful after rollback: bad, health score 5 of 100, because all requests fail (was 20)
   47s a person has it now: the service is worse since rollback; nothing more is tried
   47s notify on Slack: dispatched, attempt 2
   49s telling a person: done, Slack took the message
   49s error-rate-high of shop v2 in stage: bad, health score 20 of 100, because the deployment failed
",
    );
    assert_eq!(story.rewards(), [-1.0]);
    assert_eq!(story.remedies(), ["rollback", "notify"]);
}

#[test]
fn a_failed_run_is_run_again() {
    let mut story = Story::new(config(Mode::Act));
    story
        .finds(finding("f1", FindingKind::RunFailed))
        .attempts(&Remedy::RerunFailedJobs, AttemptResult::Done, "runs again")
        .looks(Verdict::Blind, 0.0, "nothing heard")
        .looks(Verdict::Healthy, 100.0, "the run succeeded");
    read(
        &story,
        "
run-failed of shop v2 in stage [resolved]
    0s run-failed of shop v2 in stage: bad, health score 20 of 100, because the deployment failed
    0s rerun-failed-jobs on GitHub repository acme/shop: dispatched, attempt 1
    2s rerun-failed-jobs: done, runs again
   47s cannot tell yet (blind, health score 0 of 100, because nothing heard); looked at again
  137s cured after rerun-failed-jobs: healthy, health score 100 of 100, because the run succeeded (was 20)
",
    );
}

#[test]
fn an_incident_that_is_verifying_says_until_when() {
    let mut story = Story::new(config(Mode::Act));
    let until = |story: &Story| wire::Incident::from(story.incident().clone()).verifying_until();
    story.finds(finding("f1", FindingKind::RunFailed));
    assert_eq!(until(&story), None);
    story.attempts(&Remedy::RerunFailedJobs, AttemptResult::Done, "runs again");
    for _ in 0..2 {
        assert_eq!(until(&story), Some(story.timers[0].1));
        story.looks(Verdict::Blind, 0.0, "nothing heard");
    }
    story.looks(Verdict::Healthy, 100.0, "the run succeeded");
    assert_eq!(until(&story), None);
}

#[test]
fn what_nobody_can_judge_is_paged_without_a_lesson() {
    let mut story = failed_deployment(Mode::Act);
    story
        .attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back")
        .looks(Verdict::Blind, 0.0, "nothing heard")
        .looks(Verdict::Blind, 0.0, "nothing heard");
    assert_eq!(story.incident().state, IncidentState::Escalated);
    assert_eq!(story.remedies(), ["rollback", "notify"]);
    assert!(story.learned.is_empty());
}

#[test]
fn an_unknown_result_is_verified_and_a_person_told_without_a_lesson() {
    for (verdict, score, state) in
        [(Verdict::Healthy, 95.0, IncidentState::Resolved), (Verdict::Bad, 20.0, IncidentState::Escalated)]
    {
        let mut story = failed_deployment(Mode::Act);
        story
            .attempts(&Remedy::Rollback, AttemptResult::Unknown, "no answer came")
            .looks(verdict, score, "looked");
        assert_eq!(story.incident().state, state);
        assert_eq!(story.remedies(), ["rollback", "notify"]);
        assert!(story.learned.is_empty());
    }
}

#[test]
fn a_refused_remedy_makes_way_for_the_next_at_once() {
    let mut story = failed_deployment(Mode::Act);
    story.attempts(&Remedy::Rollback, AttemptResult::Failed, "nothing to roll back to");
    assert_eq!(story.remedies(), ["rollback", "redeploy"]);
    story.attempts(&Remedy::Redeploy, AttemptResult::Failed, "status 404");
    assert_eq!(story.remedies(), ["rollback", "redeploy", "notify"]);
    assert_eq!(story.incident().state, IncidentState::Escalated);
    assert!(story.learned.is_empty());
}

#[test]
fn a_dry_run_is_nobodys_cure() {
    let mut setup = config(Mode::Act);
    setup.environments.get_mut("stage").unwrap().dry_run = true;
    let mut story = Story::new(setup);
    story.finds(finding("f1", FindingKind::DeploymentFailed));
    assert!(story.last(&Remedy::Rollback).dry_run);
    story.attempts(&Remedy::Rollback, AttemptResult::DryRun, "PATCH was not sent");
    assert_eq!(story.incident().state, IncidentState::Escalated);
    assert!(story.learned.is_empty());
}

#[test]
fn a_suggestion_shows_the_exact_request_and_sends_nothing() {
    let mut setup = config(Mode::Suggest);
    setup.services[0].kubernetes.clear();
    let mut story = Story::new(setup);
    story.finds(finding("f1", FindingKind::DeploymentFailed));
    assert!(story.dispatched.is_empty());
    read(
        &story,
        "
deployment-failed of shop v2 in stage [open]
    0s deployment-failed of shop v2 in stage: bad, health score 20 of 100, because the deployment failed
    0s redeploy on GitHub repository acme/shop: suggested, not done (mode suggest)
",
    );
    let Some(TimelineFact::Plan(plan)) = story.incident().timeline.last().map(|item| item.fact.clone())
    else {
        panic!("the last item is the plan");
    };
    let preview = plan.preview.expect("a preview");
    assert_eq!(
        (preview.method.as_str(), preview.url.as_str()),
        ("POST", "https://api.github.com/repos/acme/shop/deployments")
    );
    assert!(preview.body.contains(GOOD_COMMIT) && preview.body.contains(&plan.idempotency_key));
    story.looks(Verdict::Healthy, 91.0, "somebody fixed it");
    assert_eq!(story.incident().state, IncidentState::Resolved);
}

#[test]
fn observing_records_and_does_nothing() {
    let mut story = failed_deployment(Mode::Observe);
    assert!(story.timeline().contains("rollback on Deployment shop/web: would be chosen; recorded only"));
    story.finds(finding("f2", FindingKind::Blind));
    assert!(story.dispatched.is_empty());
}

#[test]
fn an_approved_plan_is_held_against_the_guards_again_and_done() {
    let mut story = failed_deployment(Mode::Approve);
    assert_eq!(story.incident().state, IncidentState::AwaitingApproval);
    assert_eq!(story.remedies(), ["notify"]);
    story.pass(600).says(OperatorVerb::Approve);
    assert_eq!(story.remedies(), ["notify", "rollback"]);
    let plan = story.last(&Remedy::Rollback);
    assert!(plan.parent.is_some());
    assert!(plan.guards.iter().any(|check| check.reason == "approved by ada" && check.passed));
    story.says(OperatorVerb::Approve);
    assert_eq!(story.remedies(), ["notify", "rollback"]);
    assert!(story.timeline().contains("nothing waits for approval here"));
}

#[test]
fn an_approval_that_comes_late_does_nothing() {
    let mut story = failed_deployment(Mode::Approve);
    story.pass(3600).says(OperatorVerb::Approve);
    assert_eq!(story.remedies(), ["notify", "notify"]);
    assert_eq!(story.incident().state, IncidentState::Escalated);
    assert!(story.timeline().contains("the approval came too late"));
}

#[test]
fn an_approval_nobody_gives_expires() {
    let mut story = failed_deployment(Mode::Approve);
    story.rings();
    assert_eq!(story.incident().state, IncidentState::Escalated);
    assert!(story.timeline().contains("nobody approved the plan within 60 min"));
}

#[test]
fn an_approval_under_the_kill_switch_is_held_back() {
    let mut story = failed_deployment(Mode::Approve);
    story.config.kill_switch = true;
    story.says(OperatorVerb::Approve);
    assert_eq!(last_held_by(&story), ["kill-switch"]);
    assert!(!story.remedies().contains(&"rollback"));
}

#[test]
fn a_rejected_plan_leaves_it_to_the_person() {
    let mut story = failed_deployment(Mode::Approve);
    story.says(OperatorVerb::Reject).finds(finding("f2", FindingKind::ErrorRateHigh));
    assert_eq!(story.remedies(), ["notify"]);
    assert_eq!(story.incident().state, IncidentState::Escalated);
}

#[test]
fn the_kill_switch_stops_the_next_remedy_and_people_hear_of_it() {
    let mut story = failed_deployment(Mode::Act);
    story.attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back");
    story.config.kill_switch = true;
    story.looks(Verdict::Bad, 20.0, "still failing");
    assert_eq!(last_held_by(&story), ["kill-switch"]);
    assert_eq!(story.remedies(), ["rollback", "notify"]);
    assert_eq!(story.incident().state, IncidentState::Escalated);
}

#[test]
fn a_maintenance_window_holds_back_and_is_named() {
    let mut setup = config(Mode::Act);
    setup.windows.push(Window {
        env: "stage".into(),
        service: "*".into(),
        from: "2025-12-31T23:00:00Z".into(),
        until: "2026-01-01T02:00:00Z".into(),
        reason: "database move".into(),
    });
    let mut story = Story::new(setup);
    story.finds(finding("f1", FindingKind::DeploymentFailed));
    assert_eq!(last_held_by(&story), ["maintenance-window"]);
    assert_eq!(story.remedies(), ["notify"]);
    assert!(
        story.timeline().contains("a maintenance window is open until 2026-01-01T02:00:00Z (database move)")
    );
}

#[test]
fn a_used_up_budget_holds_back_and_is_named() {
    let mut setup = config(Mode::Act);
    setup.environments.get_mut("stage").unwrap().attempts_max = 1;
    let mut story = Story::new(setup);
    story
        .finds(finding("f1", FindingKind::DeploymentFailed))
        .attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back")
        .looks(Verdict::Bad, 20.0, "still failing");
    assert_eq!(last_held_by(&story), ["attempt-budget"]);
    assert!(story.timeline().contains("1 of 1 attempts made within 60 min"));
    assert_eq!(story.remedies(), ["rollback", "notify"]);
}

#[test]
fn the_cooldown_is_waited_out_and_the_service_looked_at_before_the_next_remedy() {
    let mut setup = config(Mode::Act);
    setup.environments.get_mut("stage").unwrap().cooldown_s = 300;
    let mut story = Story::new(setup);
    story
        .finds(finding("f1", FindingKind::DeploymentFailed))
        .attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back")
        .looks(Verdict::Bad, 20.0, "still failing");
    assert_eq!(last_held_by(&story), ["cooldown"]);
    assert_eq!(story.incident().state, IncidentState::Open);
    assert_eq!(story.remedies(), ["rollback"]);
    story.looks(Verdict::Bad, 20.0, "still failing");
    assert_eq!(story.now_ms, START_MS + 300_000);
    assert_eq!(story.remedies(), ["rollback", "redeploy"]);
}

#[test]
fn trouble_that_ends_during_the_cooldown_closes_the_incident() {
    let mut setup = config(Mode::Act);
    setup.environments.get_mut("stage").unwrap().cooldown_s = 300;
    let mut story = Story::new(setup);
    story
        .finds(finding("f1", FindingKind::DeploymentFailed))
        .attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back")
        .looks(Verdict::Bad, 20.0, "still failing")
        .looks(Verdict::Healthy, 90.0, "slow to recover");
    assert_eq!(story.incident().state, IncidentState::Resolved);
    assert_eq!(story.remedies(), ["rollback"]);
}

#[test]
fn a_release_past_the_point_of_no_return_is_left_to_a_person() {
    let mut story = Story::new(config(Mode::Act));
    let mut found = finding("f1", FindingKind::DeploymentFailed);
    found.irreversible = true;
    story.finds(found);
    assert_eq!(last_held_by(&story), ["point-of-no-return"]);
    assert_eq!(story.remedies(), ["notify"]);
}

#[test]
fn an_untrusted_finding_leads_to_no_remedy() {
    let spoil: [fn(&mut homeostat_schema::types::Trust); 5] = [
        |trust| trust.signed = false,
        |trust| trust.fresh = false,
        |trust| trust.fork = true,
        |trust| trust.self_ = true,
        |trust| trust.test = true,
    ];
    for spoil in spoil {
        let mut found = finding("f1", FindingKind::DeploymentFailed);
        spoil(&mut found.trust);
        let mut story = Story::new(config(Mode::Act));
        story.finds(found);
        assert_eq!(last_held_by(&story), ["trust"]);
        assert_eq!(story.remedies(), ["notify"]);
    }
}

#[test]
fn blindness_is_told_and_never_treated() {
    let mut story = Story::new(config(Mode::Act));
    let mut found = finding("f1", FindingKind::Blind);
    found.health = health(Verdict::Blind, 0.0, "no telemetry for 90 s");
    story.finds(found);
    assert_eq!(story.remedies(), ["notify"]);
    story.finds(finding("f2", FindingKind::DeploymentFailed));
    assert_eq!(story.remedies(), ["notify", "rollback"], "a real finding after it is treated");
}

#[test]
fn a_service_without_targets_names_the_guard() {
    let mut setup = config(Mode::Act);
    setup.services.clear();
    let mut story = Story::new(setup);
    story.finds(finding("f1", FindingKind::DeploymentFailed));
    assert_eq!(last_held_by(&story), ["no-target"]);
    assert_eq!(story.remedies(), ["notify"]);
}

#[test]
fn without_slack_the_incident_says_that_nobody_was_told() {
    let mut story = Story::new(config(Mode::Act));
    story.endpoints.slack_origin.clear();
    story.finds(finding("f1", FindingKind::Blind));
    assert!(story.dispatched.is_empty());
    assert!(story.timeline().contains("nobody was told: no Slack webhook is configured"));
}

#[test]
fn facts_told_twice_and_facts_about_nothing_pending_change_nothing() {
    let mut story = failed_deployment(Mode::Act);
    let plan = story.last(&Remedy::Rollback);
    let done = Fact::Attempt(answer(&plan, AttemptResult::Done, "rolled back", story.now_ms));
    let again = Fact::Finding(finding("f1", FindingKind::DeploymentFailed));
    let due = Fact::VerifyDue { attempt: plan.idempotency_key.clone() };
    let well = assessed(&plan.idempotency_key, health(Verdict::Healthy, 99.0, "well"), story.now_ms);
    let unchanged = |story: &mut Story, fact: &Fact| {
        let (case, incident) = (story.case.clone(), story.incident.clone());
        assert_eq!(story.hears(fact.clone()), []);
        assert_eq!((&story.case, &story.incident), (&case, &incident));
    };
    for fact in [&again, &due, &well] {
        unchanged(&mut story, fact);
    }
    story.hears(done.clone());
    for fact in [&again, &done, &well] {
        unchanged(&mut story, fact);
    }
    story.hears(due.clone());
    for fact in [&again, &done, &due] {
        unchanged(&mut story, fact);
    }
    story.hears(well.clone());
    for fact in [&again, &done, &due, &well] {
        unchanged(&mut story, fact);
    }
}

#[test]
fn a_finding_during_an_attempt_attaches_and_starts_nothing() {
    let mut story = failed_deployment(Mode::Act);
    story.finds(finding("f2", FindingKind::ErrorRateHigh));
    assert_eq!(story.remedies(), ["rollback"]);
    assert_eq!(story.incident().timeline.len(), 3);
}

#[test]
fn a_newer_release_during_verification_makes_the_outcome_untellable() {
    let mut story = failed_deployment(Mode::Act);
    story.attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back");
    let mut newer = finding("f2", FindingKind::DeploymentFailed);
    (newer.version, newer.commit) = (Some("v3".into()), Some("c3".repeat(20)));
    story.pass(60).finds(newer);
    assert!(
        story
            .timeline()
            .contains("unverified after rollback: v3 was deployed before rollback could be verified")
    );
    assert!(story.learned.is_empty());
    assert_eq!(story.remedies(), ["rollback", "rollback"]);
    assert!(story.last(&Remedy::Rollback).idempotency_key.contains("c3c3"));
}

#[test]
fn numbers_about_the_restored_release_are_left_to_the_assessment() {
    let mut story = failed_deployment(Mode::Act);
    story.attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back");
    for (id, kind) in [("f2", FindingKind::LatencyHigh), ("f3", FindingKind::DeploymentFailed)] {
        let mut restored = finding(id, kind);
        (restored.version, restored.commit) = (Some("v1".into()), Some(GOOD_COMMIT.into()));
        story.finds(restored);
        assert_eq!(story.incident().state, IncidentState::Verifying);
    }
}

#[test]
fn an_operator_closes_an_incident_and_its_attempt_still_blocks_the_next() {
    let mut story = failed_deployment(Mode::Act);
    let first = story.last(&Remedy::Rollback);
    story.says(OperatorVerb::Resolve);
    assert_eq!(story.incident().state, IncidentState::Resolved);
    story.pass(600).finds(finding("f2", FindingKind::DeploymentFailed));
    assert_eq!(last_held_by(&story), ["in-flight"]);
    story.hears(Fact::Attempt(answer(&first, AttemptResult::Done, "late", story.now_ms)));
    story.says(OperatorVerb::Resolve).pass(600).finds(finding("f3", FindingKind::DeploymentFailed));
    let second = story.last(&Remedy::Rollback);
    assert_ne!(first.idempotency_key, second.idempotency_key, "the same release, another attempt");
}

#[test]
fn attempts_per_incident_are_bounded() {
    let mut setup = config(Mode::Act);
    setup.environments.get_mut("stage").unwrap().attempts_max = 60;
    setup.environments.get_mut("stage").unwrap().cooldown_s = 0;
    let mut story = Story::new(setup);
    for n in 0..20_u32 {
        let mut found = finding(&format!("f{n}"), FindingKind::DeploymentFailed);
        (found.version, found.commit) = (Some(format!("v1{n}")), Some(format!("{n:040x}")));
        story.pass(60).finds(found);
        if story.incident().state == IncidentState::Acting {
            story.attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back");
        }
    }
    let remedies = story.dispatched.iter().filter(|plan| plan.remedy != Remedy::Notify).count();
    assert_eq!(remedies, ATTEMPTS_PER_INCIDENT_MAX as usize);
    assert!(story.timeline().contains("5 attempts were made, which is the most for one incident"));
}

#[test]
fn an_incident_nobody_closes_is_looked_at_a_bounded_number_of_times() {
    let mut story = failed_deployment(Mode::Suggest);
    for _ in 0..WATCHES_MAX {
        story.looks(Verdict::Bad, 20.0, "still failing");
    }
    assert!(story.timers.is_empty());
    assert!(story.timeline().contains("not looked at any more: resolve it by hand when it is over"));
}

#[test]
fn the_policy_hands_over_to_a_person_once_it_expects_more_of_one() {
    let mut story = Story::new(config(Mode::Act));
    story.finds(finding("f1", FindingKind::RunFailed));
    let choice = story.last(&Remedy::RerunFailedJobs).choice;
    for n in 0..10 {
        let (choice, attempt) = (choice.clone(), format!("a{n}"));
        let sample = homeostat_schema::types::Sample {
            incident: "i".into(),
            attempt,
            choice,
            reward: -1.0,
            at: START_MS,
        };
        story.policy.learn(&sample, &story.config.learning);
    }
    let mut other = Story::new(config(Mode::Act));
    other.policy = story.policy;
    other.finds(finding("f1", FindingKind::RunFailed));
    assert_eq!(other.remedies(), ["notify"]);
    assert_eq!(other.last(&Remedy::Notify).choice.allowed, [Remedy::RerunFailedJobs, Remedy::Notify]);
}

#[test]
fn a_target_nobody_can_ask_for_is_held_back_and_says_why() {
    let mut setup = config(Mode::Act);
    setup.services[0].kubernetes.get_mut("stage").unwrap().namespace = "../kube-system".into();
    let mut story = Story::new(setup);
    story.finds(finding("f1", FindingKind::DeploymentFailed));
    assert_eq!(last_held_by(&story), ["no-target"]);
    assert!(story.timeline().contains("namespace \"../kube-system\" is not a name that can be used"));
    assert_eq!(story.remedies(), ["notify"]);
}

#[test]
fn a_rollback_is_not_rolled_back() {
    let healed = || {
        let mut story = failed_deployment(Mode::Act);
        story
            .attempts(&Remedy::Rollback, AttemptResult::Done, "rolled back")
            .looks(Verdict::Healthy, 96.0, "well")
            .pass(7200);
        story
    };
    let check = |version: Option<&str>, commit: Option<&str>, kind: FindingKind, expected: &str| {
        let mut found = finding("later", kind);
        (found.version, found.commit) = (version.map(Into::into), commit.map(Into::into));
        let mut story = healed();
        story.finds(found);
        assert_eq!(story.remedies().last().copied(), Some(expected), "{version:?} {commit:?}");
    };
    // The release that was gone back to is in trouble now: before it lies the one that was bad.
    check(Some("v1"), Some(GOOD_COMMIT), FindingKind::LatencyHigh, "notify");
    check(Some("v1"), None, FindingKind::DeploymentFailed, "redeploy");
    check(None, None, FindingKind::ErrorRateHigh, "redeploy");
    // Another release came since, or the bad one again.
    check(Some("v3"), Some("c3c3c3c3"), FindingKind::LatencyHigh, "rollback");
    check(Some("v2"), Some(BAD_COMMIT), FindingKind::DeploymentFailed, "rollback");
}

#[test]
fn a_word_on_another_incident_changes_nothing() {
    let mut story = failed_deployment(Mode::Approve);
    let before = (story.case.clone(), story.remedies().len());
    for verb in [OperatorVerb::Approve, OperatorVerb::Reject, OperatorVerb::Resolve] {
        let word = OperatorWord {
            incident: "inc-other".into(),
            verb,
            who: "ada".into(),
            why: "mistyped".into(),
            at: START_MS,
        };
        assert_eq!(story.hears(Fact::Operator(word)), []);
        assert_eq!((story.case.clone(), story.remedies().len()), before);
    }
}

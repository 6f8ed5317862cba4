//! A table per guard.

use homeostat_schema::types::{Cause, Choice, Decision, GithubTarget, PolicyContext, Prediction, Release};

use super::*;
use crate::testing::{START_MS, config, finding, health};

const MINUTE_MS: u64 = 60_000;

/// The verdict of one guard, `None` when it was not asked.
fn verdict(checks: &[GuardCheck], guard: Guard) -> Option<(bool, String)> {
    checks.iter().find(|check| check.guard == guard).map(|check| (check.passed, check.reason.clone()))
}

struct Setup {
    config: Config,
    finding: Finding,
    remedy: Remedy,
    target: Option<Target>,
    attempts: Vec<u64>,
    last_effect_ms: Option<u64>,
    approved_by: Option<&'static str>,
}

impl Setup {
    fn new(mode: Mode) -> Self {
        Self {
            config: config(mode),
            finding: finding("f1", FindingKind::DeploymentFailed),
            remedy: Remedy::Rollback,
            target: Some(Target::Slack),
            attempts: Vec::new(),
            last_effect_ms: None,
            approved_by: None,
        }
    }

    fn asks(&self) -> Vec<GuardCheck> {
        check_all(&Situation {
            remedy: &self.remedy,
            target: self.target.as_ref(),
            finding: &self.finding,
            config: &self.config,
            attempts: &self.attempts,
            last_effect_ms: self.last_effect_ms,
            approved_by: self.approved_by,
            now_ms: START_MS,
        })
    }

    /// Changes one thing and looks at one guard.
    fn check(change: impl FnOnce(&mut Self), guard: Guard, expected: (bool, &str)) {
        let mut setup = Self::new(Mode::Act);
        change(&mut setup);
        let expected = Some((expected.0, expected.1.to_owned()));
        assert_eq!(verdict(&setup.asks(), guard), expected);
    }
}

#[test]
fn all_pass_when_nothing_is_against_it_each_with_its_reason() {
    let checks = Setup::new(Mode::Act).asks();
    assert!(checks.iter().all(|check| check.passed && !check.reason.is_empty()), "{checks:?}");
    let names: Vec<&str> = checks.iter().map(|check| check.guard.name()).collect();
    let all = "kill-switch mode trust blind maintenance-window cooldown attempt-budget point-of-no-return no-target";
    assert_eq!(names.join(" "), all);
}

#[test]
fn kill_switch() {
    let on = "the kill switch is on: no remedy is carried out anywhere";
    Setup::check(|_| {}, Guard::KillSwitch, (true, "the kill switch is off"));
    Setup::check(|setup| setup.config.kill_switch = true, Guard::KillSwitch, (false, on));
}

#[test]
fn mode() {
    for (mode, expected) in [
        (Mode::Observe, (false, "the mode is observe: recorded only")),
        (Mode::Suggest, (false, "the mode is suggest: shown, not done")),
        (Mode::Approve, (true, "the mode is approve: done once a person says yes")),
        (Mode::Act, (true, "the mode is act")),
    ] {
        Setup::check(|setup| setup.config = config(mode), Guard::Mode, expected);
    }
}

#[test]
fn the_services_own_mode_overrules_the_environments_and_an_unknown_environment_suggests() {
    let mut config = config(Mode::Act);
    assert_eq!(mode_of(&config, "stage", "shop"), Mode::Act);
    config.services[0].mode.insert("stage".into(), Mode::Observe);
    assert_eq!(mode_of(&config, "stage", "shop"), Mode::Observe);
    assert_eq!(mode_of(&config, "stage", "other"), Mode::Act);
    assert_eq!(mode_of(&config, "moon", "shop"), Mode::Suggest);
}

#[test]
fn trust() {
    let signed = "the event behind it was signed and fresh";
    Setup::check(|_| {}, Guard::Trust, (true, signed));
    Setup::check(
        |setup| (setup.finding.trust.signed, setup.finding.trust.fork) = (false, true),
        Guard::Trust,
        (false, "the event behind it was unsigned, from a fork"),
    );
    Setup::check(|setup| setup.finding.trust.late = true, Guard::Trust, (true, signed));
}

#[test]
fn blind() {
    let reason = "the telemetry itself is missing: that is no reason to change the service";
    Setup::check(|_| {}, Guard::Blind, (true, "the telemetry is there, health score 20 of 100"));
    Setup::check(|setup| setup.finding.kind = FindingKind::Blind, Guard::Blind, (false, reason));
    let blinded = |setup: &mut Setup| setup.finding.health = health(Verdict::Blind, 50.0, "");
    Setup::check(blinded, Guard::Blind, (false, reason));
}

#[test]
fn maintenance_window() {
    let window = |env: &str, service: &str, from: &str, until: &str| Window {
        env: env.into(),
        service: service.into(),
        from: from.into(),
        until: until.into(),
        reason: String::new(),
    };
    let (now, later, earlier) = ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2025-12-31T23:00:00Z");
    let open = "a maintenance window is open until 2026-01-01T01:00:00Z (no reason given)";
    let none = "no maintenance window is open";
    let broken = "the maintenance window from \"soon\" until \"2026-01-01T01:00:00Z\" cannot be read, so it counts as open";
    for (window, expected) in [
        (window("*", "*", now, later), (false, open)),
        (window("stage", "shop", earlier, later), (false, open)),
        (window("*", "*", earlier, now), (true, none)),
        (window("prod", "*", now, later), (true, none)),
        (window("*", "cart", now, later), (true, none)),
        (window("*", "*", "soon", later), (false, broken)),
        (window("prod", "*", "soon", later), (true, none)),
    ] {
        Setup::check(|setup| setup.config.windows.push(window), Guard::MaintenanceWindow, expected);
    }
}

#[test]
fn cooldown_ends_exactly_when_it_is_over() {
    for (ago_ms, expected) in [
        (None, (true, "no earlier attempt")),
        (Some(0), (false, "the last attempt was 0 s ago, the cooldown is 30 s")),
        (Some(29_999), (false, "the last attempt was 30 s ago, the cooldown is 30 s")),
        (Some(30_000), (true, "the last attempt was 30 s ago, longer than the cooldown of 30 s")),
    ] {
        let change = |setup: &mut Setup| setup.last_effect_ms = ago_ms.map(|ago: u64| START_MS - ago);
        Setup::check(change, Guard::Cooldown, expected);
    }
}

#[test]
fn attempt_budget_counts_what_is_within_its_window() {
    for (ago_min, expected) in [
        (vec![], (true, "0 of 3 attempts made within 60 min")),
        (vec![59, 30], (true, "2 of 3 attempts made within 60 min")),
        (vec![59, 30, 1], (false, "3 of 3 attempts made within 60 min")),
        (vec![60, 30, 1], (true, "2 of 3 attempts made within 60 min")),
    ] {
        let attempts: Vec<u64> = ago_min.iter().map(|ago: &u64| START_MS - ago * MINUTE_MS).collect();
        Setup::check(|setup| setup.attempts = attempts, Guard::AttemptBudget, expected);
    }
    let none = |setup: &mut Setup| setup.config.environments.get_mut("stage").unwrap().attempts_max = 0;
    Setup::check(none, Guard::AttemptBudget, (false, "0 of 0 attempts made within 60 min"));
}

#[test]
fn point_of_no_return() {
    let blocked = "the release carries a change that must not be rolled back by a machine";
    for (remedy, expected) in [
        (Remedy::Rollback, (false, blocked)),
        (Remedy::Redeploy, (false, blocked)),
        (
            Remedy::RerunFailedJobs,
            (true, "the release cannot be rolled back, and rerun-failed-jobs does not"),
        ),
    ] {
        let change = |setup: &mut Setup| (setup.finding.irreversible, setup.remedy) = (true, remedy);
        Setup::check(change, Guard::PointOfNoReturn, expected);
    }
}

#[test]
fn no_target() {
    let target = GithubTarget { repository: "acme/shop".into(), environment: "stage".into() };
    let github = |setup: &mut Setup| setup.target = Some(Target::Github(target));
    Setup::check(github, Guard::NoTarget, (true, "works on GitHub repository acme/shop"));
    let none = "no target for rollback is configured for this service here";
    Setup::check(|setup| setup.target = None, Guard::NoTarget, (false, none));
}

#[test]
fn approval_is_asked_in_mode_approve_only() {
    let mut setup = Setup::new(Mode::Act);
    assert_eq!(verdict(&setup.asks(), Guard::Approval), None);
    setup.config = config(Mode::Approve);
    assert_eq!(
        verdict(&setup.asks(), Guard::Approval),
        Some((false, "waits for a person to approve it".into()))
    );
    setup.approved_by = Some("ada");
    assert_eq!(verdict(&setup.asks(), Guard::Approval), Some((true, "approved by ada".into())));
}

#[test]
fn nobody_is_waited_for_where_another_guard_holds_the_plan_back() {
    let mut setup = Setup::new(Mode::Approve);
    setup.target = None;
    let expected = Some((false, "would also need a person to approve it".into()));
    assert_eq!(verdict(&setup.asks(), Guard::Approval), expected);
}

#[test]
fn telling_a_person_is_held_against_the_mode_alone() {
    for (mode, passed) in
        [(Mode::Observe, false), (Mode::Suggest, false), (Mode::Approve, true), (Mode::Act, true)]
    {
        let mut setup = Setup::new(mode);
        (setup.remedy, setup.config.kill_switch, setup.finding.irreversible) = (Remedy::Notify, true, true);
        let checks = setup.asks();
        assert_eq!(checks.len(), 1);
        assert_eq!(verdict(&checks, Guard::Mode).map(|(passed, _)| passed), Some(passed));
    }
}

fn plan(remedy: Remedy, guards: Vec<GuardCheck>) -> Plan {
    let context = PolicyContext {
        env: "stage".into(),
        kind: FindingKind::DeploymentFailed,
        severity: homeostat_schema::types::Severity::Critical,
    };
    let finding = finding("f1", FindingKind::DeploymentFailed);
    Plan {
        id: "p1".into(),
        incident: "i1".into(),
        parent: None,
        env: "stage".into(),
        service: "shop".into(),
        target: Target::Slack,
        choice: Choice {
            context,
            allowed: vec![remedy.clone()],
            remedy: remedy.clone(),
            propensity: 1.0,
            policy_version: 0,
        },
        remedy,
        guards,
        decision: Decision::Dispatched,
        prediction: Prediction { verdict: Verdict::Healthy, score_min: 40.0, after: 45_000 },
        preview: None,
        idempotency_key: "k".into(),
        ordinal: 1,
        dry_run: false,
        version: None,
        commit: None,
        last_good: None::<Release>,
        replicas: None,
        correlation: finding.correlation,
        reason: String::new(),
        made_at: START_MS,
        config_version: 1,
    }
}

#[test]
fn the_act_stage_asks_again_what_may_have_changed() {
    let approved =
        vec![GuardCheck { guard: Guard::Approval, passed: true, reason: "approved by ada".into() }];
    let mut killed = config(Mode::Act);
    killed.kill_switch = true;
    let mut closed = config(Mode::Act);
    closed.windows.push(Window {
        env: "*".into(),
        service: "*".into(),
        from: "2026-01-01T00:00:00Z".into(),
        until: "2026-01-02T00:00:00Z".into(),
        reason: String::new(),
    });
    for (remedy, guards, config, expected) in [
        (Remedy::Rollback, vec![], config(Mode::Act), vec![]),
        (Remedy::Rollback, vec![], killed.clone(), vec!["kill-switch"]),
        (Remedy::Rollback, vec![], closed.clone(), vec!["maintenance-window"]),
        (Remedy::Rollback, vec![], config(Mode::Suggest), vec!["mode"]),
        (Remedy::Rollback, vec![], config(Mode::Approve), vec!["approval"]),
        (Remedy::Rollback, approved, config(Mode::Approve), vec![]),
        (Remedy::Notify, vec![], killed, vec![]),
        (Remedy::Notify, vec![], closed, vec![]),
        (Remedy::Notify, vec![], config(Mode::Observe), vec!["mode"]),
    ] {
        let checks = recheck(&plan(remedy, guards), &config, START_MS);
        let failed: Vec<&str> = checks.iter().filter(|c| !c.passed).map(|c| c.guard.name()).collect();
        assert_eq!(failed, expected);
    }
}

#[test]
fn a_release_that_did_not_do_it_is_not_taken_away() {
    let cause = |change: Option<(&str, &str)>, probability: f64| Cause {
        incident: "cause-1".to_owned(),
        findings: 1,
        answered: false,
        change: change.map(|(id, _)| id.to_owned()),
        service: change.map(|(_, service)| service.to_owned()),
        probability,
        blamed: probability >= 0.8,
        text: String::new(),
    };
    let check = |change, probability, expected| {
        Setup::check(|setup| setup.finding.cause = Some(cause(change, probability)), Guard::Cause, expected);
    };
    check(Some(("b1", "shop")), 0.9, (true, "b1 of this service is the likeliest cause (90 %)"));
    check(Some(("b1", "billing")), 0.9, (false, "b1 of billing is blamed (90 %), and no release of shop"));
    check(Some(("b1", "billing")), 0.6, (true, "b1 of billing leads, but not surely (60 %)"));
    check(None, 0.95, (false, "no change explains it (95 %)"));
    check(None, 0.6, (true, "no change leads, but not surely (60 %)"));
    assert_eq!(verdict(&Setup::new(Mode::Act).asks(), Guard::Cause), None, "nothing was weighed");
    let mut again = Setup::new(Mode::Act);
    again.remedy = Remedy::RerunFailedJobs;
    again.finding.cause = Some(cause(None, 1.0));
    assert_eq!(verdict(&again.asks(), Guard::Cause), None, "nothing is taken away");
}

//! Guards: the rules that can hold an attempt back.
//!
//! Each is a small pure function that gives its verdict and, in plain words, the numbers behind
//! it. [`check_all`] asks all of them before a plan is dispatched; [`recheck`] asks again just
//! before the call those whose answer may have changed since.
//!
//! Telling a person is no remedy: `notify` is held against the mode alone. The kill switch, the
//! windows and the budgets stop remedies, not people from hearing of it; the planner bounds how
//! often it tells. In the modes `observe` and `suggest` nothing at all is sent.
//!
//! What this does not do: it does not decide what follows from a verdict; the planner does.
//!
//! Invariant: what cannot be read (a window's times) holds back.

use homeostat_schema::config::{Config, Environment, Mode, Window};
use homeostat_schema::time;
use homeostat_schema::types::{Finding, FindingKind, Guard, GuardCheck, Plan, Remedy, Target, Verdict};

use crate::text::{self, span};

/// Attempts the budget can count, and so its largest `attempts_max`.
pub const ATTEMPTS_COUNTED_MAX: usize = 64;

/// What the guards are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What is to be done.
    pub remedy: &'a Remedy,
    /// On what; `None` when none is configured.
    pub target: Option<&'a Target>,
    /// Because of this.
    pub finding: &'a Finding,
    /// Under this configuration.
    pub config: &'a Config,
    /// When attempts were made on the service, milliseconds since the epoch; at most
    /// [`ATTEMPTS_COUNTED_MAX`].
    pub attempts: &'a [u64],
    /// When the last of them was that may have had an effect.
    pub last_effect_ms: Option<u64>,
    /// Who approved it.
    pub approved_by: Option<&'a str>,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

/// Asks every guard that concerns the remedy, in a fixed order.
pub fn check_all(situation: &Situation<'_>) -> Vec<GuardCheck> {
    let Situation { config, finding, now_ms, .. } = *situation;
    let mode = mode_of(config, &finding.env, &finding.service);
    if *situation.remedy == Remedy::Notify {
        return vec![sends(mode)];
    }
    let environment = environment(config, &finding.env);
    let mut checks = vec![
        kill_switch(config),
        sends(mode),
        trust(finding),
        blind(finding),
        window(config, &finding.env, &finding.service, now_ms),
        cooldown(&environment, situation.last_effect_ms, now_ms),
        budget(&environment, situation.attempts, now_ms),
        point_of_no_return(finding, situation.remedy),
        has_target(situation.target, situation.remedy),
    ];
    checks.extend(cause(finding, situation.remedy));
    if mode == Mode::Approve {
        checks.push(approval(situation.approved_by, &checks));
    }
    checks
}

/// Asks again at the act stage, just before the call: kill switch, mode and windows, which may
/// have changed since the plan was made.
pub fn recheck(plan: &Plan, config: &Config, now_ms: u64) -> Vec<GuardCheck> {
    let mode = mode_of(config, &plan.env, &plan.service);
    if plan.remedy == Remedy::Notify {
        return vec![sends(mode)];
    }
    let mut checks = vec![kill_switch(config), sends(mode), window(config, &plan.env, &plan.service, now_ms)];
    if mode == Mode::Approve {
        let approved = plan.guards.iter().find(|check| check.guard == Guard::Approval && check.passed);
        let missing =
            || check(Guard::Approval, Err("the mode is approve now, and nobody approved it".into()));
        checks.push(approved.cloned().unwrap_or_else(missing));
    }
    checks
}

/// The settings of an environment; the strictest defaults for one that is not configured.
pub(crate) fn environment(config: &Config, env: &str) -> Environment {
    config.environments.get(env).cloned().unwrap_or_else(|| Environment::named(env))
}

/// The service's own mode for the environment, else the environment's.
pub(crate) fn mode_of(config: &Config, env: &str, service: &str) -> Mode {
    let own =
        config.services.iter().find(|known| known.name == service).and_then(|known| known.mode.get(env));
    own.copied().unwrap_or_else(|| environment(config, env).mode)
}

fn check(guard: Guard, verdict: Result<String, String>) -> GuardCheck {
    let passed = verdict.is_ok();
    let (Ok(reason) | Err(reason)) = verdict;
    GuardCheck { guard, passed, reason: text::line(&reason) }
}

fn kill_switch(config: &Config) -> GuardCheck {
    let verdict = if config.kill_switch {
        Err("the kill switch is on: no remedy is carried out anywhere".to_owned())
    } else {
        Ok("the kill switch is off".to_owned())
    };
    check(Guard::KillSwitch, verdict)
}

fn sends(mode: Mode) -> GuardCheck {
    let verdict = match mode {
        Mode::Observe => Err("the mode is observe: recorded only".to_owned()),
        Mode::Suggest => Err("the mode is suggest: shown, not done".to_owned()),
        Mode::Approve => Ok("the mode is approve: done once a person says yes".to_owned()),
        Mode::Act => Ok("the mode is act".to_owned()),
    };
    check(Guard::Mode, verdict)
}

fn trust(finding: &Finding) -> GuardCheck {
    let trust = &finding.trust;
    let faults = [
        (!trust.signed, "unsigned"),
        (!trust.fresh, "old, or without a time of its own"),
        (trust.fork, "from a fork"),
        (trust.self_, "an echo of our own action"),
        (trust.test, "marked as a test"),
    ];
    let named: Vec<&str> = faults.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    let verdict = if named.is_empty() {
        Ok("the event behind it was signed and fresh".to_owned())
    } else {
        Err(format!("the event behind it was {}", named.join(", ")))
    };
    check(Guard::Trust, verdict)
}

fn blind(finding: &Finding) -> GuardCheck {
    let blind = finding.health.verdict == Verdict::Blind || finding.kind == FindingKind::Blind;
    let verdict = if blind {
        Err("the telemetry itself is missing: that is no reason to change the service".to_owned())
    } else {
        Ok(format!("the telemetry is there, health score {:.0} of 100", finding.health.score))
    };
    check(Guard::Blind, verdict)
}

fn window(config: &Config, env: &str, service: &str, now_ms: u64) -> GuardCheck {
    let concerns = |window: &&Window| is(&window.env, env) && is(&window.service, service);
    let verdict = match config.windows.iter().filter(concerns).find_map(|window| holding(window, now_ms)) {
        Some(reason) => Err(reason),
        None => Ok("no maintenance window is open".to_owned()),
    };
    check(Guard::MaintenanceWindow, verdict)
}

fn is(pattern: &str, name: &str) -> bool {
    pattern == "*" || pattern == name
}

/// Why the window holds back now, if it does.
fn holding(window: &Window, now_ms: u64) -> Option<String> {
    let (Ok(from), Ok(until)) = (time::parse(&window.from), time::parse(&window.until)) else {
        return Some(format!(
            "the maintenance window from {:?} until {:?} cannot be read, so it counts as open",
            window.from, window.until
        ));
    };
    (from..until).contains(&now_ms).then(|| {
        let why = if window.reason.is_empty() { "no reason given" } else { window.reason.as_str() };
        format!("a maintenance window is open until {} ({why})", time::display(until))
    })
}

fn cooldown(environment: &Environment, last_effect_ms: Option<u64>, now_ms: u64) -> GuardCheck {
    let length_ms = environment.cooldown_s.saturating_mul(1000);
    let verdict = match last_effect_ms {
        None => Ok("no earlier attempt".to_owned()),
        Some(last) if now_ms < last.saturating_add(length_ms) => Err(format!(
            "the last attempt was {} ago, the cooldown is {}",
            span(now_ms.saturating_sub(last)),
            span(length_ms)
        )),
        Some(last) => Ok(format!(
            "the last attempt was {} ago, longer than the cooldown of {}",
            span(now_ms.saturating_sub(last)),
            span(length_ms)
        )),
    };
    check(Guard::Cooldown, verdict)
}

/// When the cooldown of the service ends, milliseconds since the epoch.
pub(crate) fn cooldown_ends_ms(config: &Config, env: &str, last_effect_ms: u64) -> u64 {
    last_effect_ms.saturating_add(environment(config, env).cooldown_s.saturating_mul(1000))
}

fn budget(environment: &Environment, attempts: &[u64], now_ms: u64) -> GuardCheck {
    let window_ms = environment.attempts_window_s.saturating_mul(1000);
    let made = attempts.iter().filter(|at| now_ms < at.saturating_add(window_ms)).count();
    let most = usize::try_from(environment.attempts_max).unwrap_or(usize::MAX).min(ATTEMPTS_COUNTED_MAX);
    let text = format!("{made} of {most} attempts made within {}", span(window_ms));
    check(Guard::AttemptBudget, if made < most { Ok(text) } else { Err(text) })
}

fn point_of_no_return(finding: &Finding, remedy: &Remedy) -> GuardCheck {
    let verdict = if finding.irreversible && goes_back(remedy) {
        Err("the release carries a change that must not be rolled back by a machine".to_owned())
    } else if finding.irreversible {
        Ok(format!("the release cannot be rolled back, and {} does not", remedy.name()))
    } else {
        Ok("the release can be rolled back".to_owned())
    };
    check(Guard::PointOfNoReturn, verdict)
}

/// Whether it takes a release away.
fn goes_back(remedy: &Remedy) -> bool {
    matches!(remedy, Remedy::Rollback | Remedy::Redeploy | Remedy::RevertPullRequest)
}

/// Taking a release away helps only where it may be what did it. Of a finding whose cause was not
/// weighed there is nothing to say.
fn cause(finding: &Finding, remedy: &Remedy) -> Option<GuardCheck> {
    let cause = finding.cause.as_ref().filter(|_| goes_back(remedy))?;
    let sure = format!("{:.0} %", cause.probability * 100.0);
    let verdict = match (&cause.change, &cause.service) {
        (Some(change), Some(service)) if *service == finding.service => {
            Ok(format!("{change} of this service is the likeliest cause ({sure})"))
        }
        (Some(change), Some(service)) if cause.blamed => {
            Err(format!("{change} of {service} is blamed ({sure}), and no release of {}", finding.service))
        }
        (None, _) | (_, None) if cause.blamed => Err(format!("no change explains it ({sure})")),
        (Some(change), Some(service)) => Ok(format!("{change} of {service} leads, but not surely ({sure})")),
        (None, _) | (_, None) => Ok(format!("no change leads, but not surely ({sure})")),
    };
    Some(check(Guard::Cause, verdict))
}

fn has_target(target: Option<&Target>, remedy: &Remedy) -> GuardCheck {
    let verdict = match target {
        Some(target) => Ok(format!("works on {}", crate::names::target(target))),
        None => Err(format!("no target for {} is configured for this service here", remedy.name())),
    };
    check(Guard::NoTarget, verdict)
}

/// A person is waited for only where nothing else holds the plan back.
fn approval(approved_by: Option<&str>, others: &[GuardCheck]) -> GuardCheck {
    let alone = others.iter().all(|check| check.passed);
    let verdict = match approved_by {
        Some(who) => Ok(format!("approved by {}", text::cut(who, 80))),
        None if alone => Err("waits for a person to approve it".to_owned()),
        None => Err("would also need a person to approve it".to_owned()),
    };
    check(Guard::Approval, verdict)
}

#[cfg(test)]
mod tests;

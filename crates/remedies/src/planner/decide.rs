//! Findings: opening an incident or attaching to the open one, and choosing what to do.

use std::collections::BTreeSet;

use homeostat_schema::types::{
    Choice, Decision, Finding, FindingKind, Guard, GuardCheck, Incident, IncidentState, Plan, Remedy, Target,
    TimelineFact,
};

use super::candidates::{self, Candidate};
use super::case::{Flight, Hands, Open, Purpose, Stage};
use super::desk::{Desk, Draft, context};
use super::{APPROVAL_MS_MAX, ATTEMPTS_PER_INCIDENT_MAX, Command, PLANS_PER_INCIDENT_MAX, timeline, words};
use crate::guards;

impl Desk<'_> {
    /// Opens an incident, or attaches to the open one. The same id twice is nothing new.
    pub(super) fn finding(&mut self, open: Option<Open>, finding: &Finding) -> Option<Open> {
        let finding = timeline::bounded(finding);
        if !self.case.meets(&finding.id) {
            return open;
        }
        let Some(mut open) = open else { return Some(self.opened(finding)) };
        self.attach(&mut open, &finding);
        let finding = plain(finding);
        if self.starts_something(&mut open, &finding) {
            open.lead = finding;
            self.propose(&mut open);
        } else if open.stage == Stage::Idle(None) {
            self.watch(&mut open, 1);
        }
        Some(open)
    }

    fn opened(&mut self, finding: Finding) -> Open {
        let now = self.world.now_ms;
        let mut open = Open {
            incident: Incident {
                id: words::incident_id(&finding),
                env: finding.env.clone(),
                service: finding.service.clone(),
                title: words::title(&finding),
                severity: finding.severity,
                state: IncidentState::Open,
                opened_at: now,
                updated_at: now,
                closed_at: None,
                cause: finding.cause.clone(),
                timeline: Vec::new(),
            },
            since_ms: finding.found_at,
            lead: plain(finding.clone()),
            stage: Stage::Idle(None),
            newer: None,
            parent: None,
            plans: 0,
            attempts: 0,
            tried: BTreeSet::new(),
            considered: BTreeSet::new(),
            told: BTreeSet::new(),
            telling: BTreeSet::new(),
            waits: 0,
            hands: Hands::On,
            bytes: 0,
            dropped: 0,
        };
        self.attach(&mut open, &finding);
        self.propose(&mut open);
        open
    }

    fn attach(&mut self, open: &mut Open, finding: &Finding) {
        if finding.cause.is_some() {
            open.incident.cause.clone_from(&finding.cause);
        }
        open.incident.severity = words::worse(open.incident.severity, finding.severity);
        self.item(open, &words::finding(finding), TimelineFact::Finding(finding.clone()));
    }

    /// Whether a finding attached to an open incident makes it plan anew, now.
    fn starts_something(&mut self, open: &mut Open, finding: &Finding) -> bool {
        if finding.kind == FindingKind::Blind || open.hands == Hands::Off {
            return false;
        }
        match open.stage.clone() {
            Stage::Acting(flight) => {
                if supersedes(open, &flight.plan, finding) {
                    open.newer = Some(finding.clone());
                }
                false
            }
            Stage::Verifying(flight) => {
                let newer = supersedes(open, &flight.plan, finding);
                if newer {
                    self.superseded(open, &flight, finding);
                }
                newer
            }
            Stage::Approval(plan) => {
                let newer = is_new_release(open, finding);
                if newer {
                    self.note(open, &format!("{} is withdrawn: there is a newer release", plan.id));
                }
                newer
            }
            // The cooldown holds it back whatever it is about; work on the newest when it ends.
            Stage::Idle(Some(wait)) if wait.purpose == Purpose::Retry => {
                open.lead = finding.clone();
                false
            }
            Stage::Idle(_) => {
                let key = (words::release(finding), finding.kind.name().to_owned());
                open.plans < PLANS_PER_INCIDENT_MAX && !open.considered.contains(&key)
            }
        }
    }

    /// Chooses among what is left to try, and does with it what the guards and the mode allow.
    pub(super) fn propose(&mut self, open: &mut Open) {
        let release = words::release(&open.lead);
        open.considered.insert((release.clone(), open.lead.kind.name().to_owned()));
        if let Some(bound) = used_up(open) {
            return self.page(open, "bound", &bound);
        }
        let fitting = self.fitting(open, &release);
        let tried = |candidate: &Candidate| {
            open.tried.contains(&(release.clone(), candidate.remedy.name().to_owned()))
        };
        let (had, left): (Vec<Candidate>, Vec<Candidate>) = fitting.into_iter().partition(tried);
        let ready: Vec<(Remedy, Target)> =
            left.iter().filter_map(|one| Some((one.remedy.clone(), one.target.clone()?))).collect();
        if !ready.is_empty() {
            return self.choose(open, &ready);
        }
        match left.first() {
            Some(candidate) if had.is_empty() => self.without_target(open, &candidate.remedy),
            _ => self.nothing_left(open),
        }
    }

    /// The remedies that fit, without a rollback that would bring back what was rolled back.
    fn fitting(&mut self, open: &mut Open, release: &str) -> Vec<Candidate> {
        let mut fitting = candidates::of(&open.lead, self.world.config);
        let undone = self.case.undone.clone().filter(|undone| undone.runs_in(&open.lead, release));
        if let Some(undone) = undone.filter(|_| fitting.iter().any(|one| one.remedy == Remedy::Rollback)) {
            fitting.retain(|one| one.remedy != Remedy::Rollback);
            self.note(
                open,
                &format!(
                    "rollback is left out: it would bring back {}, which was rolled back",
                    undone.release
                ),
            );
        }
        fitting
    }

    fn choose(&mut self, open: &mut Open, ready: &[(Remedy, Target)]) {
        let context = context(open);
        let policy = self.world.policy;
        let mut allowed: Vec<Remedy> = ready.iter().map(|(remedy, _)| remedy.clone()).collect();
        let notify = policy.value(&context, &Remedy::Notify);
        if allowed.iter().all(|remedy| policy.value(&context, remedy) < notify) {
            allowed.push(Remedy::Notify);
        }
        let learning = &self.world.config.learning;
        let Some(choice) = policy.choose(&context, &allowed, learning, self.world.seed) else {
            return self.nothing_left(open);
        };
        match ready.iter().find(|(remedy, _)| *remedy == choice.remedy) {
            Some((_, target)) => self.submit(open, choice, target.clone(), None),
            None => {
                let why = "the policy expects more of a person than of any remedy left";
                self.escalate(open, why);
                self.tell(open, "chosen", why, Some(choice));
            }
        }
    }

    /// No remedy that fits has anything to work on: the plan names what is missing.
    fn without_target(&mut self, open: &mut Open, remedy: &Remedy) {
        let guards = self.guards(open, remedy, None, None);
        let decision = self.decision(open, &guards);
        let choice = Choice {
            context: context(open),
            allowed: vec![remedy.clone()],
            remedy: remedy.clone(),
            propensity: 1.0,
            policy_version: self.world.policy.version(),
        };
        let reason = format!("{} fits {}, but has no target", remedy.name(), open.lead.kind.name());
        let target = Target::Other("nothing configured".to_owned());
        let plan = self.plan(open, Draft { choice, target, guards, decision, reason });
        match plan.decision {
            Decision::HeldBack => self.held_back(open, &plan.guards),
            _ => self.leave_open(open),
        }
    }

    /// A disaster goes on: past its objective, or over.
    pub(super) fn disaster(&mut self, mut open: Open, finding: &str, over: bool, text: &str) -> Open {
        if open.lead.id != finding {
            return open;
        }
        if over {
            self.note(&mut open, text);
            self.close(&mut open);
        } else {
            self.page(&mut open, "overdue", text);
        }
        open
    }

    fn nothing_left(&mut self, open: &mut Open) {
        // Their reason says what is to be done.
        if matches!(open.lead.kind, FindingKind::Disaster | FindingKind::CapacityLow) && open.attempts == 0 {
            let why = open.lead.health.because.first().map(|told| told.text.clone()).unwrap_or_default();
            return self.page(open, open.lead.kind.clone().name(), &why);
        }
        if let Some(told) = candidates::not_worth_a_run(&open.lead) {
            let why = format!("it is not run again: {}", told.text);
            return self.page(open, "not-worth-a-run", &why);
        }
        let kind = open.lead.kind.name().to_owned();
        let why = if open.attempts == 0 {
            format!("no remedy fits {kind}")
        } else {
            format!("no remedy is left for {kind} after {} attempt(s)", open.attempts)
        };
        self.page(open, "nothing-left", &why);
    }

    /// Holds a chosen remedy against the guards and does what follows.
    pub(super) fn submit(
        &mut self,
        open: &mut Open,
        choice: Choice,
        target: Target,
        approved_by: Option<&str>,
    ) {
        let guards = self.guards(open, &choice.remedy, Some(&target), approved_by);
        let decision = self.decision(open, &guards);
        let reason = words::reason(&open.lead, &choice);
        let plan = self.plan(open, Draft { choice, target, guards, decision, reason });
        match plan.decision {
            Decision::Observed | Decision::Suggested => self.leave_open(open),
            Decision::AwaitingApproval => self.await_approval(open, plan),
            Decision::Dispatched => self.dispatch(open, plan),
            Decision::HeldBack => self.held_back(open, &plan.guards),
        }
    }

    fn leave_open(&mut self, open: &mut Open) {
        self.state(open, IncidentState::Open);
        self.watch(open, 1);
    }

    fn await_approval(&mut self, open: &mut Open, plan: Plan) {
        self.state(open, IncidentState::AwaitingApproval);
        let at_ms = plan.made_at.saturating_add(APPROVAL_MS_MAX);
        self.command(Command::VerifyAt { attempt: plan.id.clone(), at_ms });
        let why = format!("{} waits for approval until {}", plan.remedy.name(), self.clock(at_ms));
        open.stage = Stage::Approval(plan);
        self.tell(open, "approval", &why, None);
    }

    fn dispatch(&mut self, open: &mut Open, plan: Plan) {
        open.tried.insert((words::release(&open.lead), plan.remedy.name().to_owned()));
        open.attempts = open.attempts.saturating_add(1);
        self.case.attempted(&plan.idempotency_key, self.world.now_ms);
        self.state(open, IncidentState::Acting);
        self.command(Command::Dispatch(plan.clone()));
        open.stage = Stage::Acting(Flight { plan, unknown: false, ended_ms: 0, looks: 0, asked: false });
    }

    fn held_back(&mut self, open: &mut Open, guards: &[GuardCheck]) {
        let failed: Vec<&GuardCheck> =
            guards.iter().filter(|check| !check.passed && check.guard != Guard::Approval).collect();
        let last = self.case.last_effect_ms();
        if let (Some(last), true) = (last, failed.iter().all(|check| check.guard == Guard::Cooldown)) {
            return self.wait_out(open, guards::cooldown_ends_ms(self.world.config, &open.lead.env, last));
        }
        let names: Vec<&str> = failed.iter().map(|check| check.guard.name()).collect();
        let why = format!("held back by {}", words::held_by(guards));
        if let (Some(cause), true) = (words::shared(&open.lead), names.contains(&Guard::Cause.name())) {
            return self.escalate(open, &format!("{why}; {cause}"));
        }
        self.page(open, &format!("held-back:{}", names.join(",")), &why);
    }

    /// Only the cooldown holds it back: that ends by itself.
    fn wait_out(&mut self, open: &mut Open, at_ms: u64) {
        self.state(open, IncidentState::Open);
        let until = self.clock(at_ms);
        self.note(
            open,
            &format!("the cooldown ends at {until}; the service is looked at then, and the plan made anew"),
        );
        self.wait(open, Purpose::Retry, 1, at_ms);
    }
}

/// The bound that was reached, in words.
fn used_up(open: &Open) -> Option<String> {
    if open.attempts >= ATTEMPTS_PER_INCIDENT_MAX {
        return Some(format!(
            "{ATTEMPTS_PER_INCIDENT_MAX} attempts were made, which is the most for one incident"
        ));
    }
    (open.plans >= PLANS_PER_INCIDENT_MAX)
        .then(|| format!("{PLANS_PER_INCIDENT_MAX} plans were made, which is the most for one incident"))
}

/// Without its plot, which only the timeline shows.
fn plain(finding: Finding) -> Finding {
    Finding { plot: None, ..finding }
}

fn is_new_release(open: &Open, finding: &Finding) -> bool {
    let named = finding.commit.is_some() || finding.version.is_some();
    let release = words::release(finding);
    named
        && release != words::release(&open.lead)
        && !open.considered.iter().any(|(known, _)| *known == release)
}

/// Whether a finding says that another release was deployed over the one being healed. Numbers
/// about the release that was gone back to are about the attempt, and are left to its assessment.
fn supersedes(open: &Open, plan: &Plan, finding: &Finding) -> bool {
    let deployed = matches!(finding.kind, FindingKind::DeploymentFailed | FindingKind::RunFailed);
    let restored = plan.last_good.as_ref().is_some_and(|good| {
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        same(&good.commit, &finding.commit) || same(&good.version, &finding.version)
    });
    deployed && !restored && is_new_release(open, finding)
}

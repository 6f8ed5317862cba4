//! The desk a fact is worked on: the case, what is known, and what was decided so far. Holds the
//! steps every part of the planner shares.

use homeostat_schema::time;
use homeostat_schema::types::{
    Choice, Decision, Guard, GuardCheck, IncidentState, Plan, PolicyContext, Prediction, Remedy, Target,
    TimelineFact, Verdict,
};

use super::case::{Case, Hands, Open, Purpose, Stage, Wait};
use super::{Command, Decided, WATCHES_MAX, World, timeline, words};
use crate::connector::ConnectorError;
use crate::guards::{self, Situation};
use crate::{connector, text};

/// The first look at an incident nobody works on; each later one after twice the time.
const WATCH_FIRST_MS: u64 = 60_000;
/// Reasons a person is told for in one incident: as many as there are reasons.
const TOLD_MAX: usize = 12;
/// Verification waits between a second and an hour, whatever the timeout is set to.
const VERIFY_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// Where one fact is worked on.
pub(super) struct Desk<'a> {
    pub(super) case: Case,
    pub(super) world: &'a World<'a>,
    commands: Vec<Command>,
    /// Whether people see anything new.
    touched: bool,
}

/// A plan in the making.
pub(super) struct Draft {
    pub(super) choice: Choice,
    pub(super) target: Target,
    pub(super) guards: Vec<GuardCheck>,
    pub(super) decision: Decision,
    pub(super) reason: String,
}

impl<'a> Desk<'a> {
    pub(super) fn new(case: Case, world: &'a World<'a>) -> Self {
        Self { case, world, commands: Vec::new(), touched: false }
    }

    pub(super) fn finish(mut self, open: Option<Open>) -> Decided {
        let incident = open.as_ref().filter(|_| self.touched).map(|open| open.incident.clone());
        self.case.open = open.filter(|open| open.incident.state != IncidentState::Resolved);
        Decided { case: self.case, incident, commands: self.commands }
    }

    pub(super) fn item(&mut self, open: &mut Open, text: &str, fact: TimelineFact) {
        timeline::push(open, self.world.now_ms, text, fact);
        self.touched = true;
    }

    pub(super) fn note(&mut self, open: &mut Open, text: &str) {
        self.item(open, text, TimelineFact::Note);
    }

    pub(super) fn state(&mut self, open: &mut Open, state: IncidentState) {
        open.incident.state = state;
        open.incident.updated_at = self.world.now_ms;
        self.touched = true;
    }

    pub(super) fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    pub(super) fn close(&mut self, open: &mut Open) {
        self.state(open, IncidentState::Resolved);
        open.incident.closed_at = Some(self.world.now_ms);
        open.stage = Stage::Idle(None);
    }

    /// A person has it now; it is looked at from time to time all the same.
    pub(super) fn escalate(&mut self, open: &mut Open, why: &str) {
        self.state(open, IncidentState::Escalated);
        self.note(open, &format!("a person has it now: {why}"));
        self.watch(open, 1);
    }

    /// As [`Self::escalate`], and tells one: once per incident and `reason`.
    pub(super) fn page(&mut self, open: &mut Open, reason: &str, why: &str) {
        self.escalate(open, why);
        self.tell(open, reason, why, None);
    }

    /// As [`Self::page`], and starts nothing more in this incident.
    pub(super) fn hand_off(&mut self, open: &mut Open, reason: &str, why: &str) {
        open.hands = Hands::Off;
        self.page(open, reason, why);
    }

    /// Looks again later, the `look`th time (from 1).
    pub(super) fn watch(&mut self, open: &mut Open, look: u32) {
        if look > WATCHES_MAX {
            open.stage = Stage::Idle(None);
            self.note(open, "not looked at any more: resolve it by hand when it is over");
            return;
        }
        let after = WATCH_FIRST_MS.saturating_mul(1 << (look - 1));
        self.wait(open, Purpose::Watch, look, self.world.now_ms.saturating_add(after));
    }

    pub(super) fn wait(&mut self, open: &mut Open, purpose: Purpose, look: u32, at_ms: u64) {
        open.waits = open.waits.saturating_add(1);
        let name = format!("{}.w{}", open.incident.id, open.waits);
        self.command(Command::VerifyAt { attempt: name.clone(), at_ms });
        open.stage = Stage::Idle(Some(Wait { name, purpose, look, asked: false }));
    }

    /// Holds a remedy against the guards.
    pub(super) fn guards(
        &self,
        open: &Open,
        remedy: &Remedy,
        target: Option<&Target>,
        approved_by: Option<&str>,
    ) -> Vec<GuardCheck> {
        let mut checks = guards::check_all(&Situation {
            remedy,
            target,
            finding: &open.lead,
            config: self.world.config,
            attempts: &self.case.attempts_ms(),
            last_effect_ms: self.case.last_effect_ms(),
            approved_by,
            now_ms: self.world.now_ms,
        });
        // Its incident was closed by hand before the act stage answered.
        if let (Some(key), true) = (&self.case.flying, *remedy != Remedy::Notify) {
            let reason = format!("the attempt {key} has not been answered yet");
            checks.push(GuardCheck { guard: Guard::Other("in-flight".to_owned()), passed: false, reason });
        }
        checks
    }

    /// What follows from the guards' verdicts.
    pub(super) fn decision(&self, open: &Open, guards: &[GuardCheck]) -> Decision {
        let failed = |guard: &Guard| guards.iter().any(|check| check.guard == *guard && !check.passed);
        let soft = |check: &GuardCheck| matches!(check.guard, Guard::Mode | Guard::Approval);
        let mode = guards::mode_of(self.world.config, &open.lead.env, &open.lead.service);
        if mode == homeostat_schema::config::Mode::Observe {
            return Decision::Observed;
        }
        if guards.iter().any(|check| !check.passed && !soft(check)) {
            return Decision::HeldBack;
        }
        if failed(&Guard::Mode) {
            return Decision::Suggested;
        }
        if failed(&Guard::Approval) { Decision::AwaitingApproval } else { Decision::Dispatched }
    }

    /// Makes the plan, uses its number up when it is dispatched, and puts it on the timeline.
    pub(super) fn plan(&mut self, open: &mut Open, draft: Draft) -> Plan {
        open.plans = open.plans.saturating_add(1);
        let id = format!("{}.p{}", open.incident.id, open.plans);
        let release = words::release(&open.lead);
        let ordinal = self.case.ordinals.next(&release);
        let parent = open.parent.replace(id.clone());
        let mut plan = self.filled(open, draft, id, parent, ordinal);
        match connector::try_preview(&plan, self.world.endpoints) {
            Ok(preview) => plan.preview = Some(preview),
            Err(error) => unaskable(&mut plan, &error),
        }
        if plan.decision == Decision::Dispatched {
            self.case.ordinals.take(&release);
        }
        self.item(open, &words::plan(&plan), TimelineFact::Plan(plan.clone()));
        plan
    }

    fn filled(&self, open: &Open, draft: Draft, id: String, parent: Option<String>, ordinal: u32) -> Plan {
        let finding = &open.lead;
        let environment = guards::environment(self.world.config, &finding.env);
        let after = environment.timeout_s.saturating_mul(1000).clamp(*VERIFY_MS.start(), *VERIFY_MS.end());
        let remedy = draft.choice.remedy.clone();
        let replicas = (remedy == Remedy::ScaleUp)
            .then(|| super::candidates::replicas(finding, self.world.config))
            .flatten();
        Plan {
            id,
            incident: open.incident.id.clone(),
            parent,
            env: finding.env.clone(),
            service: finding.service.clone(),
            idempotency_key: words::idempotency_key(finding, remedy.name(), ordinal),
            remedy,
            target: draft.target,
            choice: draft.choice,
            guards: draft.guards,
            decision: draft.decision,
            prediction: Prediction { verdict: Verdict::Healthy, score_min: environment.score_min, after },
            preview: None,
            ordinal,
            dry_run: environment.dry_run,
            version: finding.version.clone(),
            commit: finding.commit.clone(),
            last_good: finding.last_good.clone(),
            replicas,
            correlation: finding.correlation.clone(),
            reason: text::line(&draft.reason),
            made_at: self.world.now_ms,
            config_version: self.world.config_version,
        }
    }

    /// Tells a person, once per incident and reason.
    pub(super) fn tell(&mut self, open: &mut Open, reason: &str, why: &str, choice: Option<Choice>) {
        if open.told.len() >= TOLD_MAX || !open.told.insert(reason.to_owned()) {
            return;
        }
        if self.world.endpoints.slack_origin.is_empty() {
            return self.note(open, "nobody was told: no Slack webhook is configured");
        }
        let guards = self.guards(open, &Remedy::Notify, Some(&Target::Slack), None);
        let decision = self.decision(open, &guards);
        let choice = choice.unwrap_or_else(|| self.only_notify(open));
        let reason = words::message(&open.incident, why);
        let plan = self.plan(open, Draft { choice, target: Target::Slack, guards, decision, reason });
        if plan.decision == Decision::Dispatched {
            open.telling.insert(plan.idempotency_key.clone());
            self.command(Command::Dispatch(plan));
        }
    }

    fn only_notify(&self, open: &Open) -> Choice {
        Choice {
            context: context(open),
            allowed: vec![Remedy::Notify],
            remedy: Remedy::Notify,
            propensity: 1.0,
            policy_version: self.world.policy.version(),
        }
    }

    pub(super) fn clock(&self, at_ms: u64) -> String {
        time::display(at_ms)
    }
}

/// No connector can ask for it: its target is none.
fn unaskable(plan: &mut Plan, error: &ConnectorError) {
    plan.guards.retain(|check| check.guard != Guard::NoTarget || !check.passed);
    if plan.guards.iter().all(|check| check.guard != Guard::NoTarget) {
        let reason = text::line(&error.to_string());
        plan.guards.push(GuardCheck { guard: Guard::NoTarget, passed: false, reason });
    }
    if plan.decision != Decision::Observed {
        plan.decision = Decision::HeldBack;
    }
}

/// What the policy is told of an incident.
pub(super) fn context(open: &Open) -> PolicyContext {
    PolicyContext { env: open.lead.env.clone(), kind: open.lead.kind.clone(), severity: open.lead.severity }
}

//! Attempts and what became of them: verification, outcomes, lessons, and looks at incidents
//! that nobody works on.

use homeostat_schema::types::{
    Assessment, AssessmentRequest, Attempt, AttemptResult, Finding, Health, IncidentState, Outcome,
    OutcomeKind, Plan, Remedy, Sample, TimelineFact, Verdict,
};
use homeostat_schema::wire::LOOKED_AGAIN;

use super::case::{Flight, Open, Purpose, Stage, Undone, Wait};
use super::desk::Desk;
use super::{APPROVAL_MS_MAX, Command, timeline, words};
use crate::text::{self, span};

/// A score this much below the finding's is harm, not noise; points of 100.
const HARM_MARGIN: f64 = 10.0;
const REWARD_CURED: f64 = 1.0;
const REWARD_NOT_CURED: f64 = -0.5;
const REWARD_HARMFUL: f64 = -1.0;
/// Looks until an attempt nobody can judge counts as unverified. A rollback shows at once; a
/// deployment, new replicas and a run take their time, so those get more looks, each after twice the wait.
const LOOKS_MAX: u32 = 2;
const LOOKS_REDEPLOY_MAX: u32 = 4;
const LOOKS_RERUN_MAX: u32 = 6;

/// What the detector's answer means for an attempt.
enum Judgement {
    Cured,
    NotCured,
    Harmful,
    Undecided,
}

impl Desk<'_> {
    /// What became of a dispatched plan.
    pub(super) fn attempt(&mut self, mut open: Open, attempt: &Attempt) -> Open {
        if open.telling.remove(&attempt.id) {
            let text = format!("telling a person: {}", told(attempt));
            self.item(&mut open, &text, TimelineFact::Attempt(timeline::bounded_attempt(attempt)));
            return open;
        }
        match open.stage.clone() {
            Stage::Acting(flight) if flight.plan.idempotency_key == attempt.id => {
                self.settled(&mut open, flight, attempt);
            }
            _ => {}
        }
        open
    }

    fn settled(&mut self, open: &mut Open, flight: Flight, attempt: &Attempt) {
        let text = format!("{}: {}", flight.plan.remedy.name(), told(attempt));
        self.item(open, &text, TimelineFact::Attempt(timeline::bounded_attempt(attempt)));
        match attempt.attempt_result {
            AttemptResult::Done => self.verify(open, flight, attempt.ended_at),
            AttemptResult::Unknown => self.verify(open, Flight { unknown: true, ..flight }, attempt.ended_at),
            AttemptResult::Failed => self.refused(open),
            AttemptResult::DryRun => self.shown(open, &flight),
        }
    }

    fn verify(&mut self, open: &mut Open, mut flight: Flight, ended_ms: u64) {
        flight.ended_ms = ended_ms;
        open.since_ms = ended_ms;
        if flight.plan.remedy == Remedy::Rollback {
            self.case.undone = Some(Undone::by(&flight.plan, words::release(&open.lead)));
        }
        if let Some(newer) = open.newer.take() {
            self.superseded(open, &flight, &newer);
            open.lead = newer;
            return self.propose(open);
        }
        self.state(open, IncidentState::Verifying);
        self.look_after(open, flight, 0);
    }

    /// Asks the detector after the predicted time, doubled with every look.
    fn look_after(&mut self, open: &mut Open, mut flight: Flight, looks: u32) {
        let after = flight.plan.prediction.after.saturating_mul(1 << looks.min(LOOKS_RERUN_MAX));
        let at_ms = self.world.now_ms.saturating_add(after);
        self.command(Command::VerifyAt { attempt: flight.plan.idempotency_key.clone(), at_ms });
        flight.asked = false;
        flight.looks = looks;
        open.stage = Stage::Verifying(flight);
    }

    /// Nothing happened, for certain: the next remedy.
    fn refused(&mut self, open: &mut Open) {
        self.case.had_no_effect();
        if let Some(newer) = open.newer.take() {
            open.lead = newer;
        }
        self.propose(open);
    }

    fn shown(&mut self, open: &mut Open, flight: &Flight) {
        self.case.had_no_effect();
        open.newer = None;
        let health = open.lead.health.clone();
        self.outcome(open, flight, OutcomeKind::Unverified, 0.0, &health, "dry run: nothing was sent");
        self.page(open, "dry-run", "the remedy was shown, not done (dry run)");
    }

    /// Another release came over the one being healed: what the attempt did can no longer be told.
    pub(super) fn superseded(&mut self, open: &mut Open, flight: &Flight, finding: &Finding) {
        let text = format!(
            "{} was deployed before {} could be verified",
            words::release_shown(finding),
            flight.plan.remedy.name()
        );
        self.outcome(open, flight, OutcomeKind::Unverified, 0.0, &finding.health, &text);
    }

    /// The time to look has come.
    pub(super) fn due(&mut self, mut open: Open, name: &str) -> Open {
        match open.stage.clone() {
            Stage::Verifying(flight) if flight.plan.idempotency_key == name && !flight.asked => {
                self.ask(&open, name, flight.ended_ms);
                open.stage = Stage::Verifying(Flight { asked: true, looks: flight.looks + 1, ..flight });
            }
            Stage::Idle(Some(wait)) if wait.name == name && !wait.asked => {
                self.ask(&open, name, open.since_ms);
                open.stage = Stage::Idle(Some(Wait { asked: true, ..wait }));
            }
            Stage::Approval(plan) if plan.id == name && self.too_late(&plan) => {
                self.approval_expired(&mut open);
            }
            _ => {}
        }
        open
    }

    /// Whether an approval of the plan no longer counts.
    pub(super) fn too_late(&self, plan: &Plan) -> bool {
        self.world.now_ms >= plan.made_at.saturating_add(APPROVAL_MS_MAX)
    }

    pub(super) fn approval_expired(&mut self, open: &mut Open) {
        let why = format!("nobody approved the plan within {}", span(APPROVAL_MS_MAX));
        self.page(open, "approval-expired", &why);
    }

    fn ask(&mut self, open: &Open, name: &str, since: u64) {
        self.command(Command::Assess(AssessmentRequest {
            attempt: name.to_owned(),
            incident: open.incident.id.clone(),
            env: open.lead.env.clone(),
            service: open.lead.service.clone(),
            kind: open.lead.kind.clone(),
            correlation: open.lead.correlation.clone(),
            since,
        }));
    }

    /// The detector's answer.
    pub(super) fn assessment(&mut self, mut open: Open, answer: &Assessment) -> Open {
        let health = timeline::bounded_health(&answer.health);
        match open.stage.clone() {
            Stage::Verifying(flight) if flight.asked && flight.plan.idempotency_key == answer.attempt => {
                self.judge(&mut open, flight, &health);
            }
            Stage::Idle(Some(wait)) if wait.asked && wait.name == answer.attempt => {
                self.looked(&mut open, &wait, &health);
            }
            _ => {}
        }
        open
    }

    fn judge(&mut self, open: &mut Open, flight: Flight, health: &Health) {
        match judgement(&flight, &open.lead.health, health) {
            Judgement::Cured => self.cured(open, &flight, health),
            Judgement::NotCured => self.not_cured(open, &flight, health),
            Judgement::Harmful => self.harmful(open, &flight, health),
            Judgement::Undecided if flight.looks < looks_max(&flight.plan.remedy) => {
                let looks = flight.looks;
                let text = format!("{LOOKED_AGAIN} ({}); looked at again", words::health(health));
                self.note(open, &text);
                self.look_after(open, flight, looks);
            }
            Judgement::Undecided => self.unverified(open, &flight, health),
        }
    }

    fn cured(&mut self, open: &mut Open, flight: &Flight, health: &Health) {
        self.outcome(open, flight, OutcomeKind::Cured, REWARD_CURED, health, "");
        if flight.unknown {
            let why = "it is well again, but nobody knows whether the remedy was carried out";
            self.tell(open, "unknown-result", why, None);
        }
        self.close(open);
    }

    fn not_cured(&mut self, open: &mut Open, flight: &Flight, health: &Health) {
        self.outcome(open, flight, OutcomeKind::NotCured, REWARD_NOT_CURED, health, "");
        if flight.unknown {
            let why = "nobody knows whether the remedy was carried out, and the service is not well";
            return self.hand_off(open, "unknown-result", why);
        }
        self.propose(open);
    }

    fn harmful(&mut self, open: &mut Open, flight: &Flight, health: &Health) {
        self.outcome(open, flight, OutcomeKind::Harmful, REWARD_HARMFUL, health, "");
        let why = format!("the service is worse since {}; nothing more is tried", flight.plan.remedy.name());
        self.hand_off(open, "harmful", &why);
    }

    fn unverified(&mut self, open: &mut Open, flight: &Flight, health: &Health) {
        self.outcome(open, flight, OutcomeKind::Unverified, 0.0, health, "nobody can tell");
        let why = format!(
            "whether {} helped cannot be told after {} looks",
            flight.plan.remedy.name(),
            flight.looks
        );
        self.hand_off(open, "unverified", &why);
    }

    /// Puts the outcome on the timeline, and teaches the policy what is certain.
    fn outcome(
        &mut self,
        open: &mut Open,
        flight: &Flight,
        kind: OutcomeKind,
        reward: f64,
        health: &Health,
        why: &str,
    ) {
        let certain = !flight.unknown && kind != OutcomeKind::Unverified;
        let reward = if certain { reward } else { 0.0 };
        let text = outcome_text(open, flight, kind, health, why);
        let outcome = Outcome {
            attempt: flight.plan.idempotency_key.clone(),
            incident: open.incident.id.clone(),
            kind,
            health: health.clone(),
            reward,
            text: text::line(&text),
            at: self.world.now_ms,
        };
        self.item(open, &text, TimelineFact::Outcome(outcome));
        if certain {
            self.command(Command::Learn(Sample {
                incident: open.incident.id.clone(),
                attempt: flight.plan.idempotency_key.clone(),
                choice: flight.plan.choice.clone(),
                reward,
                at: self.world.now_ms,
            }));
        }
    }

    /// A look at an incident that nobody works on.
    fn looked(&mut self, open: &mut Open, wait: &Wait, health: &Health) {
        if health.verdict == Verdict::Healthy {
            self.note(open, &format!("over: {}", words::health(health)));
            return self.close(open);
        }
        match wait.purpose {
            Purpose::Watch => {
                // The next look asks about what came after this one.
                open.since_ms = self.world.now_ms;
                self.watch(open, wait.look.saturating_add(1));
            }
            Purpose::Retry if health.verdict == Verdict::Blind => {
                self.page(open, "blind", "nothing was heard of the service since, so nothing more is tried");
            }
            Purpose::Retry => {
                self.note(open, &format!("still there: {}", words::health(health)));
                self.propose(open);
            }
        }
    }
}

fn judgement(flight: &Flight, before: &Health, after: &Health) -> Judgement {
    match after.verdict {
        Verdict::Blind | Verdict::Watching => Judgement::Undecided,
        Verdict::Healthy if after.score >= flight.plan.prediction.score_min => Judgement::Cured,
        _ if after.score < before.score - HARM_MARGIN => Judgement::Harmful,
        _ => Judgement::NotCured,
    }
}

fn looks_max(remedy: &Remedy) -> u32 {
    match remedy {
        Remedy::RerunFailedJobs => LOOKS_RERUN_MAX,
        Remedy::Redeploy | Remedy::ScaleUp => LOOKS_REDEPLOY_MAX,
        _ => LOOKS_MAX,
    }
}

fn outcome_text(open: &Open, flight: &Flight, kind: OutcomeKind, health: &Health, why: &str) -> String {
    let detail = if why.is_empty() {
        format!("{} (was {:.0})", words::health(health), open.lead.health.score)
    } else {
        why.to_owned()
    };
    format!("{} after {}: {detail}", kind.name(), flight.plan.remedy.name())
}

fn told(attempt: &Attempt) -> String {
    let result = match attempt.attempt_result {
        AttemptResult::Done => "done",
        AttemptResult::Failed => "refused for certain",
        AttemptResult::Unknown => "nobody knows whether it was done",
        AttemptResult::DryRun => "shown, not sent",
    };
    format!("{result}, {}", text::scrubbed(&attempt.detail))
}

//! Plan: a finding, an attempt's result, an assessment or an operator's word moves a case on.

use homeostat_flow::{Context, Effects, Input, Output, Ring, Stage, State, Step, StepError, Timer, Verdict};
use homeostat_policy::Policy;
use homeostat_remedies::{
    connector::Endpoints,
    planner::{self, Case, Command, Decided, Fact, World},
};

use homeostat_schema::types::{Incident, IncidentState, TimelineFact};

use crate::{
    entry::{self, ActEntry, DetectEntry, DisasterForm, LearnEntry, PlanEntry},
    log::{self, IncidentChanged},
    name,
    snapshot::Versioned,
    tell::Before,
    view,
};

/// Decides with one frozen configuration and policy.
pub struct PlanStep {
    frozen: Versioned,
    policy: Policy,
    endpoints: Endpoints,
}

impl PlanStep {
    /// Decides with these; the endpoints are for showing requests, not for sending them.
    pub fn new(frozen: Versioned, policy: Policy, endpoints: Endpoints) -> Self {
        Self { frozen, policy, endpoints }
    }

    fn world(&self, context: &Context) -> World<'_> {
        World {
            now_ms: context.now_ms,
            seed: context.seed,
            config: &self.frozen.config,
            config_version: self.frozen.version,
            policy: &self.policy,
            endpoints: &self.endpoints,
        }
    }
}

impl Step for PlanStep {
    type Hand = ();

    fn stage(&self) -> Stage {
        name::PLAN
    }

    fn apply(
        &self,
        (): &mut (),
        context: &Context,
        input: &Input,
        state: &State,
    ) -> Result<Verdict, StepError> {
        let field = input.fields.first().ok_or_else(|| StepError("the entry names no field".to_owned()))?;
        let case = Case::decode(state.get(field)).map_err(|error| StepError(error.to_string()))?;
        let fact = read_fact(input)?;
        let seen = case.incident().map(Seen::of);
        let before = Before::of(&self.frozen.config, &case, &fact);
        let decided = planner::decide(case, fact, &self.world(context));
        let told = before.map(|before| before.tell(&self.frozen.config, decided.incident.as_ref()));
        let notes = decided.incident.as_ref().map(|after| notes(seen.as_ref(), after)).unwrap_or_default();
        let mut effects = Effects { notes, ..effects_of(context, field, decided) };
        effects.outputs.extend(told.unwrap_or_default());
        Ok(Verdict::Done(effects))
    }
}

/// What the log was told of an incident before.
struct Seen {
    id: String,
    state: IncidentState,
    /// Of its timeline.
    items: usize,
}

impl Seen {
    fn of(incident: &Incident) -> Self {
        Self { id: incident.id.clone(), state: incident.state, items: incident.timeline.len() }
    }
}

/// What is new of an incident; of a timeline that is full, its plans are not told any more.
fn notes(before: Option<&Seen>, after: &Incident) -> Vec<String> {
    let before = before.filter(|before| before.id == after.id);
    let items = after.timeline.iter().skip(before.map_or(0, |before| before.items));
    let plans = items.filter_map(|item| match &item.fact {
        TimelineFact::Plan(plan) => Some(log::of_plan(plan)),
        _ => None,
    });
    let changed = before.is_none_or(|before| before.state != after.state);
    plans.chain(changed.then(|| log::line(&IncidentChanged::of(after)))).collect()
}

fn read_fact(input: &Input) -> Result<Fact, StepError> {
    if let Some(timer) = &input.timer {
        return match timer.strip_prefix(name::VERIFY) {
            Some(attempt) => Ok(Fact::VerifyDue { attempt: attempt.to_owned() }),
            None => Err(StepError(format!("no such timer: {timer}"))),
        };
    }
    let entry = entry::decode(&input.payload).map_err(|error| StepError(error.to_string()))?;
    Ok(match entry {
        PlanEntry::Finding(finding) => Fact::Finding(finding.into()),
        PlanEntry::Assessment(assessment) => Fact::Assessment(assessment.into()),
        PlanEntry::Attempt(attempt) => Fact::Attempt(attempt.into()),
        PlanEntry::Operator(word) => Fact::Operator(word.into()),
        PlanEntry::Disaster(DisasterForm { finding, over, text }) => Fact::Disaster { finding, over, text },
    })
}

fn effects_of(context: &Context, field: &str, decided: Decided) -> Effects {
    let mut effects = Effects {
        state: vec![(field.to_owned(), Some(decided.case.encode()))],
        writes: decided.incident.as_ref().map(view::incident).unwrap_or_default(),
        ..Effects::default()
    };
    for command in decided.commands {
        match command {
            Command::VerifyAt { attempt, at_ms } => effects.timers.push(verify_timer(field, &attempt, at_ms)),
            other => effects.outputs.extend(output_of(context, other)),
        }
    }
    effects
}

fn output_of(context: &Context, command: Command) -> Option<Output> {
    let (stage, shard, field, payload) = match command {
        Command::Dispatch(plan) => {
            let field = name::attempt_field(&plan.idempotency_key);
            (name::ACT, context.shard.clone(), field, entry::encode(&ActEntry::Plan(plan.into())))
        }
        Command::Assess(request) => {
            let field = name::service_field(&request.env, &request.service);
            (name::DETECT, context.shard.clone(), field, entry::encode(&DetectEntry::Assess(request.into())))
        }
        Command::Learn(sample) => {
            let payload = entry::encode(&LearnEntry::Sample(sample.into()));
            (name::LEARN, homeostat_flow::Shard::global(), name::POLICY_FIELD.to_owned(), payload)
        }
        Command::VerifyAt { .. } => return None,
    };
    Some(Output { stage, shard, fields: vec![field], payload, ring: Ring::Now })
}

fn verify_timer(field: &str, attempt: &str, due_ms: u64) -> Timer {
    Timer::Set { name: format!("{}{attempt}", name::VERIFY), fields: vec![field.to_owned()], due_ms }
}

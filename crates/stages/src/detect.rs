//! Detect: an event changes what is known of its service, and may open findings.

use homeostat_detection::{self as detection, Observed, ServiceState, Settings};
use homeostat_flow::{Context, Effects, Input, Output, Stage, State, Step, StepError, Timer, Verdict};
use homeostat_schema::{
    time,
    types::{AssessmentRequest, Event},
};

use crate::{
    entry::{self, DetectEntry, PlanEntry},
    name,
    snapshot::Versioned,
    view::{self, ServiceView},
};

/// Judges with one frozen configuration.
pub struct Detect {
    frozen: Versioned,
}

impl Detect {
    /// Judges with this configuration.
    pub fn new(frozen: Versioned) -> Self {
        Self { frozen }
    }

    fn settings(&self, env: &str) -> Settings {
        Settings::of(&self.frozen.config, env, self.frozen.version)
    }

    fn on_event(&self, context: &Context, event: &Event, state: ServiceState) -> Effects {
        let observed = detection::observe(state, event, &self.settings(&event.env), context.now_ms);
        let mut effects = self.on_observed(context, &event.env, &event.service, observed);
        effects.writes.extend(view::event(event));
        effects
    }

    fn on_silence(&self, context: &Context, field: &str, state: ServiceState) -> Result<Effects, StepError> {
        let (env, service) =
            name::split_field(field).ok_or_else(|| StepError(format!("not a service field: {field}")))?;
        let observed = detection::recheck(state, env, service, &self.settings(env), context.now_ms);
        Ok(self.on_observed(context, env, service, observed))
    }

    fn on_assess(&self, context: &Context, request: &AssessmentRequest, state: &ServiceState) -> Effects {
        let answer = detection::assess(state, request, &self.settings(&request.env), context.now_ms);
        let answer = PlanEntry::Assessment(answer.into());
        Effects {
            outputs: vec![to_plan(context, &request.env, &request.service, &answer)],
            ..Effects::default()
        }
    }

    fn on_observed(&self, context: &Context, env: &str, service: &str, observed: Observed) -> Effects {
        let field = name::service_field(env, service);
        let view = ServiceView {
            env: env.to_owned(),
            service: service.to_owned(),
            health: observed.health.into(),
            version: observed.state.version().map(str::to_owned),
            commit: observed.state.commit().map(str::to_owned),
            updated_at: time::display(context.now_ms),
        };
        let findings = observed
            .findings
            .into_iter()
            .map(|finding| to_plan(context, env, service, &PlanEntry::Finding(finding.into())));
        Effects {
            outputs: findings.collect(),
            timers: observed.recheck_at_ms.map(|due_ms| silence_timer(&field, due_ms)).into_iter().collect(),
            writes: view::service(&view, context.now_ms),
            state: vec![(field, Some(observed.state.encode()))],
        }
    }
}

impl Step for Detect {
    fn stage(&self) -> Stage {
        name::DETECT
    }

    fn apply(&self, context: &Context, input: &Input, state: &State) -> Result<Verdict, StepError> {
        let field = input.fields.first().ok_or_else(|| StepError("the entry names no field".to_owned()))?;
        let known = ServiceState::decode(state.get(field)).map_err(|error| StepError(error.to_string()))?;
        if input.timer.is_some() {
            return self.on_silence(context, field, known).map(Verdict::Done);
        }
        let effects = match entry::decode(&input.payload).map_err(|error| StepError(error.to_string()))? {
            DetectEntry::Event(event) => self.on_event(context, &(*event).into(), known),
            DetectEntry::Assess(request) => self.on_assess(context, &request.into(), &known),
        };
        Ok(Verdict::Done(effects))
    }
}

fn to_plan(context: &Context, env: &str, service: &str, entry: &PlanEntry) -> Output {
    entry::for_plan(entry, env, service, context.shard.clone())
}

fn silence_timer(field: &str, due_ms: u64) -> Timer {
    Timer::Set { name: name::SILENCE.to_owned(), fields: vec![field.to_owned()], due_ms }
}

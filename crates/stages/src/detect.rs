//! Detect: an event changes what is known of its service, and may open findings.

use std::collections::BTreeMap;

use homeostat_detection::environment::{self, Released};
use homeostat_detection::{self as detection, Observed, ServiceState, Settings};
use homeostat_flow::{Context, Effects, Input, Output, Stage, State, Step, StepError, Timer, Verdict};
use homeostat_schema::{
    time,
    types::{AssessmentRequest, Event, EventKind, Finding, FindingKind},
};

use crate::{
    coordinate,
    entry::{self, ChangeForm, CoordinateEntry, DetectEntry, PlanEntry, TroubleForm, WeighForm},
    log::{self, FindingClosed, FindingOpened},
    name,
    snapshot::Versioned,
    view::{self, ComparisonView, ServiceView},
};

/// Judges with one frozen configuration.
pub struct Detect {
    frozen: Versioned,
}

/// The services of one batch by their fields: each is read and written once, however many events
/// are about it.
#[derive(Default)]
pub struct Hand(BTreeMap<String, Held>);

struct Held {
    env: String,
    service: String,
    settings: Settings,
    state: ServiceState,
    /// The kinds of findings that are open by now.
    troubles: Vec<FindingKind>,
    /// What is known of it changed.
    changed: bool,
}

impl Hand {
    fn take_up(&mut self, field: &str, state: &State, frozen: &Versioned) -> Result<&mut Held, StepError> {
        if !self.0.contains_key(field) {
            self.0.insert(field.to_owned(), Held::read(field, state, frozen)?);
        }
        self.0.get_mut(field).ok_or_else(|| StepError(format!("{field} is not in hand")))
    }
}

impl Held {
    fn read(field: &str, state: &State, frozen: &Versioned) -> Result<Self, StepError> {
        let (env, service) =
            name::split_field(field).ok_or_else(|| StepError(format!("not a service field: {field}")))?;
        let state = ServiceState::decode(state.get(field)).map_err(|error| StepError(error.to_string()))?;
        Ok(Self {
            settings: Settings::of(&frozen.config, env, service, frozen.version),
            troubles: environment::troubles(&state),
            env: env.to_owned(),
            service: service.to_owned(),
            state,
            changed: false,
        })
    }

    /// Keeps what came of it; the rest is for now.
    fn keep(&mut self, told: &Told<'_>, field: &str, observed: Observed) -> Effects {
        self.state = observed.state;
        self.changed = true;
        let mut effects = Effects {
            timers: observed.recheck_at_ms.map(|due_ms| silence_timer(field, due_ms)).into_iter().collect(),
            notes: observed.findings.iter().map(|finding| log::line(&FindingOpened::of(finding))).collect(),
            ..Effects::default()
        };
        for finding in observed.findings {
            told.finding(&mut effects.outputs, self, finding);
        }
        effects.absorb(self.overcome(told));
        effects
    }

    /// What is over since the last look at it.
    fn overcome(&mut self, told: &Told<'_>) -> Effects {
        let now = environment::troubles(&self.state);
        let before = std::mem::replace(&mut self.troubles, now);
        let mut effects = Effects::default();
        for kind in before.iter().filter(|kind| !self.troubles.contains(kind)) {
            effects.outputs.extend(told.trouble(kind, true));
            effects.notes.push(log::line(&FindingClosed::of(told.env, told.service, kind)));
        }
        effects
    }
}

/// Of which service something is told, and to whom.
struct Told<'a> {
    frozen: &'a Versioned,
    context: &'a Context,
    env: &'a str,
    service: &'a str,
}

impl Told<'_> {
    /// A finding in numbers is weighed on its way to plan; others go there at once.
    fn finding(&self, outputs: &mut Vec<Output>, held: &Held, finding: Finding) {
        if coordinate::is_weighed(&self.frozen.config, self.env, &finding.kind) {
            let changes = environment::releases(&held.state).map(form).collect();
            let split = environment::split(&finding);
            let suspicious_ms = environment::suspicious_ms(&held.state, &finding, &held.settings);
            let weigh = WeighForm { finding: finding.into(), changes, split, suspicious_ms };
            let weigh = CoordinateEntry::Weigh(Box::new(weigh));
            outputs.push(coordinate::for_environment(&self.frozen.config, self.env, &weigh));
        } else {
            outputs.extend(self.trouble(&finding.kind, false));
            let entry = PlanEntry::Finding(finding.into());
            outputs.push(to_plan(self.context, self.env, self.service, &entry));
        }
    }

    /// Only what somebody waits for is told.
    fn trouble(&self, kind: &FindingKind, over: bool) -> Option<Output> {
        let weighed = over && coordinate::is_weighed(&self.frozen.config, self.env, kind);
        if !weighed && !coordinate::is_waited_for(&self.frozen.config, self.env, kind) {
            return None;
        }
        let (kind, service) = (kind.name().to_owned(), self.service.to_owned());
        let told = TroubleForm { kind, service, at_ms: self.context.now_ms, over };
        Some(coordinate::for_environment(&self.frozen.config, self.env, &CoordinateEntry::Trouble(told)))
    }

    /// A release that was not known before.
    fn released(&self, before: Option<&Released>, state: &ServiceState) -> Option<Output> {
        let newest = environment::releases(state).last().filter(|newest| Some(newest) != before)?;
        let known = self.frozen.config.environments.contains_key(self.env);
        let entry = CoordinateEntry::Changed { service: self.service.to_owned(), change: form(newest) };
        known.then(|| coordinate::for_environment(&self.frozen.config, self.env, &entry))
    }
}

fn form(released: Released) -> ChangeForm {
    ChangeForm { id: released.id, at_ms: released.at_ms }
}

impl Detect {
    /// Judges with this configuration.
    pub fn new(frozen: Versioned) -> Self {
        Self { frozen }
    }

    fn on_event(&self, context: &Context, field: &str, event: &Event, held: &mut Held) -> Effects {
        let told = self.told(context, &event.env, &event.service);
        let is_release = matches!(event.kind, EventKind::Deployment | EventKind::Rollback);
        let before = environment::releases(&held.state).last().filter(|_| is_release);
        let state = std::mem::take(&mut held.state);
        let observed = detection::observe(state, event, &held.settings, context.now_ms);
        let mut effects = held.keep(&told, field, observed);
        if is_release {
            effects.outputs.extend(told.released(before.as_ref(), &held.state));
        }
        effects
    }

    fn on_silence(&self, context: &Context, field: &str, held: &mut Held) -> Effects {
        let (env, service) = (held.env.clone(), held.service.clone());
        let state = std::mem::take(&mut held.state);
        let observed = detection::recheck(state, &env, &service, &held.settings, context.now_ms);
        held.keep(&self.told(context, &env, &service), field, observed)
    }

    fn on_assess(&self, context: &Context, request: &AssessmentRequest, held: &mut Held) -> Effects {
        let before = held.state.clone();
        let answer = detection::assess(&mut held.state, request, &held.settings, context.now_ms);
        // An answer that changes nothing has nothing to be written.
        held.changed |= held.state != before;
        let answer = PlanEntry::Assessment(answer.into());
        let outputs = vec![to_plan(context, &request.env, &request.service, &answer)];
        let mut effects = Effects { outputs, ..Effects::default() };
        effects.absorb(held.overcome(&self.told(context, &request.env, &request.service)));
        effects
    }

    fn told<'a>(&'a self, context: &'a Context, env: &'a str, service: &'a str) -> Told<'a> {
        Told { frozen: &self.frozen, context, env, service }
    }
}

impl Held {
    fn view(&self, now_ms: u64) -> ServiceView {
        ServiceView {
            health: detection::health(&self.state, &self.settings, now_ms).into(),
            env: self.env.clone(),
            service: self.service.clone(),
            version: self.state.version().map(str::to_owned),
            commit: self.state.commit().map(str::to_owned),
            updated_at: time::display(now_ms),
        }
    }

    fn comparison(&self) -> Option<ComparisonView> {
        let found = detection::comparison(&self.state, &self.settings)?;
        Some(ComparisonView {
            env: self.env.clone(),
            service: self.service.clone(),
            verdict: found.verdict,
            score: found.score,
            text: found.because.text,
            would_change: found.would_change,
            statistic: found.because.observed,
            bound: found.because.bound,
            samples: found.because.samples,
            version: found.version,
            commit: found.commit,
            heard_at: found.heard_at.map(time::display),
            plot: found.plot.map(Into::into),
        })
    }
}

impl Step for Detect {
    type Hand = Hand;

    fn stage(&self) -> Stage {
        name::DETECT
    }

    fn apply(
        &self,
        hand: &mut Hand,
        context: &Context,
        input: &Input,
        state: &State,
    ) -> Result<Verdict, StepError> {
        let field = input.fields.first().ok_or_else(|| StepError("the entry names no field".to_owned()))?;
        let held = hand.take_up(field, state, &self.frozen)?;
        if input.timer.is_some() {
            return Ok(Verdict::Done(self.on_silence(context, field, held)));
        }
        let effects = match entry::decode(&input.payload).map_err(|error| StepError(error.to_string()))? {
            DetectEntry::Event(event) => {
                let mut event = Event::from(*event);
                let overtaken = detection::is_overtaken(&held.state, &event);
                let mut effects = self.on_event(context, field, &event, held);
                event.trust.late |= overtaken;
                let as_it_came = entry::event_json(&input.payload).filter(|_| !overtaken);
                effects.writes.extend(view::event(&event, as_it_came));
                effects
            }
            DetectEntry::Assess(request) => self.on_assess(context, &request.into(), held),
        };
        Ok(Verdict::Done(effects))
    }

    fn put_down(&self, hand: Hand, now_ms: u64) -> Effects {
        let mut effects = Effects::default();
        for (field, held) in hand.0.into_iter().filter(|(_, held)| held.changed) {
            effects.state.push((field, Some(held.state.encode())));
            effects.writes.extend(held.comparison().map(|one| view::comparison(&one)));
            effects.writes.extend(view::service(&held.view(now_ms), now_ms));
        }
        effects
    }
}

fn to_plan(context: &Context, env: &str, service: &str, entry: &PlanEntry) -> Output {
    entry::for_plan(entry, env, service, context.shard.clone())
}

fn silence_timer(field: &str, due_ms: u64) -> Timer {
    Timer::Set { name: name::SILENCE.to_owned(), fields: vec![field.to_owned()], due_ms }
}

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
    state: ServiceState,
    /// The kinds of findings that are open by now.
    troubles: Vec<FindingKind>,
    /// Environment and service, once what is known of it changed.
    observed: Option<(String, String)>,
}

impl Hand {
    fn take_up(&mut self, field: &str, state: &State) -> Result<&mut Held, StepError> {
        if !self.0.contains_key(field) {
            let known =
                ServiceState::decode(state.get(field)).map_err(|error| StepError(error.to_string()))?;
            let troubles = environment::troubles(&known);
            self.0.insert(field.to_owned(), Held { state: known, troubles, observed: None });
        }
        self.0.get_mut(field).ok_or_else(|| StepError(format!("{field} is not in hand")))
    }
}

impl Held {
    /// Keeps what came of it; the rest is for now.
    fn keep(&mut self, told: &Told<'_>, field: &str, observed: Observed) -> Effects {
        self.state = observed.state;
        self.observed.get_or_insert_with(|| (told.env.to_owned(), told.service.to_owned()));
        let mut effects = Effects {
            timers: observed.recheck_at_ms.map(|due_ms| silence_timer(field, due_ms)).into_iter().collect(),
            notes: observed.findings.iter().map(|finding| log::line(&FindingOpened::of(finding))).collect(),
            ..Effects::default()
        };
        for finding in observed.findings {
            told.finding(&mut effects.outputs, &self.state, finding);
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
    fn finding(&self, outputs: &mut Vec<Output>, state: &ServiceState, finding: Finding) {
        if coordinate::is_weighed(&self.frozen.config, self.env, &finding.kind) {
            let changes = environment::releases(state).map(form).collect();
            let split = environment::split(&finding);
            let suspicious_ms =
                environment::suspicious_ms(state, &finding, &settings(self.frozen, self.env, self.service));
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

fn settings(frozen: &Versioned, env: &str, service: &str) -> Settings {
    Settings::of(&frozen.config, env, service, frozen.version)
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
        let (state, settings) =
            (std::mem::take(&mut held.state), settings(&self.frozen, &event.env, &event.service));
        let observed = detection::observe(state, event, &settings, context.now_ms);
        let mut effects = held.keep(&told, field, observed);
        if is_release {
            effects.outputs.extend(told.released(before.as_ref(), &held.state));
        }
        effects
    }

    fn on_silence(&self, context: &Context, field: &str, held: &mut Held) -> Result<Effects, StepError> {
        let (env, service) =
            name::split_field(field).ok_or_else(|| StepError(format!("not a service field: {field}")))?;
        let (state, settings) = (std::mem::take(&mut held.state), settings(&self.frozen, env, service));
        let observed = detection::recheck(state, env, service, &settings, context.now_ms);
        Ok(held.keep(&self.told(context, env, service), field, observed))
    }

    fn on_assess(&self, context: &Context, request: &AssessmentRequest, held: &mut Held) -> Effects {
        let (before, settings) = (held.state.clone(), settings(&self.frozen, &request.env, &request.service));
        let answer = detection::assess(&mut held.state, request, &settings, context.now_ms);
        // An answer that changes nothing has nothing to be written.
        if held.state != before {
            held.observed.get_or_insert_with(|| (request.env.clone(), request.service.clone()));
        }
        let answer = PlanEntry::Assessment(answer.into());
        let outputs = vec![to_plan(context, &request.env, &request.service, &answer)];
        let mut effects = Effects { outputs, ..Effects::default() };
        effects.absorb(held.overcome(&self.told(context, &request.env, &request.service)));
        effects
    }

    fn told<'a>(&'a self, context: &'a Context, env: &'a str, service: &'a str) -> Told<'a> {
        Told { frozen: &self.frozen, context, env, service }
    }

    fn view_of(&self, env: String, service: String, state: &ServiceState, now_ms: u64) -> ServiceView {
        ServiceView {
            health: detection::health(state, &settings(&self.frozen, &env, &service), now_ms).into(),
            env,
            service,
            version: state.version().map(str::to_owned),
            commit: state.commit().map(str::to_owned),
            updated_at: time::display(now_ms),
        }
    }

    fn comparison_of(&self, env: &str, service: &str, state: &ServiceState) -> Option<ComparisonView> {
        let found = detection::comparison(state, &settings(&self.frozen, env, service))?;
        Some(ComparisonView {
            env: env.to_owned(),
            service: service.to_owned(),
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
        let held = hand.take_up(field, state)?;
        if input.timer.is_some() {
            return self.on_silence(context, field, held).map(Verdict::Done);
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
        for (field, held) in hand.0 {
            let Some((env, service)) = held.observed else { continue };
            effects.state.push((field, Some(held.state.encode())));
            effects
                .writes
                .extend(self.comparison_of(&env, &service, &held.state).map(|one| view::comparison(&one)));
            effects.writes.extend(view::service(&self.view_of(env, service, &held.state, now_ms), now_ms));
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

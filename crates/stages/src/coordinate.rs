//! Coordinate: what concerns a whole environment. Which change explains a finding, which findings
//! are one incident, and which together are a disaster.
//!
//! A finding in numbers (latency, errors) comes by here on its way from detect to plan, and goes on
//! with its cause; all others go to plan at once, and are told here only.
//!
//! What this does not do: hold a finding up. What cannot be weighed goes on without a cause.
//!
//! Invariant: every finding that comes in to be weighed goes out to plan, once.

use homeostat_detection::cause::{BLAME_MIN, Calls, Causes, Change, FAILURE_USUAL, Signal, Signature};
use homeostat_detection::disaster::{self, Judged, Scenario, Told, Watch};
use homeostat_flow::{
    Context, Effects, Input, Output, Ring, Shard, Stage, State, Step, StepError, Timer, Verdict,
};
use homeostat_schema::config::{Config, Disaster, Mode};
use homeostat_schema::{id, types, types::FindingKind};

use crate::entry::{self, ChangeForm, CoordinateEntry, DisasterForm, PlanEntry, TroubleForm, WeighForm};
use crate::name;
use crate::snapshot::Versioned;

/// What a finding in numbers is.
const NUMBERS: [FindingKind; 2] = [FindingKind::LatencyHigh, FindingKind::ErrorRateHigh];

/// Coordinates with one frozen configuration.
pub struct Coordinate {
    frozen: Versioned,
    calls: Calls,
    shards: u32,
}

/// Where and when.
struct Place<'a> {
    env: &'a str,
    context: &'a Context,
    state: &'a State,
}

impl Coordinate {
    /// Coordinates with this configuration, for an installation of so many service shards.
    pub fn new(frozen: Versioned, shards: u32) -> Self {
        let services = frozen.config.services.iter();
        let calls =
            Calls::of(services.flat_map(|service| {
                service.calls.iter().map(|called| (service.name.as_str(), called.as_str()))
            }));
        Self { frozen, calls, shards }
    }

    /// A state that cannot be read is left as it is: then the finding has no cause.
    fn weigh(&self, place: &Place<'_>, weigh: WeighForm) -> Effects {
        let mut finding = types::Finding::from(weigh.finding);
        let mut effects = Effects::default();
        if let Ok(mut causes) = Causes::decode(place.state.get(name::CAUSES_FIELD)) {
            causes
                .own(&finding.service, weigh.changes.iter().map(|change| of_form(change, &finding.service)));
            let split =
                weigh.changes.last().zip(weigh.split).map(|(newest, ln_e)| (newest.id.as_str(), ln_e));
            finding.cause = self.cause(&mut causes, &finding, split, weigh.suspicious_ms);
            effects.state.push((name::CAUSES_FIELD.to_owned(), Some(causes.encode())));
        }
        let told = TroubleForm {
            kind: finding.kind.name().to_owned(),
            service: finding.service.clone(),
            at_ms: finding.found_at,
            over: false,
        };
        join(&mut effects, self.tell_disasters(place, &told));
        let shard = name::shard_of_service(&finding.service, self.shards);
        let (env, service) = (finding.env.clone(), finding.service.clone());
        effects.outputs.push(entry::for_plan(&PlanEntry::Finding(finding.into()), &env, &service, shard));
        effects
    }

    fn cause(
        &self,
        causes: &mut Causes,
        finding: &types::Finding,
        split: Option<(&str, f64)>,
        suspicious_ms: Option<u64>,
    ) -> Option<types::Cause> {
        let signature = Signature { service: &finding.service, kind: finding.kind.name(), class: "" };
        causes.signal(&Signal {
            signature,
            began_ms: finding.found_at,
            suspicious_ms,
            answered: self.is_answered(finding),
        });
        if let Some((newest, ln_e)) = split {
            causes.split(newest, &signature, ln_e);
        }
        let blame = causes.blame(&signature, &self.calls)?;
        let grouped = causes.incident(&signature, &self.calls)?;
        let leading = blame.leading();
        let probability = leading.map_or(blame.no_change, |leading| leading.posterior);
        Some(types::Cause {
            incident: grouped.key,
            findings: u32::try_from(grouped.findings).unwrap_or(u32::MAX),
            answered: grouped.answered,
            change: leading.map(|leading| leading.change.clone()),
            service: leading.map(|leading| leading.service.clone()),
            probability,
            blamed: probability >= BLAME_MIN,
            text: blame.text,
        })
    }

    /// Whether the planner acts on it or goes to a person with it, whatever the guards say: below
    /// `approve` it may do neither.
    fn is_answered(&self, finding: &types::Finding) -> bool {
        let mode = self.frozen.config.mode(&finding.env, &finding.service);
        matches!(mode, Mode::Approve | Mode::Act)
    }

    fn changed(place: &Place<'_>, change: &ChangeForm, service: &str) -> Result<Effects, StepError> {
        let mut causes = causes(place)?;
        causes.change(&of_form(change, service));
        Ok(Effects {
            state: vec![(name::CAUSES_FIELD.to_owned(), Some(causes.encode()))],
            ..Effects::default()
        })
    }

    fn troubled(&self, place: &Place<'_>, told: &TroubleForm) -> Result<Effects, StepError> {
        let mut effects = self.tell_disasters(place, told);
        if told.over && NUMBERS.iter().any(|kind| kind.name() == told.kind) {
            let mut causes = causes(place)?;
            causes.cleared(&Signature { service: &told.service, kind: &told.kind, class: "" });
            effects.state.push((name::CAUSES_FIELD.to_owned(), Some(causes.encode())));
        }
        Ok(effects)
    }

    fn disasters<'a>(&'a self, env: &'a str) -> impl Iterator<Item = &'a Disaster> {
        self.frozen.config.disasters.iter().filter(move |disaster| disaster.concerns(env))
    }

    fn tell_disasters(&self, place: &Place<'_>, told: &TroubleForm) -> Effects {
        let mut effects = Effects::default();
        for disaster in self.disasters(place.env) {
            let scenario = Scenario::from(disaster);
            let said = Told { kind: &told.kind, service: &told.service, at_ms: told.at_ms };
            join(
                &mut effects,
                self.look(place, &scenario, |watch| match told.over {
                    true => watch.gone(&said, &scenario),
                    false => watch.opened(&said, &scenario),
                }),
            );
        }
        effects
    }

    /// One look at a disaster, after `first`. A state that cannot be read is left as it is.
    fn look(&self, place: &Place<'_>, scenario: &Scenario, first: impl FnOnce(&mut Watch)) -> Effects {
        let field = name::disaster(&scenario.name);
        let Ok(mut watch) = Watch::decode(place.state.get(&field)) else { return Effects::default() };
        first(&mut watch);
        let judged = watch.judge(place.context.now_ms, scenario);
        let due = judged.recheck_at_ms.map(|due_ms| Timer::Set {
            name: field.clone(),
            fields: vec![field.clone()],
            due_ms,
        });
        Effects {
            state: vec![(field, Some(watch.encode()))],
            timers: due.into_iter().collect(),
            outputs: self.tell_plan(place, scenario, &judged).into_iter().collect(),
            ..Effects::default()
        }
    }

    fn tell_plan(&self, place: &Place<'_>, scenario: &Scenario, judged: &Judged) -> Option<Output> {
        let key = judged.key.as_deref()?;
        let service = name::disaster(&scenario.name);
        let finding = id::finding(place.env, &service, &FindingKind::Disaster, key);
        let word = |over| {
            PlanEntry::Disaster(DisasterForm { finding: finding.clone(), over, text: judged.text.clone() })
        };
        let said = match judged.change.as_ref()? {
            disaster::Change::Opened => {
                let found = self.finding(place, &service, finding.clone(), scenario, judged);
                PlanEntry::Finding(found.into())
            }
            disaster::Change::Overdue => word(false),
            disaster::Change::Recovered(_) => word(true),
        };
        let shard = name::shard_of_service(&service, self.shards);
        Some(entry::for_plan(&said, place.env, &service, shard))
    }

    fn finding(
        &self,
        place: &Place<'_>,
        service: &str,
        id: String,
        scenario: &Scenario,
        judged: &Judged,
    ) -> types::Finding {
        let because = types::Evidence {
            metric: FindingKind::Disaster.name().to_owned(),
            observed: count(judged.tripped),
            bound: count(scenario.majority()),
            unit: "{trigger}".to_owned(),
            samples: u64::try_from(judged.triggers).unwrap_or(u64::MAX),
            text: judged.text.clone(),
            events: Vec::new(),
        };
        types::Finding {
            id,
            kind: FindingKind::Disaster,
            severity: types::Severity::Critical,
            env: place.env.to_owned(),
            service: service.to_owned(),
            version: None,
            commit: None,
            last_good: None,
            health: types::Health { verdict: types::Verdict::Bad, score: 0.0, because: vec![because] },
            correlation: types::Correlation {
                run: None,
                run_attempt: None,
                deployment: None,
                pull_request: None,
            },
            // Our own, from findings that each rest on events of their own.
            trust: types::Trust {
                signed: true,
                fresh: true,
                fork: false,
                self_: false,
                late: false,
                test: false,
            },
            irreversible: false,
            found_at: place.context.now_ms,
            config_version: self.frozen.version,
            plot: None,
            cause: None,
        }
    }

    fn on_timer(&self, place: &Place<'_>, timer: &str) -> Result<Effects, StepError> {
        let of =
            timer.strip_prefix(name::DISASTER).ok_or_else(|| StepError(format!("no such timer: {timer}")))?;
        // One that is not configured any more has nothing to be looked at for.
        let known = self.disasters(place.env).find(|disaster| disaster.name == of).map(Scenario::from);
        Ok(known.map(|scenario| self.look(place, &scenario, |_| {})).unwrap_or_default())
    }
}

impl Step for Coordinate {
    type Hand = ();

    fn stage(&self) -> Stage {
        name::COORDINATE
    }

    fn apply(
        &self,
        (): &mut (),
        context: &Context,
        input: &Input,
        state: &State,
    ) -> Result<Verdict, StepError> {
        let env = context.shard.env().ok_or_else(|| StepError("not an environment's shard".to_owned()))?;
        let place = Place { env, context, state };
        if let Some(timer) = &input.timer {
            return self.on_timer(&place, timer).map(Verdict::Done);
        }
        let effects = match entry::decode(&input.payload).map_err(|error| StepError(error.to_string()))? {
            CoordinateEntry::Weigh(weigh) => self.weigh(&place, *weigh),
            CoordinateEntry::Changed { service, change } => Self::changed(&place, &change, &service)?,
            CoordinateEntry::Trouble(told) => self.troubled(&place, &told)?,
        };
        Ok(Verdict::Done(effects))
    }
}

/// Whether findings of this environment are weighed: those of a name that the configuration does not
/// know are not, as anybody may make up names.
pub(crate) fn is_weighed(config: &Config, env: &str, kind: &FindingKind) -> bool {
    NUMBERS.contains(kind) && config.environments.contains_key(env)
}

/// Whether a disaster of this environment waits for such findings.
pub(crate) fn is_waited_for(config: &Config, env: &str, kind: &FindingKind) -> bool {
    let watched = config.disasters.iter().filter(|disaster| disaster.concerns(env));
    let mut triggers = watched.flat_map(|disaster| &disaster.triggers);
    config.environments.contains_key(env) && triggers.any(|trigger| trigger.kind == kind.name())
}

/// An entry on its way to its environment's shard, with all its step may need. Nobody waits for a
/// release to be known: it is there when the next finding is weighed.
pub(crate) fn for_environment(config: &Config, env: &str, entry: &CoordinateEntry) -> Output {
    let waited_for = match entry {
        CoordinateEntry::Weigh(_) => true,
        CoordinateEntry::Changed { .. } => false,
        CoordinateEntry::Trouble(told) => is_waited_for(config, env, &FindingKind::named(&told.kind)),
    };
    let watched = config.disasters.iter().filter(|disaster| disaster.concerns(env));
    let disasters = watched.map(|disaster| name::disaster(&disaster.name));
    Output {
        stage: name::COORDINATE,
        shard: Shard::environment(env),
        fields: std::iter::once(name::CAUSES_FIELD.to_owned()).chain(disasters).collect(),
        payload: entry::encode(entry),
        ring: if waited_for { Ring::Now } else { Ring::AtTick },
    }
}

fn causes(place: &Place<'_>) -> Result<Causes, StepError> {
    Causes::decode(place.state.get(name::CAUSES_FIELD)).map_err(|error| StepError(error.to_string()))
}

fn of_form<'a>(change: &'a ChangeForm, service: &'a str) -> Change<'a> {
    Change { id: &change.id, service, at_ms: change.at_ms, failure: FAILURE_USUAL }
}

fn join(effects: &mut Effects, more: Effects) {
    effects.state.extend(more.state);
    effects.outputs.extend(more.outputs);
    effects.timers.extend(more.timers);
}

fn count(of: usize) -> f64 {
    u32::try_from(of).map_or(f64::MAX, f64::from)
}

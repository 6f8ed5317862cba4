//! One event, or one silence, digested.

use homeostat_schema::types::{Event, EventKind, Evidence, Finding, Health};

use crate::{
    arm,
    budget::Budget,
    canary::News,
    deployment, error_rate,
    finding::{self, Opened, Place},
    judge::Arm,
    latency,
    observation::Observation,
    progress::happened_ms,
    queue::{self, Queue},
    releases,
    score::{self, Part, Standing},
    settings::Settings,
    state::ServiceState,
    stream::Streams,
};

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// To be kept in place of the old one.
    pub state: ServiceState,
    /// What opened; empty most of the time.
    pub findings: Vec<Finding>,
    /// When to call [`recheck`] if nothing else comes, milliseconds since the epoch. Each answer
    /// replaces the one before; `None` takes it back.
    pub recheck_at_ms: Option<u64>,
}

/// Digests one event of the service that `state` is about.
///
/// Tests, late events, and whatever of forks is not a run change nothing. Work is bounded by the
/// bounds of the state.
pub fn observe(mut state: ServiceState, event: &Event, settings: &Settings, now_ms: u64) -> Observed {
    let opened = if is_only_recorded(event) { Vec::new() } else { take(&mut state, event, settings, now_ms) };
    let findings = opened
        .iter()
        .map(|opened| {
            let health = health_of(&state, opened, settings, now_ms);
            finding::by_event(&state, opened, health, event, settings, now_ms)
        })
        .collect();
    finish(state, findings, settings)
}

/// Whether a newer state of the run or deployment that the event tells of is known: it came late.
pub fn is_overtaken(state: &ServiceState, event: &Event) -> bool {
    match &event.kind {
        EventKind::Run => state.runs.have_overtaken(event),
        kind => releases::is_about(kind) && state.releases.have_overtaken(event),
    }
}

/// The time of [`Observed::recheck_at_ms`] has come: looks whether telemetry stopped.
pub fn recheck(
    mut state: ServiceState,
    env: &str,
    service: &str,
    settings: &Settings,
    now_ms: u64,
) -> Observed {
    let unheard = state.canary.as_mut().and_then(|canary| canary.tick(now_ms, settings));
    let unread = state.telemetry.falls_unread(now_ms);
    let silent = unread || unheard == Some(News::Blind) || state.telemetry.is_silent(settings, now_ms);
    let mut findings = Vec::new();
    if silent && !state.telemetry.blind {
        state.telemetry.blind = true;
        let health = health_of(&state, &Opened::Blind, settings, now_ms);
        let place = Place { env, service, now_ms };
        findings.push(finding::by_silence(&state, health, &place, settings));
    }
    // What was due has been looked at: it is not due again before something else is heard.
    let due = due_ms(&state, settings).into_iter().flatten().filter(|due| *due > now_ms);
    Observed { recheck_at_ms: due.min(), findings, state }
}

/// How a service is at this time. Apart from [`observe`], as it takes as long and only the last of
/// many events needs it.
pub fn health(state: &ServiceState, settings: &Settings, now_ms: u64) -> Health {
    score::health(parts(state, settings, now_ms), settings)
}

fn finish(state: ServiceState, findings: Vec<Finding>, settings: &Settings) -> Observed {
    let due = due_ms(&state, settings).into_iter().flatten().min();
    Observed { recheck_at_ms: due, findings, state }
}

fn due_ms(state: &ServiceState, settings: &Settings) -> [Option<u64>; 2] {
    let canary = state.canary.as_ref().and_then(|canary| canary.due_ms(settings));
    [state.telemetry.due_ms(settings), canary.filter(|_| !state.telemetry.blind)]
}

fn is_only_recorded(event: &Event) -> bool {
    let trust = &event.trust;
    trust.test || trust.late || (trust.fork && !matches!(event.kind, EventKind::Run))
}

fn take(state: &mut ServiceState, event: &Event, settings: &Settings, now_ms: u64) -> Vec<Opened> {
    let mut opened = Vec::new();
    if releases::is_about(&event.kind) {
        opened.extend(deployment::take(&mut state.releases, event).map(Opened::Deployment));
        state.follow_release();
        restart_comparison(state, event, settings);
    }
    if matches!(event.kind, EventKind::Run) {
        let taken = state.runs.take(event);
        taken.retired.iter().for_each(|run| state.pipelines.retire(run, &settings.flake));
        opened.extend(taken.failed.map(Opened::Run));
    }
    if matches!(event.kind, EventKind::Observation) && reports(state, event) {
        state.telemetry.heard(event, arm::of(event), settings);
    }
    state.alerts.take(event);
    opened.extend(compare(state, event, settings));
    opened.extend(unread(state, event));
    opened.extend(queue(state, event, settings));
    // What the new version does is compared; thresholds are for what everybody gets.
    let observation = Observation::of(event).filter(|_| arm::of(event) != Some(Arm::Canary));
    if let Some(observation) = observation {
        spend(state, &observation, settings, now_ms);
        state.observed(observation, settings);
        let streams = streams(state, settings);
        opened.extend(judge_latency(state, &streams, settings));
        opened.extend(judge_errors(state, &streams, settings, now_ms));
    }
    opened
}

/// Takes what is told of the queue, where somebody said what the service can carry.
fn queue(state: &mut ServiceState, event: &Event, settings: &Settings) -> Option<Opened> {
    let Some(capacity) = &settings.capacity else {
        state.queue = None;
        return None;
    };
    queue::is_told(event).then_some(())?;
    let queue = state.queue.get_or_insert_with(|| Box::new(Queue::new(settings.seasonal)));
    queue.take(event, capacity).then_some(Opened::Capacity)
}

/// Takes what was counted from the objective's budget.
fn spend(state: &mut ServiceState, observation: &Observation, settings: &Settings, now_ms: u64) {
    match settings.objective {
        None => state.budget = None,
        Some(_) if observation.errors.is_none() => {}
        Some(objective) => {
            let budget = state.budget.get_or_insert_with(|| Box::new(Budget::new(objective)));
            budget.take(observation, objective, now_ms);
        }
    }
}

/// A newer release is compared from its own start.
fn restart_comparison(state: &mut ServiceState, event: &Event, settings: &Settings) {
    let Some(newest) = state.releases.newest().map(|newest| newest.key.clone()) else { return };
    if state.compared != newest {
        state.compared = newest;
        if let Some(canary) = &mut state.canary {
            canary.released(happened_ms(event), settings);
        }
    }
    if arm::of(event) == Some(Arm::Canary) {
        state.canary.get_or_insert_default().announced(happened_ms(event), settings);
    }
    follow_deployment(state, event, settings);
}

/// There are two versions while a deployment is under way, and only then.
fn follow_deployment(state: &mut ServiceState, event: &Event, settings: &Settings) {
    let under_way = state.releases.newest().is_some_and(|newest| newest.mark.progress.is_under_way());
    if let Some(canary) = state.canary.as_mut().filter(|_| !under_way) {
        canary.completed(happened_ms(event), settings);
    }
}

/// Nothing could be read of the whole service, or of the old version.
fn unread(state: &mut ServiceState, event: &Event) -> Option<Opened> {
    let failed = matches!(event.kind, EventKind::Observation) && arm::is_failed_scrape(event);
    let whole = failed && arm::of(event) != Some(Arm::Canary);
    (whole && state.telemetry.could_not_be_read(event)).then_some(Opened::Blind)
}

/// Gives the judge what an arm tells, or that nothing could be read.
fn compare(state: &mut ServiceState, event: &Event, settings: &Settings) -> Option<Opened> {
    let told = arm::of(event).is_some() || (arm::is_failed_scrape(event) && state.canary.is_some());
    if !told || !matches!(event.kind, EventKind::Observation) {
        return None;
    }
    if state.canary.is_none() {
        state.canary = Some(Box::default());
        follow_deployment(state, event, settings);
    }
    let canary = state.canary.as_mut()?;
    canary.expect_every(state.telemetry.interval_ms());
    match canary.take(event, settings)? {
        News::Worse(regression) => {
            state.releases.blemish();
            Some(Opened::Canary(regression))
        }
        News::Blind if !state.telemetry.blind => {
            state.telemetry.blind = true;
            Some(Opened::Blind)
        }
        News::Blind => None,
    }
}

/// Numbers that are none are broken telemetry, which is as good as missing. A queue speaks for a
/// service that tells of nothing else: it must not hide that requests are no longer counted.
fn reports(state: &ServiceState, event: &Event) -> bool {
    if queue::is_told(event) && Observation::of(event).is_none() && !state.window.items().is_empty() {
        return false;
    }
    let latency = event.latency.is_some_and(f64::is_finite);
    latency || event.signals.iter().any(|signal| signal.value.is_finite())
}

fn judge_latency(state: &mut ServiceState, streams: &Streams, settings: &Settings) -> Option<Opened> {
    let look = latency::look(&observations(state), settings)?.standing();
    let standing = streams.latency().standing(look);
    match (state.latency_open, standing) {
        (false, Standing::Bad) => {
            state.latency_open = true;
            state.releases.blemish();
            return Some(Opened::Latency);
        }
        (true, Standing::Fine) => state.close_latency(),
        _ => {}
    }
    None
}

fn judge_errors(
    state: &mut ServiceState,
    streams: &Streams,
    settings: &Settings,
    now_ms: u64,
) -> Option<Opened> {
    let open = state.errors_open;
    let burning = state.budget.as_mut().and_then(|budget| budget.standing(open, now_ms));
    let observations = observations(state);
    let rates = rates_look(state, &observations, settings);
    let rates = rates.map(|look| streams.errors().standing(look.standing()));
    let standing = burning.into_iter().chain(rates).max_by_key(|standing| standing.gravity())?;
    match (open, standing) {
        (false, Standing::Bad) => {
            state.errors_open = true;
            state.releases.blemish();
            if let Some(budget) = &mut state.budget {
                budget.opened(now_ms);
            }
            return Some(Opened::Errors);
        }
        (true, Standing::Fine) => {
            state.close_errors();
            if let Some(budget) = &mut state.budget {
                budget.closed(now_ms);
            }
        }
        _ => {}
    }
    None
}

fn latency_part(state: &ServiceState, streams: &Streams, settings: &Settings) -> Option<Part> {
    let part = latency::part(&observations(state), settings)?;
    Some(streams.latency().judge(part))
}

/// What is held against the threshold: all rates, or with an objective those only that cannot be
/// taken from its budget.
fn rates_look<'a>(
    state: &ServiceState,
    observations: &[&'a Observation],
    settings: &Settings,
) -> Option<error_rate::Look<'a>> {
    match state.budget {
        Some(_) => error_rate::look_uncounted(observations, settings.error_rate_max),
        None => error_rate::look(observations, settings.error_rate_max),
    }
}

fn streams(state: &ServiceState, settings: &Settings) -> Streams {
    state.streams.with(state.window.items(), settings)
}

fn errors_part(state: &ServiceState, streams: &Streams, settings: &Settings, now_ms: u64) -> Option<Part> {
    let observations = observations(state);
    let budget = state.budget.as_ref();
    let burning = budget.and_then(|budget| budget.part(state.errors_open, &observations, now_ms));
    let rates = rates_look(state, &observations, settings)
        .map(|look| as_open(streams.errors().judge(look.part()), state.errors_open));
    rates.into_iter().chain(burning).max_by_key(|part| part.standing.gravity())
}

fn queue_part(state: &ServiceState, settings: &Settings) -> Option<Part> {
    Some(state.queue.as_ref()?.part(settings.capacity.as_ref()?))
}

fn observations(state: &ServiceState) -> Vec<&Observation> {
    state.window.items().iter().collect()
}

/// The health that goes with a finding: the service's, with a failed run counted in full.
fn health_of(state: &ServiceState, opened: &Opened, settings: &Settings, now_ms: u64) -> Health {
    let mut parts = parts(state, settings, now_ms);
    if let Opened::Run(failed) = opened
        && let Some(part) = state.runs.failed_part(failed)
    {
        parts.retain(|part| part.evidence.metric != "run");
        parts.insert(0, part);
    }
    let mut health = score::health(parts, settings);
    health.because.extend(rerun(state, opened, settings));
    let canary = state.canary.as_ref().filter(|_| matches!(opened, Opened::Canary(_)));
    health.because.extend(canary.into_iter().flat_map(|canary| canary.beside()));
    let queue = state.queue.as_ref().filter(|_| *opened == Opened::Capacity);
    health.because.extend(queue.and_then(|queue| queue.replicas()));
    health
}

/// What another try of a failed run is worth. A reason of the finding, and no part of the health.
fn rerun(state: &ServiceState, opened: &Opened, settings: &Settings) -> Option<Evidence> {
    let Opened::Run(failed) = opened else { return None };
    state.pipelines.evidence(&state.runs, failed, &settings.flake)
}

fn parts(state: &ServiceState, settings: &Settings, now_ms: u64) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    parts.extend(deployment::part(&state.releases));
    parts.extend(state.runs.part(now_ms));
    parts.extend(state.alerts.part(now_ms));
    // What was seen before telemetry stopped says nothing about now.
    if !state.telemetry.blind {
        let heard_ms = state.telemetry.last_at_ms();
        parts.extend(state.canary.as_ref().and_then(|canary| canary.part(heard_ms, settings)));
        let streams = streams(state, settings);
        let latency = latency_part(state, &streams, settings);
        parts.extend(latency.map(|part| as_open(part, state.latency_open)));
        parts.extend(errors_part(state, &streams, settings, now_ms));
        parts.extend(queue_part(state, settings));
        parts.extend(state.usual.parts(now_ms));
    }
    let telemetry = state.telemetry.part(settings, now_ms);
    parts.extend(telemetry.map(|part| as_reported(part, state)));
    parts
}

/// A service that reports has yet to do so since its release.
fn as_reported(part: Part, state: &ServiceState) -> Part {
    let nothing = state.window.items().is_empty() && state.queue.is_none();
    match (part.standing, nothing) {
        (Standing::Fine, true) => Part { standing: Standing::Waiting, ..part },
        _ => part,
    }
}

/// A part is bad exactly while its finding is open, so that both open and close together.
fn as_open(part: Part, open: bool) -> Part {
    let standing = match (open, part.standing) {
        (true, _) => Standing::Bad,
        (false, Standing::Bad) => Standing::Doubtful,
        (false, standing) => standing,
    };
    Part { standing, ..part }
}

//! Making a finding of what a detector opened.

use homeostat_schema::{
    id,
    types::{Correlation, Event, Finding, FindingKind, Health, Plot, Release, Severity, Trust},
};

use crate::{canary::Regression, run::Failed, settings::Settings, state::ServiceState};

/// Environments whose findings are warnings; all others may have users behind them.
const FORGIVING: [&str; 3] = ["dev", "stage", "test"];

/// What a detector opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The deployment of this key failed.
    Deployment(String),
    Run(Failed),
    Latency,
    Errors,
    /// The new version is worse than the old one.
    Canary(Regression),
    /// The queue is going to pass its limit.
    Capacity,
    Blind,
}

/// Where and when something was found.
pub(crate) struct Place<'a> {
    pub(crate) env: &'a str,
    pub(crate) service: &'a str,
    pub(crate) now_ms: u64,
}

/// What a finding owes to the event that opened it.
struct Origin<'a> {
    subject: String,
    correlation: Correlation,
    trust: Trust,
    version: Option<&'a String>,
    commit: Option<&'a String>,
    irreversible: bool,
}

impl Opened {
    fn kind(&self) -> FindingKind {
        match self {
            Self::Deployment(_) => FindingKind::DeploymentFailed,
            Self::Run(_) => FindingKind::RunFailed,
            Self::Latency => FindingKind::LatencyHigh,
            Self::Errors => FindingKind::ErrorRateHigh,
            Self::Canary(regression) => regression.kind(),
            Self::Capacity => FindingKind::CapacityLow,
            Self::Blind => FindingKind::Blind,
        }
    }
}

/// The finding that an event opened.
pub(crate) fn by_event(
    state: &ServiceState,
    opened: &Opened,
    health: Health,
    event: &Event,
    settings: &Settings,
    now_ms: u64,
) -> Finding {
    let origin = match opened {
        Opened::Deployment(key) => of_deployment(state, key, event),
        Opened::Run(failed) => of_run(failed, event),
        Opened::Latency | Opened::Errors | Opened::Canary(_) | Opened::Capacity | Opened::Blind => {
            of_observation(state, event)
        }
    };
    let place = Place { env: &event.env, service: &event.service, now_ms };
    make(state, opened, health, origin, &place, settings)
}

/// The finding that silence opened.
pub(crate) fn by_silence(
    state: &ServiceState,
    health: Health,
    place: &Place<'_>,
    settings: &Settings,
) -> Finding {
    let release = state.releases.in_question();
    let origin = Origin {
        subject: state.telemetry.last_event().to_owned(),
        correlation: Correlation { run: None, run_attempt: None, deployment: None, pull_request: None },
        trust: Trust {
            signed: state.telemetry.signed,
            fresh: true,
            fork: false,
            self_: false,
            late: false,
            test: false,
        },
        version: release.and_then(|release| release.version.as_ref()),
        commit: release.and_then(|release| release.commit.as_ref()),
        irreversible: release.is_some_and(|release| release.irreversible),
    };
    make(state, &Opened::Blind, health, origin, place, settings)
}

fn make(
    state: &ServiceState,
    opened: &Opened,
    health: Health,
    origin: Origin<'_>,
    place: &Place<'_>,
    settings: &Settings,
) -> Finding {
    let kind = opened.kind();
    Finding {
        id: id::finding(place.env, place.service, &kind, &origin.subject),
        severity: severity(&kind, place.env, &origin.trust),
        env: place.env.to_owned(),
        service: place.service.to_owned(),
        version: origin.version.cloned(),
        commit: origin.commit.cloned(),
        last_good: last_good(state, &origin),
        health,
        correlation: origin.correlation,
        trust: origin.trust,
        irreversible: origin.irreversible,
        found_at: place.now_ms,
        config_version: settings.config_version,
        plot: plot(state, opened, settings),
        cause: None,
        kind,
    }
}

/// What was found by comparing two versions is shown as it came.
fn plot(state: &ServiceState, opened: &Opened, settings: &Settings) -> Option<Plot> {
    let compared = matches!(opened, Opened::Canary(_) | Opened::Blind);
    state.canary.as_ref().filter(|_| compared)?.plot(settings)
}

fn last_good(state: &ServiceState, origin: &Origin<'_>) -> Option<Release> {
    state.releases.last_good(origin.version, origin.commit)
}

fn of_deployment<'a>(state: &'a ServiceState, key: &str, event: &'a Event) -> Origin<'a> {
    let known = state.releases.get(key);
    Origin {
        subject: key.to_owned(),
        correlation: event.correlation.clone(),
        trust: event.trust,
        version: known.and_then(|known| known.version.as_ref()).or(event.version.as_ref()),
        commit: known.and_then(|known| known.commit.as_ref()).or(event.commit.as_ref()),
        irreversible: known.map_or(event.irreversible, |known| known.irreversible),
    }
}

fn of_run<'a>(failed: &Failed, event: &'a Event) -> Origin<'a> {
    Origin {
        subject: format!("{}#{}", failed.key, failed.attempt),
        correlation: event.correlation.clone(),
        trust: event.trust,
        version: event.version.as_ref(),
        commit: event.commit.as_ref(),
        irreversible: event.irreversible,
    }
}

fn of_observation<'a>(state: &'a ServiceState, event: &'a Event) -> Origin<'a> {
    let release = state.releases.in_question();
    Origin {
        subject: event.id.clone(),
        correlation: event.correlation.clone(),
        trust: event.trust,
        version: release.map_or(event.version.as_ref(), |release| release.version.as_ref()),
        commit: release.map_or(event.commit.as_ref(), |release| release.commit.as_ref()),
        irreversible: release.map_or(event.irreversible, |release| release.irreversible),
    }
}

fn severity(kind: &FindingKind, env: &str, trust: &Trust) -> Severity {
    match kind {
        FindingKind::RunFailed if trust.fork => Severity::Info,
        FindingKind::RunFailed | FindingKind::Blind => Severity::Warning,
        _ if FORGIVING.contains(&env) => Severity::Warning,
        _ => Severity::Critical,
    }
}

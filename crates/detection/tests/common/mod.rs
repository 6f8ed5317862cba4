//! Events by hand, and a service to send them to.
#![allow(dead_code, reason = "each test file uses its own part")]

use homeostat_detection::{
    Observed, ServiceState, Settings, assess, burn::Objective, capacity, flake, health, judge, observe,
    recheck,
};
use homeostat_schema::types::{
    AssessmentRequest, Correlation, Event, EventKind, Finding, FindingKind, Health, Signal, Status, Trust,
};

pub(crate) const ENV: &str = "stage";
pub(crate) const SERVICE: &str = "shop";
/// A second, in milliseconds; times in these tests are small.
pub(crate) const S: u64 = 1000;

pub(crate) fn settings() -> Settings {
    Settings {
        score_min: 40.0,
        timeout_ms: 45 * S,
        latency_ms_max: 1000.0,
        error_rate_max: 0.05,
        objective: None,
        judge: judge::Settings::default(),
        seasonal: true,
        flake: flake::Settings::default(),
        capacity: None,
        config_version: 3,
    }
}

pub(crate) fn trust() -> Trust {
    Trust { signed: true, fresh: true, fork: false, self_: false, late: false, test: false }
}

pub(crate) fn event(kind: EventKind, status: Status, at_ms: u64) -> Event {
    Event {
        id: format!("{}-{}-{at_ms}", kind.name(), status.name()),
        kind,
        source: "github".into(),
        env: ENV.into(),
        service: SERVICE.into(),
        title: None,
        version: None,
        commit: None,
        previous_version: None,
        branch: None,
        status,
        duration: None,
        latency: None,
        signals: Vec::new(),
        occurred_at: at_ms,
        received_at: at_ms,
        actor: None,
        url: None,
        correlation: Correlation { run: None, run_attempt: None, deployment: None, pull_request: None },
        trust: trust(),
        irreversible: false,
        attributes: Vec::new(),
    }
}

pub(crate) fn deployment(name: &str, version: &str, status: Status, at_ms: u64) -> Event {
    let mut event = event(EventKind::Deployment, status, at_ms);
    event.id = format!("{name}-{}", event.id);
    event.version = Some(version.into());
    event.commit = Some(format!("commit-of-{version}"));
    event.correlation.deployment = Some(name.into());
    event
}

pub(crate) fn run(name: &str, attempt: u32, status: Status, at_ms: u64) -> Event {
    let mut event = event(EventKind::Run, status, at_ms);
    event.id = format!("{name}-{attempt}-{}", event.id);
    event.title = Some("ci".into());
    event.branch = Some("main".into());
    event.correlation.run = Some(name.into());
    event.correlation.run_attempt = Some(attempt);
    event
}

pub(crate) fn latency(ms: f64, at_ms: u64) -> Event {
    Event { latency: Some(ms), ..event(EventKind::Observation, Status::Unknown, at_ms) }
}

pub(crate) fn errors(rate: f64, samples: u64, at_ms: u64) -> Event {
    let signal = Signal { name: "error-rate".into(), value: rate, unit: "1".into(), samples };
    Event { signals: vec![signal], ..event(EventKind::Observation, Status::Unknown, at_ms) }
}

/// A service and all that was found about it.
#[derive(Default)]
pub(crate) struct Service {
    pub(crate) state: ServiceState,
    pub(crate) findings: Vec<Finding>,
    pub(crate) now_ms: u64,
    pub(crate) recheck_at_ms: Option<u64>,
    pub(crate) health: Option<Health>,
    pub(crate) objective: Option<Objective>,
    pub(crate) capacity: Option<capacity::Settings>,
}

impl Service {
    pub(crate) fn after(events: &[Event]) -> Self {
        let mut service = Self::default();
        events.iter().for_each(|event| service.take(event));
        service
    }

    pub(crate) fn take(&mut self, event: &Event) {
        self.now_ms = self.now_ms.max(event.received_at);
        let observed = observe(self.state.clone(), event, &self.settings(), self.now_ms);
        self.keep(observed);
    }

    pub(crate) fn recheck(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        let observed = recheck(self.state.clone(), ENV, SERVICE, &self.settings(), now_ms);
        self.keep(observed);
    }

    pub(crate) fn kinds(&self) -> Vec<FindingKind> {
        self.findings.iter().map(|finding| finding.kind.clone()).collect()
    }

    pub(crate) fn health(&self) -> &Health {
        self.health.as_ref().expect("something was observed")
    }

    pub(crate) fn assess(&self, kind: FindingKind, correlation: Correlation, since: u64) -> Health {
        let request = request(kind, correlation, since);
        assess(&mut self.state.clone(), &request, &self.settings(), self.now_ms).health
    }

    /// How the errors are since an attempt; what the answer changes is kept.
    pub(crate) fn verify(&mut self, since: u64) -> Health {
        let settings = self.settings();
        let nothing = Correlation { run: None, run_attempt: None, deployment: None, pull_request: None };
        let request = request(FindingKind::ErrorRateHigh, nothing, since);
        let answer = assess(&mut self.state, &request, &settings, self.now_ms);
        self.health = Some(health(&self.state, &settings, self.now_ms));
        answer.health
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { objective: self.objective, capacity: self.capacity, ..settings() }
    }

    fn keep(&mut self, observed: Observed) {
        self.health = Some(health(&observed.state, &self.settings(), self.now_ms));
        self.state = observed.state;
        self.findings.extend(observed.findings);
        self.recheck_at_ms = observed.recheck_at_ms;
    }
}

fn request(kind: FindingKind, correlation: Correlation, since: u64) -> AssessmentRequest {
    AssessmentRequest {
        attempt: "a".into(),
        incident: "i".into(),
        env: ENV.into(),
        service: SERVICE.into(),
        kind,
        correlation,
        since,
    }
}

//! Events made of samples: one of each arm and step, and one of each step that nobody saw.
//!
//! | in a step | becomes |
//! |---|---|
//! | `requests` of an arm | one observation with `requests`, `errors`, `latency-ms` as far as asked |
//! | `requests`, no `errors` | `errors` are 0: PromQL drops what is empty |
//! | an arm without `requests` | nothing |
//! | no arm with `requests`, or `up` is 0 | one observation with `scrape` = `failed` and no numbers |
//! | `up` of one arm is 0 | the same, of that arm |
//! | `queue`, `load` and `replicas` of the whole | one observation with these, beside the others |
//! | some of the three | nothing: what is not known is no queue |
//!
//! Invariant: the id is made of the pull, the step's end and the arm alone, so that asking twice
//! gives each once.

use homeostat_schema::config::Pull;
use homeostat_schema::id;
use homeostat_schema::types::{Correlation, Event, EventKind, Signal, Status, Trust};

use super::answer::{Arm, Samples};
use super::steps::Steps;
use super::{Observation, SOURCE};

/// What was answered, by question.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    pub(crate) requests: Samples,
    pub(crate) errors: Samples,
    pub(crate) latency: Samples,
    pub(crate) up: Samples,
    pub(crate) queue: Samples,
    pub(crate) load: Samples,
    pub(crate) replicas: Samples,
}

/// Observations, and how many of the steps nobody saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) observations: Vec<Observation>,
    pub(crate) failed: usize,
}

const ARMS: [Arm; 3] = [Arm::Whole, Arm::Baseline, Arm::Canary];
const ROLLOUT: [Arm; 2] = [Arm::Baseline, Arm::Canary];

/// What the numbers say of these steps.
pub(crate) fn seen(pull: &Pull, steps: Steps, numbers: &Numbers, now_ms: u64) -> Seen {
    let mut seen = Seen::default();
    for at_ms in steps.ends() {
        let moment = Moment { pull, at_ms, step_ms: steps.step_ms, now_ms };
        let down = |arm: Arm| numbers.up.at(arm, at_ms) == Some(0.0);
        let up = |arm: &Arm| !down(Arm::Whole) && !down(*arm);
        let arms = ARMS.into_iter().filter(up);
        seen.observations.extend(moment.queue(numbers));
        let told: Vec<_> = arms.filter_map(|arm| moment.numbers(arm, numbers)).collect();
        if told.is_empty() {
            seen.observations.push(moment.failed(Arm::Whole));
            seen.failed += 1;
            continue;
        }
        seen.observations.extend(told);
        let lost = ROLLOUT.into_iter().filter(|arm| down(*arm));
        seen.observations.extend(lost.map(|arm| moment.failed(arm)));
    }
    seen
}

/// Nobody could be asked about these steps.
pub(crate) fn unseen(pull: &Pull, steps: Steps, now_ms: u64) -> Vec<Observation> {
    let moment = |at_ms| Moment { pull, at_ms, step_ms: steps.step_ms, now_ms };
    steps.ends().map(|at_ms| moment(at_ms).failed(Arm::Whole)).collect()
}

#[derive(Clone, Copy)]
struct Moment<'a> {
    pull: &'a Pull,
    at_ms: u64,
    step_ms: u64,
    now_ms: u64,
}

impl Moment<'_> {
    fn numbers(self, arm: Arm, numbers: &Numbers) -> Option<Observation> {
        let counted = |samples: &Samples| samples.at(arm, self.at_ms).filter(|value| *value >= 0.0);
        let requests = counted(&numbers.requests)?;
        let errors = counted(&numbers.errors).unwrap_or(0.0);
        let mut signals = vec![count("requests", requests), count("errors", errors)];
        signals.extend(counted(&numbers.latency).map(|value| Signal {
            name: "latency-ms".to_owned(),
            value,
            unit: "ms".to_owned(),
            // What stands behind it; a float turned to an integer saturates.
            samples: (requests.round() as u64).max(1),
        }));
        let attributes = named(arm).map(|arm| ("arm".to_owned(), arm.to_owned()));
        Some(self.event(key(arm), signals, attributes.into_iter().collect()))
    }

    fn queue(self, numbers: &Numbers) -> Option<Observation> {
        let of = [("queue", &numbers.queue), ("load", &numbers.load), ("replicas", &numbers.replicas)];
        let told = |(name, samples): (&str, &Samples)| {
            let value = samples.at(Arm::Whole, self.at_ms).filter(|value| *value >= 0.0)?;
            Some(Signal { name: name.to_owned(), value, unit: "1".to_owned(), samples: 1 })
        };
        let signals: Option<Vec<Signal>> = of.into_iter().map(told).collect();
        Some(self.event("queue", signals?, Vec::new()))
    }

    fn failed(self, arm: Arm) -> Observation {
        let attributes = named(arm).map(|arm| ("arm".to_owned(), arm.to_owned()));
        let failed = ("scrape".to_owned(), "failed".to_owned());
        let name = format!("{}failed", named(arm).map(|arm| format!("{arm}-")).unwrap_or_default());
        self.event(&name, Vec::new(), attributes.into_iter().chain([failed]).collect())
    }

    fn event(self, what: &str, signals: Vec<Signal>, attributes: Vec<(String, String)>) -> Observation {
        let name = format!("pull:{}:{}:{what}", self.pull.id, self.at_ms);
        let event = Event {
            id: id::event(SOURCE, &name, 0),
            kind: EventKind::Observation,
            source: SOURCE.to_owned(),
            env: self.pull.env.clone(),
            service: self.pull.service.clone(),
            title: Some(self.pull.id.clone()),
            version: None,
            commit: None,
            previous_version: None,
            branch: None,
            status: Status::Unknown,
            duration: Some(self.step_ms),
            latency: None,
            signals,
            occurred_at: self.at_ms,
            received_at: self.now_ms,
            actor: None,
            url: None,
            correlation: Correlation { run: None, run_attempt: None, deployment: None, pull_request: None },
            // We asked it ourselves, at an origin the operator set: nobody else could have sent it.
            // No step is older than a look goes back, which is within what counts as fresh.
            trust: Trust { signed: true, fresh: true, fork: false, self_: false, late: false, test: false },
            irreversible: false,
            attributes,
        };
        Observation { event, dedupe: format!("{SOURCE}:{name}") }
    }
}

fn count(name: &str, value: f64) -> Signal {
    Signal { name: name.to_owned(), value, unit: "{request}".to_owned(), samples: 1 }
}

/// As events call it; the labels' values are the operator's own.
fn named(arm: Arm) -> Option<&'static str> {
    match arm {
        Arm::Whole => None,
        Arm::Baseline => Some("baseline"),
        Arm::Canary => Some("canary"),
    }
}

fn key(arm: Arm) -> &'static str {
    named(arm).unwrap_or("whole")
}

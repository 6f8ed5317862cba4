//! What a step of the plan stage has to tell the sinks.

use homeostat_emit::happening::{of_attempt, of_incident};
use homeostat_flow::Output;
use homeostat_remedies::planner::{Case, Fact};
use homeostat_schema::config::Config;
use homeostat_schema::types::{Attempt, Incident};

use crate::emit::for_sinks;

/// What has to be known from before the step.
pub(crate) struct Before {
    incident: Option<Incident>,
    attempt: Option<Attempt>,
}

impl Before {
    /// Nothing is copied when there is nobody to tell.
    pub(crate) fn of(config: &Config, case: &Case, fact: &Fact) -> Option<Self> {
        if config.sinks.is_empty() {
            return None;
        }
        let attempt = match fact {
            Fact::Attempt(attempt) => Some(attempt.clone()),
            _ => None,
        };
        Some(Self { incident: case.incident().cloned(), attempt })
    }

    /// `after` is the incident when it changed.
    pub(crate) fn tell(self, config: &Config, after: Option<&Incident>) -> Vec<Output> {
        let known = after.or(self.incident.as_ref());
        for_sinks(config, |sink| {
            let attempt = self.attempt.as_ref().and_then(|attempt| of_attempt(attempt, known, &sink.source));
            let changed = after.map(|after| of_incident(self.incident.as_ref(), after, &sink.source));
            attempt.into_iter().chain(changed.into_iter().flatten()).collect()
        })
    }
}

//! What is remembered of one service in one environment: bounded, versioned, JSON.
//!
//! At the hard bounds (five deployments, twelve runs, ten observations, six pipelines, names cut to
//! 64 characters) it stays below 28 KB; as a rule it is 1 to 4 KB, 1 KB more for each pipeline, 2 KB
//! more with a canary for its plot, up to 9 KB more with an objective, up to 6 KB more with a queue, and up to
//! 2 KB more with alerts and, once it is known for an hour, up to 4 KB more for what is usual.

use serde::{Deserialize, Serialize};

use crate::{
    alerts::Alerts,
    budget::Budget,
    canary::Canary,
    observation::{Observation, Window},
    pipelines::Pipelines,
    queue::Queue,
    releases::Releases,
    run::Runs,
    settings::Settings,
    stored::StoredError,
    stream::Streams,
    telemetry::Telemetry,
    usual::Usual,
};

/// The stored form's version.
const SCHEMA: u32 = 1;
/// What it is called in an error.
const WHAT: &str = "the service";

/// The state of one service in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceState {
    schema: u32,
    pub(crate) releases: Releases,
    pub(crate) runs: Runs,
    pub(crate) window: Window,
    /// What left the window, bet on. States from before there was such a thing begin anew.
    #[serde(default, skip_serializing_if = "Streams::is_new")]
    pub(crate) streams: Streams,
    /// When the release went out that the window is about.
    pub(crate) released_ms: u64,
    /// A finding about latency is open.
    pub(crate) latency_open: bool,
    /// A finding about errors is open.
    pub(crate) errors_open: bool,
    pub(crate) telemetry: Telemetry,
    /// The old and the new version side by side, once an event named an arm. States from before
    /// there was such a thing have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) canary: Option<Box<Canary>>,
    /// The release that the canary is of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) compared: String,
    /// Runs that are not remembered one by one any more. States from before there was such a thing
    /// have none.
    #[serde(default, skip_serializing_if = "Pipelines::is_empty")]
    pub(crate) pipelines: Pipelines,
    /// What is usual of it. States from before there was such a thing learn it.
    #[serde(default, skip_serializing_if = "Usual::is_new")]
    pub(crate) usual: Usual,
    /// Alerts of other monitors.
    #[serde(default, skip_serializing_if = "Alerts::is_empty")]
    pub(crate) alerts: Alerts,
    /// The objective's budget, once there is an objective and something was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<Box<Budget>>,
    /// The queue, once it was told of and somebody said what the service can carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<Box<Queue>>,
}

fn unknown(found: u32) -> StoredError {
    StoredError::UnknownForm { what: WHAT, found, known: SCHEMA }
}

#[derive(Deserialize)]
struct Form {
    schema: u32,
}

impl Default for ServiceState {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            releases: Releases::default(),
            runs: Runs::default(),
            window: Window::default(),
            streams: Streams::default(),
            released_ms: 0,
            latency_open: false,
            errors_open: false,
            telemetry: Telemetry::default(),
            canary: None,
            compared: String::new(),
            pipelines: Pipelines::default(),
            usual: Usual::default(),
            alerts: Alerts::default(),
            budget: None,
            queue: None,
        }
    }
}

impl ServiceState {
    /// Reads a stored state; nothing stored is a service nobody heard of.
    ///
    /// # Errors
    /// [`StoredError`] when the bytes are not a state, or one of an unknown form.
    pub fn decode(bytes: Option<&[u8]>) -> Result<Self, StoredError> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        match serde_json::from_slice::<Self>(bytes) {
            Ok(state) if state.schema == SCHEMA => Ok(state),
            Ok(state) => Err(unknown(state.schema)),
            // Another form need not look like this one.
            Err(error) => match serde_json::from_slice::<Form>(bytes) {
                Ok(form) if form.schema != SCHEMA => Err(unknown(form.schema)),
                _ => Err(StoredError::Json { what: WHAT, source: error }),
            },
        }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        // Cannot fail: strings, whole and finite numbers only. Were it to, the empty bytes are
        // refused by `decode`, not taken for an empty state.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The version that is running, when a deployment told of it.
    pub fn version(&self) -> Option<&str> {
        self.releases.current()?.version.as_deref()
    }

    /// The commit that is running, when a deployment told of it.
    pub fn commit(&self) -> Option<&str> {
        self.releases.current()?.commit.as_deref()
    }

    /// Begins the window again when a newer release went out.
    pub(crate) fn follow_release(&mut self) {
        let newest = self.releases.newest_success_ms().unwrap_or(0);
        if newest > self.released_ms {
            self.released_ms = newest;
            self.window.restart(newest);
            self.streams = Streams::default();
            self.latency_open = false;
            self.errors_open = false;
            if let Some(budget) = &mut self.budget {
                budget.begin(newest);
            }
        }
    }

    /// An observation of what everybody gets.
    pub(crate) fn observed(&mut self, one: Observation, settings: &Settings) {
        for left in self.window.insert(one) {
            self.streams.take(&left, settings);
            self.usual.take(&left, settings);
        }
    }

    /// High latency is over: what opened it is history.
    pub(crate) fn close_latency(&mut self) {
        self.latency_open = false;
        self.streams.close_latency(self.window.last_ms());
    }

    /// High errors are over: what opened them is history.
    pub(crate) fn close_errors(&mut self) {
        self.errors_open = false;
        self.streams.close_errors(self.window.last_ms());
    }

    /// High errors are over, as an assessment says.
    pub(crate) fn mended(&mut self, now_ms: u64) {
        let Some(budget) = &mut self.budget else { return };
        budget.mended(now_ms);
        self.close_errors();
    }
}

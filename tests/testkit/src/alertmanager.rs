//! An Alertmanager that is asked what fires, and tells nobody by itself.
//!
//! What this does not do: group, silence, or end an alert.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::server::{Answer, Received, Server, StandIn};

/// A running stand-in.
#[derive(Debug)]
pub struct Alertmanager {
    state: Arc<State>,
    /// Requests and failure switches.
    pub server: Server,
}

#[derive(Debug, Default)]
struct State(Mutex<Vec<Value>>);

impl Alertmanager {
    /// Starts it on a free port; nothing fires.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let server = Server::start(state.clone()).await?;
        Ok(Self { state, server })
    }

    /// From now on this alert is listed, as firing since `since_ms`, milliseconds since the epoch.
    pub fn fires(&self, name: &str, env: &str, service: &str, since_ms: u64) {
        let mut alerts = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fingerprint = format!("{:016x}", alerts.len());
        alerts.push(json!({
            "labels": {"alertname": name, "service": service, "env": env},
            "annotations": {},
            "startsAt": crate::rfc3339_millis(since_ms),
            "fingerprint": fingerprint,
            "generatorURL": "",
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        }));
    }
}

impl StandIn for State {
    fn answer(&self, request: &Received) -> Answer {
        if (request.method.as_str(), request.path.as_str()) != ("GET", "/api/v2/alerts") {
            return Answer::text(404, "not found");
        }
        let alerts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Answer::json(200, &Value::Array(alerts.clone()))
    }
}

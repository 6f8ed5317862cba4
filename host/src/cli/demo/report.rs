//! What was checked on the way, and the look back at the end.

use std::time::Duration;

use homeostat_testkit::api::timeline;
use serde_json::{Value, json};

use super::narrator::Narrator;
use super::scene::Scene;
use crate::cli::CliError;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Report {
    checks: Vec<(String, bool)>,
    incidents: Vec<Value>,
    policy: Value,
}

impl Report {
    /// A story that did not come to its end.
    pub(super) fn unfinished(within: Duration) -> Self {
        let text = format!("the story ends within {} s", within.as_secs());
        Self { checks: vec![(text, false)], ..Self::default() }
    }

    /// Notes and tells whether something holds.
    pub(super) fn check(&mut self, narrator: &mut Narrator, text: &str, held: bool) {
        narrator.check(text, held);
        self.checks.push((text.to_owned(), held));
    }

    /// Keeps an incident for the end.
    pub(super) fn incident(&mut self, incident: Option<Value>) {
        self.incidents.extend(incident);
    }

    /// Keeps the policy for the end.
    pub(super) fn policy(&mut self, policy: Option<Value>) {
        self.policy = policy.unwrap_or_default();
    }

    /// Whether everything held.
    pub(super) fn held(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|(_, held)| *held)
    }

    /// The look back, for a person or a script.
    pub(super) fn show(&self, narrator: &mut Narrator, scene: &Scene, keep: bool) {
        for incident in &self.incidents {
            show_incident(narrator, incident);
        }
        narrator.heading("Where to look further");
        if keep {
            self.show_addresses(narrator, scene);
        } else if self.held() {
            narrator.line(
                "  homeostat demo --keep leaves everything up, to look around in the API and the folder",
            );
            narrator.line("  ./scripts/up          starts Homeostat for your own pipelines; README.md says how to go on");
        } else {
            narrator.line(&format!("  {}  the app's log and state, kept", scene.folder().display()));
        }
        let passed = self.checks.iter().filter(|(_, held)| *held).count();
        let seconds = narrator.seconds();
        narrator.line(&format!("\n{passed} of {} checks held, in {seconds:.0} s", self.checks.len()));
        narrator.summary(&self.json(narrator, scene));
    }

    /// The end as an exit code.
    pub(super) fn verdict(&self) -> Result<(), CliError> {
        if self.held() {
            return Ok(());
        }
        let failed: Vec<&str> =
            self.checks.iter().filter(|(_, held)| !held).map(|(text, _)| text.as_str()).collect();
        Err(CliError::Failure(anyhow::anyhow!(
            "the story did not go as told: not seen: {}",
            failed.join("; ")
        )))
    }

    fn show_addresses(&self, narrator: &mut Narrator, scene: &Scene) {
        let url = scene.app.url();
        let token = &scene.land.secrets().api;
        narrator.line(&format!("  {url}/  in a browser; any name, password {token}"));
        for incident in &self.incidents {
            let id = incident["id"].as_str().unwrap_or_default();
            narrator.line(&format!("  curl -H 'Authorization: Bearer {token}' {url}/api/v1/incidents/{id}"));
        }
        narrator.line(&format!("  curl -H 'Authorization: Bearer {token}' {url}/api/v1/policy"));
        narrator.line(&format!("  curl {url}/metrics"));
        narrator.line(&format!("  {}  its state, configuration and log (app.log)", scene.folder().display()));
        narrator.line("  (the token is this demo's own and ends with it)   Ctrl-C ends it");
    }

    fn json(&self, narrator: &Narrator, scene: &Scene) -> Value {
        let checks: Vec<Value> =
            self.checks.iter().map(|(text, held)| json!({"text": text, "held": held})).collect();
        json!({
            "ok": self.held(),
            "seconds": (narrator.seconds() * 10.0).round() / 10.0,
            "checks": checks,
            "incidents": self.incidents,
            "policy": self.policy,
            "url": scene.app.url(),
            "folder": scene.folder(),
        })
    }
}

fn show_incident(narrator: &mut Narrator, incident: &Value) {
    let word = |name: &str| incident[name].as_str().unwrap_or("?").to_owned();
    narrator.heading(&format!("Incident {}: {} ({})", word("id"), word("title"), word("state")));
    let times = incident["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (item, raw) in timeline(incident).iter().zip(times) {
        let at = raw["at"].as_str().and_then(|at| at.split('T').nth(1)).unwrap_or_default();
        narrator.line(&format!("  {at:<14} {:<8} {}", item.kind, item.text));
    }
}

//! How a story ended, whatever happened on the way: what people see of it then, and what was done.
//!
//! What this does not do: say in which words an attempt was reported. Who looks whether it was done
//! already says so, and somebody who did not die would not have looked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;

use crate::stage::Stage;
use crate::timeline::projected;

impl Stage {
    pub(crate) async fn ending(&self) -> Result<String> {
        let mut text = String::new();
        let mut line = |told: String| {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{told}");
        };
        let (_, list) = self.ask("GET", "/api/v1/incidents?limit=200", &Value::Null).await?;
        let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
        let mut incidents = Vec::new();
        for id in &ids {
            let (_, incident) = self.ask("GET", &format!("/api/v1/incidents/{id}"), &Value::Null).await?;
            incidents.push(projected(&told(&incident), &ids, &self.runs));
        }
        incidents.sort();
        incidents.into_iter().for_each(&mut line);
        let (kubernetes, github) = (&self.land.kubernetes.server, &self.land.github.server);
        for (name, server) in [("kubernetes", kubernetes), ("github", github)] {
            for one in server.requests().iter().filter(|one| one.method != "GET") {
                line(format!("{name} <- {} {}", one.method, one.path));
            }
        }
        for one in self.land.slack.server.requests() {
            line(format!("slack <- {}", one.json()["text"].as_str().unwrap_or_default()));
        }
        for (kind, ids) in self.told_of() {
            line(format!("sink <- {kind}: {}", ids.len()));
        }
        let (_, events) = self.ask("GET", "/api/v1/events?limit=200", &Value::Null).await?;
        line(format!("events: {}", events["items"].as_array().map_or(0, Vec::len)));
        line(format!("lessons: {}", self.lessons().await?));
        Ok(text)
    }

    /// What the sink took, each once: it may be told again under the same id.
    fn told_of(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for one in self.sink.taken() {
            let event = one.json();
            let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            told.entry(word("type")).or_default().insert(word("id"));
        }
        told
    }
}

fn told(incident: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut text = format!("{} is {}", word(&incident["service"]), word(&incident["state"]));
    for item in incident["timeline"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let (kind, mut what) = (word(&item["fact"]["kind"]), word(&item["text"]));
        if kind == "attempt" {
            what = what.split(',').next().unwrap_or_default().to_owned();
        }
        // Writing to a text cannot fail.
        let _ = write!(text, "\n  {kind}: {what}");
    }
    text
}

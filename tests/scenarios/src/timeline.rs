//! What happened after each step, as people would tell it: no times, ids, ports or hashes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use homeostat_testkit::server::Received;
use serde_json::Value;

use crate::stage::{RELEASES, Stage};

/// Digits of a commit's short form.
const SHORT: usize = 7;

/// The text so far, and how much of everything is in it.
pub(crate) struct Timeline {
    text: String,
    /// Lines told and the last state, by incident.
    incidents: BTreeMap<String, (usize, String)>,
    /// Incidents in the order they are told in: by step, and within a step by service, as those of
    /// several shards open at one time.
    order: Vec<String>,
    /// Requests told, by target.
    requests: BTreeMap<&'static str, usize>,
    /// Ids of the events the sink was told of.
    emitted: BTreeSet<String>,
}

impl Timeline {
    pub(crate) fn new(about: &str) -> Self {
        let text = format!("{about}\n");
        Self {
            text,
            incidents: BTreeMap::new(),
            order: Vec::new(),
            requests: BTreeMap::new(),
            emitted: BTreeSet::new(),
        }
    }

    pub(crate) fn step(&mut self, line: &str) {
        self.push(&format!("\n> {line}"));
    }

    /// A line about something the step brought to light.
    pub(crate) fn says(&mut self, line: &str) {
        self.push(&format!("  {line}"));
    }

    pub(crate) fn text(&self) -> String {
        self.text.clone()
    }

    fn push(&mut self, line: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// Those that are new come after those told before.
    fn in_order(&mut self, items: &[Value]) -> Vec<String> {
        let word = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let mut new: Vec<(String, String)> =
            items.iter().map(|item| (word(item, "service"), word(item, "id"))).collect();
        new.retain(|(_, id)| !self.order.contains(id));
        new.sort();
        self.order.extend(new.into_iter().map(|(_, id)| id));
        self.order.clone()
    }

    fn incident(&mut self, incident: &Value, project: impl Fn(&str) -> String) {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (id, state, service) =
            (word(&incident["id"]), word(&incident["state"]), word(&incident["service"]));
        let items = incident["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
        let (told, before) = self.incidents.insert(id, (items.len(), state.clone())).unwrap_or_default();
        for item in items.iter().skip(told) {
            let line =
                format!("{service}: {}: {}", word(&item["fact"]["kind"]), project(&word(&item["text"])));
            self.says(&line);
        }
        if before != state {
            self.says(&format!("{service} is {state}"));
        }
    }

    /// Its type, and whether it was told under this id before.
    fn emitted(&mut self, event: &Value) -> String {
        let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let again = if self.emitted.insert(word("id")) { "" } else { ", again" };
        format!("{}{again}", word("type"))
    }

    fn target(&mut self, name: &'static str, requests: &[Received], project: impl Fn(&str) -> String) {
        let changes = || requests.iter().filter(|one| one.method != "GET");
        let told = self.requests.insert(name, changes().count()).unwrap_or_default();
        for one in changes().skip(told) {
            let what = match name {
                // The path is a secret.
                "slack" => one.json()["text"].as_str().unwrap_or_default().to_owned(),
                "sink" => self.emitted(&one.json()),
                _ => format!("{} {}", one.method, one.path),
            };
            self.says(&format!("{name} <- {}", project(&what)));
        }
    }
}

impl Stage {
    /// Puts on the timeline what came since the last step.
    pub(crate) async fn tell_news(&mut self) -> Result<()> {
        let (_, list) = self.ask("GET", "/api/v1/incidents?limit=200", &Value::Null).await?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
        let runs = self.runs.clone();
        let project = |text: &str| projected(text, &ids, &runs);
        for id in self.timeline.in_order(&items) {
            let (_, incident) = self.ask("GET", &format!("/api/v1/incidents/{id}"), &Value::Null).await?;
            self.timeline.incident(&incident, project);
        }
        self.timeline.target("kubernetes", &self.land.kubernetes.server.requests(), project);
        self.timeline.target("github", &self.land.github.server.requests(), project);
        self.timeline.target("slack", &self.land.slack.server.requests(), project);
        self.timeline.target("sink", &self.sink.server.requests(), project);
        Ok(())
    }
}

/// A text with everything that differs from run to run called by what it is.
pub(crate) fn projected(text: &str, incidents: &[&str], runs: &BTreeMap<String, u64>) -> String {
    let mut text = text.to_owned();
    for (name, commit) in RELEASES {
        text = text.replace(commit, name).replace(commit.get(..SHORT).unwrap_or(commit), name);
    }
    for id in incidents {
        text = text.replace(id, "(incident)");
    }
    for run in runs.values() {
        text = text.replace(&run.to_string(), "(run)");
    }
    let words: Vec<String> = text.split(' ').map(untimed).collect();
    unspanned(words).join(" ")
}

/// A word, or `(time)` when it is one.
fn untimed(word: &str) -> String {
    let bare = word.trim_matches([';', ',', '.', '(', ')']);
    let is_time = bare.len() >= 20 && bare.contains('T') && bare.ends_with('Z') && bare.starts_with('2');
    if is_time { word.replace(bare, "(time)") } else { word.to_owned() }
}

/// `31 s ago`, `for 31 s` and `in 31 s` become `(a while)`: they depend on how quick the machine is.
/// Windows of minutes and hours are somebody's choice.
fn unspanned(mut words: Vec<String>) -> Vec<String> {
    for at in 0..words.len() {
        let before = at.checked_sub(1).and_then(|at| words.get(at)).is_some_and(|word| is_lasting(word));
        let seconds = words.get(at + 1).is_some_and(|unit| unit.starts_with('s'));
        let after = words.get(at + 2).is_some_and(|word| word.starts_with("ago"));
        if let Some(rest) = words.get(at..at + 2).and_then(span).filter(|_| (before && seconds) || after) {
            words.splice(at..at + 2, [format!("(a while){rest}")]);
        }
    }
    words
}

fn is_lasting(word: &str) -> bool {
    word == "for" || word == "in"
}

/// What follows an amount of time: its mark, if there is one.
fn span(two: &[String]) -> Option<String> {
    let [amount, unit] = two else { return None };
    let bare = unit.trim_end_matches([';', ',', '.', ':', ')']);
    let is_span = amount.parse::<u64>().is_ok() && ["s", "min", "h"].contains(&bare);
    is_span.then(|| unit.strip_prefix(bare).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::projected;

    #[test]
    fn what_differs_from_run_to_run_is_not_told() {
        let runs = BTreeMap::from([("shop".to_owned(), 17)]);
        let check = |text: &str, expected: &str| assert_eq!(projected(text, &["inc-1"], &runs), expected);
        check("plan inc-1.p2 of run 17", "plan (incident).p2 of run (run)");
        check("until 2026-01-02T03:04:05.678Z.", "until (time).");
        check("the last was 31 s ago, of 60 s", "the last was (a while) ago, of 60 s");
        check(
            "down for 61 s: told in 9 s, of at most 60 s",
            "down for (a while): told in (a while), of at most 60 s",
        );
        check("6 times the budget in 6 h", "6 times the budget in 6 h");
        check("to 600d1dea0b0b5f2f6e8b3c1d9a7e4f5061728394", "to good");
    }
}

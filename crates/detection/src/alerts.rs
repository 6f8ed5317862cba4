//! Alerts of other monitors that fire for the service.
//!
//! One that fires makes the service doubtful and is told as a reason, also of what is found
//! meanwhile; it opens nothing, as somebody else judged it by rules that nobody here knows. An alert
//! is known by its sender's fingerprint, or else by its monitor or name and its instance. The later
//! of firing and resolved counts, in whatever order they come.
//!
//! Invariants: at most [`ALERTS_MAX`] are remembered; one that nobody resolved is forgotten after
//! [`FIRING_MS_MAX`], as its end may have been lost.

use homeostat_schema::types::{Event, EventKind, Status};
use serde::{Deserialize, Serialize};

use crate::{
    number::float,
    progress::happened_ms,
    score::{Part, Standing, evidence},
    text,
};

/// Alerts remembered. Beyond it the one heard of least recently goes, resolved ones first.
const ALERTS_MAX: usize = 8;
/// How long an alert that is not resolved counts, milliseconds.
const FIRING_MS_MAX: u64 = 86_400_000;
/// Alerts told by name; the others are counted.
const NAMED_MAX: usize = 3;

/// The alerts of one service, the one heard of least recently first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Alerts(Vec<Alert>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Alert {
    key: String,
    name: String,
    firing: bool,
    /// Since when it is as it is, by its sender.
    at_ms: u64,
    seen_ms: u64,
    event: String,
}

impl Alerts {
    /// Takes an event; one that is no alert, or older than what is known of it, changes nothing.
    pub(crate) fn take(&mut self, event: &Event) {
        let firing = match (&event.kind, &event.status) {
            (EventKind::Alert, Status::Firing) => true,
            (EventKind::Alert, Status::Resolved) => false,
            _ => return,
        };
        let alert = Alert {
            key: key(event),
            name: text::optional(event.title.as_ref()).unwrap_or_else(|| "an alert".to_owned()),
            firing,
            at_ms: happened_ms(event),
            seen_ms: event.received_at,
            event: text::key(&event.id),
        };
        let known = self.0.iter().position(|known| known.key == alert.key);
        match known.and_then(|place| self.0.get(place)) {
            Some(known) if (alert.at_ms, !alert.firing) <= (known.at_ms, !known.firing) => return,
            _ => known.map(|place| self.0.remove(place)),
        };
        self.0.push(alert);
        self.make_room();
    }

    /// What fires; `None` when nothing does.
    pub(crate) fn part(&self, now_ms: u64) -> Option<Part> {
        let counts = |alert: &&Alert| alert.firing && now_ms.saturating_sub(alert.seen_ms) < FIRING_MS_MAX;
        let mut firing: Vec<&Alert> = self.0.iter().filter(counts).collect();
        firing.sort_by(|a, b| (a.at_ms, &a.key).cmp(&(b.at_ms, &b.key)));
        (!firing.is_empty()).then(|| {
            let mut evidence = evidence("alert", &told(&firing, now_ms));
            evidence.observed = float(firing.len() as u64);
            evidence.samples = firing.len() as u64;
            evidence.unit = "{alert}".to_owned();
            evidence.events = firing.iter().map(|alert| alert.event.clone()).collect();
            Part { standing: Standing::Doubtful, evidence }
        })
    }

    /// Whether none is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn make_room(&mut self) {
        while self.0.len() > ALERTS_MAX {
            let resolved = self.0.iter().position(|alert| !alert.firing);
            self.0.remove(resolved.unwrap_or(0));
        }
    }
}

fn told(firing: &[&Alert], now_ms: u64) -> String {
    let one = |alert: &&Alert| {
        let minutes = now_ms.saturating_sub(alert.at_ms) / 60_000;
        format!("{} has been firing for {minutes} min", alert.name)
    };
    let mut named: Vec<String> = firing.iter().take(NAMED_MAX).map(one).collect();
    if firing.len() > NAMED_MAX {
        named.push(format!("{} more are firing", firing.len() - NAMED_MAX));
    }
    named.join("; ")
}

fn key(event: &Event) -> String {
    let attribute = |name: &str| {
        let found = event.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let own = ["fingerprint", "incident"].into_iter().find_map(attribute);
    let of = own.or_else(|| ["monitor", "rule"].into_iter().find_map(attribute));
    let of = of.or(event.title.as_deref()).unwrap_or(&event.id);
    let instance = attribute("instance").filter(|_| own.is_none()).unwrap_or_default();
    text::key(&format!("{}/{of}/{instance}", event.source))
}

#[cfg(test)]
mod tests {
    use homeostat_schema::types::{Correlation, Trust};

    use super::*;

    const MIN: u64 = 60_000;

    fn alert(name: &str, status: Status, at_ms: u64) -> Event {
        Event {
            id: format!("{name}-{at_ms}-{}", status.name()),
            kind: EventKind::Alert,
            source: "alertmanager".into(),
            env: "stage".into(),
            service: "shop".into(),
            title: Some(name.into()),
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
            trust: Trust { signed: true, fresh: true, fork: false, self_: false, late: false, test: false },
            irreversible: false,
            attributes: vec![("fingerprint".into(), name.into())],
        }
    }

    fn after(events: &[Event]) -> Alerts {
        let mut alerts = Alerts::default();
        events.iter().for_each(|event| alerts.take(event));
        alerts
    }

    fn text(alerts: &Alerts, now_ms: u64) -> Option<String> {
        alerts.part(now_ms).map(|part| part.evidence.text)
    }

    #[test]
    fn what_fires_is_told_until_it_is_resolved_in_any_order_and_twice() {
        let (fires, over) = (alert("Slow", Status::Firing, MIN), alert("Slow", Status::Resolved, 9 * MIN));
        let told = text(&after(std::slice::from_ref(&fires)), 5 * MIN);
        assert_eq!(told.as_deref(), Some("Slow has been firing for 4 min"));
        let again = alert("Slow", Status::Firing, 20 * MIN);
        for events in [[&fires, &over, &fires], [&over, &fires, &over], [&fires, &fires, &over]] {
            let mut alerts = after(&events.map(Clone::clone));
            assert_eq!(text(&alerts, 30 * MIN), None, "{events:?}");
            alerts.take(&again);
            assert_eq!(text(&alerts, 30 * MIN).as_deref(), Some("Slow has been firing for 10 min"));
        }
    }

    #[test]
    fn many_are_counted_the_first_are_named_and_what_was_never_resolved_is_forgotten() {
        let many: Vec<Event> =
            (0..20).map(|one| alert(&format!("A{one:02}"), Status::Firing, (one + 1) * MIN)).collect();
        let alerts = after(&many);
        let told = text(&alerts, 20 * MIN).expect("they fire");
        assert!(told.starts_with("A12 has been firing for 7 min; A13"), "{told}");
        assert!(told.ends_with("; 5 more are firing"), "{told}");
        assert_eq!(text(&alerts, 20 * MIN + FIRING_MS_MAX), None);
        let bytes = serde_json::to_vec(&alerts).expect("JSON").len();
        assert!(bytes < 2048, "{bytes}");
    }

    #[test]
    fn those_of_one_name_are_told_apart() {
        let of = |instance: &str, status: Status, at_ms: u64| Event {
            attributes: vec![("instance".into(), instance.into())],
            ..alert("Down", status, at_ms)
        };
        let alerts = after(&[
            of("a", Status::Firing, MIN),
            of("b", Status::Firing, MIN),
            of("a", Status::Resolved, 2 * MIN),
        ]);
        assert_eq!(text(&alerts, 3 * MIN).as_deref(), Some("Down has been firing for 2 min"));
    }
}

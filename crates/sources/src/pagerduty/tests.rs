use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{any_json, ignored, only, read as deliver, survives};

const PAGERDUTY: crate::Source = crate::Source::PAGERDUTY;

fn event(kind: &str, status: &str) -> Value {
    json!({"event": {
        "id": "01BZYIL05THJDFF2Y08X9SVMTU", "event_type": kind, "resource_type": "incident",
        "occurred_at": "2026-03-01T10:00:00.781Z", "agent": null, "client": null,
        "data": {
            "id": "PFQZPSY", "type": "incident", "html_url": "https://acme.pagerduty.com/incidents/PFQZPSY",
            "number": 9, "status": status, "title": "Checkout is down",
            "service": {"id": "PA2P440", "summary": "checkout"}, "priority": null, "urgency": "high",
            "conference_bridge": {"conference_number": "+1 234", "conference_url": null},
        },
    }})
}

#[test]
fn an_incident_is_told_by_its_own_status() {
    let check = |kind: &str, status: &str, expected: Status| {
        let draft = only(PAGERDUTY, &[], &event(kind, status));
        assert_eq!((draft.said.kind, draft.said.status), (EventKind::Alert, expected), "{kind}");
        assert_eq!(draft.said.service_name.as_deref(), Some("checkout"));
        assert_eq!(draft.said.delivery.as_deref(), Some("01BZYIL05THJDFF2Y08X9SVMTU"));
        assert_eq!(draft.said.actor, None, "nobody did it");
    };
    check("incident.triggered", "triggered", Status::Firing);
    check("incident.acknowledged", "acknowledged", Status::Firing);
    check("incident.priority_updated", "triggered", Status::Firing);
    check("incident.reopened", "triggered", Status::Firing);
    check("incident.resolved", "resolved", Status::Resolved);
    check("incident.new_in_2030", "paused", Status::Other("paused".to_owned()));
}

#[test]
fn a_reopened_incident_resolves_a_second_time() {
    let first = only(PAGERDUTY, &[], &event("incident.resolved", "resolved"));
    let mut later = event("incident.resolved", "resolved");
    later["event"]["occurred_at"] = json!("2026-03-01T11:00:00Z");
    let (first, second) = (first.subject.unwrap(), only(PAGERDUTY, &[], &later).subject.unwrap());
    assert_eq!(first.id, second.id);
    assert!(first.attempt < second.attempt);
}

#[test]
fn what_does_not_say_how_an_incident_stands_is_ignored() {
    let ping = json!({"event": {"id": "x", "event_type": "pagey.ping", "data": {"message": "Hello", "type": "ping"}}});
    assert_eq!(ignored(PAGERDUTY, &[], &ping), "ping");
    let mut note = event("incident.annotated", "triggered");
    note["event"]["data"]["type"] = json!("incident_note");
    assert_eq!(ignored(PAGERDUTY, &[], &note), "it does not say how an incident stands");
    let service = event("service.updated", "active");
    assert_eq!(ignored(PAGERDUTY, &[], &service), "only PagerDuty's incident events are of interest");
}

#[test]
fn other_forms_are_not_understood() {
    let check =
        |body: Value| assert!(deliver(PAGERDUTY, &[], body.to_string().as_bytes()).is_err(), "{body}");
    check(json!({"messages": [{"event": "incident.trigger"}]}));
    check(json!({"event": {"id": "x"}}));
    check(json!({"event": {"event_type": "incident.triggered"}}));
    let mut nameless = event("incident.triggered", "triggered");
    nameless["event"]["data"]["id"] = json!(null);
    check(nameless);
}

proptest! {
    #[test]
    fn nothing_in_an_event_panics(bytes: Vec<u8>, value in any_json()) {
        survives(PAGERDUTY, &[], &bytes, &event("incident.triggered", "triggered"), &value);
    }
}

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::source::Source;
use crate::testing::{any_json, ignored, only, read as deliver, survives};

/// What a pair of Alertmanager 0.25 sent of one alert, each of the two by itself: firing twice, then
/// resolved twice.
const PAIR: &str = include_str!("pair.jsonl");

fn alert() -> Value {
    json!({
        "status": "firing",
        "labels": {"alertname": "HighErrors", "env": "production", "service": "checkout",
                   "job": "scrape", "version": "1.4.2", "severity": "critical"},
        "annotations": {"summary": "many errors"},
        "startsAt": "2026-03-01T10:00:00.123456789+01:00", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example/graph?g0.expr=x", "fingerprint": "bd4a5f0c0d9b1a2e",
    })
}

fn notification(alerts: &[Value]) -> Value {
    json!({
        "version": "4", "groupKey": "{}:{alertname=\"HighErrors\"}", "status": "firing", "receiver": "homeostat",
        "externalURL": "https://alertmanager.example", "truncatedAlerts": 0, "alerts": alerts,
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut alert = alert();
    alert[field] = value;
    alert
}

fn resolved() -> Value {
    let mut alert = with("status", json!("resolved"));
    alert["endsAt"] = json!("2026-03-01T09:30:00Z");
    alert
}

fn labelled(labels: Value) -> Draft {
    only(Source::ALERTMANAGER, &[], &notification(&[with("labels", labels)]))
}

fn attribute_of<'a>(draft: &'a Draft, name: &str) -> Option<&'a str> {
    draft.said.attributes.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

#[test]
fn an_alert_is_told_by_its_labels_and_its_start() {
    let draft = only(Source::ALERTMANAGER, &[], &notification(&[alert()]));
    let said = &draft.said;
    assert_eq!((said.kind.clone(), said.status.clone()), (EventKind::Alert, Status::Firing));
    assert_eq!(said.service_name.as_deref(), Some("checkout"));
    assert_eq!(said.env_name.as_deref(), Some("production"));
    assert_eq!(said.version.as_deref(), Some("1.4.2"));
    assert_eq!(said.occurred_at_ms, Some(1_772_355_600_123));
    assert_eq!(said.duration_ms, None);
    assert_eq!(draft.subject.unwrap().id, "alert:bd4a5f0c0d9b1a2e:1772355600123");
}

#[test]
fn a_resolved_alert_ends_its_firing_and_needs_none_before() {
    let draft = only(Source::ALERTMANAGER, &[], &notification(&[resolved()]));
    assert_eq!(draft.said.status, Status::Resolved);
    assert_eq!(draft.said.occurred_at_ms, Some(1_772_357_400_000));
    assert_eq!(draft.said.duration_ms, Some(1_799_877));
    assert_eq!(draft.subject.unwrap().id, "alert:bd4a5f0c0d9b1a2e:1772355600123");
}

#[test]
fn one_notification_gives_each_of_its_alerts() {
    let body = notification(&[alert(), resolved()]).to_string();
    let Ok(Reading::Items(items)) =
        deliver(Source::ALERTMANAGER, &[], body.as_bytes()).map(|read| read.reading)
    else {
        panic!("not read");
    };
    assert_eq!(
        items.iter().map(|item| item.said.status.clone()).collect::<Vec<_>>(),
        [Status::Firing, Status::Resolved]
    );
}

#[test]
fn repetitions_and_the_copy_of_a_peer_have_one_subject() {
    let first = only(Source::ALERTMANAGER, &[], &notification(&[alert()]));
    let mut copy = notification(&[with("startsAt", json!("2026-03-01T09:00:00.1234Z"))]);
    copy["externalURL"] = json!("https://the-other.example");
    copy["groupKey"] = json!(4711);
    copy["version"] = json!("3");
    let second = only(Source::ALERTMANAGER, &[], &copy);
    assert_eq!(first.subject, second.subject);
    assert_eq!(first.said.status, second.said.status);
}

#[test]
fn what_a_real_pair_sends_is_one_firing_and_one_resolved() {
    let told = PAIR.lines().map(|body| {
        let mut draft = only(Source::ALERTMANAGER, &[], &serde_json::from_str(body).unwrap());
        draft.said.url = None;
        draft
    });
    let told: Vec<Draft> = told.collect();
    let statuses: Vec<_> = told.iter().map(|draft| draft.said.status.clone()).collect();
    assert_eq!(statuses, [Status::Firing, Status::Firing, Status::Resolved, Status::Resolved]);
    assert!(told[0] == told[1] && told[2] == told[3], "the two differ in their addresses only");
    assert!(told.iter().all(|draft| draft.subject.is_some() && draft.subject == told[0].subject));
    assert_eq!(told[2].said.duration_ms, Some(4_046));
}

#[test]
fn a_missing_fingerprint_is_the_one_alertmanager_would_send() {
    // Sent by Alertmanager 0.25 for these labels.
    let labels: Pairs =
        serde_json::from_value(json!({"alertname": "HighErrors", "service": "checkout"})).unwrap();
    assert_eq!(fingerprint(&labels), "3d6dd7dff927f2a6");
}

#[test]
fn service_and_environment_come_from_the_first_label_there() {
    let check = |labels: Value, service: Option<&str>, env: Option<&str>| {
        let draft = labelled(labels.clone());
        assert_eq!(draft.said.service_name.as_deref(), service, "{labels}");
        assert_eq!(draft.said.env_name.as_deref(), env, "{labels}");
    };
    check(json!({"app": "shop", "job": "node", "environment": "dev"}), Some("shop"), Some("dev"));
    check(json!({"job": "node"}), Some("node"), None);
    check(json!({}), None, None);
}

#[test]
fn a_watchdog_is_a_reading_of_the_monitor() {
    for name in ["Watchdog", "DeadMansSwitch"] {
        let draft = labelled(json!({"alertname": name}));
        assert_eq!(
            (draft.said.kind.clone(), draft.said.status.clone()),
            (EventKind::Observation, Status::Success)
        );
        assert_eq!(attribute_of(&draft, "monitor"), Some("alive"));
        assert_eq!((draft.subject, draft.said.occurred_at_ms), (None, None), "each one counts");
    }
    let mut silent = resolved();
    silent["labels"] = json!({"alertname": "Watchdog"});
    let draft = only(Source::ALERTMANAGER, &[], &notification(&[silent]));
    assert_eq!(
        (draft.said.kind.clone(), draft.said.status.clone()),
        (EventKind::Observation, Status::Unknown)
    );
    assert_eq!(attribute_of(&draft, "monitor"), Some("silent"));
}

#[test]
fn missing_data_is_never_a_firing_alert() {
    for name in NO_EVALUATION {
        let draft = labelled(json!({"alertname": name, "rulename": "High errors", "service": "checkout"}));
        assert_eq!(
            (draft.said.kind.clone(), draft.said.status.clone()),
            (EventKind::Observation, Status::Unknown)
        );
        assert_eq!(draft.said.title.as_deref(), Some("High errors"));
        assert_eq!(attribute_of(&draft, "telemetry"), Some("missing"));
    }
    let reason = with("annotations", json!({"grafana_state_reason": "NoData"}));
    let draft = only(Source::GRAFANA, &[], &notification(&[reason]));
    assert_eq!(
        (draft.said.kind.clone(), draft.said.status.clone()),
        (EventKind::Observation, Status::Unknown)
    );
    assert!(draft.said.signals.is_empty());
}

#[test]
fn values_are_signals_where_they_are_numbers() {
    let draft =
        only(Source::GRAFANA, &[], &notification(&[with("values", json!({"B": 22.5, "C": null, "D": 1}))]));
    let signals: Vec<_> =
        draft.said.signals.iter().map(|signal| (signal.name.as_str(), signal.value)).collect();
    assert_eq!(signals, [("B", 22.5), ("D", 1.0)]);
}

#[test]
fn grafanas_test_alert_is_a_test() {
    assert!(labelled(json!({"alertname": "TestAlert", "instance": "Grafana"})).said.test);
    assert!(!labelled(json!({"alertname": "HighErrors"})).said.test);
}

#[test]
fn what_was_left_out_is_noted_and_what_is_beyond_the_bound_counts_to_it() {
    let mut body = notification(&[alert()]);
    body["truncatedAlerts"] = json!(3);
    assert_eq!(attribute_of(&only(Source::ALERTMANAGER, &[], &body), "truncated-alerts"), Some("3"));
    body["alerts"] = vec![alert(); ALERTS_MAX + 2].into();
    let Ok(Reading::Items(items)) =
        deliver(Source::ALERTMANAGER, &[], body.to_string().as_bytes()).map(|read| read.reading)
    else {
        panic!("not read");
    };
    assert_eq!((items.len(), attribute_of(&items[0], "truncated-alerts")), (ALERTS_MAX, Some("5")));
}

#[test]
fn another_form_is_not_understood() {
    let check = |body: Value| {
        assert!(deliver(Source::ALERTMANAGER, &[], body.to_string().as_bytes()).is_err(), "{body}");
    };
    check(json!({"text": "a custom template"}));
    check(notification(&[json!({"status": "firing"})]));
    check(notification(&[with("startsAt", json!(null))]));
    check(notification(&[with("labels", json!([1]))]));
    check(json!([alert()]));
    assert_eq!(ignored(Source::ALERTMANAGER, &[], &notification(&[])), "a notification without alerts");
}

proptest! {
    #[test]
    fn nothing_in_a_notification_panics(bytes: Vec<u8>, value in any_json()) {
        survives(Source::ALERTMANAGER, &[], &bytes, &notification(&[alert(), resolved()]), &value);
    }
}

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{any_json, only, read as deliver, survives};

const DATADOG: crate::Source = crate::Source::DATADOG;
/// What is shipped, with its variables as they stand.
const TEMPLATE: &str = include_str!("../../../../infra/datadog/webhook-payload.json");

fn filled(values: &[(&str, &str)]) -> Value {
    let template: Value = serde_json::from_str(TEMPLATE).unwrap();
    let fields = template.as_object().unwrap().iter().map(|(name, variable)| {
        let value = values.iter().find(|(known, _)| Some(*known) == variable.as_str());
        (name.clone(), value.map_or_else(|| variable.clone(), |(_, text)| json!(text)))
    });
    Value::Object(fields.collect())
}

fn event(transition: &str) -> Value {
    filled(&[
        ("$ID", "7712345678901234567"),
        ("$ALERT_CYCLE_KEY", "1098765432109876543"),
        ("$ALERT_ID", "1234"),
        ("$ALERT_TRANSITION", transition),
        ("$EVENT_TITLE", "Many errors"),
        ("$ALERT_METRIC", "trace.http.errors"),
        ("$ALERT_SCOPE", "env:prod,service:checkout"),
        ("$TAGS", "env:staging,monitor,version:1.4.2,service:x"),
        ("$DATE", "1772359200000"),
        ("$LINK", "https://app.datadoghq.com/event/event?id=1"),
        ("$ALERT_PRIORITY", "P2"),
    ])
}

#[test]
fn the_shipped_template_is_read() {
    let draft = only(DATADOG, &[], &event("Triggered"));
    let said = &draft.said;
    assert_eq!((said.kind.clone(), said.status.clone()), (EventKind::Alert, Status::Firing));
    assert_eq!(said.env_name.as_deref(), Some("prod"), "the group's tags come first");
    assert_eq!(said.service_name.as_deref(), Some("checkout"));
    assert_eq!(said.version.as_deref(), Some("1.4.2"));
    assert_eq!(said.occurred_at_ms, Some(1_772_359_200_000));
    assert_eq!(said.delivery.as_deref(), Some("7712345678901234567:Triggered"));
    assert_eq!(draft.subject.unwrap().id, "alert:1098765432109876543");
}

#[test]
fn transitions_map_and_repetitions_are_the_same_state() {
    let check = |transition: &str, kind: EventKind, status: Status| {
        let draft = only(DATADOG, &[], &event(transition));
        assert_eq!((draft.said.kind, draft.said.status), (kind, status), "{transition}");
    };
    check("Re-Triggered", EventKind::Alert, Status::Firing);
    check("Renotify", EventKind::Alert, Status::Firing);
    check("Warn", EventKind::Alert, Status::Firing);
    check("Recovered", EventKind::Alert, Status::Resolved);
    check("No Data", EventKind::Observation, Status::Unknown);
    check("Re-No Data", EventKind::Observation, Status::Unknown);
    check("$ALERT_TRANSITION", EventKind::Alert, Status::Unknown);
    check("Muted", EventKind::Alert, Status::Other("muted".to_owned()));
    let subject = |transition: &str| only(DATADOG, &[], &event(transition)).subject.unwrap();
    assert_eq!(subject("Triggered"), subject("Re-Triggered"));
    assert_ne!(subject("Triggered"), subject("Warn"), "a warning that becomes an alert is news");
}

#[test]
fn variables_that_were_not_filled_in_are_absent() {
    let draft = only(DATADOG, &[], &filled(&[("$EVENT_TITLE", "[TEST] Many errors")]));
    let said = &draft.said;
    assert!(said.test);
    assert_eq!((said.delivery.clone(), said.occurred_at_ms, said.service_name.clone()), (None, None, None));
    assert!(said.attributes.is_empty(), "{:?}", said.attributes);
    assert_eq!(draft.subject, None);
    assert!(deliver(DATADOG, &[], TEMPLATE.as_bytes()).is_err(), "nothing is filled in");
}

#[test]
fn dates_are_seconds_milliseconds_or_rfc_3339() {
    let check = |date: &str| {
        let body = json!({"title": "x", "date": date});
        assert_eq!(only(DATADOG, &[], &body).said.occurred_at_ms, Some(1_772_359_200_000), "{date}");
    };
    check("1772359200");
    check("1772359200000");
    check("2026-03-01T10:00:00Z");
}

proptest! {
    #[test]
    fn nothing_in_a_payload_panics(bytes: Vec<u8>, value in any_json()) {
        survives(DATADOG, &[], &bytes, &event("Triggered"), &value);
    }
}

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{any_json, ignored, only, survives};

const GRAFANA: crate::Source = crate::Source::GRAFANA;

fn legacy() -> Value {
    json!({
        "evalMatches": [{"metric": "user", "value": 97.0, "tags": {"job": "node", "instance": "a"}},
                        {"metric": "none", "value": null, "tags": null}],
        "message": "boom", "ruleId": 7, "ruleName": "CPU", "ruleUrl": "https://grafana.example/d/x",
        "state": "alerting", "title": "[Alerting] CPU", "tags": {"env": "prod"},
    })
}

fn in_state(state: &str) -> Value {
    let mut body = legacy();
    body["state"] = json!(state);
    body
}

#[test]
fn a_legacy_rule_is_told_by_its_tags_and_matches() {
    let draft = only(GRAFANA, &[], &legacy());
    assert_eq!(draft.said.service_name.as_deref(), Some("node"));
    assert_eq!(draft.said.env_name.as_deref(), Some("prod"));
    assert_eq!(draft.said.title.as_deref(), Some("CPU"));
    assert_eq!(draft.said.signals.len(), 1);
    assert_eq!((draft.said.occurred_at_ms, draft.subject), (None, None), "it has no time");
}

#[test]
fn legacy_states_map_and_no_data_is_never_firing() {
    let check = |state: &str, kind: EventKind, status: Status| {
        let draft = only(GRAFANA, &[], &in_state(state));
        assert_eq!((draft.said.kind, draft.said.status), (kind, status), "{state}");
    };
    check("alerting", EventKind::Alert, Status::Firing);
    check("ok", EventKind::Alert, Status::Resolved);
    check("no_data", EventKind::Observation, Status::Unknown);
    check("pending", EventKind::Alert, Status::Other("pending".to_owned()));
    assert_eq!(ignored(GRAFANA, &[], &in_state("paused")), "the rule was paused");
}

#[test]
fn the_legacy_test_is_a_test() {
    let mut body = legacy();
    body["ruleName"] = json!("Test notification");
    assert!(only(GRAFANA, &[], &body).said.test);
}

proptest! {
    #[test]
    fn nothing_in_a_legacy_notification_panics(bytes: Vec<u8>, value in any_json()) {
        survives(GRAFANA, &[], &bytes, &legacy(), &value);
    }
}

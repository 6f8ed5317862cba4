//! What is tolerated when reading, and what is refused with which words.

use homeostat_schema::types::*;
use homeostat_schema::wire::{self, DEPTH_MAX, WireError};
use serde_json::{Value, json};

use crate::examples;

fn json_of(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn read<T: wire::Wire>(json: &Value) -> Result<T, String> {
    wire::decode(json.to_string().as_bytes()).map_err(|error: WireError| error.to_string())
}

#[test]
fn a_finding_from_before_there_were_plots_is_read() {
    let mut json = json_of(&examples::finding());
    json.as_object_mut().unwrap().remove("plot");
    assert_eq!(read::<Finding>(&json).unwrap(), Finding { plot: None, ..examples::finding() });
}

#[test]
fn null_is_an_absent_option_and_an_absent_list_is_empty() {
    let mut json = json_of(&examples::event());
    for field in
        ["title", "version", "commit", "previous_version", "branch", "duration", "latency", "actor", "url"]
    {
        json[field] = Value::Null;
    }
    json["correlation"] = json!({"run": null, "run_attempt": null, "deployment": null, "pull_request": null});
    let fields = json.as_object_mut().unwrap();
    fields.remove("signals");
    fields["attributes"] = Value::Null;
    let event: Event = read(&json).unwrap();
    let expected = Event {
        title: None,
        version: None,
        commit: None,
        previous_version: None,
        branch: None,
        duration: None,
        latency: None,
        actor: None,
        url: None,
        correlation: examples::no_correlation(),
        signals: Vec::new(),
        attributes: Vec::new(),
        ..examples::event()
    };
    assert_eq!(event, expected);
    let mut json = json_of(&examples::incident());
    json["closed_at"] = Value::Null;
    assert_eq!(read::<Incident>(&json).unwrap().closed_at, None);
}

/// Adds a field this version does not know to every record.
fn from_a_newer_version(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            fields.values_mut().for_each(from_a_newer_version);
            fields.insert("from_the_future".to_owned(), json!([{"a": null}]));
        }
        Value::Array(items) => items.iter_mut().for_each(from_a_newer_version),
        _ => {}
    }
}

#[test]
fn unknown_fields_are_ignored_at_every_depth() {
    let mut json = json_of(&examples::incident());
    from_a_newer_version(&mut json);
    assert!(json["timeline"][1]["fact"]["plan"]["target"]["kubernetes"]["from_the_future"].is_array());
    assert_eq!(read::<Incident>(&json), Ok(examples::incident()));
}

#[test]
fn absent_options_are_not_written() {
    let json = json_of(&examples::bare_event());
    assert!(json.as_object().unwrap().values().all(|value| !value.is_null()));
    assert_eq!(json["correlation"], json!({}));
}

#[test]
fn an_other_with_a_known_name_is_read_as_the_known_case() {
    let event = Event { kind: EventKind::Other("deployment".to_owned()), ..examples::event() };
    let read: Event = wire::decode(&wire::encode(&event)).unwrap();
    assert_eq!(read.kind, EventKind::Deployment);
}

#[test]
fn a_time_is_read_as_text_or_number() {
    let check = |at: Value, expected: Result<u64, &str>| {
        let read = read::<Release>(&json!({"at": at})).map(|release| release.at);
        match expected {
            Ok(ms) => assert_eq!(read, Ok(ms), "{at}"),
            Err(words) => assert!(read.as_ref().is_err_and(|error| error.contains(words)), "{at}: {read:?}"),
        }
    };
    check(json!("2025-11-27T14:00:00.123999+02:00"), Ok(1_764_244_800_123));
    check(json!(17), Ok(17));
    check(json!(u64::MAX), Ok(u64::MAX));
    check(json!(-1), Err("at: invalid value"));
    check(json!(1.5), Err("at: invalid type"));
    check(json!("noon"), Err("at: not an RFC 3339 time"));
    check(json!("1960-01-01T00:00:00Z"), Err("at: a time before 1970"));
    check(Value::Null, Err("at: invalid type"));
}

#[test]
fn an_error_names_the_field() {
    let check = |json: Value, expected: &str| {
        let error = read::<Incident>(&json).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    let incident = || json_of(&examples::incident());
    let mut json = incident();
    json["severity"] = json!("terrible");
    check(json, "severity: unknown variant `terrible`, expected one of `info`, `warning`, `critical`");
    let mut json = incident();
    json["timeline"][0]["fact"]["finding"]["health"]["because"][0]["bound"] = json!("high");
    check(json, "timeline[0].fact.finding.health.because[0].bound: invalid type");
    let mut json = incident();
    json["timeline"][1]["fact"]["plan"]["target"]["kubernetes"] = Value::Null;
    check(json, "timeline[1].fact.plan.target: kind is `kubernetes` but the field `kubernetes` is missing");
    let mut json = incident();
    json["timeline"][5]["fact"]["kind"] = json!("song");
    check(json, "timeline[5].fact: unknown kind `song`, expected one of finding, plan");
    let mut json = incident();
    json.as_object_mut().unwrap().remove("state");
    check(json, ".: missing field `state`");
}

#[test]
fn what_is_not_json_is_refused() {
    let check = |json: &str, expected: &str| {
        let error = wire::decode::<Release>(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{json}: {error}");
    };
    check("", "EOF");
    check("{\"at\":1} x", "trailing characters");
    check("{\"at\":1e999}", "out of range");
    let nested =
        |levels: usize| format!("{{\"at\":1,\"x\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(wire::decode::<Release>(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert!(matches!(wire::decode::<Release>(nested(DEPTH_MAX + 1).as_bytes()), Err(WireError::TooDeep)));
}

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::ITEMS_MAX;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Source;
use crate::draft::Draft;
use crate::reading::{NotUnderstood, Part, Read, Reading};
use crate::testing::{any_json, only, read, survives};

const STRUCTURED: &[(&str, &str)] = &[("content-type", "application/cloudevents+json; charset=utf-8")];
const BATCH: &[(&str, &str)] = &[("content-type", "application/cloudevents-batch+json")];
const BINARY: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/ci"),
    ("ce-type", "com.example.thing"),
    ("ce-time", "2026-03-01T10:00:00Z"),
];

fn event() -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/ci", "type": "com.example.thing", "subject": "x",
        "time": "2026-03-01T10:00:00Z", "ext": 5, "data": {"a": 1}})
}

fn flat() -> Value {
    let mut flat = event();
    flat["type"] = "dev.homeostat.event".into();
    flat["data"] = json!({"event": "deployment", "service": "shop", "env": "prod", "status": "success"});
    flat
}

fn changed(field: &str, value: Value) -> Value {
    let mut event = event();
    event[field] = value;
    event
}

fn without(field: &str) -> Value {
    let mut event = event();
    event.as_object_mut().unwrap().remove(field);
    event
}

fn structured(body: &Value) -> Result<Read, NotUnderstood> {
    read(Source::CLOUDEVENTS, STRUCTURED, body.to_string().as_bytes())
}

fn batch(body: &Value) -> Reading {
    read(Source::CLOUDEVENTS, BATCH, body.to_string().as_bytes()).unwrap().reading
}

#[test]
fn an_unknown_type_is_an_other_event_without_its_data() {
    let draft = only(Source::CLOUDEVENTS, STRUCTURED, &event());
    assert_eq!(draft.said.kind, EventKind::Other("com.example.thing".to_owned()));
    assert_eq!((&draft.said.status, draft.said.title.as_deref()), (&Status::Unknown, Some("x")));
    assert_eq!(draft.said.occurred_at_ms, Some(1_772_359_200_000));
    assert_eq!(draft.said.delivery.as_deref(), Some("/ci 1"));
    let attributes: Vec<_> = draft.said.attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(attributes, ["ce-source", "ce-id", "ce-time"]);
    assert_eq!(structured(&event()).unwrap().id.as_deref(), Some("/ci 1"));
}

#[test]
fn what_only_headers_say_makes_no_two_equal_bodies_one() {
    let draft = only(Source::CLOUDEVENTS, BINARY, &json!({}));
    assert_eq!((draft.said.delivery, draft.said.occurred_at_ms), (None, None));
    assert!(draft.said.attributes.contains(&("ce-time".to_owned(), "2026-03-01T10:00:00Z".to_owned())));
    assert_eq!(read(Source::CLOUDEVENTS, BINARY, b"").unwrap().id.as_deref(), Some("/ci 1"));
}

#[test]
fn the_flat_form_is_read_and_takes_the_events_time() {
    let said = only(Source::CLOUDEVENTS, STRUCTURED, &flat()).said;
    assert_eq!((said.kind, said.status), (EventKind::Deployment, Status::Success));
    assert_eq!((said.service_name.as_deref(), said.occurred_at_ms), (Some("shop"), Some(1_772_359_200_000)));
    let mut list = flat();
    list["data"] =
        json!([{"event": "run", "timestamp": "2026-03-01T09:00:00Z"}, {"event": "run", "id": "own"}]);
    let Reading::Items(drafts) = structured(&list).unwrap().reading else { panic!("no items") };
    let ids: Vec<_> = drafts.iter().map(|draft| draft.said.delivery.as_deref()).collect();
    assert_eq!(ids, [Some("/ci 1"), Some("own")]);
    assert_eq!(drafts[0].said.occurred_at_ms, Some(1_772_355_600_000));
}

#[test]
fn an_event_that_breaks_the_specification_is_not_understood() {
    for field in ["id", "source", "type", "specversion"] {
        assert!(structured(&without(field)).is_err(), "without {field}");
        assert!(structured(&changed(field, "".into())).is_err(), "empty {field}");
        assert!(structured(&changed(field, 5.into())).is_err(), "{field} is a number");
        assert!(structured(&changed(field, "a".repeat(1_025).into())).is_err(), "long {field}");
    }
    for (field, value) in [
        ("specversion", json!("0.3")),
        ("time", json!("yesterday")),
        ("time", json!("2026-03-01T10:00:00")),
        ("data_base64", json!("eyJhIjoxfQ==")),
    ] {
        assert!(structured(&changed(field, value.clone())).is_err(), "{field} {value}");
    }
    for (field, value) in
        [("subject", json!(null)), ("time", json!(null)), ("datacontenttype", json!("text/xml"))]
    {
        assert!(structured(&changed(field, value.clone())).is_ok(), "{field} {value}");
    }
}

#[test]
fn binary_data_in_base64_is_decoded_strictly() {
    let mut event = flat();
    event.as_object_mut().unwrap().remove("data");
    for (text, ok) in
        [("eyJldmVudCI6InJ1biJ9", true), ("... base64 encoded string ...", false), ("eyJ", false)]
    {
        event["data_base64"] = text.into();
        assert_eq!(structured(&event).is_ok(), ok, "{text}");
    }
}

#[test]
fn headers_must_be_complete_single_and_utf_8() {
    let with = |name: &'static str, value: &'static str| {
        let mut pairs: Vec<_> = BINARY.iter().copied().filter(|(known, _)| *known != name).collect();
        if !value.is_empty() {
            pairs.push((name, value));
        }
        read(Source::CLOUDEVENTS, &pairs, b"{}")
    };
    for name in ["ce-id", "ce-source", "ce-type", "ce-specversion"] {
        assert!(with(name, "").is_err(), "without {name}");
    }
    assert_eq!(with("ce-id", "%E2%82%AC").unwrap().id.as_deref(), Some("/ci \u{20ac}"));
    assert!(with("ce-id", "%C0%A0").is_err());
    assert!(with("ce-datacontenttype", "application/json").is_err());
    let twice: Vec<_> = BINARY.iter().copied().chain([("ce-id", "2")]).collect();
    assert!(read(Source::CLOUDEVENTS, &twice, b"{}").is_err());
}

#[test]
fn data_that_a_reader_needs_must_be_json() {
    let pairs = |kind: &'static str| {
        let mut pairs: Vec<_> = BINARY.to_vec();
        pairs[0].1 = kind;
        pairs[4].1 = "dev.homeostat.event";
        pairs
    };
    let flat = br#"{"event":"run"}"#;
    assert!(read(Source::CLOUDEVENTS, &pairs("application/json"), flat).is_ok());
    assert!(read(Source::CLOUDEVENTS, &pairs("application/vnd.acme+json"), flat).is_ok());
    assert!(read(Source::CLOUDEVENTS, &pairs("text/plain"), flat).is_err());
    assert!(read(Source::CLOUDEVENTS, &pairs("application/json"), b"").is_err());
}

#[test]
fn a_batch_answers_for_each_and_one_bad_event_costs_no_other() {
    let mut second = event();
    second["id"] = "2".into();
    match batch(&json!([event(), second])) {
        Reading::Items(drafts) => {
            let ids: Vec<_> = drafts.iter().map(|draft| draft.said.delivery.as_deref()).collect();
            assert_eq!(ids, [Some("/ci 1"), Some("/ci 2")]);
        }
        other => panic!("{other:?}"),
    }
    let ignored = json!({"specversion": "1.0", "id": "3", "source": "j", "type": "org.jenkinsci.queue.left", "data": {}});
    match batch(&json!([event(), {"id": 5}, 7, ignored])) {
        Reading::Batch(parts) => {
            let of = |part: &Part| match part {
                Part::Said(_) => "said",
                Part::Ignored(_) => "ignored",
                Part::NotUnderstood(_) => "not understood",
            };
            let parts: Vec<_> = parts.iter().map(of).collect();
            assert_eq!(parts, ["said", "not understood", "not understood", "ignored"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(batch(&json!([])), Reading::Items(Vec::new()));
}

#[test]
fn a_batch_is_a_list_of_bounded_length() {
    let many = |count: usize| Value::from(vec![event(); count]).to_string();
    assert!(read(Source::CLOUDEVENTS, BATCH, many(ITEMS_MAX).as_bytes()).is_ok());
    assert!(read(Source::CLOUDEVENTS, BATCH, many(ITEMS_MAX + 1).as_bytes()).is_err());
    for body in ["{}", "5", "", "[", "[{}"] {
        assert!(read(Source::CLOUDEVENTS, BATCH, body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn events_of_known_senders_go_to_their_readers() {
    let kind = |event: &Value| only(Source::CLOUDEVENTS, STRUCTURED, event).said.kind;
    let tekton = json!({"specversion": "1.0", "id": "1", "source": "/t", "type": "dev.tekton.event.pipelinerun.running.v1",
        "data": {"pipelineRun": {"metadata": {"uid": "u"}}}});
    assert_eq!(kind(&tekton), EventKind::Run);
    let jenkins = json!({"specversion": "1.0", "id": "1", "source": "job/a", "type": "org.jenkinsci.job.started",
        "data": {"name": "a", "build": {"fullUrl": "http://ci/job/a/1/", "phase": "STARTED"}}});
    assert_eq!(kind(&jenkins), EventKind::Run);
    let cdevent = json!({"specversion": "1.0", "id": "9", "source": "/c", "subject": "shop",
        "type": "dev.cdevents.service.rolledback.0.3.0",
        "data": {"context": {"specversion": "0.5.1", "id": "9", "source": "/c",
            "type": "dev.cdevents.service.rolledback.0.3.0"}, "subject": {"id": "shop", "content": {}}}});
    assert_eq!(kind(&cdevent), EventKind::Rollback);
}

proptest! {
    #[test]
    fn whatever_comes_is_answered(bytes: Vec<u8>, with in any_json()) {
        survives(Source::CLOUDEVENTS, STRUCTURED, &bytes, &event(), &with);
        survives(Source::CLOUDEVENTS, STRUCTURED, &bytes, &flat(), &with);
        survives(Source::CLOUDEVENTS, BATCH, &bytes, &json!([event(), flat()]), &with);
        survives(Source::CLOUDEVENTS, BINARY, &bytes, &json!({"a": 1}), &with);
    }
}

/// A draft is read the same alone and in a batch.
#[test]
fn an_event_alone_and_in_a_batch_has_one_id() {
    let alone: Draft = only(Source::CLOUDEVENTS, STRUCTURED, &event());
    let Reading::Items(batched) = batch(&json!([event()])) else { panic!("no items") };
    assert_eq!(batched, [alone]);
}

//! Events as anyone may submit them.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use homeostat_schema::types::{EventKind, Signal, Status};
use homeostat_schema::wire::DEPTH_MAX;
use homeostat_schema::wire::flat::{
    ATTRIBUTES_MAX, BYTES_MAX, Draft, ITEMS_MAX, SIGNALS_MAX, SubmissionError, TEXT_CHARS_MAX,
    parse_submission,
};
use proptest::prelude::*;

fn one(json: &str) -> Draft {
    let mut drafts = parse_submission(json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(drafts.len(), 1);
    drafts.pop().unwrap()
}

fn refused(json: &str, expected: &str) {
    assert_eq!(parse_submission(json.as_bytes()).unwrap_err().to_string(), expected, "{json}");
}

#[test]
fn failed_tests_are_told_apart_and_not_named() {
    let read = |tests: &str| {
        let json =
            format!(r#"{{"event":"run","status":"failed","failed_tests":{tests},"failed-tests":"x"}}"#);
        parse_submission(json.as_bytes())
    };
    let told = homeostat_schema::failed_tests::told(["pays.Total", "pays.Cart"]).unwrap();
    let draft = read(r#"["pays.Cart","pays.Total"]"#).unwrap().remove(0);
    assert_eq!(draft.attributes, [("failed-tests".to_owned(), told)]);
    assert_eq!(read("[]").unwrap().remove(0).attributes, []);
    for wrong in [r#""pays.Total""#, "[1]", "{}"] {
        let error = read(wrong).unwrap_err().to_string();
        assert_eq!(error, "item 0, field `failed_tests`: a list of texts is expected");
    }
}

#[test]
fn the_flat_form_of_the_documentation_is_read() {
    let draft = one(r#"{"event":"deployment","env":"stage","status":"success","latency":2300,
            "timestamp":"2025-11-27T12:00:00Z","dataset":"student_scores.csv","action_type":"deploy","worker_id":1}"#);
    assert_eq!(draft.kind, EventKind::Deployment);
    assert_eq!(draft.status, Status::Success);
    assert_eq!(draft.env_name.as_deref(), Some("stage"));
    assert_eq!(draft.latency_ms, Some(2300.0));
    assert_eq!(draft.occurred_at_ms, Some(1_764_244_800_000));
    assert_eq!(draft.service_name, None);
    let pairs = [("action_type", "deploy"), ("dataset", "student_scores.csv"), ("worker_id", "1")];
    assert_eq!(draft.attributes, pairs.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[test]
fn every_flat_field_is_read() {
    let draft = one(
        r#"{"event":"run","id":"d-1","service":"shop","environment":"prod","status":"failed","title":"CI",
            "version":12,"sha":"abc","previous_version":"11","branch":"main","duration":1500.7,"latency_ms":1,
            "error_rate":0.25,"requests":400,"time":5,"actor":"ann","url":"https://ci.example/1","run":77,
            "run_attempt":2,"deployment":"9","pull_request":3,"fork":true,"test":true,"irreversible":true}"#,
    );
    let texts =
        [draft.delivery, draft.service_name, draft.env_name, draft.title, draft.version, draft.commit];
    let expected = ["d-1", "shop", "prod", "CI", "12", "abc"].map(|text| Some(text.to_owned()));
    assert_eq!(texts, expected);
    let texts = [draft.previous_version, draft.branch, draft.actor, draft.url];
    assert_eq!(texts, ["11", "main", "ann", "https://ci.example/1"].map(|text| Some(text.to_owned())));
    let related = draft.correlation;
    let texts = [related.run, related.deployment, related.pull_request];
    assert_eq!(texts, ["77", "9", "3"].map(|text| Some(text.to_owned())));
    assert_eq!(
        (related.run_attempt, draft.duration_ms, draft.occurred_at_ms),
        (Some(2), Some(1500), Some(5))
    );
    assert_eq!((draft.kind, draft.status, draft.latency_ms), (EventKind::Run, Status::Failure, Some(1.0)));
    let signal = Signal { name: "error-rate".to_owned(), value: 0.25, unit: "1".to_owned(), samples: 400 };
    assert_eq!(draft.signals, [signal]);
    assert!(draft.fork && draft.test && draft.irreversible);
    assert!(draft.attributes.is_empty());
}

#[test]
fn usual_words_are_understood_and_others_kept() {
    let kind = |word: &str, expected: EventKind| {
        assert_eq!(one(&format!(r#"{{"event":"{word}"}}"#)).kind, expected, "{word}");
    };
    kind("Deploy", EventKind::Deployment);
    kind("DEPLOYMENT", EventKind::Deployment);
    kind("workflow_run", EventKind::Run);
    kind("push", EventKind::Change);
    kind("metrics", EventKind::Observation);
    kind(" Scores_Computed ", EventKind::Other("Scores_Computed".to_owned()));
    let status = |word: &str, expected: Status| {
        let draft = one(&format!(r#"{{"event":"run","status":"{word}"}}"#));
        assert_eq!(draft.status, expected, "{word}");
    };
    status("SUCCESS", Status::Success);
    status("failed", Status::Failure);
    status("in_progress", Status::Running);
    status("canceled", Status::Cancelled);
    status("Exploded", Status::Other("Exploded".to_owned()));
    status("", Status::Unknown);
    assert_eq!(one(r#"{"event":"run"}"#).status, Status::Unknown);
}

#[test]
fn the_full_form_needs_its_kind_only() {
    let draft = one(r#"{"kind":"canary","future":{"a":1}}"#);
    assert_eq!(draft.kind, EventKind::Other("canary".to_owned()));
    assert_eq!(draft.status, Status::Unknown);
    let draft = one(r#"{"kind":"deployment","status":"failure","service":"shop","env":"prod","latency":12.5,
            "signals":[{"name":"requests","value":3.0,"unit":"{request}","samples":3}],
            "occurred_at":"2025-11-27T12:00:00.5Z","correlation":{"run":"7"},"irreversible":true,
            "attributes":{"z":"1","a":"2"},"url":"javascript:alert(1)"}"#);
    assert_eq!((draft.status, draft.latency_ms, draft.irreversible), (Status::Failure, Some(12.5), true));
    assert_eq!(draft.occurred_at_ms, Some(1_764_244_800_500));
    assert_eq!(draft.correlation.run.as_deref(), Some("7"));
    assert_eq!(draft.signals.len(), 1);
    assert_eq!(draft.attributes.len(), 2);
    assert_eq!(draft.url, None);
}

#[test]
fn a_submission_speaks_of_trust_only_against_itself() {
    let draft =
        one(r#"{"kind":"run","trust":{"signed":true,"fresh":true,"self":true,"fork":true,"test":false}}"#);
    assert!(draft.fork && !draft.test);
    assert!(draft.attributes.is_empty());
}

#[test]
fn a_list_mixes_both_forms_and_keeps_its_order() {
    let drafts = parse_submission(br#"[{"event":"run"},{"kind":"alert"},{"event":"x","kind":"y"}]"#).unwrap();
    let kinds: Vec<&str> = drafts.iter().map(|draft| draft.kind.name()).collect();
    assert_eq!(kinds, ["run", "alert", "x"]);
    assert_eq!(parse_submission(b"[]").unwrap(), []);
}

#[test]
fn an_error_names_the_item_and_the_field_and_never_the_value() {
    refused("{}", "item 0, field `event`: missing: what happened, such as `deployment`");
    refused(r#"[{"event":"run"},7]"#, "item 1, field `.`: an object is expected");
    refused(r#"{"event":null}"#, "item 0, field `event`: a name is expected, such as `deployment`");
    refused(r#"{"event":" "}"#, "item 0, field `event`: a name is expected, such as `deployment`");
    refused(r#"{"event":["s3cret"]}"#, "item 0, field `event`: a text is expected");
    refused(
        r#"{"event":"run","latency":"s3cret"}"#,
        "item 0, field `latency`: a number of at least 0 is expected",
    );
    refused(
        r#"{"event":"run","latency_ms":-1}"#,
        "item 0, field `latency_ms`: a number of at least 0 is expected",
    );
    refused(
        r#"{"event":"run","duration":1e300}"#,
        "item 0, field `duration`: a whole number of at least 0 is expected",
    );
    refused(
        r#"{"event":"run","error_rate":2}"#,
        "item 0, field `error_rate`: a share from 0 to 1 is expected",
    );
    refused(r#"{"event":"run","test":"yes"}"#, "item 0, field `test`: true or false is expected");
    refused(
        r#"{"event":"run","run_attempt":4294967296}"#,
        "item 0, field `run_attempt`: a small whole number is expected",
    );
    refused(
        r#"{"event":"run","timestamp":"s3cret"}"#,
        "item 0, field `timestamp`: not an RFC 3339 time with an offset, such as 2025-11-27T12:00:00Z",
    );
    let typed = "missing, or not of the type that the schema gives it";
    refused(r#"{"kind":7}"#, &format!("item 0, field `kind`: {typed}"));
    refused(
        r#"[{"kind":"run"},{"kind":"run","latency":"s3cret"}]"#,
        &format!("item 1, field `latency`: {typed}"),
    );
    refused(
        r#"{"kind":"run","signals":[{"name":"s3cret"}]}"#,
        &format!("item 0, field `signals[0].value`: {typed}"),
    );
    refused(
        r#"{"kind":"run","correlation":{"run":1}}"#,
        &format!("item 0, field `correlation.run`: {typed}"),
    );
}

#[test]
fn what_is_not_json_or_not_events_is_refused() {
    refused("", "not JSON: line 1, column 0");
    refused("{\n\"event\":", "not JSON: line 2, column 8");
    refused("7", "an event or a list of events is expected");
    refused(r#"{"event":"run"} x"#, "not JSON: line 1, column 17");
    refused(r#"{"event":"run","latency":1e999}"#, "not JSON: line 1, column 30");
    assert!(matches!(parse_submission(b"{\"event\":\"\xff\"}"), Err(SubmissionError::NotJson { .. })));
}

#[test]
fn bounds_hold_on_both_sides() {
    let list = |count: usize| format!("[{}]", vec![r#"{"event":"run"}"#; count].join(","));
    assert_eq!(parse_submission(list(ITEMS_MAX).as_bytes()).unwrap().len(), ITEMS_MAX);
    refused(&list(ITEMS_MAX + 1), "1001 events, but at most 1000 are taken at once");

    let padded = |bytes: usize| r#"{"event":"run"}"#.to_owned() + &" ".repeat(bytes - 15);
    assert!(parse_submission(padded(BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(parse_submission(padded(BYTES_MAX + 1).as_bytes()), Err(SubmissionError::TooLarge));

    let nested = |levels: usize| {
        let inner = levels - 1;
        format!(r#"{{"event":"run","x":{}{}}}"#, "[".repeat(inner), "]".repeat(inner))
    };
    assert!(parse_submission(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(parse_submission(nested(DEPTH_MAX + 1).as_bytes()), Err(SubmissionError::TooDeep));
    assert_eq!(parse_submission(&vec![b'['; BYTES_MAX]), Err(SubmissionError::TooDeep));

    let signal = r#"{"name":"n","value":1,"unit":"1","samples":1}"#;
    let signals = |count: usize| format!(r#"{{"kind":"run","signals":[{}]}}"#, vec![signal; count].join(","));
    assert_eq!(one(&signals(SIGNALS_MAX)).signals.len(), SIGNALS_MAX);
    refused(&signals(SIGNALS_MAX + 1), "item 0, field `signals`: at most 32 are taken");
}

#[test]
fn texts_are_cut_and_attributes_counted() {
    let long = "ü".repeat(TEXT_CHARS_MAX + 1);
    let draft = one(&format!(r#"{{"event":"{long}","title":" {long} ","{long}":"{long}"}}"#));
    let cut = "ü".repeat(TEXT_CHARS_MAX);
    assert_eq!(draft.kind, EventKind::Other(cut.clone()));
    assert_eq!(draft.title, Some(cut.clone()));
    assert_eq!(draft.attributes, [(cut.clone(), cut)]);
    let many = (0..100_000).map(|index| format!(r#""{index}":1"#)).collect::<Vec<_>>().join(",");
    let draft = one(&format!(r#"{{"event":"run","note":null,{many}}}"#));
    assert_eq!(draft.attributes.len(), ATTRIBUTES_MAX);
    let url = |length: usize| {
        let url = format!("{:x<length$}", "https://a/");
        one(&format!(r#"{{"event":"run","url":"{url}"}}"#)).url.map(|url| url.len())
    };
    assert_eq!(url(2048), Some(2048));
    assert_eq!(url(2049), None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _answer = parse_submission(&bytes);
    }

    #[test]
    fn whatever_is_accepted_is_bounded(name in "[a-z_]{1,12}", text in "\\PC{0,400}", number in any::<f64>()) {
        let item = serde_json::json!({"event": text, name: [text, number], "latency": number});
        if let Ok(drafts) = parse_submission(item.to_string().as_bytes()) {
            for draft in drafts {
                prop_assert!(draft.kind.name().chars().count() <= TEXT_CHARS_MAX);
                prop_assert!(draft.attributes.iter().all(|(_, text)| text.chars().count() <= TEXT_CHARS_MAX));
                prop_assert!(draft.latency_ms.is_none_or(|latency| latency.is_finite() && latency >= 0.0));
            }
        }
    }
}

use homeostat_schema::config::{Match, Service};
use serde_json::{Value, json};

use super::*;
use crate::source::Source;

/// 2026-03-01T10:02:30Z, when the deployment below failed.
const FAILED_AT: u64 = 1_772_359_350_000;
const DELIVERY: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

fn config() -> Config {
    let shop = Service {
        name: "shop".to_owned(),
        matches: vec![Match { source: "github".to_owned(), name: "acme/shop".to_owned() }],
        mode: Default::default(),
        judge: Default::default(),
        objective: Default::default(),
        objective_days: Default::default(),
        pipeline_env: None,
        rerun_cost: None,
        calls: Vec::new(),
        capacity: Default::default(),
        github: None,
        kubernetes: Default::default(),
    };
    Config { services: vec![shop], ..Config::default() }
}

fn failed() -> Value {
    json!({
        "action": "created",
        "deployment": {"id": 5, "sha": "f95f852b", "environment": "production", "created_at": "2026-03-01T10:00:00Z"},
        "deployment_status": {"state": "failure", "created_at": "2026-03-01T10:02:30Z"},
        "repository": {"id": 7, "full_name": "Acme/Shop"},
    })
}

fn headers(event: &str, delivery: &str) -> HeaderMap {
    let pairs =
        [("content-type", "application/json"), ("x-github-event", event), ("x-github-delivery", delivery)];
    pairs
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect::<HeaderMap>()
}

fn told(source: Source, headers: &HeaderMap, body: &str, received_at_ms: u64) -> Normalised {
    let admitted = Admitted::Verified;
    let delivery = Delivery {
        source: source.into(),
        admitted,
        headers,
        body: body.as_bytes(),
        received_at_ms,
        seed: [3; 10],
    };
    normalise(&delivery, &config())
}

fn item_of(normalised: Normalised) -> Item {
    match normalised {
        Normalised::Items(mut items) if items.len() == 1 => items.remove(0),
        other => panic!("{other:?}"),
    }
}

fn github(body: &Value, received_at_ms: u64) -> Item {
    item_of(told(Source::GITHUB, &headers("deployment_status", DELIVERY), &body.to_string(), received_at_ms))
}

#[test]
fn names_become_ours() {
    let event = github(&failed(), FAILED_AT + 1).event;
    assert_eq!((event.env.as_str(), event.service.as_str()), ("prod", "shop"));
    assert_eq!(event.source, "github");
    let mut unknown = failed();
    unknown["repository"]["full_name"] = json!("acme/other");
    unknown["deployment"]["environment"] = json!("somewhere");
    let event = github(&unknown, FAILED_AT).event;
    assert_eq!((event.env.as_str(), event.service.as_str()), ("unknown", "unassigned/github/acme/other"));
}

#[test]
fn freshness_depends_on_the_senders_own_time() {
    let check = |received_at: u64, expected: (bool, bool, u64)| {
        let event = github(&failed(), received_at).event;
        assert_eq!((event.trust.fresh, event.trust.late, event.occurred_at), expected, "{received_at}");
        assert_eq!(event.received_at, received_at);
    };
    check(FAILED_AT, (true, false, FAILED_AT));
    check(FAILED_AT + FRESH_WITHIN_MS, (true, false, FAILED_AT));
    check(FAILED_AT + FRESH_WITHIN_MS + 1, (false, true, FAILED_AT));
    check(FAILED_AT * 2, (false, true, FAILED_AT));
    // The sender's clock is ahead: a little is believed, a lot is not, and neither is kept.
    check(FAILED_AT - 1000, (true, false, FAILED_AT - 1000));
    check(FAILED_AT - FRESH_WITHIN_MS - 1, (false, false, FAILED_AT - FRESH_WITHIN_MS - 1));
    check(0, (false, false, 0));
}

#[test]
fn what_names_no_time_is_not_fresh() {
    let mut body = failed();
    body["deployment_status"]["created_at"] = json!(null);
    let event = github(&body, FAILED_AT).event;
    assert_eq!((event.trust.fresh, event.trust.late, event.occurred_at), (false, false, FAILED_AT));
}

#[test]
fn a_redelivery_is_known_by_its_id_and_a_new_id_does_not_make_it_new() {
    let body = failed().to_string();
    let deliver = |id, at| item_of(told(Source::GITHUB, &headers("deployment_status", id), &body, at));
    let (first, again, disguised) = (deliver(DELIVERY, 1), deliver(DELIVERY, 2), deliver("other", 3));
    assert_eq!(first.event.id, again.event.id);
    assert_eq!(first.dedupe, again.dedupe);
    assert_eq!(first.dedupe.len(), 3);
    assert_ne!(first.dedupe[0], disguised.dedupe[0]);
    assert_eq!(first.dedupe[1..], disguised.dedupe[1..]);
}

#[test]
fn our_own_action_is_marked() {
    let mut body = failed();
    body["deployment"]["payload"] = json!({"homeostat": {"attempt": "prod:shop:1"}});
    let event = github(&body, FAILED_AT).event;
    assert!(event.trust.self_);
    assert_eq!(event.attributes.first(), Some(&(ATTEMPT_ATTRIBUTE.to_owned(), "prod:shop:1".to_owned())));
    assert!(!github(&failed(), FAILED_AT).event.trust.self_);
}

#[test]
fn what_dev_mode_let_in_says_so() {
    let (headers, body) = (headers("deployment_status", DELIVERY), failed().to_string());
    let delivery = Delivery {
        source: Source::GITHUB.into(),
        admitted: Admitted::DevMode,
        headers: &headers,
        body: body.as_bytes(),
        received_at_ms: FAILED_AT,
        seed: [0; 10],
    };
    let event = item_of(normalise(&delivery, &config())).event;
    assert!(event.trust.signed);
    assert_eq!(event.attributes.first(), Some(&(DEV_MODE_ATTRIBUTE.to_owned(), "true".to_owned())));
}

#[test]
fn a_delivery_without_an_id_is_not_understood() {
    let mut headers = headers("ping", DELIVERY);
    headers.remove("x-github-delivery");
    let normalised = told(Source::GITHUB, &headers, r#"{"zen":"x"}"#, 1);
    assert!(matches!(normalised, Normalised::NotUnderstood(_)), "{normalised:?}");
}

#[test]
fn the_seeds_of_a_batch_differ() {
    let seeds: std::collections::BTreeSet<_> = (0..1000).map(|at| numbered([7; 10], at)).collect();
    assert_eq!(seeds.len(), 1000);
}

fn generic(body: &str, key: Option<&str>, seed: u8) -> Vec<Item> {
    let headers = key.map(|key| (http::HeaderName::from_static("idempotency-key"), key.parse().unwrap()));
    let headers: HeaderMap = headers.into_iter().collect();
    let delivery = Delivery {
        source: Source::GENERIC.into(),
        admitted: Admitted::Verified,
        headers: &headers,
        body: body.as_bytes(),
        received_at_ms: FAILED_AT,
        seed: [seed; 10],
    };
    match normalise(&delivery, &config()) {
        Normalised::Items(items) => items,
        other => panic!("{other:?}"),
    }
}

#[test]
fn generic_events_are_known_by_what_they_carry() {
    let check = |body: &str, key: Option<&str>, same: bool, ids: usize| {
        let (first, again) = (generic(body, key, 1).remove(0), generic(body, key, 2).remove(0));
        assert_eq!(first.event.id == again.event.id, same, "{body} {key:?}");
        assert_eq!((first.dedupe.len(), first.dedupe == again.dedupe), (ids, true), "{body} {key:?}");
    };
    let (bare, timed) = (r#"{"event":"deployment"}"#, r#"{"event":"deployment","timestamp":1}"#);
    let named = r#"{"event":"deployment","id":"d1"}"#;
    check(bare, None, false, 0);
    check(bare, Some("k"), true, 1);
    check(timed, None, true, 1);
    check(timed, Some("k"), true, 2);
    check(named, None, true, 2);
    check(named, Some("k"), true, 3);
}

#[test]
fn the_items_of_a_batch_are_apart() {
    let items = generic(
        r#"[{"event":"run","timestamp":1},{"event":"run","timestamp":1},{"event":"run"}]"#,
        Some("k"),
        1,
    );
    let ids: std::collections::BTreeSet<_> = items.iter().map(|item| &item.event.id).collect();
    assert_eq!(ids.len(), 3);
    let dedupe: std::collections::BTreeSet<_> = items.iter().flat_map(|item| &item.dedupe).collect();
    assert_eq!(dedupe.len(), 5);
}

#[test]
fn a_sender_cannot_write_our_own_marks() {
    let body = r#"{"event":"run","homeostat.attempt":"x","dev-mode":"true","other":"y"}"#;
    let event = generic(body, None, 1).remove(0).event;
    assert_eq!(event.attributes, [("other".to_owned(), "y".to_owned())]);
    assert!(!event.trust.self_);
}

#[test]
fn a_generic_body_that_cannot_be_read_names_the_field() {
    let told = told(
        Source::GENERIC,
        &HeaderMap::new(),
        r#"[{"event":"run"},{"event":"run","latency":"s3cret"}]"#,
        1,
    );
    let Normalised::NotUnderstood(why) = told else { panic!("{told:?}") };
    assert!(why.to_string().contains("item 1") && why.to_string().contains("latency"), "{why}");
    assert!(!why.to_string().contains("s3cret"), "{why}");
}

#[test]
fn a_state_is_one_event_whatever_the_delivery_and_a_reading_of_a_metric_is_not() {
    use crate::draft::Draft;
    use homeostat_schema::types::{EventKind, Status};
    let headers = HeaderMap::new();
    let ids = |name: Option<&str>, status: Status, attempt: u32, subject: bool| {
        let delivery = Delivery {
            source: Source::GENERIC.into(),
            admitted: Admitted::Verified,
            headers: &headers,
            body: b"{}",
            received_at_ms: FAILED_AT,
            seed: [0; 10],
        };
        let draft = Draft::of(flat::Draft::saying(EventKind::Run, status));
        let draft = if subject { draft.about("workflow_run:1", attempt) } else { draft };
        items(&delivery, name.map(str::to_owned), vec![draft], &config()).remove(0).dedupe
    };
    let first = ids(Some("d-1"), Status::Running, 1, true);
    let shared = |other: Vec<String>| first.iter().any(|id| other.contains(id));
    assert!(shared(ids(Some("d-2"), Status::Running, 1, true)), "the same state under a new id");
    assert!(!shared(ids(Some("d-2"), Status::Success, 1, true)));
    assert!(!shared(ids(Some("d-2"), Status::Running, 2, true)));
    assert!(shared(ids(Some("d-1"), Status::Running, 1, false)), "the same delivery");
    assert!(ids(None, Status::Unknown, 1, false).is_empty(), "two equal readings are two");
}

#[test]
fn the_digest_of_the_proof_is_the_body_s_and_it_is_not_hashed_again() {
    let headers = HeaderMap::new();
    let ids = |admitted| {
        let body = br#"{"event":"deployment","env":"stage","timestamp":"2025-11-27T12:00:00Z"}"#;
        let delivery = Delivery {
            source: Source::GENERIC.into(),
            admitted,
            headers: &headers,
            body,
            received_at_ms: FAILED_AT,
            seed: [0; 10],
        };
        item_of(normalise(&delivery, &config())).dedupe
    };
    let proof = crate::authenticate::Proof { key: 1, body: Some([0xab; 32]) };
    assert_eq!(ids(Admitted::Proven(proof)), [format!("generic:body:{}:0", "ab".repeat(32))]);
    assert_ne!(ids(Admitted::Verified), ids(Admitted::Proven(proof)));
}

#[test]
fn two_instances_of_a_source_know_nothing_of_each_other() {
    let settings = Config::from_toml("[[source]]\nname = \"generic/team-a\"", "f").unwrap();
    let headers = HeaderMap::new();
    let item = |name: &str| {
        let delivery = Delivery {
            source: crate::instance::Instance::of(&settings, name).unwrap(),
            admitted: Admitted::Verified,
            headers: &headers,
            body: br#"{"event":"deployment","env":"stage","timestamp":"2025-11-27T12:00:00Z"}"#,
            received_at_ms: FAILED_AT,
            seed: [0; 10],
        };
        item_of(normalise(&delivery, &config()))
    };
    let (own, further) = (item("generic"), item("generic/team-a"));
    assert_eq!((own.event.source.as_str(), further.event.source.as_str()), ("generic", "generic/team-a"));
    assert!(own.dedupe.iter().all(|id| !further.dedupe.contains(id)));
    assert_ne!(own.event.id, further.event.id);
}

/// No reader follows a body into a depth that its stack does not have.
#[test]
fn a_body_that_nests_without_end_is_not_understood() {
    for source in Source::ALL {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let body = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            for event in ["push", "workflow_run"] {
                let mut headers = headers(event, DELIVERY);
                headers.insert("ce-type", "x".parse().unwrap());
                let told = told(*source, &headers, &body, 1);
                let taken = matches!(told, Normalised::Items(_) | Normalised::Batch(_));
                assert!(!taken, "{source:?} {open}");
            }
        }
    }
}

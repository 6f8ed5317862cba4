use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::TEXT_CHARS_MAX;
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::draft::Draft;

mod changes;
mod runs;

fn headers(event: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("x-github-event", event.parse().unwrap());
    headers.insert("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap());
    headers
}

fn repository() -> Value {
    json!({"id": 7, "full_name": "acme/shop", "pushed_at": "2026-03-01T09:00:00Z", "private": false})
}

fn run() -> Value {
    json!({
        "action": "completed",
        "workflow": {"id": 1},
        "workflow_run": {
            "id": 30433642, "run_attempt": 2, "name": "Build", "path": ".github/workflows/build.yml",
            "conclusion": "failure", "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d",
            "head_branch": "main", "head_repository": {"id": 7, "full_name": "acme/shop"},
            "html_url": "https://github.com/acme/shop/actions/runs/30433642",
            "run_started_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-01T10:05:00Z",
            "triggering_actor": {"login": "ann"}, "pull_requests": [{"number": 12}, {"number": 13}],
        },
        "repository": repository(),
        "sender": {"login": "bot"},
    })
}

fn deployment() -> Value {
    json!({
        "action": "created",
        "deployment": {
            "id": 145988746, "sha": "f95f852b", "ref": "refs/heads/main", "task": "deploy", "payload": {},
            "environment": "production", "description": null, "created_at": "2026-03-01T10:00:00Z",
        },
        "workflow_run": null,
        "repository": repository(),
        "sender": {"login": "ann"},
    })
}

fn deployment_status() -> Value {
    let mut body = deployment();
    body["deployment_status"] = json!({
        "state": "failure", "environment": "production", "created_at": "2026-03-01T10:02:30Z",
        "creator": {"login": "ann"}, "log_url": "", "target_url": "https://ci.example/1",
    });
    body
}

fn push() -> Value {
    json!({
        "ref": "refs/heads/main", "before": "1".repeat(40), "after": "2".repeat(40), "deleted": false,
        "forced": false, "compare": "https://github.com/acme/shop/compare/1...2", "head_commit": null,
        "commits": [], "repository": {"id": 7, "full_name": "acme/shop", "pushed_at": 1_772_359_200},
        "sender": {"login": "ann"},
    })
}

fn reading(event: &str, body: &Value) -> Result<Reading, NotUnderstood> {
    read(&headers(event), body.to_string().as_bytes())
}

fn only(event: &str, body: &Value) -> Draft {
    match reading(event, body) {
        Ok(Reading::Items(mut items)) if items.len() == 1 => items.remove(0),
        other => panic!("{event}: {other:?}"),
    }
}

fn drafted(event: &str, body: &Value) -> flat::Draft {
    only(event, body).said
}

fn attributes(said: &flat::Draft) -> Vec<(&str, &str)> {
    said.attributes.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

fn changed(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

fn without(mut body: Value, parent: &str, field: &str) -> Value {
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    body
}

#[test]
fn a_run_is_read() {
    let draft = drafted("workflow_run", &run());
    assert_eq!((draft.kind, draft.status), (EventKind::Run, Status::Failure));
    assert_eq!(draft.service_name.as_deref(), Some("acme/shop"));
    assert_eq!(draft.env_name, None);
    assert_eq!(draft.title.as_deref(), Some("Build"));
    assert_eq!(draft.commit.as_deref(), Some("acb5820ced9479c074f688cc328bf03f341a511d"));
    assert_eq!(draft.branch.as_deref(), Some("main"));
    assert_eq!(draft.duration_ms, Some(300_000));
    assert_eq!(draft.occurred_at_ms, Some(1_772_359_500_000));
    assert_eq!(draft.actor.as_deref(), Some("ann"));
    assert_eq!(draft.correlation.run.as_deref(), Some("30433642"));
    assert_eq!(draft.correlation.run_attempt, Some(2));
    assert_eq!(draft.correlation.pull_request.as_deref(), Some("12"));
    assert!(!draft.fork);
}

#[test]
fn a_run_lacks_what_it_lacks() {
    let sparse = json!({
        "action": "completed", "repository": {"full_name": "acme/shop"},
        "workflow_run": {"id": 1, "name": "", "path": "a.yml", "conclusion": null, "pull_requests": []},
    });
    let draft = drafted("workflow_run", &sparse);
    assert_eq!((draft.status, draft.title.as_deref()), (Status::Unknown, Some("a.yml")));
    assert_eq!((draft.duration_ms, draft.occurred_at_ms), (None, None));
    assert_eq!((draft.correlation.run_attempt, draft.correlation.pull_request), (Some(1), None));
}

#[test]
fn a_run_of_a_fork_or_of_nobody_known_counts_as_a_forks() {
    let check = |head: Value, expected: bool| {
        let body = changed(run(), "/workflow_run/head_repository", head.clone());
        assert_eq!(drafted("workflow_run", &body).fork, expected, "{head}");
    };
    check(json!({"id": 7}), false);
    check(json!({"id": 8, "full_name": "acme/shop"}), true);
    check(json!({}), true);
    check(json!(null), true);
    assert!(drafted("workflow_run", &without(run(), "/workflow_run", "head_repository")).fork);
    assert!(drafted("workflow_run", &without(run(), "/repository", "id")).fork);
}

#[test]
fn a_run_without_an_action_is_read_by_its_status() {
    let mut body = without(run(), "", "action");
    body["workflow_run"]["status"] = json!("in_progress");
    assert_eq!(drafted("workflow_run", &body).status, Status::Running);
}

#[test]
fn a_state_is_known_by_its_subject_and_attempt() {
    let check = |event: &str, body: Value, id: &str, attempt: u32| {
        let subject = only(event, &body).subject.unwrap();
        assert_eq!((subject.id.as_str(), subject.attempt), (id, attempt));
    };
    check("workflow_run", run(), "workflow_run:30433642", 2);
    check("deployment", deployment(), "deployment:145988746", 1);
    check("deployment_status", deployment_status(), "deployment:145988746", 1);
}

#[test]
fn the_senders_own_names_are_kept_for_others() {
    let mut body = run();
    body["workflow_run"]["url"] = json!("https://api.github.com/repos/acme/shop/actions/runs/30433642");
    let expected = [
        ("subject", "https://api.github.com/repos/acme/shop/actions/runs/30433642/attempts/2"),
        ("pipeline", "acme/shop/Build"),
    ];
    assert_eq!(attributes(&drafted("workflow_run", &body)), expected);
    assert_eq!(attributes(&drafted("deployment", &deployment())), [("environment", "production")]);
    body["workflow_run"]["url"] = json!(format!("https://api.github.com/{}", "x".repeat(300)));
    assert_eq!(attributes(&drafted("workflow_run", &body)), [("pipeline", "acme/shop/Build")]);
}

#[test]
fn a_deployment_by_a_workflow_of_a_fork_is_a_forks() {
    let check = |run: Value, expected: bool| {
        let body = changed(deployment(), "/workflow_run", run.clone());
        assert_eq!(drafted("deployment", &body).fork, expected, "{run}");
    };
    check(json!(null), false);
    check(json!({"id": 5}), false);
    check(json!({"id": 5, "head_repository": {"id": 7}}), false);
    check(json!({"id": 5, "head_repository": {"id": 8}}), true);
}

#[test]
fn a_run_that_ended_before_it_started_has_no_duration() {
    let body = changed(run(), "/workflow_run/updated_at", json!("2026-03-01T09:00:00Z"));
    assert_eq!(drafted("workflow_run", &body).duration_ms, None);
}

#[test]
fn a_deployment_is_read() {
    let draft = drafted("deployment", &deployment());
    assert_eq!((draft.kind, draft.status), (EventKind::Deployment, Status::Queued));
    assert_eq!(draft.env_name.as_deref(), Some("production"));
    assert_eq!(draft.commit.as_deref(), Some("f95f852b"));
    assert_eq!(draft.branch.as_deref(), Some("main"));
    assert_eq!(draft.title.as_deref(), Some("deploy"));
    assert_eq!(draft.correlation.deployment.as_deref(), Some("145988746"));
}

#[test]
fn a_deployment_status_is_read() {
    let draft = drafted("deployment_status", &deployment_status());
    assert_eq!((draft.kind, draft.status), (EventKind::Deployment, Status::Failure));
    assert_eq!(draft.duration_ms, Some(150_000));
    assert_eq!(draft.occurred_at_ms, Some(1_772_359_350_000));
    assert_eq!(draft.url.as_deref(), Some("https://ci.example/1"));
    assert_eq!(draft.actor.as_deref(), Some("ann"));
}

#[test]
fn a_deployment_a_workflow_started_carries_its_run() {
    let body = changed(deployment_status(), "/workflow_run", json!({"id": 5, "run_attempt": 1}));
    assert_eq!(drafted("deployment_status", &body).correlation.run.as_deref(), Some("5"));
}

#[test]
fn a_superseded_deployment_is_not_a_failure() {
    let body = changed(deployment_status(), "/deployment_status/state", json!("inactive"));
    let draft = drafted("deployment_status", &body);
    assert_eq!((draft.status, draft.duration_ms), (Status::Superseded, None));
}

#[test]
fn a_task_called_rollback_is_one() {
    let body = changed(deployment(), "/deployment/task", json!("Rollback"));
    assert_eq!(drafted("deployment", &body).kind, EventKind::Rollback);
}

#[test]
fn our_own_deployments_are_known_by_their_stamp() {
    let check = |payload: Value, expected: Option<&str>| {
        let body = changed(deployment_status(), "/deployment/payload", payload.clone());
        assert_eq!(only("deployment_status", &body).own_attempt.as_deref(), expected, "{payload}");
    };
    check(json!({"homeostat": {"attempt": "a1"}}), Some("a1"));
    check(json!("{\"homeostat\":{\"attempt\":\"a1\"}}"), Some("a1"));
    check(json!({"homeostat": "{\"attempt\":\"a1\"}"}), Some("a1"));
    check(json!({"x": [1, {"y": 2}], "homeostat": {"attempt": "a1", "more": 1}}), Some("a1"));
    check(json!({"homeostat": {"attempt": ""}}), None);
    check(json!({"homeostat": {}}), None);
    check(json!({"homeostat": null}), None);
    check(json!({"homeostat": true}), None);
    check(json!("homeostat attempt a1"), None);
    check(json!(""), None);
    check(json!(null), None);
    check(json!(-1), None);
    check(json!(1.5), None);
    check(json!([{"homeostat": {"attempt": "a1"}}]), None);
}

#[test]
fn a_push_is_a_change_at_githubs_own_time() {
    let draft = drafted("push", &push());
    assert_eq!((draft.kind, draft.status), (EventKind::Change, Status::Success));
    assert_eq!(draft.branch.as_deref(), Some("main"));
    assert_eq!(draft.occurred_at_ms, Some(1_772_359_200_000));
    assert!(draft.attributes.is_empty());
    let forced = drafted("push", &changed(push(), "/forced", json!(true)));
    assert_eq!(forced.attributes, [("forced".to_owned(), "true".to_owned())]);
}

#[test]
fn what_is_not_of_interest_is_ignored_with_a_reason() {
    let check = |event: &str, body: &Value, expected: &str| {
        assert_eq!(reading(event, body), Ok(Reading::Ignored(expected.to_owned())), "{event}");
    };
    check("ping", &json!({"zen": "Design for failure.", "hook_id": 1}), "ping");
    check("star", &json!({}), "GitHub's star events are not of interest");
    check("create", &json!({}), "the push event says so as well");
    check("delete", &json!({}), "the push event says so as well");
    check("push", &changed(push(), "/after", json!("0".repeat(40))), "a branch or tag was deleted");
    check("push", &changed(push(), "/deleted", json!(true)), "a branch or tag was deleted");
    let other = changed(run(), "/action", json!("unheard_of"));
    check("workflow_run", &other, "this action of a workflow_run is not of interest");
}

/// One body of every event that is read.
fn bodies() -> Vec<(&'static str, Value)> {
    vec![
        ("workflow_run", run()),
        ("workflow_job", runs::job()),
        ("check_suite", runs::check_suite()),
        ("check_run", runs::check_run()),
        ("status", runs::commit_status()),
        ("deployment", deployment()),
        ("deployment_status", deployment_status()),
        ("push", push()),
        ("pull_request", changes::pull_request()),
        ("release", changes::release()),
        ("ping", json!({"zen": "x"})),
    ]
}

#[test]
fn the_body_must_be_of_the_event_the_header_names() {
    let bodies = bodies();
    assert_eq!(bodies.len(), Event::ALL.len());
    for (event, _) in &bodies {
        for (of, body) in &bodies {
            assert_eq!(reading(event, body).is_ok(), event == of, "{event} over the body of {of}");
        }
        assert!(reading(event, &json!({})).is_err(), "{event} over nothing");
    }
}

#[test]
fn a_body_of_an_event_that_is_not_read_passes_for_no_other() {
    let check = |event: &str, mut body: Value, field: &str| {
        body[field] = json!({});
        assert!(reading(event, &body).is_err(), "{event} with {field}");
    };
    check("workflow_run", run(), "workflow_job_run");
    check("workflow_run", run(), "workflow_job");
    check("deployment", deployment(), "workflow_job_runs");
    check("deployment", deployment(), "deployment_callback_url");
    check("workflow_run", run(), "deployment_status");
    assert!(reading("pull_request", &without(changes::pull_request(), "", "number")).is_err(), "a review");
}

#[test]
fn bodies_that_lack_what_is_needed_are_not_understood() {
    let check = |event: &str, body: Value, expected: &str| {
        assert_eq!(reading(event, &body).unwrap_err().to_string(), expected);
    };
    check("workflow_run", without(run(), "/workflow_run", "id"), "the field workflow_run.id is missing");
    check("workflow_run", without(run(), "", "repository"), "the field repository.full_name is missing");
    check(
        "workflow_run",
        changed(run(), "/repository/full_name", json!(" ")),
        "the field repository.full_name is missing",
    );
    check("deployment", without(deployment(), "/deployment", "id"), "the field deployment.id is missing");
    check(
        "deployment_status",
        changed(deployment_status(), "/deployment_status/state", json!(null)),
        "the field deployment_status.state is missing",
    );
}

#[test]
fn wrong_types_are_not_understood_and_never_quoted() {
    let check = |event: &str, body: Value| {
        let why = reading(event, &body).unwrap_err().to_string();
        assert!(why.starts_with("a value of the wrong type"), "{why}");
        assert!(!why.contains("s3cret"), "{why}");
    };
    check("workflow_run", changed(run(), "/workflow_run/id", json!("s3cret")));
    check("workflow_run", changed(run(), "/workflow_run/id", json!(-1)));
    check("workflow_run", changed(run(), "/workflow_run/updated_at", json!("s3cret")));
    check("workflow_run", changed(run(), "/workflow_run", json!("s3cret")));
    check("workflow_run", changed(run(), "/workflow_run/pull_requests", json!({})));
    check("push", changed(push(), "/after", json!(["s3cret"])));
}

#[test]
fn headers_must_be_whole() {
    let check = |change: fn(&mut HeaderMap), expected: &str| {
        let mut headers = headers("ping");
        change(&mut headers);
        let read = read(&headers, br#"{"zen":"x"}"#).map(|_| String::new());
        assert!(read.unwrap_err().to_string().contains(expected), "{headers:?}");
    };
    check(|map| drop(map.remove("x-github-event")), "x-github-event");
    check(|map| assert!(map.append("x-github-event", "push".parse().unwrap())), "x-github-event");
    check(|map| drop(map.insert("x-github-event", "a b".parse().unwrap())), "x-github-event");
    check(|map| drop(map.insert("x-github-event", "a".repeat(65).parse().unwrap())), "x-github-event");
    check(|map| drop(map.remove("content-type")), "application/json");
    check(
        |map| drop(map.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap())),
        "application/json",
    );
    check(|map| drop(map.insert("content-encoding", "gzip".parse().unwrap())), "compressed");
}

#[test]
fn json_with_parameters_is_json() {
    let mut headers = headers("ping");
    headers.insert("content-type", "Application/JSON; charset=utf-8".parse().unwrap());
    assert!(read(&headers, br#"{"zen":"x"}"#).is_ok());
}

#[test]
fn delivery_ids_are_bounded_and_plain() {
    let check = |value: Option<&str>, expected: bool| {
        let mut headers = headers("ping");
        headers.remove("x-github-delivery");
        if let Some(value) = value {
            headers.insert("x-github-delivery", value.parse().unwrap());
        }
        assert_eq!(delivery_id(&headers).is_ok(), expected, "{value:?}");
    };
    check(Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"), true);
    check(Some(&"a".repeat(64)), true);
    check(Some(&"a".repeat(65)), false);
    check(Some(""), false);
    check(Some("a:b"), false);
    check(None, false);
}

#[test]
fn long_texts_are_cut_and_unsafe_links_dropped() {
    let long = changed(run(), "/workflow_run/name", json!("é".repeat(10_000)));
    assert_eq!(drafted("workflow_run", &long).title.unwrap().chars().count(), TEXT_CHARS_MAX);
    for url in ["javascript:alert(1)", "https://x\n.example", &format!("https://{}", "x".repeat(9000))] {
        let body = changed(run(), "/workflow_run/html_url", json!(url));
        assert_eq!(drafted("workflow_run", &body).url, None);
    }
}

/// Puts a field before all others of a run's body, as raw text.
fn with_raw(field: &str) -> Vec<u8> {
    let body = run().to_string();
    format!("{{{field},{}", body.strip_prefix('{').unwrap()).into_bytes()
}

#[test]
fn odd_but_valid_bodies_are_read() {
    let deep = format!("\"x\":{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let many = (0..200_000).map(|n| format!("\"f{n}\":{n}")).collect::<Vec<_>>().join(",");
    let bodies = [
        ("deep nesting where we do not look", with_raw(&deep)),
        ("many fields", with_raw(&many)),
        ("a field we do not read twice", with_raw("\"x\":1,\"x\":2")),
        ("half a surrogate pair where we do not look", with_raw("\"x\":\"\\ud800\"")),
        ("a byte order mark", [b"\xef\xbb\xbf".as_slice(), run().to_string().as_bytes()].concat()),
    ];
    for (what, body) in bodies {
        assert!(matches!(read(&headers("workflow_run"), &body), Ok(Reading::Items(_))), "{what}");
    }
}

#[test]
fn bodies_that_are_not_what_they_should_be_are_not_understood() {
    let check = |body: &[u8], expected: &str| {
        let why = read(&headers("workflow_run"), body).unwrap_err().to_string();
        assert!(why.starts_with(expected), "{why}");
    };
    check(b"", "not JSON");
    check(b"{", "not JSON");
    check(b"{}x", "not JSON");
    check(b"payload=%7B%7D", "not JSON");
    check(b"[]", "not a JSON object");
    check(b"null", "not a JSON object");
    check(b"\xff\xfe{\0}\0", "not UTF-8");
    check(b"{\"x\":\"\xff\"}", "not UTF-8");
    check(&with_raw("\"action\":\"completed\""), "a value of the wrong type, or a field given twice");
    let nested = format!("{{\"deployment\":{{\"payload\":{}", "{\"homeostat\":".repeat(100_000));
    check(nested.as_bytes(), "not JSON");
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_panic(event in 0..Event::ALL.len(), body: Vec<u8>) {
        // Random bytes are next to never an object of the right shape.
        let read = read(&headers(Event::ALL[event].name()), &body);
        prop_assert!(read.is_err(), "{read:?}");
    }

    #[test]
    fn any_change_to_a_value_is_answered_without_panic(
        at: prop::sample::Index,
        value in replacement(),
        event in 0..Event::ALL.len(),
    ) {
        let (event, body) = bodies().swap_remove(event);
        let mut pointers = Vec::new();
        collect_pointers(&body, String::new(), &mut pointers);
        let pointer = &pointers[at.index(pointers.len())];
        let body = changed(body, pointer, value);
        if let Ok(Reading::Items(items)) = reading(event, &body) {
            for draft in items {
                prop_assert!(draft.said.title.is_none_or(|title| title.chars().count() <= TEXT_CHARS_MAX));
                let whole = |(_, value): &(String, String)| value.chars().count() <= TEXT_CHARS_MAX;
                prop_assert!(draft.said.attributes.iter().all(whole));
            }
        }
    }
}

fn replacement() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<u64>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        ".{0,300}".prop_map(|value| json!(value)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{"id": 1}]])),
    ]
}

fn collect_pointers(value: &Value, at: String, pointers: &mut Vec<String>) {
    let Value::Object(fields) = value else { return };
    for (name, inner) in fields {
        let pointer = format!("{at}/{name}");
        pointers.push(pointer.clone());
        collect_pointers(inner, pointer, pointers);
    }
}

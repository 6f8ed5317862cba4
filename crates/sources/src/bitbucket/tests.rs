use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::{self, ITEMS_MAX};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::draft::Draft;
use crate::source::Source;

fn headers(event: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json; charset=utf-8".parse().unwrap());
    headers.insert("x-event-key", event.parse().unwrap());
    headers
}

fn commit_status() -> Value {
    json!({
        "actor": {"nickname": "ann", "display_name": "Ann Smith"},
        "repository": {"uuid": "{1}", "full_name": "acme/shop"},
        "commit_status": {
            "name": "Pipeline #4 for main", "state": "FAILED", "key": "3343801", "refname": "main",
            "url": "https://bitbucket.org/acme/shop/addon/pipelines/home#!/results/4",
            "commit": {"hash": "bdf6fac0"}, "repository": {"uuid": "{1}", "full_name": "acme/shop"},
            "created_on": "2026-03-01T10:00:00.5+00:00", "updated_on": "2026-03-01T10:05:00.25+00:00",
        },
    })
}

fn push() -> Value {
    let tip = |hash: &str| {
        json!({"type": "branch", "name": "main", "target": {
            "hash": hash, "date": "1999-01-01T00:00:00Z",
            "links": {"html": {"href": format!("https://bitbucket.org/acme/shop/commits/{hash}")}},
        }})
    };
    json!({
        "actor": {"username": "acme"},
        "repository": {"uuid": "{1}", "full_name": "acme/shop"},
        "push": {"changes": [
            {"old": tip("aaaa"), "new": tip("bbbb"), "forced": true, "created": false},
            {"old": null, "new": tip("cccc"), "forced": false, "created": true},
            {"old": tip("dddd"), "new": null, "closed": true},
        ]},
    })
}

fn pull_request() -> Value {
    let end = |branch: &str, hash: &str| {
        json!({
            "branch": {"name": branch}, "commit": {"hash": hash},
            "repository": {"uuid": "{1}", "full_name": "acme/shop"},
        })
    };
    json!({
        "actor": {"nickname": "ann"},
        "repository": {"uuid": "{1}", "full_name": "acme/shop"},
        "pullrequest": {
            "id": 1, "title": "Make it work", "state": "OPEN",
            "source": end("work", "aaaa"), "destination": end("main", "bbbb"),
            "updated_on": "2026-03-01T10:05:00+00:00",
            "links": {"html": {"href": "https://bitbucket.org/acme/shop/pull-requests/1"}},
        },
    })
}

fn server_repository() -> Value {
    json!({"id": 4, "slug": "shop", "project": {"key": "ACME"}})
}

fn refs_changed() -> Value {
    json!({
        "eventKey": "repo:refs_changed", "date": "2026-03-01T11:00:00+0100",
        "actor": {"name": "ann", "emailAddress": "ann@example.com"}, "repository": server_repository(),
        "changes": [
            {"ref": {"id": "refs/heads/main", "displayId": "main"}, "fromHash": "a".repeat(40), "toHash": "b".repeat(40)},
            {"ref": {"id": "refs/heads/new"}, "fromHash": "0".repeat(40), "toHash": "b".repeat(40)},
            {"ref": {"id": "refs/tags/v1"}, "fromHash": "0".repeat(40), "toHash": "c".repeat(40)},
            {"ref": {"id": "refs/heads/old"}, "fromHash": "d".repeat(40), "toHash": "0".repeat(40)},
        ],
    })
}

fn server_pull_request(event: &str) -> Value {
    let end = |branch: &str, hash: &str| json!({"displayId": branch, "latestCommit": hash, "repository": server_repository()});
    json!({
        "eventKey": event, "date": 1_772_359_500_000_u64, "actor": {"name": "ann"},
        "pullRequest": {
            "id": 5, "title": "Make it work", "state": "OPEN", "fromRef": end("work", "aaaa"),
            "toRef": end("main", "bbbb"), "links": {"self": [{"href": "https://bb.example/pull-requests/5"}]},
        },
    })
}

fn bodies() -> Vec<(&'static str, Value)> {
    vec![
        ("repo:commit_status_updated", commit_status()),
        ("repo:push", push()),
        ("pullrequest:created", pull_request()),
        ("repo:refs_changed", refs_changed()),
        ("pr:opened", server_pull_request("pr:opened")),
    ]
}

fn reading(event: &str, body: &Value) -> Result<Reading, NotUnderstood> {
    read(&headers(event), body.to_string().as_bytes())
}

fn items(event: &str, body: &Value) -> Vec<Draft> {
    match reading(event, body) {
        Ok(Reading::Items(items)) => items,
        other => panic!("{event}: {other:?}"),
    }
}

fn only(event: &str, body: &Value) -> Draft {
    let mut items = items(event, body);
    assert_eq!(items.len(), 1, "{event}");
    items.remove(0)
}

fn is_ignored(event: &str, body: &Value) -> bool {
    matches!(reading(event, body), Ok(Reading::Ignored(_)))
}

fn changed(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

fn attributes(said: &flat::Draft) -> Vec<(&str, &str)> {
    said.attributes.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

#[test]
fn a_status_of_a_commit_is_a_run() {
    let said = only("repo:commit_status_updated", &commit_status()).said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Run, &Status::Failure));
    assert_eq!(said.service_name.as_deref(), Some("acme/shop"));
    assert_eq!((said.title.as_deref(), said.branch.as_deref()), (Some("Pipeline for main"), Some("main")));
    assert_eq!((said.commit.as_deref(), said.actor.as_deref()), (Some("bdf6fac0"), Some("ann")));
    assert_eq!(said.occurred_at_ms, Some(1_772_359_500_250));
    assert_eq!(said.correlation.run.as_deref(), Some("commit_status:bdf6fac0:3343801"));
    assert!(!said.fork);
}

#[test]
fn states_of_a_status_map() {
    let check = |state: &str, expected: Status| {
        let body = changed(commit_status(), "/commit_status/state", json!(state));
        assert_eq!(only("repo:commit_status_created", &body).said.status, expected, "{state}");
    };
    check("INPROGRESS", Status::Running);
    check("SUCCESSFUL", Status::Success);
    check("FAILED", Status::Failure);
    check("STOPPED", Status::Cancelled);
    check("BRAND_NEW", Status::Other("BRAND_NEW".to_owned()));
}

#[test]
fn a_status_without_its_commit_names_it_in_a_link() {
    let hash = "9fec847784abb10b2fa567ee63b85bd238955d0e";
    let mut body = changed(commit_status(), "/commit_status/commit", json!(null));
    body["commit_status"]["links"] = json!({"commit": {"href": format!("https://api/x/commit/{hash}")}});
    assert_eq!(only("repo:commit_status_created", &body).said.commit.as_deref(), Some(hash));
    body["commit_status"]["links"] = json!({"commit": {"href": "https://api/x/commit/../y"}});
    assert_eq!(only("repo:commit_status_created", &body).said.commit, None);
}

#[test]
fn a_build_that_runs_again_is_another_event() {
    let subject = |url: &str| {
        let body = changed(commit_status(), "/commit_status/url", json!(url));
        only("repo:commit_status_updated", &body).subject
    };
    assert_eq!(subject("https://x/4"), subject("https://x/4"));
    assert_ne!(subject("https://x/4"), subject("https://x/5"));
}

#[test]
fn a_status_given_in_another_repository_is_a_forks() {
    let body = changed(commit_status(), "/commit_status/repository/uuid", json!("{2}"));
    assert!(only("repo:commit_status_updated", &body).said.fork);
}

#[test]
fn every_branch_of_a_push_is_a_change_except_the_deleted() {
    let drafts = items("repo:push", &push());
    let told: Vec<_> =
        drafts.iter().map(|draft| (draft.said.commit.as_deref(), attributes(&draft.said))).collect();
    let expected =
        [(Some("bbbb"), vec![("forced", "true")]), (Some("cccc"), vec![("cdevent", "branch.created")])];
    assert_eq!(told, expected);
    assert_eq!(drafts[0].said.occurred_at_ms, None, "the committer's clock proves nothing");
    assert_eq!(drafts[0].said.actor.as_deref(), Some("acme"));
    assert_ne!(drafts[0].subject, drafts[1].subject);
}

#[test]
fn a_push_that_only_deletes_is_ignored_and_one_too_large_not_understood() {
    let deleted = changed(push(), "/push/changes", json!([{"old": {"name": "x"}, "new": null}]));
    assert!(is_ignored("repo:push", &deleted));
    let many = changed(push(), "/push/changes", json!(vec![json!({}); ITEMS_MAX + 1]));
    assert!(reading("repo:push", &many).is_err());
}

#[test]
fn what_was_done_to_a_pull_request_is_told() {
    let check = |event: &str, state: &str, expected: Option<(Status, &str)>| {
        let body = changed(pull_request(), "/pullrequest/state", json!(state));
        let Some((status, cdevent)) = expected else {
            assert!(is_ignored(event, &body), "{event}");
            return;
        };
        let said = only(event, &body).said;
        assert_eq!((&said.status, attributes(&said)), (&status, vec![("cdevent", cdevent)]), "{event}");
    };
    check("pullrequest:created", "OPEN", Some((Status::Running, "change.created")));
    check("pullrequest:updated", "OPEN", Some((Status::Running, "change.updated")));
    check("pullrequest:fulfilled", "MERGED", Some((Status::Success, "change.merged")));
    check("pullrequest:rejected", "DECLINED", Some((Status::Cancelled, "change.abandoned")));
    check("pullrequest:fulfilled", "BRAND_NEW", Some((Status::Success, "change.merged")));
    check("pullrequest:approved", "OPEN", None);
    check("pullrequest:comment_created", "OPEN", None);
}

#[test]
fn a_header_that_the_body_contradicts_is_not_believed() {
    let check = |event: &str, body: &Value| {
        let why = reading(event, body).unwrap_err().to_string();
        assert!(why.contains("not that of the event"), "{event}: {why}");
    };
    check("pullrequest:fulfilled", &pull_request());
    check("pullrequest:created", &changed(pull_request(), "/pullrequest/state", json!("MERGED")));
    check("pr:merged", &server_pull_request("pr:opened"));
    check("pullrequest:fulfilled", &server_pull_request("pr:opened"));
    check("pr:merged", &pull_request());
    check("repo:refs_changed", &push());
    check("diagnostics:ping", &push());
    check("diagnostics:ping", &refs_changed());
}

#[test]
fn a_pull_request_of_another_repository_is_a_forks() {
    let check = |uuid: Value, expected: bool| {
        let body = changed(pull_request(), "/pullrequest/source/repository/uuid", uuid.clone());
        assert_eq!(only("pullrequest:created", &body).said.fork, expected, "{uuid}");
    };
    check(json!("{1}"), false);
    check(json!("{2}"), true);
    check(json!(null), true);
    let deleted = changed(pull_request(), "/pullrequest/source/repository", json!(null));
    assert!(only("pullrequest:created", &deleted).said.fork);
}

#[test]
fn data_centers_pushes_are_changes_at_its_own_time() {
    let drafts = items("repo:refs_changed", &refs_changed());
    let told: Vec<_> =
        drafts.iter().map(|draft| (draft.said.branch.as_deref(), attributes(&draft.said))).collect();
    let created = vec![("cdevent", "branch.created")];
    assert_eq!(told, [(Some("main"), vec![]), (Some("new"), created), (Some("v1"), vec![])]);
    assert_eq!(drafts[0].said.service_name.as_deref(), Some("ACME/shop"));
    assert_eq!(drafts[0].said.occurred_at_ms, Some(1_772_359_200_000));
}

#[test]
fn data_centers_times_are_numbers_or_texts() {
    for date in
        [json!(1_772_359_500_000_u64), json!("2026-03-01T10:05:00Z"), json!("2026-03-01T11:05:00+0100")]
    {
        let body = changed(server_pull_request("pr:opened"), "/date", date.clone());
        assert_eq!(only("pr:opened", &body).said.occurred_at_ms, Some(1_772_359_500_000), "{date}");
    }
}

#[test]
fn data_centers_pull_requests_are_changes() {
    let check = |event: &str, expected: Option<Status>| {
        let body = server_pull_request(event);
        let status = expected.map(|status| (status, only(event, &body).said.status));
        assert!(status.is_none_or(|(expected, status)| expected == status), "{event}");
        assert_eq!(
            is_ignored(event, &body),
            !matches!(reading(event, &body), Ok(Reading::Items(_))),
            "{event}"
        );
    };
    check("pr:opened", Some(Status::Running));
    check("pr:reopened", Some(Status::Running));
    check("pr:from_ref_updated", Some(Status::Running));
    check("pr:modified", Some(Status::Running));
    check("pr:merged", Some(Status::Success));
    check("pr:declined", Some(Status::Cancelled));
    check("pr:deleted", Some(Status::Cancelled));
    assert!(is_ignored("pr:comment:added", &server_pull_request("pr:comment:added")));
    let mut fork = server_pull_request("pr:opened");
    fork["pullRequest"]["fromRef"]["repository"]["id"] = json!(5);
    assert!(only("pr:opened", &fork).said.fork);
    assert!(!only("pr:opened", &server_pull_request("pr:opened")).said.fork);
}

#[test]
fn a_test_of_the_webhook_is_a_ping() {
    let ping = Ok(Reading::Ignored("ping".to_owned()));
    assert_eq!(reading("diagnostics:ping", &json!({"test": true})), ping);
    assert!(reading("diagnostics:ping", &json!({})).is_err());
}

#[test]
fn what_is_missing_is_named() {
    let check = |event: &str, expected: &str| {
        let why = reading(event, &json!({"repository": {"full_name": "acme/shop"}})).unwrap_err();
        assert_eq!(why.to_string(), format!("the field {expected} is missing"));
    };
    check("repo:commit_status_created", "commit_status");
    check("repo:push", "push");
    check("pullrequest:created", "pullrequest");
    let mut headers = headers("repo:push");
    headers.remove("x-event-key");
    assert!(read(&headers, push().to_string().as_bytes()).is_err());
}

#[test]
fn a_delivery_is_known_by_the_id_of_its_request() {
    let check = |name: &'static str, value: &str, expected: Option<&str>| {
        let mut headers = headers("repo:push");
        headers.insert(name, value.parse().unwrap());
        let body = push().to_string();
        let read = Source::BITBUCKET.read(&Raw { headers: &headers, body: body.as_bytes() }).unwrap();
        assert_eq!(read.id.as_deref(), expected, "{name}: {value}");
    };
    check(
        "x-request-uuid",
        "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"),
    );
    check("x-request-id", "@1QDVKRx704x1x0", Some("@1QDVKRx704x1x0"));
    check("x-hook-uuid", "72d3162e-cc78-11e3-81ab-4c9367dc0958", None);
    check("x-request-id", "a b", None);
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_panic(of in 0_usize..5, body: Vec<u8>) {
        let read = read(&headers(bodies()[of].0), &body);
        prop_assert!(read.is_err(), "{read:?}");
    }

    #[test]
    fn any_change_to_a_value_is_answered_without_panic(
        of in 0_usize..5,
        at: prop::sample::Index,
        value in crate::testing::any_json(),
    ) {
        let (event, body) = bodies().swap_remove(of);
        let mut pointers = Vec::new();
        collect_pointers(&body, String::new(), &mut pointers);
        let body = changed(body, &pointers[at.index(pointers.len())], value);
        if let Ok(Reading::Items(items)) = reading(event, &body) {
            prop_assert!(!items.is_empty() && items.len() <= 4);
        }
    }
}

fn collect_pointers(value: &Value, at: String, pointers: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, inner)| (at.to_string(), inner)).collect(),
        _ => return,
    };
    for (name, inner) in inner {
        let pointer = format!("{at}/{name}");
        pointers.push(pointer.clone());
        collect_pointers(inner, pointer, pointers);
    }
}

//! Pushes, pull requests and releases.

use super::*;

const API: &str = "https://api.github.com/repos/acme/shop";

pub(super) fn pull_request() -> Value {
    json!({
        "action": "opened", "number": 97,
        "pull_request": {
            "id": 1111, "number": 97, "title": "Make it work", "body": null, "state": "open", "merged": false,
            "url": "https://api.github.com/repos/acme/shop/pulls/97",
            "html_url": "https://github.com/acme/shop/pull/97",
            "created_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-01T10:05:00Z", "merged_at": null,
            "head": {"sha": "aaaa", "ref": "work", "repo": {"id": 7}},
            "base": {"sha": "bbbb", "ref": "main", "repo": {"id": 7}},
        },
        "repository": {"id": 7, "full_name": "acme/shop", "url": API},
        "sender": {"login": "ann"},
    })
}

pub(super) fn release() -> Value {
    json!({
        "action": "published",
        "release": {
            "id": 17372790, "tag_name": "v1.2.0", "name": "Spring", "draft": false, "prerelease": false,
            "html_url": "https://github.com/acme/shop/releases/tag/v1.2.0", "author": {"login": "ann"},
            "created_at": "2026-03-01T09:00:00Z", "published_at": "2026-03-01T10:00:00Z",
        },
        "repository": {"id": 7, "full_name": "Acme/shop", "url": API},
        "sender": {"login": "bot"},
    })
}

#[test]
fn a_pull_request_is_read() {
    let said = drafted("pull_request", &pull_request());
    assert_eq!((&said.kind, &said.status), (&EventKind::Change, &Status::Running));
    assert_eq!((said.title.as_deref(), said.branch.as_deref()), (Some("Make it work"), Some("work")));
    assert_eq!((said.commit.as_deref(), said.occurred_at_ms), (Some("aaaa"), Some(1_772_359_500_000)));
    assert_eq!(said.correlation.pull_request.as_deref(), Some("97"));
    let expected = [
        ("subject", "https://api.github.com/repos/acme/shop/pulls/97"),
        ("repository", API),
        ("cdevent", "change.created"),
    ];
    assert_eq!(attributes(&said), expected);
}

#[test]
fn what_was_done_to_a_pull_request_is_told() {
    let check = |action: &str, merged: bool, expected: Option<(Status, &str)>| {
        let mut body = changed(pull_request(), "/action", json!(action));
        body["pull_request"]["merged"] = json!(merged);
        let Some((status, cdevent)) = expected else {
            assert!(matches!(reading("pull_request", &body), Ok(Reading::Ignored(_))), "{action}");
            return;
        };
        let said = drafted("pull_request", &body);
        assert_eq!(said.status, status, "{action}");
        assert!(attributes(&said).contains(&("cdevent", cdevent)), "{action}");
    };
    check("opened", false, Some((Status::Running, "change.created")));
    check("reopened", false, Some((Status::Running, "change.created")));
    check("synchronize", false, Some((Status::Running, "change.updated")));
    check("edited", false, Some((Status::Running, "change.updated")));
    check("closed", true, Some((Status::Success, "change.merged")));
    check("closed", false, Some((Status::Cancelled, "change.abandoned")));
    check("labeled", false, None);
    check("review_requested", false, None);
}

#[test]
fn a_merged_pull_request_took_from_opening_to_merging() {
    let mut body = changed(pull_request(), "/action", json!("closed"));
    body["pull_request"]["merged"] = json!(true);
    body["pull_request"]["merged_at"] = json!("2026-03-01T11:00:00Z");
    assert_eq!(drafted("pull_request", &body).duration_ms, Some(3_600_000));
}

#[test]
fn a_pull_request_of_a_fork_or_of_nobody_known_is_a_forks() {
    let check = |repo: Value, expected: bool| {
        let body = changed(pull_request(), "/pull_request/head/repo", repo.clone());
        assert_eq!(drafted("pull_request", &body).fork, expected, "{repo}");
    };
    check(json!({"id": 7}), false);
    check(json!({"id": 8}), true);
    check(json!({}), true);
    check(json!(null), true);
    assert!(drafted("pull_request", &without(pull_request(), "/pull_request", "base")).fork);
}

#[test]
fn opening_twice_is_two_events() {
    let again = changed(pull_request(), "/pull_request/updated_at", json!("2026-03-02T10:05:00Z"));
    let again = changed(again, "/action", json!("reopened"));
    assert_ne!(only("pull_request", &again).subject, only("pull_request", &pull_request()).subject);
}

#[test]
fn a_push_that_makes_a_branch_says_so() {
    let mut body = push();
    body["repository"]["url"] = json!(API);
    body["created"] = json!(true);
    let expected = [
        ("subject", "https://api.github.com/repos/acme/shop/branches/main"),
        ("repository", API),
        ("cdevent", "branch.created"),
    ];
    assert_eq!(attributes(&drafted("push", &body)), expected);
    body["head_commit"] = json!({"timestamp": "2026-03-01T09:00:00+02:00"});
    let said = drafted("push", &body);
    assert_eq!(attributes(&said).last(), Some(&("told-at", "2026-03-01T07:00:00Z")));
    assert_eq!(
        said.occurred_at_ms,
        drafted("push", &push()).occurred_at_ms,
        "the committer's clock dates nothing"
    );
    body["ref"] = json!("refs/tags/v1");
    assert_eq!(attributes(&drafted("push", &body)), [], "a tag is no branch");
    body["head_commit"] = json!(null);
    body["ref"] = json!("refs/heads/main");
    body["repository"]["url"] = json!("https://github.com/acme/shop");
    assert_eq!(attributes(&drafted("push", &body)), [("cdevent", "branch.created")], "a page is no id");
}

#[test]
fn a_push_is_known_by_where_it_went_from_where_and_when() {
    let subject = |body: &Value| only("push", body).subject.unwrap().id;
    let first = subject(&push());
    assert_eq!(first, subject(&push()));
    assert_ne!(first, subject(&changed(push(), "/before", json!("3".repeat(40)))));
    assert_ne!(first, subject(&changed(push(), "/ref", json!("refs/heads/other"))));
    assert_ne!(first, subject(&changed(push(), "/repository/pushed_at", json!(1_772_359_201))));
}

#[test]
fn a_release_is_read() {
    let said = drafted("release", &release());
    assert_eq!((&said.kind, &said.status), (&EventKind::Release, &Status::Success));
    assert_eq!((said.version.as_deref(), said.title.as_deref()), (Some("v1.2.0"), Some("Spring")));
    assert_eq!((said.occurred_at_ms, said.actor.as_deref()), (Some(1_772_359_200_000), Some("ann")));
    let package = "pkg:github/acme/shop@v1.2.0";
    assert_eq!(attributes(&said), [("subject", package), ("artifact", package)]);
}

#[test]
fn a_release_that_is_published_and_released_is_one() {
    let subject = |action: &str| only("release", &changed(release(), "/action", json!(action))).subject;
    assert_eq!(subject("published"), subject("released"));
    let mut early = release();
    early["release"]["prerelease"] = json!(true);
    let of_early = |action: &str| only("release", &changed(early.clone(), "/action", json!(action))).subject;
    assert_eq!(of_early("published"), of_early("prereleased"));
    assert_ne!(of_early("prereleased"), subject("released"), "made a full release later");
}

#[test]
fn what_is_not_out_is_no_release() {
    for action in ["created", "edited", "deleted", "unpublished"] {
        let body = changed(release(), "/action", json!(action));
        assert!(matches!(reading("release", &body), Ok(Reading::Ignored(_))), "{action}");
    }
    let draft = changed(release(), "/release/draft", json!(true));
    assert!(matches!(reading("release", &draft), Ok(Reading::Ignored(_))));
}

#[test]
fn a_tag_is_encoded_in_a_package_url() {
    let body = changed(release(), "/release/tag_name", json!("shop/v1 β"));
    let package = "pkg:github/acme/shop@shop%2Fv1%20%CE%B2";
    assert_eq!(attributes(&drafted("release", &body))[1], ("artifact", package));
}

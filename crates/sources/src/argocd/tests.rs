use homeostat_schema::types::Status;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{any_json, ignored, only, read as deliver, survives};

const ARGOCD: crate::Source = crate::Source::ARGOCD;
/// What the template of `infra/argo/` makes of an Application, by Go's text/template and sprig 3.2.
const RENDERED: &str = include_str!("rendered.json");
/// The same of an Application that was never synced and is being deleted.
const RENDERED_BARE: &str = include_str!("rendered_bare.json");

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const THREE: &str = "3333333333333333333333333333333333333333";

fn entry(revision: &str, at: &str) -> Value {
    json!({"revision": revision, "deployedAt": at})
}

/// A sync of `revision` that succeeded, after syncs of one, two and three.
fn app(revision: &str) -> Value {
    json!({
        "timestamp": "2026-03-01T10:00:05Z", "context": {"argocdUrl": "https://argo.example"},
        "app": {
            "metadata": {"name": "shop", "namespace": "argocd", "uid": "u", "labels": {"env": "prod"}},
            "spec": {"destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                     "source": {"repoURL": "https://github.com/acme/deploy", "path": "shop", "targetRevision": "main"}},
            "status": {
                "operationState": {
                    "phase": "Succeeded", "startedAt": "2026-03-01T10:00:00Z", "finishedAt": "2026-03-01T10:00:04Z",
                    "operation": {"initiatedBy": {"automated": true}, "sync": {"revision": revision}},
                    "syncResult": {"revision": revision},
                },
                "sync": {"status": "Synced"},
                "health": {"status": "Healthy", "lastTransitionTime": "2026-03-01T09:00:00Z"},
                "summary": {},
                "history": [entry(ONE, "2026-02-01T10:00:00Z"), entry(TWO, "2026-02-02T10:00:00Z"),
                            entry(THREE, "2026-02-03T10:00:00Z"), entry(revision, "2026-03-01T10:00:04Z")],
            },
        },
    })
}

fn in_state(phase: &str, health: &str) -> Value {
    let mut body = app("new");
    body["app"]["status"]["operationState"]["phase"] = json!(phase);
    body["app"]["status"]["health"] = json!({"status": health, "lastTransitionTime": "2026-03-01T10:10:00Z"});
    body
}

fn attribute_of<'a>(draft: &'a Draft, name: &str) -> Option<&'a str> {
    draft.said.attributes.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

#[test]
fn a_deployment_succeeded_only_when_the_sync_did_and_the_application_is_healthy() {
    let check = |phase: &str, health: &str, expected: Status| {
        let draft = only(ARGOCD, &[], &in_state(phase, health));
        assert_eq!(
            (draft.said.kind, draft.said.status),
            (EventKind::Deployment, expected),
            "{phase} {health}"
        );
    };
    check("Succeeded", "Healthy", Status::Success);
    check("Succeeded", "Degraded", Status::Failure);
    check("Succeeded", "Progressing", Status::Running);
    check("Succeeded", "Missing", Status::Running);
    check("Succeeded", "Suspended", Status::Waiting);
    check("Succeeded", "Unknown", Status::Unknown);
    check("Running", "Healthy", Status::Running);
    check("Running", "Degraded", Status::Running);
    check("Terminating", "Healthy", Status::Running);
    check("Failed", "Healthy", Status::Failure);
    check("Error", "Progressing", Status::Failure);
}

#[test]
fn the_rendered_template_is_read() {
    let body: Value = serde_json::from_str(RENDERED).unwrap();
    let draft = only(ARGOCD, &[], &body);
    let said = &draft.said;
    assert_eq!((said.kind.clone(), said.status.clone()), (EventKind::Rollback, Status::Success));
    assert_eq!(said.service_name.as_deref(), Some("shop"));
    assert_eq!(said.env_name.as_deref(), Some("production"));
    assert_eq!((said.commit.as_deref(), said.previous_version.as_deref()), (Some(ONE), Some(TWO)));
    assert_eq!(said.duration_ms, Some(20_000));
    assert_eq!(said.actor.as_deref(), Some("ann"));
    assert_eq!(said.url.as_deref(), Some("https://argo.example.com/applications/argocd/shop"));
    assert_eq!(attribute_of(&draft, "images"), Some("registry.example/shop:1.4.2"));
    assert_eq!(
        attribute_of(&draft, "artifact"),
        Some(&*format!("pkg:github/acme/shop-deploy@{ONE}?path=prod"))
    );
    assert_eq!(draft.own_attempt.as_deref(), Some("9f1c"));
}

#[test]
fn a_bare_application_renders_and_its_deletion_is_told() {
    let body: Value = serde_json::from_str(RENDERED_BARE).unwrap();
    let draft = only(ARGOCD, &[], &body);
    assert_eq!(draft.said.kind, EventKind::Other("removal".to_owned()));
    assert_eq!(attribute_of(&draft, "cdevent"), Some("service.removed"));
}

#[test]
fn the_template_is_of_the_version_that_is_read() {
    let template = include_str!("../../../../infra/argo/argocd-notifications.yaml");
    assert!(template.contains(&format!("\"homeostat\": {TEMPLATE_VERSION},")));
    let mut body = app(ONE);
    body["homeostat"] = json!(2);
    assert!(deliver(ARGOCD, &[], body.to_string().as_bytes()).is_err());
}

#[test]
fn bringing_back_what_ran_before_the_last_is_a_rollback() {
    let check = |revision: &str, expected: EventKind| {
        assert_eq!(only(ARGOCD, &[], &app(revision)).said.kind, expected, "{revision}");
    };
    check(ONE, EventKind::Rollback);
    check(TWO, EventKind::Rollback);
    check(THREE, EventKind::Deployment);
    check("new", EventKind::Deployment);
    check("", EventKind::Deployment);
}

#[test]
fn a_rollback_is_seen_while_it_runs_too() {
    let mut body = app(TWO);
    let status = &mut body["app"]["status"];
    status["operationState"]["phase"] = json!("Running");
    status["operationState"]["syncResult"] = json!(null);
    status["operationState"]["finishedAt"] = json!(null);
    status["history"].as_array_mut().unwrap().pop();
    let draft = only(ARGOCD, &[], &body);
    assert_eq!((draft.said.kind, draft.said.status), (EventKind::Rollback, Status::Running));
    assert_eq!(draft.said.previous_version.as_deref(), Some(THREE));
}

#[test]
fn several_sources_are_compared_together_and_the_chart_gives_the_version() {
    let mut body = app(ONE);
    let (values, spec) = (json!({"ref": "values", "repoURL": "https://github.com/acme/values"}), "spec");
    let chart = json!({"chart": "shop", "repoURL": "oci://ghcr.io/acme/charts/", "targetRevision": "1.4.2"});
    body["app"][spec] = json!({"destination": {"name": "eu-1"}, "sources": [values, chart]});
    let status = &mut body["app"]["status"];
    status["operationState"]["syncResult"] = json!({"revision": "", "revisions": [ONE, "1.4.2"]});
    let several = |values: &str, chart: &str| json!({"revisions": [values, chart], "deployedAt": "2026-02-01T10:00:00Z"});
    status["history"] = json!([several(ONE, "1.4.1"), several(TWO, "1.4.2")]);
    let draft = only(ARGOCD, &[], &body);
    assert_eq!(draft.said.kind, EventKind::Deployment, "each half was there, but not both together");
    assert_eq!((draft.said.version.as_deref(), draft.said.commit.as_deref()), (Some("1.4.2"), Some(ONE)));
    assert_eq!(
        attribute_of(&draft, "artifact"),
        Some("pkg:oci/shop@1.4.2?repository_url=ghcr.io/acme/charts")
    );
}

#[test]
fn an_environment_is_the_label_then_the_cluster_then_the_namespace() {
    let check = |labels: Value, destination: Value, expected: &str| {
        let mut body = app(ONE);
        body["app"]["metadata"]["labels"] = labels;
        body["app"]["spec"]["destination"] = destination;
        assert_eq!(only(ARGOCD, &[], &body).said.env_name.as_deref(), Some(expected));
    };
    check(json!({"environment": "qa"}), json!({"name": "eu-1"}), "qa");
    check(json!({}), json!({"name": "eu-1", "namespace": "shop"}), "eu-1");
    check(json!(null), json!({"server": "https://10.0.0.1", "namespace": "shop"}), "https://10.0.0.1");
    check(json!(null), json!({"name": "in-cluster", "namespace": "shop"}), "shop");
}

#[test]
fn degraded_long_after_its_sync_is_an_alert_and_not_that_syncs_failure() {
    let mut body = in_state("Succeeded", "Degraded");
    body["app"]["status"]["health"]["lastTransitionTime"] = json!("2026-03-01T10:30:05Z");
    let draft = only(ARGOCD, &[], &body);
    assert_eq!((draft.said.kind, draft.said.status), (EventKind::Alert, Status::Firing));
    assert_eq!(draft.said.correlation.deployment, None);
    body["app"]["status"]["health"]["lastTransitionTime"] = json!("2026-03-01T10:30:04Z");
    assert_eq!(only(ARGOCD, &[], &body).said.status, Status::Failure);
}

#[test]
fn without_a_sync_nothing_was_deployed() {
    let never = |health: &str, conditions: Value| {
        let mut body = app(ONE);
        body["app"]["status"] = json!({"health": {"status": health}, "conditions": conditions});
        body
    };
    let mistake = json!([{"type": "ComparisonError", "message": "x"}]);
    assert_eq!(only(ARGOCD, &[], &never("Unknown", mistake.clone())).said.kind, EventKind::Alert);
    assert_eq!(only(ARGOCD, &[], &never("Degraded", json!(null))).said.kind, EventKind::Alert);
    assert_eq!(ignored(ARGOCD, &[], &never("Healthy", mistake)), "nothing was deployed and nothing is wrong");
    assert_eq!(
        ignored(ARGOCD, &[], &never("Missing", json!([]))),
        "nothing was deployed and nothing is wrong"
    );
}

#[test]
fn what_runs_without_a_sync_is_a_presence_told_once_for_the_same_images() {
    let running = |images: Value| {
        let mut body = app(ONE);
        body["app"]["status"] = json!({"health": {"status": "Healthy"}, "summary": {"images": images}});
        body
    };
    let check = |images: Value| only(ARGOCD, &[], &running(images));
    let first = check(json!(["shop:1", "db:17"]));
    assert_eq!((&first.said.kind, &first.said.status), (&EventKind::named("presence"), &Status::Success));
    assert_eq!(attribute_of(&first, "cdevent"), Some("service.deployed"));
    assert_eq!(attribute_of(&first, "images"), Some("shop:1 db:17"));
    assert_eq!(first.said.correlation.deployment, None, "no release is held against it");
    assert_eq!(first.subject, check(json!(["db:17", "shop:1"])).subject);
    assert_ne!(first.subject, check(json!(["shop:2", "db:17"])).subject);
    ignored(ARGOCD, &[], &running(json!([])));
}

#[test]
fn repeated_notifications_of_one_sync_are_one_state() {
    let (first, mut later) = (only(ARGOCD, &[], &app(ONE)), app(ONE));
    later["timestamp"] = json!("2026-03-01T12:00:00Z");
    later["app"]["status"]["health"]["lastTransitionTime"] = json!("2026-03-01T11:59:00Z");
    let second = only(ARGOCD, &[], &later);
    assert_eq!((first.subject, first.said.status), (second.subject, second.said.status));
}

#[test]
fn only_the_stamp_makes_a_sync_our_own() {
    let mut body = app(ONE);
    body["app"]["status"]["operationState"]["operation"]["initiatedBy"] = json!({"username": "homeostat"});
    let draft = only(ARGOCD, &[], &body);
    assert_eq!((draft.own_attempt, draft.said.actor.as_deref()), (None, Some("homeostat")));
}

#[test]
fn other_forms_are_not_understood() {
    let check = |body: Value| assert!(deliver(ARGOCD, &[], body.to_string().as_bytes()).is_err(), "{body}");
    check(json!({"text": "shop was synced"}));
    check(json!({"app": "shop"}));
    check(json!({"app": {"metadata": {"namespace": "argocd"}}}));
}

proptest! {
    #[test]
    fn nothing_in_a_notification_panics(bytes: Vec<u8>, value in any_json()) {
        survives(ARGOCD, &[], &bytes, &serde_json::from_str(RENDERED).unwrap(), &value);
    }
}

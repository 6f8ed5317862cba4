use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{any_json, only, read as deliver, survives};

const FLUX: crate::Source = crate::Source::FLUX;
const COMMIT: &str = "731f7eaddfb6af01cb2173e18f0f75b0ba780ef1";

fn event(kind: &str, severity: &str, reason: &str) -> Value {
    json!({
        "involvedObject": {"apiVersion": "x/v1", "kind": kind, "name": "shop", "namespace": "apps",
                           "uid": "7d0cdc51-ddcf-4743-b223-83ca5c699632"},
        "metadata": {"kustomize.toolkit.fluxcd.io/revision": format!("main@sha1:{COMMIT}")},
        "severity": severity, "reason": reason, "message": "whatever it says",
        "reportingController": "kustomize-controller", "timestamp": "2026-03-01T10:00:00Z",
    })
}

fn with(metadata: Value) -> Value {
    let mut body = event("HelmRelease", "info", "UpgradeSucceeded");
    body["metadata"] = metadata;
    body
}

#[test]
fn what_is_applied_is_a_deployment_by_its_reason() {
    let check = |kind: &str, severity: &str, reason: &str, expected: EventKind, status: Status| {
        let draft = only(FLUX, &[], &event(kind, severity, reason));
        assert_eq!((draft.said.kind, draft.said.status), (expected, status), "{kind} {severity} {reason}");
    };
    let removal = || EventKind::Other("removal".to_owned());
    check("Kustomization", "info", "ReconciliationSucceeded", EventKind::Deployment, Status::Success);
    check("Kustomization", "error", "HealthCheckFailed", EventKind::Deployment, Status::Failure);
    check("Kustomization", "info", "Progressing", EventKind::Deployment, Status::Running);
    check("Kustomization", "info", "ProgressingWithRetry", EventKind::Deployment, Status::Running);
    check("Kustomization", "error", "DependencyNotReady", EventKind::Deployment, Status::Waiting);
    check("Kustomization", "info", "SomethingNew", EventKind::Deployment, Status::Unknown);
    check("HelmRelease", "info", "InstallSucceeded", EventKind::Deployment, Status::Success);
    check("HelmRelease", "error", "UpgradeFailed", EventKind::Deployment, Status::Failure);
    check("HelmRelease", "info", "RollbackSucceeded", EventKind::Rollback, Status::Success);
    check("HelmRelease", "error", "RollbackFailed", EventKind::Rollback, Status::Failure);
    check("HelmRelease", "info", "UninstallSucceeded", removal(), Status::Success);
    check("GitRepository", "info", "NewArtifact", EventKind::Change, Status::Success);
    check("GitRepository", "error", "GitOperationFailed", EventKind::Change, Status::Failure);
    check("FluxInstance", "error", "Stalled", EventKind::Other("fluxinstance".to_owned()), Status::Failure);
}

#[test]
fn names_are_the_operators_where_he_gave_them() {
    let plain = only(FLUX, &[], &event("Kustomization", "info", "ReconciliationSucceeded"));
    assert_eq!((plain.said.service_name.as_deref(), plain.said.env_name), (Some("apps/shop"), None));
    assert_eq!((plain.said.commit.as_deref(), plain.said.branch.as_deref()), (Some(COMMIT), Some("main")));
    let named =
        only(FLUX, &[], &with(json!({"env": "prod", "service": "checkout", "x.io/service": "not this"})));
    assert_eq!(
        (named.said.service_name.as_deref(), named.said.env_name.as_deref()),
        (Some("checkout"), Some("prod"))
    );
}

#[test]
fn the_version_is_the_charts_and_the_commit_that_of_its_origin() {
    let chart = only(
        FLUX,
        &[],
        &with(json!({
            "helm.toolkit.fluxcd.io/revision": "6.5.0", "helm.toolkit.fluxcd.io/token": "sha256:1",
            "source.toolkit.fluxcd.io/originRevision": format!("main@sha1:{COMMIT}"),
        })),
    );
    assert_eq!((chart.said.version.as_deref(), chart.said.commit.as_deref()), (Some("6.5.0"), Some(COMMIT)));
    let bare = only(FLUX, &[], &with(json!(null)));
    assert_eq!((bare.said.version, bare.said.commit, bare.said.correlation.deployment), (None, None, None));
}

#[test]
fn states_of_one_object_are_ordered_by_their_second() {
    let at = |time: &str| {
        let mut body = event("Kustomization", "error", "HealthCheckFailed");
        body["timestamp"] = json!(time);
        only(FLUX, &[], &body).subject.unwrap()
    };
    let (one, again, later) =
        (at("2026-03-01T10:00:00Z"), at("2026-03-01T10:00:00Z"), at("2026-03-01T10:05:00Z"));
    assert_eq!(one, again, "Flux tells whole seconds only");
    assert!(one.id == later.id && one.attempt < later.attempt, "it failed a second time");
}

#[test]
fn other_forms_are_not_understood() {
    let check = |body: Value| assert!(deliver(FLUX, &[], body.to_string().as_bytes()).is_err(), "{body}");
    check(json!({}));
    check(json!({"involvedObject": {"kind": "Kustomization"}}));
    check(json!({"involvedObject": {"name": "shop"}}));
    check(json!({"involvedObject": 7}));
}

proptest! {
    #[test]
    fn nothing_in_an_event_panics(bytes: Vec<u8>, value in any_json(), revision in ".{0,80}") {
        survives(FLUX, &[], &bytes, &event("Kustomization", "info", "Progressing"), &value);
        survives(FLUX, &[], &bytes, &with(json!({"revision": revision})), &json!(null));
    }
}

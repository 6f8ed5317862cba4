use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{any_json, only, read as deliver, survives};

const ROLLOUTS: crate::Source = crate::Source::ARGO_ROLLOUTS;
/// What the template for `on-rollout-aborted` of `infra/argo/` makes of a Rollout, by Go's
/// text/template and sprig 3.2.
const RENDERED: &str = include_str!("rendered.json");
/// What the template for `on-rollout-updated` makes of a Rollout without spec and status.
const RENDERED_BARE: &str = include_str!("rendered_bare.json");

fn rendered(trigger: &str) -> Value {
    let mut body: Value = serde_json::from_str(RENDERED).unwrap();
    body["trigger"] = json!(trigger);
    body
}

fn attribute_of<'a>(draft: &'a Draft, name: &str) -> Option<&'a str> {
    draft.said.attributes.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

#[test]
fn an_aborted_rollout_is_a_rollback_to_the_stable_version() {
    let draft = only(ROLLOUTS, &[], &rendered("on-rollout-aborted"));
    let said = &draft.said;
    assert_eq!((said.kind.clone(), said.status.clone()), (EventKind::Rollback, Status::Success));
    assert_eq!(
        (said.version.as_deref(), said.previous_version.as_deref()),
        (Some("7b4f9d8c5d"), Some("6cb88c6bcf"))
    );
    assert_eq!(said.occurred_at_ms, Some(1_772_359_440_000));
    assert_eq!((said.service_name.as_deref(), said.env_name.as_deref()), (Some("shop"), Some("prod")));
    assert_eq!(attribute_of(&draft, "images"), Some("registry.example/shop:1.5.0 registry.example/proxy:3"));
    assert_eq!(draft.own_attempt, None);
}

#[test]
fn triggers_map_and_an_unknown_one_goes_by_the_phase() {
    let check = |trigger: &str, kind: EventKind, status: Status| {
        let draft = only(ROLLOUTS, &[], &rendered(trigger));
        assert_eq!((draft.said.kind, draft.said.status), (kind, status), "{trigger}");
    };
    check("on-rollout-updated", EventKind::Deployment, Status::Running);
    check("on-rollout-step-completed", EventKind::Deployment, Status::Running);
    check("on-scaling-replica-set", EventKind::Deployment, Status::Running);
    check("on-rollout-paused", EventKind::Deployment, Status::Waiting);
    check("on-rollout-completed", EventKind::Deployment, Status::Success);
    check("on-analysis-run-running", EventKind::Run, Status::Running);
    check("on-analysis-run-failed", EventKind::Run, Status::Failure);
    check("on-analysis-run-error", EventKind::Run, Status::Failure);
    check("on-something-new", EventKind::Deployment, Status::Failure);
}

#[test]
fn an_analysis_is_a_run_of_its_own() {
    let draft = only(ROLLOUTS, &[], &rendered("on-analysis-run-failed"));
    assert_eq!(draft.said.correlation.run.as_deref(), Some("shop-6cb88c6bcf-12-1"));
    assert!(draft.subject.unwrap().id.starts_with("analysis:"));
}

#[test]
fn the_time_is_the_one_the_rollout_notes() {
    let mut body = rendered("on-rollout-paused");
    body["rollout"]["status"]["pauseConditions"] =
        json!([{"reason": "CanaryPauseStep", "startTime": "2026-03-01T10:02:00Z"}]);
    assert_eq!(only(ROLLOUTS, &[], &body).said.occurred_at_ms, Some(1_772_359_320_000));
    body["trigger"] = json!("on-rollout-updated");
    assert_eq!(
        only(ROLLOUTS, &[], &body).said.occurred_at_ms,
        Some(1_772_359_441_000),
        "the newest condition"
    );
}

#[test]
fn a_bare_rollout_renders_and_is_read() {
    let draft = only(ROLLOUTS, &[], &serde_json::from_str(RENDERED_BARE).unwrap());
    assert_eq!((draft.said.kind, draft.said.status), (EventKind::Deployment, Status::Running));
    assert_eq!((draft.said.version, draft.said.occurred_at_ms), (None, None));
}

#[test]
fn every_template_is_of_the_version_that_is_read() {
    let templates = include_str!("../../../../infra/argo/argo-rollouts-notifications.yaml");
    let (all, of_version) =
        (templates.matches("template.").count(), templates.matches("\"homeostat\": 1,").count());
    assert!(
        all >= of_version && of_version == templates.matches("  trigger.on-").count(),
        "{all} {of_version}"
    );
}

#[test]
fn other_forms_are_not_understood() {
    let check = |body: Value| assert!(deliver(ROLLOUTS, &[], body.to_string().as_bytes()).is_err(), "{body}");
    check(json!({"rollout": {"metadata": {"name": "shop"}}}));
    check(json!({"homeostat": 2, "rollout": {"metadata": {"name": "shop"}}}));
    check(json!({"homeostat": 1}));
    check(json!({"homeostat": 1, "rollout": {"metadata": {}}}));
}

proptest! {
    #[test]
    fn nothing_in_a_notification_panics(bytes: Vec<u8>, value in any_json()) {
        survives(ROLLOUTS, &[], &bytes, &rendered("on-rollout-aborted"), &value);
    }
}

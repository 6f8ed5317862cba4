//! Argo Rollouts' notifications, by the templates in `infra/argo/`.
//!
//! Argo Rollouts has no payload of its own, and no clock in its templates: ours sends the name of
//! the trigger with what the Rollout says of itself, times included.
//!
//! What this does not do: tell what the analysis measured.
//!
//! Invariant: an aborted rollout is a rollback that Argo made, and never ours.

mod rollout;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;
use serde::Deserialize;

use crate::argocd::require_version;
use crate::authenticate::Scheme;
use crate::draft::Draft;
use crate::json;
use crate::labels::{LabelNames, second_of};
use crate::lenient::{Part, Word};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::attribute;
use crate::source::{BODY_MAX, Profile};
use rollout::Rollout;

/// Argo Rollouts. It signs nothing; its webhook service can send a token.
pub(crate) const PROFILE: Profile = Profile {
    name: "argo-rollouts",
    body_max: BODY_MAX,
    schemes: &[Scheme::Bearer, Scheme::Basic],
    read: read_delivery,
};

const NAMES: LabelNames<'static> =
    LabelNames { env: &["env", "environment"], service: &["service"], version: &[] };

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    homeostat: Word,
    trigger: Word,
    rollout: Part<Rollout>,
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let body: Body = json::object(raw.body)?;
    if body.homeostat.as_str().is_none() {
        return Err(NotUnderstood::new("the field homeostat is missing: use the templates of infra/argo"));
    }
    require_version(&body.homeostat)?;
    let rollout = body.rollout.0.as_ref().ok_or_else(|| NotUnderstood::missing("rollout"))?;
    let name = rollout.name().ok_or_else(|| NotUnderstood::missing("rollout.metadata.name"))?;
    let trigger = body.trigger.as_str().unwrap_or_default();
    Ok(Read { id: None, reading: Reading::Items(vec![draft(trigger, rollout, name)]) })
}

fn draft(trigger: &str, rollout: &Rollout, name: &str) -> Draft {
    let (kind, status) = told(trigger, rollout.phase());
    let mut said = flat::Draft::saying(kind, status);
    NAMES.describe(&mut said, rollout.labels());
    said.service_name = said.service_name.or_else(|| Some(name.to_owned()));
    said.env_name = said.env_name.or_else(|| rollout.namespace());
    said.occurred_at_ms = rollout.moment(trigger);
    said.title = Some(rollout.path(name));
    describe(&mut said, rollout, name);
    attribute(&mut said, "trigger", Some(trigger));
    let subject = format!(
        "{}:{}",
        if said.kind == EventKind::Run { "analysis" } else { "rollout" },
        rollout.identity(name)
    );
    let attempt = second_of(said.occurred_at_ms);
    Draft::of(said).about(subject, attempt)
}

/// An aborted rollout brings the stable version back in place of the new one; all else is about the
/// new one.
fn describe(said: &mut flat::Draft, rollout: &Rollout, name: &str) {
    let (new, stable) = rollout.versions();
    let back = said.kind == EventKind::Rollback;
    (said.version, said.previous_version) = if back { (stable, new.clone()) } else { (new.clone(), stable) };
    if said.previous_version == said.version {
        said.previous_version = None;
    }
    if let Some(hash) = &new {
        said.correlation.deployment = Some(format!("{}:{hash}", rollout.identity(name)));
    }
    if said.kind == EventKind::Run {
        said.correlation.run = rollout.analysis();
        attribute(said, "analysis", rollout.analysis().as_deref());
    }
    attribute(said, "subject", Some(&rollout.path(name)));
    attribute(said, "images", Some(&rollout.images()));
    attribute(said, "step", rollout.step().as_deref());
    attribute(said, "message", rollout.message());
}

/// By the trigger; by the phase for a trigger this version does not know.
fn told(trigger: &str, phase: Option<&str>) -> (EventKind, Status) {
    match trigger {
        "on-rollout-aborted" => (EventKind::Rollback, Status::Success),
        "on-rollout-completed" => (EventKind::Deployment, Status::Success),
        "on-rollout-paused" => (EventKind::Deployment, Status::Waiting),
        "on-rollout-updated" | "on-rollout-step-completed" | "on-scaling-replica-set" => {
            (EventKind::Deployment, Status::Running)
        }
        "on-analysis-run-running" => (EventKind::Run, Status::Running),
        "on-analysis-run-successful" => (EventKind::Run, Status::Success),
        "on-analysis-run-failed" | "on-analysis-run-error" => (EventKind::Run, Status::Failure),
        _ => (EventKind::Deployment, by_phase(phase)),
    }
}

fn by_phase(phase: Option<&str>) -> Status {
    match phase {
        Some("Healthy") => Status::Success,
        Some("Degraded") => Status::Failure,
        Some("Paused") => Status::Waiting,
        Some("Progressing") => Status::Running,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests;

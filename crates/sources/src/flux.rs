//! Flux's notification-controller, providers `generic` and `generic-hmac`.
//!
//! Kustomizations and Helm releases are deployed; repositories, buckets and charts are where changes
//! come from, and their failures are nobody's deployment.
//!
//! What this does not do: read the message, whose wording Flux may change.
//!
//! Invariant: only what Flux applied to the cluster becomes a deployment or a rollback.

mod revision;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;
use serde::Deserialize;

use crate::authenticate::Scheme;
use crate::draft::Draft;
use crate::json;
use crate::labels::{LabelNames, Pairs, second_of};
use crate::lenient::{Moment, Word};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::attribute;
use crate::source::{BODY_MAX, Profile};
use revision::Revision;

/// Flux.
pub(crate) const PROFILE: Profile = Profile {
    name: "flux",
    body_max: BODY_MAX,
    schemes: &[Scheme::sha256("x-signature"), Scheme::Bearer],
    read: read_delivery,
};

/// What our docs ask for in the Alert's `eventMetadata`.
const METADATA_NAMES: LabelNames<'static> =
    LabelNames { env: &["env", "environment"], service: &["service", "app"], version: &["version"] };

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event {
    #[serde(rename = "involvedObject")]
    object: Option<Object>,
    metadata: Option<Pairs>,
    severity: Word,
    reason: Word,
    #[serde(rename = "reportingController")]
    controller: Word,
    timestamp: Moment,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    kind: Word,
    namespace: Word,
    name: Word,
    uid: Word,
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let event: Event = json::object(raw.body)?;
    Ok(Read { id: None, reading: Reading::Items(vec![draft(&event)?]) })
}

fn draft(event: &Event) -> Result<Draft, NotUnderstood> {
    let object = event.object.as_ref().ok_or_else(|| NotUnderstood::missing("involvedObject"))?;
    let kind = object.kind.as_str().ok_or_else(|| NotUnderstood::missing("involvedObject.kind"))?;
    let name = object.path().ok_or_else(|| NotUnderstood::missing("involvedObject.name"))?;
    let reason = event.reason.as_str().unwrap_or_default();
    let mut said = flat::Draft::saying(kind_of(kind, reason), status(event.severity.as_str(), reason));
    let metadata = metadata(event.metadata.as_ref());
    METADATA_NAMES.describe(&mut said, &metadata);
    said.service_name = said.service_name.or_else(|| Some(name.clone()));
    said.title = Some(format!("{kind} {name}"));
    said.occurred_at_ms = event.timestamp.0;
    let revision = metadata.get("revision");
    Revision::of(revision.unwrap_or_default()).describe(&mut said);
    said.commit = said.commit.or_else(|| commit(&metadata));
    attribute(&mut said, "reason", event.reason.as_str());
    attribute(&mut said, "revision", revision);
    attribute(&mut said, "controller", event.controller.as_str());
    let uid = object.uid.0.clone().unwrap_or(name);
    said.correlation.deployment =
        revision.filter(|_| is_applied(kind)).map(|at| format!("{kind}/{uid}@{at}"));
    let attempt = second_of(said.occurred_at_ms);
    Ok(Draft::of(said).about(format!("{kind}/{uid}"), attempt))
}

impl Object {
    /// `namespace/name`.
    fn path(&self) -> Option<String> {
        let name = self.name.as_str()?;
        Some(self.namespace.as_str().map_or_else(|| name.to_owned(), |space| format!("{space}/{name}")))
    }
}

/// Keys come with the API group of their controller in front: `kustomize.toolkit.fluxcd.io/revision`.
/// Where one is there with and without, the plain one was set by the operator.
fn metadata(given: Option<&Pairs>) -> Pairs {
    let given = given.cloned().unwrap_or_default();
    let (grouped, mut plain): (Vec<_>, Vec<_>) = given.0.into_iter().partition(|(key, _)| key.contains('/'));
    let bare = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
    let mut all: Vec<_> = grouped.into_iter().map(|(key, value)| (bare(&key), value)).collect();
    all.append(&mut plain);
    Pairs(all.into_iter().collect())
}

/// The commit that an artifact of another form was made from.
fn commit(metadata: &Pairs) -> Option<String> {
    let origin = metadata.get("originRevision").and_then(|origin| Revision::of(origin).commit);
    origin.or_else(|| metadata.get("commit").map(ToOwned::to_owned))
}

fn is_applied(kind: &str) -> bool {
    matches!(kind, "Kustomization" | "HelmRelease")
}

fn kind_of(kind: &str, reason: &str) -> EventKind {
    match kind {
        _ if is_applied(kind) && reason.starts_with("Rollback") => EventKind::Rollback,
        // Taken away, on demand or because the first installation failed; nothing was deployed.
        _ if is_applied(kind) && reason.starts_with("Uninstall") => EventKind::Other("removal".to_owned()),
        _ if is_applied(kind) => EventKind::Deployment,
        "GitRepository"
        | "OCIRepository"
        | "HelmRepository"
        | "HelmChart"
        | "Bucket"
        | "ExternalArtifact"
        | "ImageRepository"
        | "ImagePolicy"
        | "ImageUpdateAutomation" => EventKind::Change,
        other => EventKind::Other(other.to_lowercase()),
    }
}

/// The reason tells most; what it does not tell, the severity does.
fn status(severity: Option<&str>, reason: &str) -> Status {
    let succeeded = reason.ends_with("Succeeded") || matches!(reason, "Succeeded" | "NewArtifact");
    match (severity, reason) {
        (_, "DependencyNotReady") => Status::Waiting,
        (Some("error"), _) => Status::Failure,
        _ if reason.ends_with("Failed") => Status::Failure,
        _ if succeeded => Status::Success,
        _ if reason.starts_with("Progressing") => Status::Running,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests;

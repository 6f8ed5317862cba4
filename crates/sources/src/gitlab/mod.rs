//! GitLab's webhooks: pipelines, jobs, deployments, pushes of branches and tags, releases, merge
//! requests and feature flags; of projects, groups and the system hooks.
//!
//! The body says which event it is; the header that says so too is not signed and is not looked
//! at. A body of another shape, as a custom template makes them, is not understood.
//!
//! What this does not do: take `X-Gitlab-Event-UUID` or `X-Gitlab-Webhook-UUID` for the id of a
//! delivery (the one is shared by a chain of hooks, the other new for every request); tell a test
//! from the event it repeats, since GitLab does not.
//!
//! Invariants: of the variables of a pipeline only our own is kept; an event whose fork status
//! cannot be told counts as the one that permits less; no id of a pipeline is a bare number, so that
//! no remedy takes it for a run of GitHub's.

mod changes;
mod payload;
mod runs;
mod status;

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;
use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::authenticate::Scheme;
use crate::forge::{owned, plain_header, require_json};
use crate::json;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::source::Profile;
use payload::{Kind, Project, User};

/// Longest id of a delivery taken; GitLab sends a GUID of 36 characters.
const DELIVERY_MAX: usize = 128;
/// The same id under two names; the first is signed where a signing token is set.
const DELIVERY_HEADERS: [&str; 2] = ["webhook-id", "idempotency-key"];

/// GitLab. It delivers nothing longer than 25 MB.
pub(crate) const PROFILE: Profile = Profile {
    name: "gitlab",
    body_max: 25 * 1024 * 1024,
    schemes: &[Scheme::Token { header: "x-gitlab-token" }, Scheme::StandardWebhooks],
    read: read_delivery,
};

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    Ok(Read { id: delivery_id(raw.headers), reading: read(raw.headers, raw.body)? })
}

/// The delivery's id, which GitLab repeats when it sends it again. Older versions send none.
fn delivery_id(headers: &HeaderMap) -> Option<String> {
    DELIVERY_HEADERS.iter().find_map(|name| plain_header(headers, name, DELIVERY_MAX, b"-_."))
}

/// Reads one verified delivery.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Reading, NotUnderstood> {
    require_json(headers)?;
    let said: Kind = json::object(body)?;
    let kind = owned(said.object_kind.as_ref()).or(owned(said.event_name.as_ref()));
    match kind.as_deref() {
        Some("pipeline") => runs::pipeline(parsed(body)?),
        Some("build") => runs::job(parsed(body)?),
        Some("deployment") => runs::deployment(parsed(body)?),
        Some("push" | "tag_push") => changes::push(parsed(body)?),
        Some("release") => changes::release(parsed(body)?),
        Some("merge_request") => changes::merge_request(parsed(body)?),
        Some("feature_flag") => changes::feature_flag(parsed(body)?),
        Some(_) => Ok(Reading::Ignored("this kind of GitLab's events is not of interest".to_owned())),
        None => Err(NotUnderstood::new(
            "the body names no kind of event: a custom template of the webhook has to be taken out",
        )),
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, NotUnderstood> {
    Ok(json::object(body)?)
}

fn draft(kind: EventKind, status: Status, project: &str) -> flat::Draft {
    let mut said = flat::Draft::saying(kind, status);
    said.service_name = Some(project.to_owned());
    said
}

fn path(project: Option<&Project>) -> Result<String, NotUnderstood> {
    project
        .and_then(|project| owned(project.path_with_namespace.as_ref()))
        .ok_or_else(|| NotUnderstood::missing("project.path_with_namespace"))
}

fn username(user: Option<User>) -> Option<String> {
    user.and_then(|user| owned(user.username.as_ref()))
}

#[cfg(test)]
mod tests;

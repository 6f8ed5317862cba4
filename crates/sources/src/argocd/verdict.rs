//! What the state of an Application says: phase of its last operation by health.
//!
//! What this does not do: read the name of the trigger.
//!
//! Invariant: an Application that was never synced is never told as a deployment: what it runs is
//! a presence, which proves nothing of a release.

use homeostat_schema::types::{EventKind, Status};

use super::application::{App, Operation};
use crate::said::joined_id;

/// An Application that turns degraded this soon after its sync was broken by it. Kubernetes gives a
/// Deployment 10 minutes to make progress before it fails, and Argo CD looks every 3; this is about
/// twice that. Later, something else broke it.
const BROKEN_BY_SYNC_MS: u64 = 30 * 60 * 1000;

/// What to tell of an Application.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    pub(super) kind: EventKind,
    pub(super) status: Status,
    /// Which state of the Application this is one of.
    pub(super) subject: String,
    /// When it happened; `None` for the time of the notification.
    pub(super) at_ms: Option<u64>,
    /// When the state began.
    pub(super) since_ms: Option<u64>,
    pub(super) title: Option<String>,
    /// What CDEvents calls it, where kind and status do not say it.
    pub(super) cdevent: Option<&'static str>,
}

/// What there is to tell; `None` when all is well and nothing was deployed.
pub(super) fn of(app: &App) -> Option<Verdict> {
    let health = app.status.health.status.as_str().unwrap_or_default();
    if let Some(at) = app.metadata.deletion_timestamp.0 {
        return Some(removal(at));
    }
    match app.operation() {
        Some(operation) if turned_bad_later(app, operation, health) => Some(unhealthy(app, health)),
        Some(operation) => Some(synced(app, operation, health)),
        None if is_wrong(app, health) => Some(unhealthy(app, health)),
        None => runs(app, health).then(|| presence(app)),
    }
}

fn removal(at: u64) -> Verdict {
    Verdict {
        kind: EventKind::Other("removal".to_owned()),
        status: Status::Running,
        subject: "removal".to_owned(),
        at_ms: Some(at),
        since_ms: Some(at),
        title: None,
        cdevent: Some("service.removed"),
    }
}

/// Healthy, with images that run, and no operation brought them: it was there before Argo CD, or
/// Argo CD has forgotten.
fn runs(app: &App, health: &str) -> bool {
    health == "Healthy" && !app.status.summary.images.0.is_empty()
}

/// The same images are one state, however often they are told.
fn presence(app: &App) -> Verdict {
    let mut images: Vec<&str> = app.images().collect();
    images.sort_unstable();
    Verdict {
        kind: EventKind::Other("presence".to_owned()),
        status: Status::Success,
        subject: joined_id(&["presence", &images.join(" ")]),
        at_ms: None,
        since_ms: None,
        title: None,
        cdevent: Some("service.deployed"),
    }
}

fn synced(app: &App, operation: &Operation, health: &str) -> Verdict {
    let kind = if app.goes_back(operation) { EventKind::Rollback } else { EventKind::Deployment };
    let phase = operation.phase.as_str().unwrap_or_default();
    let (started, finished) = (operation.started_at.0, operation.finished_at.0);
    let at_ms = match (phase, health) {
        ("Succeeded", "Degraded") => app.status.health.since.0.max(finished),
        _ => finished.or(started),
    };
    Verdict {
        kind,
        status: status(phase, health),
        subject: format!("sync:{}", started.unwrap_or_default()),
        at_ms,
        since_ms: started,
        title: None,
        cdevent: None,
    }
}

/// The operation says what was applied, the health whether it runs.
fn status(phase: &str, health: &str) -> Status {
    match (phase, health) {
        ("Running" | "Terminating", _) => Status::Running,
        ("Failed" | "Error", _) => Status::Failure,
        ("Succeeded", "Healthy") => Status::Success,
        ("Succeeded", "Degraded") => Status::Failure,
        ("Succeeded", "Suspended") => Status::Waiting,
        ("Succeeded", "Progressing" | "Missing") => Status::Running,
        ("Succeeded", _) => Status::Unknown,
        (other, _) => Status::named(other),
    }
}

/// A sync that succeeded, and an Application that fell ill long after.
fn turned_bad_later(app: &App, operation: &Operation, health: &str) -> bool {
    let since = app.status.health.since.0;
    let age = since.and_then(|since| since.checked_sub(operation.finished_at.0?));
    operation.phase.as_str() == Some("Succeeded")
        && health == "Degraded"
        && age.is_some_and(|age| age > BROKEN_BY_SYNC_MS)
}

/// Without any operation: degraded, or not to be assessed because of a mistake that is named.
fn is_wrong(app: &App, health: &str) -> bool {
    let mistake = |name: &str| name.ends_with("Error");
    let named = app.status.conditions.0.iter().filter_map(|condition| condition.kind.as_str()).any(mistake);
    health == "Degraded" || (named && matches!(health, "Unknown" | "Missing"))
}

fn unhealthy(app: &App, health: &str) -> Verdict {
    Verdict {
        kind: EventKind::Alert,
        status: Status::Firing,
        subject: "health".to_owned(),
        at_ms: None,
        since_ms: app.status.health.since.0,
        title: Some(format!("Application health is {health}")),
        cdevent: None,
    }
}

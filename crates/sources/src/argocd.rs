//! Argo CD's notifications, by the template in `infra/argo/`.
//!
//! Argo CD has no payload of its own: the operator's template is. Ours keeps Argo's names for what
//! it carries, so that the same reader takes a template that sends the whole Application under
//! `app`, with `timestamp` and `context` beside it.
//!
//! What this does not do: believe the name of the trigger; the state of the Application decides.
//! Tell what each of an Application's images became: it lists those that run.
//!
//! Invariants: a deployment succeeded only when its operation did and the Application is healthy;
//! that somebody else starts a sync never makes it our own.

mod application;
mod verdict;

use homeostat_schema::types::EventKind;
use homeostat_schema::wire::flat;
use serde::Deserialize;

use crate::authenticate::Scheme;
use crate::draft::Draft;
use crate::json;
use crate::labels::{Address, LabelNames, link, second_of};
use crate::lenient::{Moment, Part, Word};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::{attribute, listed, span};
use crate::source::{BODY_MAX, Profile};
use application::{App, Operation};
use verdict::Verdict;

/// Argo CD. It signs nothing; its webhook service can send a token.
pub(crate) const PROFILE: Profile = Profile {
    name: "argocd",
    body_max: BODY_MAX,
    schemes: &[Scheme::Bearer, Scheme::Basic],
    read: read_delivery,
};

/// The version of our template's form that is read.
pub(crate) const TEMPLATE_VERSION: &str = "1";
/// What whoever starts a sync for us writes into `operation.info`; see `docs/sources/argocd.md`.
const STAMP: &str = "homeostat.attempt";

const NAMES: LabelNames<'static> = LabelNames {
    env: &["env", "environment"],
    service: &["service"],
    version: &["version", "app.kubernetes.io/version"],
};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    /// The version of our template; absent in other people's.
    homeostat: Word,
    timestamp: Moment,
    context: Part<Context>,
    app: Part<App>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Context {
    #[serde(rename = "argocdUrl")]
    url: Address,
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let body: Body = json::object(raw.body)?;
    require_version(&body.homeostat)?;
    let app = body.app.0.as_ref().ok_or_else(|| NotUnderstood::missing("app"))?;
    let name = app.metadata.name.as_str().ok_or_else(|| NotUnderstood::missing("app.metadata.name"))?;
    let reading = match verdict::of(app) {
        None => Reading::Ignored("nothing was deployed and nothing is wrong".to_owned()),
        Some(verdict) => Reading::Items(vec![draft(&body, app, name, verdict)]),
    };
    Ok(Read { id: None, reading })
}

/// Refuses a template of a later form, whose meaning cannot be known.
///
/// # Errors
/// [`NotUnderstood`] when it names another version than [`TEMPLATE_VERSION`].
pub(crate) fn require_version(named: &Word) -> Result<(), NotUnderstood> {
    match named.as_str() {
        None | Some(TEMPLATE_VERSION) => Ok(()),
        Some(_) => Err(NotUnderstood::new("the template is of another version than 1, which is read here")),
    }
}

fn draft(body: &Body, app: &App, name: &str, verdict: Verdict) -> Draft {
    let subject = format!("{}:{}", app.identity(), verdict.subject);
    let mut said = flat::Draft::saying(verdict.kind, verdict.status);
    NAMES.describe(&mut said, &app.metadata.labels);
    said.service_name = said.service_name.or_else(|| Some(name.to_owned()));
    said.env_name = said.env_name.or_else(|| app.environment());
    said.title = verdict.title.or_else(|| Some(name.to_owned()));
    said.occurred_at_ms = verdict.at_ms.or(body.timestamp.0);
    said.url = url(body.context.0.as_ref(), app, name);
    describe_state(&mut said, app, name);
    attribute(&mut said, "cdevent", verdict.cdevent);
    let operation = app.operation();
    let own_attempt = operation.and_then(Operation::stamp);
    if let Some(operation) = operation {
        describe_operation(&mut said, app, operation);
    }
    let attempt = if said.kind == EventKind::Alert { second_of(verdict.since_ms) } else { 1 };
    Draft { own_attempt, ..Draft::of(said).about(subject, attempt) }
}

fn describe_state(said: &mut flat::Draft, app: &App, name: &str) {
    let path = app.path(name);
    attribute(said, "subject", Some(&path));
    attribute(said, "environment", app.spec.destination.server.as_str());
    attribute(said, "namespace", app.spec.destination.namespace.as_str());
    attribute(said, "health", app.status.health.status.as_str());
    attribute(said, "sync", app.status.sync.status.as_str());
    attribute(said, "images", Some(&listed(app.images())));
}

fn describe_operation(said: &mut flat::Draft, app: &App, operation: &Operation) {
    let deployed = app.deployed(operation);
    said.commit = deployed.commit;
    said.version = deployed.chart_version.or(said.version.take());
    said.branch = deployed.branch;
    said.duration_ms = span(operation.started_at.0, operation.finished_at.0);
    said.actor = operation.actor();
    attribute(said, "artifact", deployed.artifact.as_deref());
    attribute(said, "phase", operation.phase.as_str());
    if said.kind == EventKind::Rollback {
        said.previous_version = app.replaced(operation);
    }
    if said.kind != EventKind::Alert {
        let started = operation.started_at.0.unwrap_or_default();
        said.correlation.deployment = Some(format!("{}:{started}", app.identity()));
    }
}

fn url(context: Option<&Context>, app: &App, name: &str) -> Option<String> {
    let base = link(&context?.url)?;
    flat::safe_url(&format!("{}/applications/{}", base.trim_end_matches('/'), app.path(name)))
}

#[cfg(test)]
mod tests;

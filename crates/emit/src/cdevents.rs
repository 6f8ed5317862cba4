//! CDEvents 0.5: the form of what we tell, and of any event that we took in.
//! Source: <https://github.com/cdevents/spec/tree/v0.5.1>.
//!
//! What this does not do: read CDEvents (`homeostat-sources` does), or repeat a sender's words
//! beyond what the attributes below hold.
//!
//! [`of_event`] is at its best when the reader kept, among the event's attributes, what the sender
//! itself calls things: `subject`, `pipeline`, `pipeline-run`, `repository`, `environment`,
//! `artifact`, in `images` the container images that a deployment left running, parted by spaces,
//! in `told-at` the sender's own time where the event is dated otherwise, and in `cdevent` what kind
//! and status do not say (`change.merged`).
//!
//! Invariant: every field that the specification requires is there, or there is no event.

use homeostat_schema::time;
use homeostat_schema::types::{Event, EventKind, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::purl::{self, Image};

/// The version of the specification these events follow.
pub const SPEC_VERSION: &str = "0.5.1";

/// Subject and predicate, and the version of the event type in [`SPEC_VERSION`].
const TYPES: &[(&str, &str)] = &[
    ("artifact.published", "0.3.0"),
    ("branch.created", "0.3.0"),
    ("branch.deleted", "0.3.0"),
    ("change.abandoned", "0.3.0"),
    ("change.created", "0.4.0"),
    ("change.merged", "0.3.0"),
    ("change.reviewed", "0.3.0"),
    ("change.updated", "0.3.0"),
    ("incident.detected", "0.3.0"),
    ("incident.resolved", "0.3.0"),
    ("pipelinerun.finished", "0.3.0"),
    ("pipelinerun.queued", "0.3.0"),
    ("pipelinerun.started", "0.3.0"),
    ("service.deployed", "0.3.0"),
    ("service.published", "0.3.0"),
    ("service.removed", "0.3.0"),
    ("service.rolledback", "0.3.0"),
    ("service.upgraded", "0.3.0"),
    ("taskrun.finished", "0.3.0"),
    ("taskrun.started", "0.3.0"),
];

/// The version of our own event types.
const OWN_VERSION: &str = "0.1.0";
/// Images told of one deployment; readers keep no more than these.
const IMAGES_MAX: usize = 16;
/// What our own subjects begin with.
const OWN: &str = "homeostat-";

/// An event in the form of CDEvents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CdEvent {
    /// What every event has.
    pub context: Context,
    /// What it is about.
    pub subject: Subject,
    /// What CDEvents has no field for.
    #[serde(rename = "customData", default, skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<Value>,
}

/// What every event has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// [`SPEC_VERSION`].
    pub specversion: String,
    /// Unique together with the source.
    pub id: String,
    /// A URI reference.
    pub source: String,
    /// Such as `dev.cdevents.incident.detected.0.3.0`.
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 3339.
    pub timestamp: String,
    /// What it belongs to: for our own events, the incident.
    #[serde(rename = "chainId", default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<String>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Its name, as its own system calls it.
    pub id: String,
    /// By the type of the event.
    pub content: Value,
}

impl Subject {
    pub(crate) fn new(id: &str, content: Value) -> Self {
        Self { id: id.to_owned(), content }
    }
}

/// What an event of ours is made of beside its kind and its subject.
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) source: String,
    /// RFC 3339; `None` for a time beyond the year 9999.
    pub(crate) at: Option<String>,
    pub(crate) chain: Option<String>,
    pub(crate) custom: Option<Value>,
}

/// An event of this subject and predicate; `None` for a name nobody knows, an empty subject, or a
/// time beyond the year 9999.
pub(crate) fn make(name: &str, subject: Subject, made: Made) -> Option<CdEvent> {
    let kind = if name.starts_with(OWN) {
        format!("dev.cdeventsx.{name}.{OWN_VERSION}")
    } else {
        let (name, version) = TYPES.iter().find(|(known, _)| *known == name)?;
        format!("dev.cdevents.{name}.{version}")
    };
    if subject.id.is_empty() {
        return None;
    }
    let context = Context {
        specversion: SPEC_VERSION.to_owned(),
        id: made.id,
        source: made.source,
        kind,
        timestamp: made.at?,
        chain_id: made.chain,
    };
    Some(CdEvent { context, subject, custom_data: made.custom })
}

/// The form of an event that we took in: one, and after a deployment that succeeded one more for
/// each of its images. None for what CDEvents has no type for: a deployment under way, a push to a
/// branch that was there, a reading of a metric.
pub fn of_event(event: &Event) -> Vec<CdEvent> {
    let said = Said(event);
    let Some(name) = said.name() else { return Vec::new() };
    let whole = said.content(name).and_then(|content| {
        let subject = Subject { id: said.subject(name), content: Value::Object(content) };
        make(name, subject, made(event, event.id.clone()))
    });
    let images = said.images(name).into_iter().zip(1_u32..).filter_map(|(image, number)| {
        let id = format!("{}/{}", said.subject(name), image.name);
        let content = json!({"environment": said.environment(), "artifactId": image.purl});
        make("service.deployed", Subject { id, content }, made(event, format!("{}/{number}", event.id)))
    });
    whole.into_iter().chain(images).collect()
}

fn made(event: &Event, id: String) -> Made {
    let source = format!("/webhooks/{}", event.source);
    Made { id, source, at: Said(event).at(), chain: None, custom: None }
}

/// An event, asked for what CDEvents wants to know.
struct Said<'a>(&'a Event);

impl Said<'_> {
    fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.0.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// As its sender told it, else as we date it.
    fn at(&self) -> Option<String> {
        let told = self.attribute("told-at").and_then(|text| time::parse_any(text).ok());
        told.map_or_else(|| time::rfc3339(self.0.occurred_at), time::rfc3339_any)
    }

    fn name(&self) -> Option<&'static str> {
        if let Some(told) = self.attribute("cdevent") {
            return TYPES.iter().map(|(name, _)| *name).find(|name| *name == told);
        }
        let event = self.0;
        match (&event.kind, &event.status) {
            (EventKind::Run, Status::Queued | Status::Waiting) => Some("pipelinerun.queued"),
            (EventKind::Run, Status::Running) => Some("pipelinerun.started"),
            (EventKind::Run, status) => outcome(status).map(|_| "pipelinerun.finished"),
            (EventKind::Job, Status::Running) => Some("taskrun.started"),
            (EventKind::Job, status) => outcome(status).map(|_| "taskrun.finished"),
            (EventKind::Deployment, Status::Success) if self.is_upgrade() => Some("service.upgraded"),
            (EventKind::Deployment, Status::Success) => Some("service.deployed"),
            (EventKind::Rollback, Status::Success) => Some("service.rolledback"),
            (EventKind::Release, Status::Success) => Some("artifact.published"),
            (EventKind::Alert, Status::Firing) => Some("incident.detected"),
            (EventKind::Alert, Status::Resolved) => Some("incident.resolved"),
            _ => None,
        }
    }

    fn is_upgrade(&self) -> bool {
        self.0.previous_version.is_some() && self.0.previous_version != self.0.version
    }

    fn subject(&self, name: &str) -> String {
        let event = self.0;
        if let Some(own) = self.attribute("subject") {
            return own.to_owned();
        }
        let ids = &event.correlation;
        match name.split('.').next().unwrap_or_default() {
            "pipelinerun" | "taskrun" => match &ids.run {
                Some(run) => {
                    format!("{}/runs/{run}/attempts/{}", event.service, ids.run_attempt.unwrap_or(1))
                }
                None => event.id.clone(),
            },
            "service" => event.service.clone(),
            "artifact" => self.artifact(),
            "incident" => event.title.clone().unwrap_or_else(|| event.id.clone()),
            _ => ids.pull_request.clone().or(event.branch.clone()).unwrap_or_else(|| event.id.clone()),
        }
    }

    fn environment(&self) -> Value {
        json!({"id": self.attribute("environment").unwrap_or(&self.0.env)})
    }

    /// Of a deployment only: which images a rollback brought back is not said.
    fn images(&self, name: &str) -> Vec<Image> {
        let list = match name {
            "service.deployed" | "service.upgraded" => self.attribute("images"),
            _ => None,
        };
        list.unwrap_or_default().split_whitespace().take(IMAGES_MAX).filter_map(purl::oci).collect()
    }

    fn artifact(&self) -> String {
        let release = self.0.version.as_deref().or(self.0.commit.as_deref());
        self.attribute("artifact").map_or_else(|| purl::generic(&self.0.service, release), str::to_owned)
    }

    /// `None` when something required is not known.
    fn content(&self, name: &str) -> Option<Map<String, Value>> {
        let mut content = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                content.insert(name.to_owned(), value);
            }
        };
        let environment = self.environment();
        let pipeline = self.attribute("pipeline").or(self.0.title.as_deref()).map(Value::from);
        let uri = self.0.url.as_deref().map(Value::from);
        let repository = self.attribute("repository").map(|id| json!({"id": id}));
        match name {
            "pipelinerun.started" if pipeline.is_none() || uri.is_none() => return None,
            "pipelinerun.queued" | "pipelinerun.started" | "pipelinerun.finished" => {
                put("pipelineName", pipeline);
                put("uri", uri);
                put("outcome", name.ends_with("finished").then(|| outcome(&self.0.status)).flatten());
            }
            "taskrun.started" | "taskrun.finished" => {
                put("taskName", pipeline);
                put("uri", uri);
                put("pipelineRun", self.attribute("pipeline-run").map(|id| json!({"id": id})));
                put("outcome", name.ends_with("finished").then(|| outcome(&self.0.status)).flatten());
            }
            "service.removed" | "service.published" => put("environment", Some(environment)),
            "service.deployed" | "service.upgraded" | "service.rolledback" => {
                put("environment", Some(environment));
                put("artifactId", Some(self.artifact().into()));
            }
            "incident.detected" | "incident.resolved" => {
                put("description", self.0.title.as_deref().map(Value::from));
                put("environment", Some(environment));
                put("service", Some(json!({"id": self.0.service})));
            }
            "artifact.published" => {}
            _ => put("repository", repository),
        }
        Some(content)
    }
}

/// CDEvents' word for how a run ended; `None` when it has not ended, or was never begun.
fn outcome(status: &Status) -> Option<Value> {
    match status {
        Status::Success => Some("success".into()),
        Status::Failure => Some("failure".into()),
        Status::Cancelled => Some("cancel".into()),
        _ => None,
    }
}

//! CDEvents 0.4 and 0.5, and custom events, plain or as the data of a CloudEvent.
//!
//! Read leniently: a later version adds fields and types, and what this version does not know is
//! walked over or kept as an `other` event by its name. Only `context.id`, `source`, `type` and
//! `subject.id` must be there.
//!
//! What this does not do: check an event against the schemas; keep custom data, error texts or
//! signatures.
//!
//! Invariants: where a CloudEvent carries it, the two must name the same event; the version of a
//! type never decides what it means.

mod body;
mod kind;

use homeostat_schema::types::EventKind;
use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX};

use crate::authenticate::Scheme;
use crate::cloudevents::{Envelope, Mode, batched, carries_event, mode};
use crate::draft::Draft;
use crate::json::{self, bounded};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::{attribute, joined_id};
use crate::source::{BODY_MAX, Profile};
use body::{Body, Content, Context, Custom, Stamp};
use kind::Type;

/// CDEvents.
pub(crate) const PROFILE: Profile = Profile {
    name: "cdevents",
    body_max: BODY_MAX,
    schemes: &[Scheme::Bearer, Scheme::StandardWebhooks, Scheme::Basic],
    read: read_delivery,
};

/// Whether a CloudEvent of this type holds a CDEvent.
pub(crate) fn is_type(kind: &str) -> bool {
    kind.starts_with("dev.cdevents.") || kind.starts_with("dev.cdeventsx.")
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    if mode(raw.headers) == Mode::Batched {
        return batched(raw.body, read_data);
    }
    if carries_event(raw.headers) {
        let envelope = Envelope::of(raw)?;
        return Ok(Read { id: Some(envelope.name()), reading: read_data(&envelope)? });
    }
    let event = Event::of(raw.body)?;
    Ok(Read { id: Some(event.name()), reading: event.reading() })
}

/// Reads the CDEvent that a CloudEvent carries.
///
/// # Errors
/// [`NotUnderstood`] when it is none, or when the two disagree on which event it is.
pub(crate) fn read_data(envelope: &Envelope<'_>) -> Result<Reading, NotUnderstood> {
    let event = Event::of(envelope.json()?)?;
    event.agrees_with(envelope)?;
    Ok(event.reading())
}

/// A CDEvent with what it must have.
struct Event {
    id: String,
    source: String,
    /// With its version.
    type_name: String,
    kind: Type,
    subject: String,
    context: Context,
    content: Content,
    /// What Homeostat wrote into it, when it did.
    stamp: Option<Stamp>,
}

impl Event {
    fn of(json: &[u8]) -> Result<Self, NotUnderstood> {
        let body: Body = json::object(json)?;
        let mut context = body.context.0.ok_or_else(|| NotUnderstood::missing("context"))?;
        let subject = body.subject.0.ok_or_else(|| NotUnderstood::missing("subject"))?;
        let type_name = need("context.type", context.kind.0.take())?;
        let kind = Type::parse(&type_name)
            .ok_or_else(|| NotUnderstood::new("context.type is not the type of an event"))?;
        Ok(Self {
            id: need("context.id", context.id.0.take())?,
            source: need("context.source", context.source.0.take())?,
            subject: need("subject.id", subject.id.0)?,
            stamp: body.custom_data.0.and_then(Custom::into_stamp),
            content: subject.content.0.unwrap_or_default(),
            type_name,
            kind,
            context,
        })
    }

    fn name(&self) -> String {
        joined_id(&[&self.source, &self.id])
    }

    fn agrees_with(&self, envelope: &Envelope<'_>) -> Result<(), NotUnderstood> {
        let subject = envelope.subject.as_deref().unwrap_or(&self.subject);
        let same = [
            ("id", self.id == envelope.id),
            ("source", self.source == envelope.source),
            ("type", self.type_name == envelope.kind),
            ("subject", self.subject == subject),
        ];
        match same.iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((field, _)) => Err(NotUnderstood::new(format!(
                "the CloudEvent and the CDEvent in it differ in their {field}"
            ))),
        }
    }

    /// What we told of an incident is no alert: it would open another one about itself.
    fn reading(self) -> Reading {
        match &self.stamp {
            Some(stamp) if stamp.attempt.as_str().is_none() => {
                Reading::Ignored("Homeostat told this itself".to_owned())
            }
            _ => Reading::Items(vec![self.draft()]),
        }
    }

    fn draft(mut self) -> Draft {
        let about = (self.kind.family(), self.kind.outcome(&self.content));
        let mut said = flat::Draft::saying(about.0, about.1);
        said.delivery = Some(self.name());
        said.occurred_at_ms = self.context.timestamp.0;
        said.service_name = self.service();
        said.env_name = self.environment();
        said.title = self.content.title();
        said.version = self.artifact().and_then(purl_version);
        said.url = self.content.url();
        said.actor = self.content.user.0.take();
        self.correlate(&mut said);
        self.describe(&mut said);
        let own_attempt = self.stamp.take().and_then(|stamp| stamp.attempt.0);
        let draft = Draft { own_attempt, ..Draft::of(said) };
        match self.kind.is_run() {
            true => draft.about(self.run_name(), 1),
            // A service may be deployed, an incident detected, again under the same name.
            false => draft,
        }
    }

    /// The sender's lasting name of a run.
    fn run_name(&self) -> String {
        joined_id(&[&self.kind.subject, &self.source, &self.subject])
    }

    fn service(&self) -> Option<String> {
        let named = match self.kind.subject.as_str() {
            "service" => Some(self.subject.as_str()),
            "incident" => self.content.service.id(),
            "pipelinerun" => self.content.pipeline_name.as_str(),
            "artifact" => purl_name(&self.subject),
            _ => self.content.repository.id(),
        };
        named.or(Some(&self.source)).and_then(|name| bounded(name, TEXT_CHARS_MAX))
    }

    fn environment(&self) -> Option<String> {
        match self.kind.subject.as_str() {
            "environment" => bounded(&self.subject, TEXT_CHARS_MAX),
            _ => self.content.environment.id().map(str::to_owned),
        }
    }

    /// The package URL it is about.
    fn artifact(&self) -> Option<&str> {
        match self.kind.subject.as_str() {
            "artifact" => Some(&self.subject),
            _ => self.content.artifact_id.as_str(),
        }
    }

    fn correlate(&self, said: &mut flat::Draft) {
        let own = bounded(&self.subject, TEXT_CHARS_MAX);
        match (self.kind.subject.as_str(), said.kind == EventKind::Run) {
            (_, true) => said.correlation.run = own,
            ("taskrun", _) => said.correlation.run = self.content.pipeline_run.id().map(str::to_owned),
            ("testcaserun", _) => {
                said.correlation.run = self.content.test_suite_run.id().map(str::to_owned);
            }
            ("change", _) => said.correlation.pull_request = own,
            _ => {}
        }
    }

    fn describe(&self, said: &mut flat::Draft) {
        attribute(said, "cdevent", Some(&self.kind.name()));
        attribute(said, "subject", Some(&self.subject));
        attribute(said, "artifact", self.artifact());
        attribute(said, "environment", self.content.environment.id());
        attribute(said, "repository", self.content.repository.id());
        attribute(said, "pipeline", self.content.pipeline_name.as_str().or(self.content.task_name.as_str()));
        attribute(said, "pipeline-run", self.content.pipeline_run.id());
        attribute(said, "chain", self.context.chain_id.as_str());
        attribute(said, "caused-by", self.context.cause());
    }
}

fn need(field: &str, value: Option<String>) -> Result<String, NotUnderstood> {
    value.ok_or_else(|| NotUnderstood::missing(field))
}

/// The name in a package URL: what stands between the last `/` and the version.
fn purl_name(purl: &str) -> Option<&str> {
    let path = purl.strip_prefix("pkg:")?.split(['?', '#']).next()?;
    let (name, _) = path.rsplit_once('@').unwrap_or((path, ""));
    name.rsplit('/').next().filter(|name| !name.is_empty())
}

/// The version in a package URL, percent-decoded: `sha256:0b31…` of an image.
fn purl_version(purl: &str) -> Option<String> {
    let path = purl.strip_prefix("pkg:")?.split(['?', '#']).next()?;
    let (_, version) = path.rsplit_once('@')?;
    let version = percent_encoding::percent_decode_str(version).decode_utf8().ok()?;
    bounded(&version, TEXT_CHARS_MAX)
}

#[cfg(test)]
mod tests;

//! PagerDuty's webhooks, version 3: `incident.*` and `pagey.ping`.
//!
//! What this does not do: read `service.*` events, notes, responders or conference bridges, which
//! say nothing about how an incident stands.
//!
//! Invariant: an event is known by `event.id` of the signed body. The header `X-Webhook-Id` is not
//! signed and is not looked at.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;
use serde::Deserialize;

use crate::authenticate::Scheme;
use crate::draft::Draft;
use crate::json;
use crate::labels::{Address, link, second_of};
use crate::lenient::{Moment, Part, Word};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::attribute;
use crate::source::Profile;

/// PagerDuty. It sends nothing longer than 256 KB.
pub(crate) const PROFILE: Profile = Profile {
    name: "pagerduty",
    body_max: 256 * 1024,
    schemes: &[Scheme::v1("x-pagerduty-signature"), Scheme::Bearer, Scheme::Basic],
    read: read_delivery,
};

#[derive(Deserialize)]
struct Body {
    event: Option<Event>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event {
    id: Word,
    event_type: Word,
    occurred_at: Moment,
    agent: Part<Reference>,
    data: Option<Incident>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Incident {
    id: Word,
    #[serde(rename = "type")]
    kind: Word,
    html_url: Address,
    status: Word,
    title: Word,
    service: Part<Reference>,
    priority: Part<Reference>,
    urgency: Word,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reference {
    id: Word,
    summary: Word,
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let body: Body = json::object(raw.body)?;
    let event = body.event.ok_or_else(|| NotUnderstood::missing("event"))?;
    Ok(Read { id: None, reading: read(event)? })
}

fn read(mut event: Event) -> Result<Reading, NotUnderstood> {
    let kind = event.event_type.0.clone().ok_or_else(|| NotUnderstood::missing("event.event_type"))?;
    if kind == "pagey.ping" {
        return Ok(Reading::Ignored("ping".to_owned()));
    }
    let Some(what) = kind.strip_prefix("incident.") else {
        return Ok(Reading::Ignored("only PagerDuty's incident events are of interest".to_owned()));
    };
    let incident = event.data.take().ok_or_else(|| NotUnderstood::missing("event.data"))?;
    if incident.kind.as_str() != Some("incident") {
        return Ok(Reading::Ignored("it does not say how an incident stands".to_owned()));
    }
    draft(&event, &incident, what).map(|draft| Reading::Items(vec![draft]))
}

/// A state of an incident. It can be reopened, and nothing numbers its rounds, so the second it
/// happened orders its states.
fn draft(event: &Event, incident: &Incident, what: &str) -> Result<Draft, NotUnderstood> {
    let id = incident.id.as_str().ok_or_else(|| NotUnderstood::missing("event.data.id"))?;
    let mut said = flat::Draft::saying(EventKind::Alert, status(incident.status.as_str()));
    said.delivery = event.id.0.clone();
    said.occurred_at_ms = event.occurred_at.0;
    said.title = incident.title.0.clone();
    said.url = link(&incident.html_url);
    said.service_name = incident.service.0.as_ref().and_then(Reference::name);
    said.actor = event.agent.0.as_ref().and_then(Reference::name);
    attribute(&mut said, "what", Some(what));
    attribute(&mut said, "incident", Some(id));
    attribute(&mut said, "state", incident.status.as_str());
    attribute(&mut said, "urgency", incident.urgency.as_str());
    attribute(&mut said, "priority", incident.priority.0.as_ref().and_then(Reference::name).as_deref());
    attribute(&mut said, "service-id", incident.service.0.as_ref().and_then(|service| service.id.as_str()));
    let attempt = second_of(said.occurred_at_ms);
    Ok(Draft::of(said).about(format!("incident:{id}"), attempt))
}

/// One that somebody looks at still fires.
fn status(theirs: Option<&str>) -> Status {
    match theirs {
        Some("triggered" | "acknowledged") => Status::Firing,
        None => Status::Unknown,
        Some(other) => Status::named(other),
    }
}

impl Reference {
    fn name(&self) -> Option<String> {
        self.summary.0.clone().or_else(|| self.id.0.clone())
    }
}

#[cfg(test)]
mod tests;

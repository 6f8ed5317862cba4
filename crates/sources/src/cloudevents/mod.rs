//! CloudEvents 1.0 over HTTP: binary, structured and batched.
//!
//! What an event is about its type tells, and the type's own reader reads its data: CDEvents,
//! Tekton, Jenkins, and `dev.homeostat.event` for the flat form. An event of any other type is
//! kept as an `other` event by its type's name, so that it stands on the timeline beside an
//! incident; nothing acts on it, and its data is not kept.
//!
//! What this does not do: the OPTIONS handshake of the webhook specification, tokens in the
//! address, other formats than JSON.
//!
//! Invariants: `source` and `id` together are what a repetition is known by; one bad event of a
//! batch does not cost the others.

mod batch;
mod binding;
mod envelope;

use homeostat_schema::time;
use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX};

use crate::authenticate::Scheme;
use crate::draft::Draft;
use crate::json::bounded;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::attribute;
use crate::source::{BODY_MAX, Profile};
use crate::{cdevents, generic, jenkins, tekton};

pub(crate) use batch::batched;
pub(crate) use binding::{Mode, carries_event, mode};
pub(crate) use envelope::Envelope;

/// CloudEvents of whatever type.
pub(crate) const PROFILE: Profile = Profile {
    name: "cloudevents",
    body_max: BODY_MAX,
    schemes: &[Scheme::Bearer, Scheme::StandardWebhooks, Scheme::Basic],
    read: read_delivery,
};

/// The type of an event whose data is the flat form.
pub const FLAT_TYPE: &str = "dev.homeostat.event";

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    match mode(raw.headers) {
        Mode::Batched => batched(raw.body, read_event),
        Mode::Structured => single(&Envelope::structured(raw.body)?),
        Mode::Binary => single(&Envelope::binary(raw)?),
    }
}

fn single(envelope: &Envelope<'_>) -> Result<Read, NotUnderstood> {
    let reading = match read_event(envelope)? {
        Reading::Items(drafts) => {
            let drafts = drafts.into_iter().enumerate();
            Reading::Items(drafts.map(|(at, draft)| batch::named(draft, envelope, at)).collect())
        }
        other => other,
    };
    Ok(Read { id: Some(envelope.name()), reading })
}

fn read_event(envelope: &Envelope<'_>) -> Result<Reading, NotUnderstood> {
    match envelope.kind.as_str() {
        kind if cdevents::is_type(kind) => cdevents::read_data(envelope),
        kind if tekton::is_type(kind) => tekton::read_data(envelope),
        kind if jenkins::is_type(kind) => jenkins::read_data(envelope),
        FLAT_TYPE => Ok(Reading::Items(flat_form(envelope)?)),
        _ => Ok(Reading::Items(vec![other(envelope)])),
    }
}

fn flat_form(envelope: &Envelope<'_>) -> Result<Vec<Draft>, NotUnderstood> {
    let mut drafts = generic::read(envelope.json()?)?;
    for draft in &mut drafts {
        draft.said.occurred_at_ms = draft.said.occurred_at_ms.or(envelope.own_time_ms());
    }
    Ok(drafts)
}

/// An event whose type says nothing to us.
fn other(envelope: &Envelope<'_>) -> Draft {
    let kind = bounded(&envelope.kind, TEXT_CHARS_MAX).unwrap_or_default();
    let mut said = flat::Draft::saying(EventKind::Other(kind), Status::Unknown);
    said.occurred_at_ms = envelope.own_time_ms();
    said.title = envelope.subject.as_deref().and_then(|subject| bounded(subject, TEXT_CHARS_MAX));
    attribute(&mut said, "ce-source", Some(&envelope.source));
    attribute(&mut said, "ce-id", Some(&envelope.id));
    attribute(&mut said, "ce-time", envelope.time_ms().map(time::display).as_deref());
    Draft::of(said)
}

#[cfg(test)]
mod tests;

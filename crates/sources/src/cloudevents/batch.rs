//! Several events in one request, each with its own outcome.
//!
//! What this does not do: let one bad event cost the others; take more than its bound.

use std::fmt;

use homeostat_schema::wire::flat::ITEMS_MAX;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Envelope;
use crate::draft::Draft;
use crate::json::{self, BodyError};
use crate::reading::{NotUnderstood, Part, Read, Reading};

/// Reads a JSON list of events, each by `read`.
///
/// # Errors
/// [`NotUnderstood`] when it is not a list, or too long.
pub(crate) fn batched(
    body: &[u8],
    read: fn(&Envelope<'_>) -> Result<Reading, NotUnderstood>,
) -> Result<Read, NotUnderstood> {
    let text = json::text(body)?;
    let Events(events) = serde_json::from_str(text).map_err(BodyError::from)?;
    if events.len() > ITEMS_MAX {
        return Err(NotUnderstood::new(format!("more than {ITEMS_MAX} events in one batch")));
    }
    let parts = events.into_iter().flat_map(|event| parts(event.get().as_bytes(), read)).collect();
    Ok(Read { id: None, reading: whole(parts) })
}

/// A batch that was taken whole is a list like any other.
fn whole(parts: Vec<Part>) -> Reading {
    if !parts.iter().all(|part| matches!(part, Part::Said(_))) {
        return Reading::Batch(parts);
    }
    let drafts = parts.into_iter().filter_map(|part| match part {
        Part::Said(draft) => Some(*draft),
        Part::Ignored(_) | Part::NotUnderstood(_) => None,
    });
    Reading::Items(drafts.collect())
}

fn parts(event: &[u8], read: fn(&Envelope<'_>) -> Result<Reading, NotUnderstood>) -> Vec<Part> {
    let envelope = match Envelope::structured(event) {
        Ok(envelope) => envelope,
        Err(why) => return vec![Part::NotUnderstood(why)],
    };
    match read(&envelope) {
        Err(why) => vec![Part::NotUnderstood(why)],
        Ok(Reading::Ignored(why)) => vec![Part::Ignored(why)],
        Ok(Reading::Batch(parts)) => parts,
        Ok(Reading::Items(drafts)) => {
            let drafts = drafts.into_iter().enumerate();
            drafts.map(|(at, draft)| Part::Said(Box::new(named(draft, &envelope, at)))).collect()
        }
    }
}

/// The draft with the event's own id, when that is in the body and the data has none.
pub(super) fn named(mut draft: Draft, envelope: &Envelope<'_>, at: usize) -> Draft {
    let name = envelope.own_name().map(|name| if at == 0 { name } else { format!("{name} {at}") });
    draft.said.delivery = draft.said.delivery.or(name);
    draft
}

/// One object, which may lend out parts of the text.
///
/// # Errors
/// [`BodyError`], by what is wrong with it.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, BodyError> {
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'{') => Ok(serde_json::from_str(text)?),
        _ => {
            Err(serde_json::from_str::<IgnoredAny>(text).map_or_else(Into::into, |_| BodyError::NotAnObject))
        }
    }
}

/// At most one more than a batch may hold; the rest is walked over.
struct Events<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Events<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Events<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of events")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Events<'de>, A::Error> {
                let mut events = Vec::new();
                while events.len() <= ITEMS_MAX {
                    let Some(event) = items.next_element()? else { break };
                    events.push(event);
                }
                // Bounded by the body, which is bounded by its cap.
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Events(events))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

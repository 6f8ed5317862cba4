//! The envelope: CloudEvents 1.0 in structured JSON.
//! Source: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md> and
//! CDEvents' binding to it, which copies id, source, type, subject and time out of the CDEvent.

use serde::Serialize;

use crate::cdevents::CdEvent;

/// The media type of a structured event.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// Largest event sent, bytes: what the specification says every intermediary must forward.
pub const BYTES_MAX: usize = 64 * 1024;

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    time: &'a str,
    datacontenttype: &'static str,
    data: &'a CdEvent,
}

/// The event in its envelope, as it is sent; `None` when it is larger than [`BYTES_MAX`].
pub fn structured(event: &CdEvent) -> Option<Vec<u8>> {
    let envelope = Envelope {
        specversion: "1.0",
        id: &event.context.id,
        source: &event.context.source,
        kind: &event.context.kind,
        subject: &event.subject.id,
        time: &event.context.timestamp,
        datacontenttype: "application/json",
        data: event,
    };
    serde_json::to_vec(&envelope).ok().filter(|bytes| bytes.len() <= BYTES_MAX)
}

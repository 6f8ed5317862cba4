//! One event: its attributes, and its data as it came.
//!
//! What this does not do: keep extension attributes; read the data.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use homeostat_schema::time::{self, TimeError};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::binding::{checked, content_type, is_json, mode, optional, required};
use super::{Mode, batch};
use crate::json;
use crate::reading::{NotUnderstood, Raw};
use crate::said::joined_id;

/// An event as its sender told it. Attributes are never empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope<'a> {
    pub(crate) id: String,
    pub(crate) source: String,
    /// Its `type`.
    pub(crate) kind: String,
    pub(crate) subject: Option<String>,
    /// By the sender's clock, milliseconds since the epoch.
    time_ms: Option<u64>,
    place: Place,
    data: Data<'a>,
}

/// Where the attributes were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Headers,
    Body,
}

#[derive(Debug, Clone, PartialEq)]
enum Data<'a> {
    None,
    Json(Cow<'a, [u8]>),
    /// Some other format.
    Other,
}

#[derive(Deserialize)]
struct Structured<'a> {
    specversion: Option<String>,
    id: Option<String>,
    source: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
}

impl<'a> Envelope<'a> {
    /// The event of a request that carries one.
    ///
    /// # Errors
    /// [`NotUnderstood`] when it is not a CloudEvent of version 1.0, or a batch.
    pub(crate) fn of(raw: &Raw<'a>) -> Result<Self, NotUnderstood> {
        match mode(raw.headers) {
            Mode::Binary => Self::binary(raw),
            Mode::Structured => Self::structured(raw.body),
            Mode::Batched => Err(NotUnderstood::new("a batch is not taken here")),
        }
    }

    /// Attributes in headers, data in the body.
    ///
    /// # Errors
    /// [`NotUnderstood`], naming the attribute that is wrong.
    pub(crate) fn binary(raw: &Raw<'a>) -> Result<Self, NotUnderstood> {
        let headers = raw.headers;
        version(&required(headers, "specversion")?)?;
        if headers.contains_key("ce-datacontenttype") {
            return Err(NotUnderstood::new("ce-datacontenttype is given: the content type says it"));
        }
        Ok(Self {
            id: required(headers, "id")?,
            source: required(headers, "source")?,
            kind: required(headers, "type")?,
            subject: optional(headers, "subject")?,
            time_ms: optional(headers, "time")?.map(|text| when(&text)).transpose()?,
            place: Place::Headers,
            data: Data::of_body(content_type(headers), raw.body),
        })
    }

    /// All of it in a JSON object.
    ///
    /// # Errors
    /// [`NotUnderstood`], naming the attribute that is wrong.
    pub(crate) fn structured(body: &'a [u8]) -> Result<Self, NotUnderstood> {
        let event: Structured<'a> = batch::object(json::text(body)?)?;
        version(&need("specversion", event.specversion)?)?;
        Ok(Self {
            id: need("id", event.id)?,
            source: need("source", event.source)?,
            kind: need("type", event.kind)?,
            subject: event.subject.map(|text| checked("subject", text)).transpose()?,
            time_ms: event.time.map(|text| when(&text)).transpose()?,
            place: Place::Body,
            data: Data::of_event(event.datacontenttype.as_deref(), event.data, event.data_base64)?,
        })
    }

    /// What a repetition is known by.
    pub(crate) fn name(&self) -> String {
        joined_id(&[&self.source, &self.id])
    }

    /// The same, when it is in the body. What only a header says tells two equal bodies apart, but
    /// not one body that was sent again.
    pub(crate) fn own_name(&self) -> Option<String> {
        (self.place == Place::Body).then(|| self.name())
    }

    /// When it occurred, if the body says so; milliseconds since the epoch.
    pub(crate) fn own_time_ms(&self) -> Option<u64> {
        self.time_ms.filter(|_| self.place == Place::Body)
    }

    /// When it occurred, wherever that is said; milliseconds since the epoch.
    pub(crate) fn time_ms(&self) -> Option<u64> {
        self.time_ms
    }

    /// The data as JSON.
    ///
    /// # Errors
    /// [`NotUnderstood`] when there is none, or in another format.
    pub(crate) fn json(&self) -> Result<&[u8], NotUnderstood> {
        match &self.data {
            Data::Json(data) => Ok(data),
            Data::None => Err(NotUnderstood::new("the event has no data")),
            Data::Other => Err(NotUnderstood::new("only data in JSON is read")),
        }
    }
}

impl<'a> Data<'a> {
    fn of_body(content_type: &str, body: &'a [u8]) -> Self {
        match body {
            [] => Self::None,
            _ if is_json(content_type) => Self::Json(Cow::Borrowed(body)),
            _ => Self::Other,
        }
    }

    fn of_event(
        content_type: Option<&str>,
        data: Option<&'a RawValue>,
        base64: Option<String>,
    ) -> Result<Self, NotUnderstood> {
        let json = content_type.is_none_or(is_json);
        match (data, base64) {
            (Some(_), Some(_)) => Err(NotUnderstood::new("data and data_base64 are both given")),
            (Some(data), None) if json => Ok(Self::Json(Cow::Borrowed(data.get().as_bytes()))),
            (Some(_), None) => Ok(Self::Other),
            (None, Some(text)) => {
                let bytes = STANDARD.decode(text);
                let bytes = bytes.map_err(|_| NotUnderstood::new("data_base64 is not base64"))?;
                Ok(if json { Self::Json(Cow::Owned(bytes)) } else { Self::Other })
            }
            (None, None) => Ok(Self::None),
        }
    }
}

fn version(specversion: &str) -> Result<(), NotUnderstood> {
    match specversion {
        "1.0" => Ok(()),
        _ => Err(NotUnderstood::new("only CloudEvents of specversion 1.0 are read")),
    }
}

fn need(name: &str, value: Option<String>) -> Result<String, NotUnderstood> {
    checked(name, value.unwrap_or_default())
}

fn when(text: &str) -> Result<u64, NotUnderstood> {
    match time::parse(text) {
        Ok(ms) => Ok(ms),
        Err(TimeError::BeforeEpoch) => Ok(0),
        Err(TimeError::Malformed) => {
            Err(NotUnderstood::new("the CloudEvents attribute time is not an RFC 3339 time"))
        }
    }
}

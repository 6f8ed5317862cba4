//! What goes into each inbox: one closed enum a stage, as JSON of the wire forms.

use homeostat_flow::{Output, Ring, Shard};
use homeostat_schema::{types, wire};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::name;

/// For the detect stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectEntry {
    /// Something happened.
    Event(Box<wire::Event>),
    /// The plan stage asks how a service has been.
    Assess(wire::AssessmentRequest),
}

/// For the coordinate stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoordinateEntry {
    /// From detect: a finding in numbers, to be weighed on its way to plan.
    Weigh(Box<WeighForm>),
    /// From detect: a service was released.
    Changed {
        /// Which.
        service: String,
        /// As what, and when.
        change: ChangeForm,
    },
    /// From detect: a finding that plan has already, or one that is over.
    Trouble(TroubleForm),
}

/// A finding, and what its own service knows that may explain it.
#[derive(Debug, Serialize, Deserialize)]
pub struct WeighForm {
    /// The finding.
    pub finding: wire::Finding,
    /// The service's own releases, the first to begin first.
    pub changes: Vec<ChangeForm>,
    /// Of the newest of them: how much likelier what is seen is when it is worse than the one before
    /// it, as a natural logarithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<f64>,
    /// Since when what it is about was suspicious, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicious_ms: Option<u64>,
}

/// A release, as a change of its environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeForm {
    /// What it is known by.
    pub id: String,
    /// When it began, milliseconds since the epoch.
    pub at_ms: u64,
}

/// A finding that opened or is over.
#[derive(Debug, Serialize, Deserialize)]
pub struct TroubleForm {
    /// The finding's kind.
    pub kind: String,
    /// In which service.
    pub service: String,
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// Whether it is over.
    pub over: bool,
}

/// How a disaster goes on.
#[derive(Debug, Serialize, Deserialize)]
pub struct DisasterForm {
    /// The finding it began with.
    pub finding: String,
    /// It is over; else it is past its objective.
    pub over: bool,
    /// In plain words.
    pub text: String,
}

/// For the plan stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "one at a time is at hand, for as long as one entry takes")]
pub enum PlanEntry {
    /// From detect.
    Finding(wire::Finding),
    /// From detect, as asked.
    Assessment(wire::Assessment),
    /// From act.
    Attempt(wire::Attempt),
    /// From the API.
    Operator(wire::OperatorWord),
    /// From coordinate.
    Disaster(DisasterForm),
}

/// For the act stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActEntry {
    /// From plan.
    Plan(wire::Plan),
}

/// For the learn stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearnEntry {
    /// From plan.
    Sample(wire::Sample),
}

/// Reads an entry.
///
/// # Errors
/// [`wire::WireError`], which names the field, when it is not the JSON form of `T`.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, wire::WireError> {
    wire::decode_form(payload)
}

/// The event's own JSON within a [`DetectEntry::Event`] that could be read: an object of one field.
pub(crate) fn event_json(payload: &[u8]) -> Option<&[u8]> {
    payload.strip_prefix(br#"{"event":"#)?.strip_suffix(b"}")
}

/// Writes an entry.
pub fn encode<T: Serialize>(entry: &T) -> Vec<u8> {
    // Wire forms have string keys and finite floats only, so this cannot fail; an empty payload
    // would be dead-lettered with its error, not lost.
    serde_json::to_vec(entry).unwrap_or_default()
}

/// An event on its way to its service's shard.
pub fn for_event(event: &types::Event, shards: u32) -> Output {
    Output {
        stage: name::DETECT,
        shard: name::shard_of_service(&event.service, shards),
        fields: vec![name::service_field(&event.env, &event.service)],
        payload: encode(&DetectEntry::Event(Box::new(event.clone().into()))),
        ring: Ring::Now,
    }
}

/// An operator's word on its way to the incident's case.
pub fn for_operator(word: &types::OperatorWord, env: &str, service: &str, shards: u32) -> Output {
    for_plan(&PlanEntry::Operator(word.clone().into()), env, service, name::shard_of_service(service, shards))
}

/// An entry for the case of one service.
pub(crate) fn for_plan(entry: &PlanEntry, env: &str, service: &str, shard: Shard) -> Output {
    let fields = vec![name::case_field(env, service)];
    Output { stage: name::PLAN, shard, fields, payload: encode(entry), ring: Ring::Now }
}

#[cfg(test)]
mod tests {
    use super::event_json;

    #[test]
    fn the_events_own_json_is_cut_out_of_its_entry() {
        let check = |payload: &str, expected: Option<&str>| {
            assert_eq!(event_json(payload.as_bytes()), expected.map(str::as_bytes), "{payload}");
        };
        check(r#"{"event":{"id":"a","trust":{}}}"#, Some(r#"{"id":"a","trust":{}}"#));
        check(r#"{ "event":{}}"#, None);
        check(r#"{"assess":{}}"#, None);
    }
}

//! Bitbucket's webhooks, of Cloud (commit statuses, pushes, pull requests) and of Data Center
//! (pushes, pull requests).
//!
//! Data Center names the event in the body; Cloud names it in a header alone, which is not signed.
//! So a header that the body contradicts makes the delivery not understood, and what the body says
//! of a state counts.
//!
//! What this does not do: take Cloud's `X-Hook-UUID`, which anybody who saw one delivery knows, for
//! a proof of anything. Bitbucket Cloud has no webhook for deployments, and does not tell of a
//! status that is longer than 256 KB.
//!
//! Invariants: an event whose fork status cannot be told counts as the one that permits less; no
//! id of a build is a bare number, so that no remedy takes it for a run of GitHub's.

mod cloud;
mod data_center;
mod payload;

use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::authenticate::Scheme;
use crate::forge::{owned, plain_header, require_json};
use crate::json;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::source::Profile;
use payload::Kind;

/// Bitbucket sends nothing longer.
const BODY_MAX: usize = 256 * 1024;
/// Longest id of a delivery taken; Cloud sends a GUID of 36 characters, Data Center a shorter id.
const DELIVERY_MAX: usize = 128;
/// Longest name of an event taken; the longest known has 36 characters.
const EVENT_MAX: usize = 64;
/// Of Cloud and of Data Center.
const DELIVERY_HEADERS: [&str; 2] = ["x-request-uuid", "x-request-id"];
/// Data Center's test of a webhook.
const PING: &str = "diagnostics:ping";

/// Bitbucket Cloud and Data Center.
pub(crate) const PROFILE: Profile = Profile {
    name: "bitbucket",
    body_max: BODY_MAX,
    schemes: &[Scheme::sha256("x-hub-signature"), Scheme::Basic],
    read: read_delivery,
};

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    Ok(Read { id: delivery_id(raw.headers), reading: read(raw.headers, raw.body)? })
}

/// The delivery's id, which Cloud repeats when it sends it again.
fn delivery_id(headers: &HeaderMap) -> Option<String> {
    DELIVERY_HEADERS.iter().find_map(|name| plain_header(headers, name, DELIVERY_MAX, b"-_.:@*{}"))
}

/// Reads one verified delivery.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Reading, NotUnderstood> {
    require_json(headers)?;
    let event = plain_header(headers, "x-event-key", EVENT_MAX, b":_-.")
        .ok_or_else(|| NotUnderstood::new("the header x-event-key is missing or malformed"))?;
    let said: Kind = json::object(body)?;
    match owned(said.event_key.as_ref()) {
        Some(key) if key == event => of_data_center(&event, body),
        Some(_) => Err(contradicted()),
        None if event == PING && said.test == Some(true) => Ok(Reading::Ignored("ping".to_owned())),
        None => of_cloud(&event, body),
    }
}

fn of_data_center(event: &str, body: &[u8]) -> Result<Reading, NotUnderstood> {
    match event {
        "repo:refs_changed" => data_center::refs_changed(parsed(body)?),
        _ => match data_center::review(event) {
            Some(review) => data_center::pull_request(event, review, parsed(body)?),
            None => Ok(not_read()),
        },
    }
}

fn of_cloud(event: &str, body: &[u8]) -> Result<Reading, NotUnderstood> {
    match event {
        "repo:commit_status_created" | "repo:commit_status_updated" => cloud::commit_status(parsed(body)?),
        "repo:push" => cloud::push(parsed(body)?),
        PING | "repo:refs_changed" => Err(contradicted()),
        _ if data_center::review(event).is_some() => Err(contradicted()),
        _ => match cloud::review(event) {
            Some(review) => cloud::pull_request(event, review, parsed(body)?),
            None => Ok(not_read()),
        },
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, NotUnderstood> {
    Ok(json::object(body)?)
}

fn not_read() -> Reading {
    Reading::Ignored("this kind of Bitbucket's events is not of interest".to_owned())
}

fn contradicted() -> NotUnderstood {
    NotUnderstood::new("the body is not that of the event that X-Event-Key names")
}

#[cfg(test)]
mod tests;

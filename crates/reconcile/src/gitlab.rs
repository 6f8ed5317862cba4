//! GitLab's list of a project webhook's events of the last seven days, newest first.
//! Source: <https://docs.gitlab.com/api/project_webhooks/>, GitLab 17.4 and later.
//!
//! What a repetition has in common with the first try is the `Idempotency-Key` among the headers
//! that were sent. An older GitLab, which sends none, cannot be reconciled.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ledger::{Page, Sent};

/// Events of a page; each carries what was sent, so a page of 100 could be very large.
pub(crate) const PAGE: usize = 20;
/// Longest id taken.
const KEY_BYTES_MAX: usize = 64;
/// The page after the last one anybody would look at.
const PAGE_NUMBER_MAX: u32 = 10_000;

#[derive(Deserialize)]
pub(crate) struct Event {
    id: u64,
    #[serde(default)]
    request_headers: BTreeMap<String, serde_json::Value>,
    /// A text such as `200` or `internal error`.
    #[serde(default)]
    response_status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Status {
    Number(u16),
    Text(String),
    Other(IgnoredAny),
}

pub(crate) fn page(list: Vec<Event>, headers: &HeaderMap) -> Page {
    let next = headers.get("x-next-page").and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    let next = next.filter(|page| *page > 1 && *page < PAGE_NUMBER_MAX).map(|page| page.to_string());
    Page { sent: list.into_iter().map(sent).collect(), next }
}

fn sent(event: Event) -> Sent {
    let acknowledged = match &event.response_status {
        Some(Status::Number(status)) => (200..300).contains(status),
        Some(Status::Text(status)) => status.len() == 3 && status.starts_with('2'),
        Some(Status::Other(_)) | None => false,
    };
    let headers = event.request_headers.iter();
    let key = headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"))
        .find_map(|(_, value)| value.as_str())
        .filter(|key| !key.is_empty() && key.len() <= KEY_BYTES_MAX)
        .map(str::to_owned);
    Sent { delivery: event.id, key, order: event.id, acknowledged, of_interest: false }
}

//! Datadog's webhooks, by the payload template in `infra/datadog/`.
//!
//! Datadog has no payload of its own: the operator's template is filled in. Where a variable has no
//! value, its name arrives as it stands, so a text that is such a name counts as absent.
//!
//! What this does not do: guess a state that was not said; read the message.
//!
//! Invariant: "No Data" never becomes a firing alert, and neither does an unknown transition.

use homeostat_schema::types::{EventKind, Status};
use homeostat_schema::wire::flat;
use serde::Deserialize;

use crate::authenticate::Scheme;
use crate::draft::Draft;
use crate::labels::{Address, LabelNames, Pairs};
use crate::lenient::{Word, moment};
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::said::attribute;
use crate::source::{BODY_MAX, Profile};
use crate::{alerts, json};

/// Datadog. It signs nothing; its custom headers can carry a token.
pub(crate) const PROFILE: Profile = Profile {
    name: "datadog",
    body_max: BODY_MAX,
    schemes: &[Scheme::Bearer, Scheme::Basic],
    read: read_delivery,
};

/// Datadog's unified service tags, and the usual longer word.
const TAG_NAMES: LabelNames<'static> =
    LabelNames { env: &["env", "environment"], service: &["service", "app"], version: &["version"] };
/// The list of tags; a host can have some hundred.
type Tags = Word<16_384>;
/// Above it, a number of digits is milliseconds since the epoch: as seconds it is the year 5138.
const SECONDS_BELOW: u64 = 100_000_000_000;

/// The fields of the template, and those of templates in the wild that mean the same.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    id: Word,
    #[serde(alias = "alert_id")]
    monitor_id: Word,
    alert_cycle_key: Word,
    #[serde(alias = "alert_transition")]
    transition: Word,
    #[serde(alias = "alert_title")]
    title: Word,
    #[serde(alias = "alert_metric")]
    metric: Word,
    #[serde(alias = "alert_scope")]
    scope: Tags,
    tags: Tags,
    date: Word,
    last_updated: Word,
    link: Address,
    #[serde(alias = "alert_priority")]
    priority: Word,
    hostname: Word,
}

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let body: Body = json::object(raw.body)?;
    if said(&body.title).or(said(&body.monitor_id)).is_none() {
        return Err(NotUnderstood::new(
            "neither title nor monitor_id is there: use the payload of infra/datadog",
        ));
    }
    Ok(Read { id: None, reading: Reading::Items(vec![draft(&body)]) })
}

fn draft(body: &Body) -> Draft {
    let transition = said(&body.transition);
    let mut told = flat::Draft::saying(EventKind::Alert, status(transition));
    TAG_NAMES.describe(&mut told, &tags(body));
    told.delivery = said(&body.id).map(|id| format!("{id}:{}", transition.unwrap_or_default()));
    told.occurred_at_ms = time_ms(&body.date).or_else(|| time_ms(&body.last_updated));
    told.title = said(&body.title).map(ToOwned::to_owned);
    told.test = told.title.as_deref().is_some_and(|title| title.starts_with("[TEST]"));
    told.url = said(&body.link).and_then(flat::safe_url);
    attribute(&mut told, "monitor", said(&body.monitor_id));
    attribute(&mut told, "transition", transition);
    attribute(&mut told, "metric", said(&body.metric));
    attribute(&mut told, "priority", said(&body.priority));
    attribute(&mut told, "instance", said(&body.hostname));
    attribute(&mut told, "severity", is_warning(transition).then_some("warning"));
    let cycle = said(&body.alert_cycle_key).map(|cycle| subject(cycle, transition));
    let draft = match cycle {
        Some(subject) => Draft::of(told).about(subject, 1),
        None => Draft::of(told),
    };
    if is_blind(transition) { alerts::blind(draft, None) } else { draft }
}

/// A cycle lasts from the first trigger until it is resolved. A warning that becomes an alert is
/// more than the same state again.
fn subject(cycle: &str, transition: Option<&str>) -> String {
    let level = if is_warning(transition) { ":warning" } else { "" };
    format!("alert:{cycle}{level}")
}

/// Tags of the group that triggered count before those of the event.
fn tags(body: &Body) -> Pairs {
    let mut tags = said(&body.tags).map(Pairs::of_tags).unwrap_or_default();
    tags.0.extend(said(&body.scope).map(Pairs::of_tags).unwrap_or_default().0);
    tags
}

fn status(transition: Option<&str>) -> Status {
    let Some(transition) = transition else { return Status::Unknown };
    match again(transition).as_str() {
        "triggered" | "warn" | "renotify" => Status::Firing,
        "recovered" => Status::Resolved,
        "no data" => Status::Unknown,
        other => Status::named(other),
    }
}

fn is_warning(transition: Option<&str>) -> bool {
    transition.is_some_and(|transition| again(transition) == "warn")
}

fn is_blind(transition: Option<&str>) -> bool {
    transition.is_some_and(|transition| again(transition) == "no data")
}

/// The transition in lower case, without the mark of a repetition: `Re-Triggered`.
fn again(transition: &str) -> String {
    let folded = transition.to_lowercase();
    folded.strip_prefix("re-").map(ToOwned::to_owned).unwrap_or(folded)
}

/// The text, unless it is a variable's name that was not filled in.
fn said<const N: usize>(word: &Word<N>) -> Option<&str> {
    word.as_str().filter(|text| !is_variable(text))
}

fn is_variable(text: &str) -> bool {
    let part = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
    text.strip_prefix('$')
        .is_some_and(|name| name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(part))
}

/// Milliseconds or seconds since the epoch, or RFC 3339.
fn time_ms(word: &Word) -> Option<u64> {
    let text = said(word)?;
    match text.parse::<u64>() {
        Ok(seconds) if seconds < SECONDS_BELOW => Some(seconds.saturating_mul(1000)),
        Ok(ms) => Some(ms),
        Err(_) => moment(text),
    }
}

#[cfg(test)]
mod tests;

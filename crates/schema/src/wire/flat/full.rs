//! The full form of a submitted event: the JSON form of an event, of which only `kind` is needed.

use serde::Deserialize;
use serde_json::Value;

use super::{ATTRIBUTES_MAX, Draft, FieldError, SIGNALS_MAX, bounded, safe_url};
use crate::types::{Correlation, EventKind, Signal, Status};
use crate::wire::{self, Attributes};

#[derive(Deserialize)]
struct Submitted {
    id: Option<String>,
    kind: EventKind,
    status: Option<Status>,
    service: Option<String>,
    env: Option<String>,
    title: Option<String>,
    version: Option<String>,
    commit: Option<String>,
    previous_version: Option<String>,
    branch: Option<String>,
    #[serde(alias = "duration_ms")]
    duration: Option<u64>,
    #[serde(alias = "latency_ms")]
    latency: Option<f64>,
    #[serde(default)]
    signals: Option<Vec<wire::Signal>>,
    #[serde(default, with = "crate::time::optional")]
    occurred_at: Option<u64>,
    actor: Option<String>,
    url: Option<String>,
    correlation: Option<Correlation>,
    trust: Option<Claims>,
    irreversible: Option<bool>,
    attributes: Option<Attributes>,
}

/// What a sender may say against itself.
#[derive(Default, Deserialize)]
struct Claims {
    fork: Option<bool>,
    test: Option<bool>,
}

/// Said of every field alike: serde's own words repeat the value it met.
const REASON: &str = "missing, or not of the type that the schema gives it";

pub(super) fn read(value: Value) -> Result<Draft, FieldError> {
    let submitted: Submitted = serde_path_to_error::deserialize(value)
        .map_err(|error| FieldError { field: field_of(&error), reason: REASON.to_owned() })?;
    draft(submitted)
}

/// serde reports a missing field at its parent; its own name is in the message.
fn field_of(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    let message = error.inner().to_string();
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match missing {
        Some(name) if path == "." => name.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None => path,
    }
}

fn draft(submitted: Submitted) -> Result<Draft, FieldError> {
    let text = |text: Option<String>| text.as_deref().and_then(bounded);
    let claims = submitted.trust.unwrap_or_default();
    Ok(Draft {
        delivery: text(submitted.id),
        kind: EventKind::named(&bounded(submitted.kind.name()).unwrap_or_default()),
        status: submitted
            .status
            .map_or(Status::Unknown, |status| Status::named(&bounded(status.name()).unwrap_or_default())),
        service_name: text(submitted.service),
        env_name: text(submitted.env),
        title: text(submitted.title),
        version: text(submitted.version),
        commit: text(submitted.commit),
        previous_version: text(submitted.previous_version),
        branch: text(submitted.branch),
        duration_ms: submitted.duration,
        latency_ms: not_negative("latency", submitted.latency)?,
        signals: signals(submitted.signals.unwrap_or_default())?,
        occurred_at_ms: submitted.occurred_at,
        actor: text(submitted.actor),
        url: submitted.url.as_deref().and_then(safe_url),
        correlation: correlation(submitted.correlation),
        fork: claims.fork.unwrap_or_default(),
        test: claims.test.unwrap_or_default(),
        irreversible: submitted.irreversible.unwrap_or_default(),
        attributes: attributes(submitted.attributes.unwrap_or_default()),
    })
}

fn not_negative(field: &str, value: Option<f64>) -> Result<Option<f64>, FieldError> {
    if value.is_none_or(|value| value >= 0.0) {
        return Ok(value);
    }
    Err(FieldError { field: field.to_owned(), reason: "a number of at least 0 is expected".to_owned() })
}

fn signals(signals: Vec<wire::Signal>) -> Result<Vec<Signal>, FieldError> {
    if signals.len() > SIGNALS_MAX {
        let reason = format!("at most {SIGNALS_MAX} are taken");
        return Err(FieldError { field: "signals".to_owned(), reason });
    }
    let bounded = |signal: wire::Signal| Signal {
        name: bounded(&signal.name).unwrap_or_default(),
        unit: bounded(&signal.unit).unwrap_or_default(),
        ..signal.into()
    };
    Ok(signals.into_iter().map(bounded).collect())
}

fn correlation(given: Option<Correlation>) -> Correlation {
    let text = |text: Option<String>| text.as_deref().and_then(bounded);
    let none = Correlation { run: None, run_attempt: None, deployment: None, pull_request: None };
    given.map_or(none, |given| Correlation {
        run: text(given.run),
        run_attempt: given.run_attempt,
        deployment: text(given.deployment),
        pull_request: text(given.pull_request),
    })
}

fn attributes(given: Attributes) -> Vec<(String, String)> {
    let pairs = given.0.into_iter();
    let kept = pairs.filter_map(|(name, text)| Some((bounded(&name)?, bounded(&text).unwrap_or_default())));
    kept.take(ATTRIBUTES_MAX).collect()
}

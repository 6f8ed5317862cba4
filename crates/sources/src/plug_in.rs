//! The source `plugin`: proven, bounded and stored by us, read by a plug-in.
//!
//! The component that holds the plug-in asks it with [`question`] and hands what it answered to
//! [`normalise`].
//!
//! What this does not do: call the plug-in, or survive its failure; the component and
//! `homeostat-api` do.
//!
//! Invariants: the plug-in is never shown a proof, a secret or a cookie; nothing it returns is
//! taken without the check the flat form has, and none of its words reaches the sender as a reason
//! of ours.

use homeostat_schema::config::Config;
use homeostat_schema::plug_in::{self, Body, Reading};
use homeostat_schema::wire::flat;
use http::HeaderMap;
use http::header::HeaderName;

use crate::authenticate::{GENERIC_SIGNATURE, Scheme};
use crate::draft::Draft;
use crate::generic;
use crate::normalise::{Delivery, Item, items};
use crate::reading::{NotUnderstood, Raw, Read};
use crate::source::{BODY_MAX, Profile};

/// Read by a plug-in. Its sender proves itself with a signature over the body under our header's
/// name, or as `[[source]]` says.
pub(crate) const PROFILE: Profile = Profile {
    name: "plugin",
    body_max: BODY_MAX,
    schemes: &[Scheme::sha256(GENERIC_SIGNATURE), Scheme::Bearer],
    read: no_plug_in,
};

/// Headers a plug-in is shown at most; senders use a handful.
const HEADERS_MAX: usize = 64;

/// Longest header value shown, bytes; a longer one is left out.
const HEADER_BYTES_MAX: usize = 1024;

/// A header with one of these in its name is not shown.
const WITHHELD: &[&str] = &[
    "authorization",
    "cookie",
    "credential",
    "password",
    "secret",
    "signature",
    "spin-",
    "token",
    "api-key",
];

/// Elsewhere than in the component that holds the plug-in there is none to ask.
fn no_plug_in(_: &Raw<'_>) -> Result<Read, NotUnderstood> {
    Err(NotUnderstood::new("its route leads to a component that holds no plug-in"))
}

/// What the plug-in is asked about a delivery that was let in.
pub fn question(delivery: &Delivery<'_>) -> plug_in::Delivery {
    plug_in::Delivery {
        source: delivery.source.name().to_owned(),
        headers: shown(delivery.headers),
        body: body(delivery.body),
        received_at_ms: delivery.received_at_ms,
    }
}

fn body(bytes: &[u8]) -> Body {
    match std::str::from_utf8(bytes) {
        Ok(text) => Body::Text(text.to_owned()),
        Err(_) => Body::Binary(bytes.to_vec()),
    }
}

pub(crate) fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let open = headers.iter().filter(|(name, value)| is_open(name) && value.len() <= HEADER_BYTES_MAX);
    let texts = open.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    texts.take(HEADERS_MAX).collect()
}

fn is_open(name: &HeaderName) -> bool {
    !WITHHELD.iter().any(|word| name.as_str().contains(word))
}

/// What the plug-in made of a delivery, checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// What happened, in the sender's order.
    Items(Vec<Item>),
    /// Understood and not of interest: why.
    Ignored(String),
}

/// Makes events of what the plug-in answered. The delivery's id is taken from the header
/// `Idempotency-Key`, as for the generic source.
///
/// # Errors
/// [`NotUnderstood`] when the plug-in could not read it, or returned what is out of bounds.
pub fn normalise(
    delivery: &Delivery<'_>,
    answered: Result<Reading, String>,
    config: &Config,
) -> Result<Said, NotUnderstood> {
    match answered {
        Ok(Reading::Events(drafts)) => {
            let (id, drafts) = (generic::delivery_id(delivery.headers)?, checked(&drafts)?);
            Ok(Said::Items(items(delivery, id, drafts, config)))
        }
        Ok(Reading::Ignored(why)) => Ok(Said::Ignored(words(&why))),
        Err(why) => Err(NotUnderstood::new(format!("the plug-in says: {}", words(&why)))),
    }
}

fn checked(drafts: &[plug_in::Draft]) -> Result<Vec<Draft>, NotUnderstood> {
    let said = flat::read_typed(drafts)
        .map_err(|error| NotUnderstood::new(format!("what the plug-in returned is refused: {error}")))?;
    Ok(said.into_iter().zip(drafts).map(|(said, draft)| about(said, draft)).collect())
}

fn about(said: flat::Draft, draft: &plug_in::Draft) -> Draft {
    let subject = draft.subject.as_deref().and_then(flat::bounded);
    match subject {
        Some(subject) => Draft::of(said).about(subject, draft.attempt.unwrap_or(1)),
        None => Draft::of(said),
    }
}

/// A plug-in's words for a person: one short line.
fn words(text: &str) -> String {
    let line: String = text.chars().take(flat::TEXT_CHARS_MAX).map(plain).collect();
    flat::bounded(&line).unwrap_or_else(|| "no reason was given".to_owned())
}

fn plain(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

#[cfg(test)]
mod tests;

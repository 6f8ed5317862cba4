//! Prometheus Alertmanager's webhook receiver.
//!
//! What this does not do: see [`crate::alerts`], which reads the form.
//!
//! Invariant: an alert is known by its fingerprint and start, whoever sends it and how often.

use crate::authenticate::Scheme;
use crate::labels::LABEL_NAMES;
use crate::reading::{NotUnderstood, Raw, Read};
use crate::source::{BODY_MAX, Profile};
use crate::{alerts, json};

/// Alertmanager. It signs nothing; its `http_config` can send a token.
pub(crate) const PROFILE: Profile = Profile {
    name: "alertmanager",
    body_max: BODY_MAX,
    schemes: &[Scheme::Bearer, Scheme::Basic],
    read: read_delivery,
};

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    let notification = json::object(raw.body)?;
    Ok(Read { id: None, reading: alerts::read(notification, LABEL_NAMES)? })
}

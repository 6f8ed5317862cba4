//! The generic source: the flat form, or the full one, one event or a list of them.
//!
//! For scripts, and for systems with no module of their own. A repetition is known by the header
//! `Idempotency-Key`, by the event's own `id`, or by a body that names a time.
//!
//! What this does not do: read form-encoded bodies; guess which system sent it.

use homeostat_schema::wire::flat::{SubmissionError, parse_submission};
use http::HeaderMap;

use crate::authenticate::{GENERIC_SIGNATURE, Scheme, single};
use crate::draft::Draft;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::source::{BODY_MAX, Profile};

/// The flat form.
pub(crate) const PROFILE: Profile = Profile {
    name: "generic",
    body_max: BODY_MAX,
    schemes: &[Scheme::sha256(GENERIC_SIGNATURE), Scheme::Bearer],
    read: read_delivery,
};

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    Ok(Read { id: delivery_id(raw.headers)?, reading: Reading::Items(read(raw.body)?) })
}

/// Names a delivery, so that sending it again is safe.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Longest key taken, bytes; a UUID has 36.
const KEY_MAX: usize = 128;

/// The delivery's id, when its sender gave one.
///
/// # Errors
/// [`NotUnderstood`] when it is repeated, empty, too long or not printable ASCII.
pub fn delivery_id(headers: &HeaderMap) -> Result<Option<String>, NotUnderstood> {
    if !headers.contains_key(IDEMPOTENCY_KEY) {
        return Ok(None);
    }
    single(headers, IDEMPOTENCY_KEY)
        .filter(|key| !key.is_empty() && key.len() <= KEY_MAX && key.iter().all(u8::is_ascii_graphic))
        .and_then(|key| std::str::from_utf8(key).ok())
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| NotUnderstood::new(format!("the header {IDEMPOTENCY_KEY} is malformed")))
}

/// Reads a submission, all or nothing.
///
/// # Errors
/// [`SubmissionError`], which names the item and the field.
pub fn read(body: &[u8]) -> Result<Vec<Draft>, SubmissionError> {
    let json = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let drafts = parse_submission(json)?.into_iter();
    Ok(drafts.map(Draft::of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use homeostat_schema::types::{EventKind, Status};
    use proptest::prelude::*;

    /// The form the interface promises to take, to the letter.
    const FLAT: &str = r#"{"event":"deployment","env":"stage","status":"success","latency":2300,
        "timestamp":"2025-11-27T12:00:00Z","dataset":"student_scores.csv","action_type":"deploy","worker_id":1}"#;

    #[test]
    fn the_flat_form_is_read() {
        let said = read(FLAT.as_bytes()).unwrap().remove(0).said;
        assert_eq!((said.kind, said.status), (EventKind::Deployment, Status::Success));
        assert_eq!(said.env_name.as_deref(), Some("stage"));
        assert_eq!(said.latency_ms, Some(2300.0));
        assert_eq!(said.occurred_at_ms, Some(1_764_244_800_000));
        let names: Vec<_> = said.attributes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["action_type", "dataset", "worker_id"]);
    }

    #[test]
    fn a_list_is_read_in_order_and_a_byte_order_mark_skipped() {
        let list = format!("\u{feff}[{FLAT},{{\"event\":\"rollback\"}}]");
        let kinds: Vec<_> = read(list.as_bytes()).unwrap().into_iter().map(|draft| draft.said.kind).collect();
        assert_eq!(kinds, [EventKind::Deployment, EventKind::Rollback]);
    }

    #[test]
    fn nobody_can_claim_to_be_our_echo() {
        let claim = r#"{"event":"deployment","homeostat.attempt":"a1","self":true,"trust":{"self":true}}"#;
        assert_eq!(read(claim.as_bytes()).unwrap().remove(0).own_attempt, None);
    }

    #[test]
    fn idempotency_keys_are_bounded() {
        let check = |keys: &[&str], expected: Option<Option<&str>>| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(IDEMPOTENCY_KEY, key.parse().unwrap());
            }
            assert_eq!(delivery_id(&headers).ok(), expected.map(|key| key.map(str::to_owned)), "{keys:?}");
        };
        check(&[], Some(None));
        check(&["k-1"], Some(Some("k-1")));
        check(&[""], None);
        check(&["a b"], None);
        check(&["a", "a"], None);
        check(&[&"a".repeat(KEY_MAX)], Some(Some(&"a".repeat(KEY_MAX))));
        check(&[&"a".repeat(KEY_MAX + 1)], None);
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let fields: Vec<_> = (0..50_000).map(|n| format!("\"f{n}\":{n}")).collect();
        let many = format!("{{\"event\":\"run\",{}}}", fields.join(","));
        assert_eq!(read(many.as_bytes()).unwrap().remove(0).said.attributes.len(), 32);
        for body in ["", "{", "5", "{}", "[[]]", "{\"event\":{}}", &"[".repeat(100_000), "\u{feff}"] {
            assert!(read(body.as_bytes()).is_err(), "{body:.20}");
        }
        assert!(read(b"{\"event\":\"\xff\"}").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_panic(body: Vec<u8>) {
            prop_assert!(read(&body).is_ok_and(|drafts| drafts.is_empty()) || read(&body).is_err());
        }
    }
}

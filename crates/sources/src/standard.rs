//! Any sender that signs by Standard Webhooks and writes the flat form.
//!
//! What this does not do: read another form of body; a system of its own has a source of its own,
//! or a plug-in.
//!
//! Invariant: `webhook-id`, which is signed, names the delivery.

use http::HeaderMap;

use crate::authenticate::{Scheme, single, standard};
use crate::generic;
use crate::reading::{NotUnderstood, Raw, Read, Reading};
use crate::source::{BODY_MAX, Profile};

/// The flat form, signed by Standard Webhooks.
pub(crate) const PROFILE: Profile = Profile {
    name: "standard",
    body_max: BODY_MAX,
    schemes: &[Scheme::StandardWebhooks],
    read: read_delivery,
};

/// Longest id taken, bytes; as long as the signature's verification takes.
const ID_MAX: usize = 256;

fn read_delivery(raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
    Ok(Read { id: delivery_id(raw.headers)?, reading: Reading::Items(generic::read(raw.body)?) })
}

/// `webhook-id`. In development mode a delivery may have none.
fn delivery_id(headers: &HeaderMap) -> Result<Option<String>, NotUnderstood> {
    if !headers.contains_key(standard::ID) {
        return Ok(None);
    }
    single(headers, standard::ID)
        .filter(|id| !id.is_empty() && id.len() <= ID_MAX && id.iter().all(u8::is_ascii_graphic))
        .and_then(|id| std::str::from_utf8(id).ok())
        .map(|id| Some(id.to_owned()))
        .ok_or_else(|| NotUnderstood::new(format!("the header {} is malformed", standard::ID)))
}

#[cfg(test)]
mod tests {
    use homeostat_schema::types::{EventKind, Status};
    use proptest::prelude::*;
    use serde_json::json;

    use crate::Source;
    use crate::testing::{only, read, survives};

    const ID: (&str, &str) = ("webhook-id", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W");

    #[test]
    fn the_flat_form_is_read_and_the_webhook_id_names_the_delivery() {
        let body = json!({"event": "deployment", "service": "shop", "env": "prod", "status": "failed"});
        let draft = only(Source::STANDARD, &[ID], &body);
        assert_eq!((draft.said.kind, draft.said.status), (EventKind::Deployment, Status::Failure));
        let of = |headers: &[(&str, &str)]| read(Source::STANDARD, headers, body.to_string().as_bytes());
        assert_eq!(of(&[ID]).unwrap().id.as_deref(), Some(ID.1));
        assert_eq!(of(&[]).unwrap().id, None);
        assert!(of(&[ID, ID]).is_err());
        assert!(of(&[("webhook-id", "")]).is_err());
        assert!(of(&[("webhook-id", &"a".repeat(257))]).is_err());
    }

    #[test]
    fn another_form_of_body_is_not_understood() {
        for body in ["{\"type\":\"user.created\",\"data\":{}}", "5", "", "{"] {
            assert!(read(Source::STANDARD, &[ID], body.as_bytes()).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered(bytes: Vec<u8>, with in crate::testing::any_json()) {
            let body = json!({"event": "run", "status": "passed", "time": 1, "id": "x"});
            survives(Source::STANDARD, &[ID], &bytes, &body, &with);
        }
    }
}

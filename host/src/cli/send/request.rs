//! The request that a sender would make of a payload.

use std::fmt::Write as _;

use homeostat_schema::secret::Secret;
use homeostat_sources::authenticate::{Scheme, Unsigned, standard};
use homeostat_sources::generic::IDEMPOTENCY_KEY;
use homeostat_sources::{Instance, Source};
use serde_json::{Value, json};

use crate::cli::CliError;

/// What is sent.
pub(super) struct Delivery {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// How it is to be sent.
pub(super) struct Wanted<'a> {
    pub(super) event: Option<&'a str>,
    pub(super) id: &'a str,
    /// Beside those of the sender, or instead.
    pub(super) headers: &'a [(String, String)],
    pub(super) scheme: Option<Scheme<'a>>,
    pub(super) secret: Option<&'a Secret>,
    /// Milliseconds since the epoch.
    pub(super) now_ms: u64,
}

/// What a sender's requests carry beside the body.
struct Habit {
    content_type: &'static str,
    /// Where it names the event, and an example.
    event: Option<(&'static str, &'static str)>,
    /// Where it names the delivery.
    id: Option<&'static str>,
}

const PLAIN: Habit = Habit { content_type: "application/json", event: None, id: None };

fn habit(source: Source) -> Habit {
    let event = |header, example, id| Habit { event: Some((header, example)), id, ..PLAIN };
    match source.name() {
        "github" => event("x-github-event", "deployment_status", Some("x-github-delivery")),
        "gitlab" => event("x-gitlab-event", "Pipeline Hook", Some(IDEMPOTENCY_KEY)),
        "bitbucket" => event("x-event-key", "repo:push", Some("x-request-uuid")),
        "buildkite" => event("x-buildkite-event", "build.finished", None),
        "circleci" => event("circleci-event-type", "workflow-completed", None),
        "pagerduty" => Habit { id: Some("x-webhook-id"), ..PLAIN },
        "generic" | "plugin" => Habit { id: Some(IDEMPOTENCY_KEY), ..PLAIN },
        "standard" => Habit { id: Some(standard::ID), ..PLAIN },
        "tekton" | "cloudevents" => Habit { content_type: "application/cloudevents+json", ..PLAIN },
        _ => PLAIN,
    }
}

pub(super) fn delivery(
    source: Instance<'_>,
    wanted: &Wanted<'_>,
    body: Vec<u8>,
) -> Result<Delivery, CliError> {
    let habit = habit(source.source());
    let mut headers = vec![("content-type".to_owned(), habit.content_type.to_owned())];
    match (habit.event, wanted.event) {
        (Some((header, _)), Some(event)) => headers.push((header.to_owned(), event.to_owned())),
        (Some((header, example)), None) => {
            let name = source.source().name();
            let why =
                format!("--event is needed: {name} says in {header} which event it is, such as {example}");
            return Err(CliError::Usage(why));
        }
        (None, Some(_)) => {
            let why =
                "--event is for senders that name the event in a header; this one names it in the payload";
            return Err(CliError::Usage(why.to_owned()));
        }
        (None, None) => {}
    }
    headers.extend(habit.id.map(|header| (header.to_owned(), wanted.id.to_owned())));
    headers.extend(wanted.headers.iter().cloned());
    headers.extend(signed(wanted, &body)?);
    Ok(Delivery { path: format!("/webhooks/{}", source.name()), headers: last_of_each(headers), body })
}

/// The headers of the proof; none without a secret.
fn signed(wanted: &Wanted<'_>, body: &[u8]) -> Result<Vec<(String, String)>, CliError> {
    let (Some(scheme), Some(secret)) = (wanted.scheme, wanted.secret) else { return Ok(Vec::new()) };
    let unsigned = Unsigned { id: wanted.id, body, now_ms: wanted.now_ms };
    let cannot = || {
        let name = scheme.name();
        let why = match scheme {
            Scheme::StandardWebhooks => {
                "its secret is whsec_ and base64; with a public key nothing is signed"
            }
            _ => "the secret is not one that it can sign with",
        };
        CliError::Usage(format!("{name}: {why}"))
    };
    scheme.sign(&unsigned, secret).ok_or_else(cannot)
}

/// A header given twice would be refused: the later one counts, in the place of the first.
fn last_of_each(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        match kept.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => kept.push((name, value)),
        }
    }
    kept
}

/// The request as it would go out.
pub(super) fn shown(base: &str, delivery: &Delivery) -> String {
    let mut text = format!("POST {base}{}\n", delivery.path);
    for (name, value) in &delivery.headers {
        // Writing to a text cannot fail.
        let _never = writeln!(text, "{name}: {value}").is_err();
    }
    let _never = writeln!(text, "content-length: {}\n", delivery.body.len()).is_err();
    text.push_str(&String::from_utf8_lossy(&delivery.body));
    text
}

/// The same as JSON.
pub(super) fn as_json(base: &str, delivery: &Delivery) -> Value {
    let headers: serde_json::Map<String, Value> =
        delivery.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let body = String::from_utf8_lossy(&delivery.body);
    json!({"method": "POST", "url": format!("{base}{}", delivery.path), "headers": headers, "body": body})
}

#[cfg(test)]
mod tests {
    use homeostat_schema::secret::SecretList;
    use homeostat_sources::Claim;
    use http::{HeaderMap, HeaderName};

    use super::*;

    const BODY: &[u8] = b"Hello, World!";
    const SECRET: &str = "It's a Secret to Everybody";
    /// The vector GitHub publishes for this secret and body.
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const NOW: u64 = 1_700_000_000_000;

    fn made(source: Source, event: Option<&str>, secret: Option<&str>) -> Result<Delivery, CliError> {
        let secrets = SecretList::parse(secret.unwrap_or_default());
        let secret = secret.map(Secret::new);
        let instance = Instance::from(source);
        let wanted = Wanted {
            event,
            id: "d-1",
            headers: &[],
            scheme: instance.scheme(&secrets),
            secret: secret.as_ref(),
            now_ms: NOW,
        };
        delivery(instance, &wanted, BODY.to_vec())
    }

    #[test]
    fn a_delivery_is_what_its_sender_would_send() -> Result<(), CliError> {
        let check = |delivery: Delivery, path: &str, expected: &[(&str, &str)]| {
            let headers: Vec<_> =
                delivery.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!((delivery.path.as_str(), headers.as_slice()), (path, expected));
        };
        let json = ("content-type", "application/json");
        let (event, id) = (("x-github-event", "push"), ("x-github-delivery", "d-1"));
        let signed = made(Source::GITHUB, Some("push"), Some(SECRET))?;
        check(signed, "/webhooks/github", &[json, event, id, ("x-hub-signature-256", SIGNATURE)]);
        check(made(Source::GITHUB, Some("push"), None)?, "/webhooks/github", &[json, event, id]);
        let key = ("idempotency-key", "d-1");
        let signed = made(Source::GENERIC, None, Some(SECRET))?;
        check(signed, "/webhooks/generic", &[json, key, ("x-homeostat-signature-256", SIGNATURE)]);
        Ok(())
    }

    #[test]
    fn every_source_takes_what_is_sent_in_its_name() -> Result<(), CliError> {
        for source in Source::ALL {
            let instance = Instance::from(*source);
            let whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
            let secret = if instance.scheme(&SecretList::default()) == Some(Scheme::StandardWebhooks) {
                whsec
            } else {
                "name:password"
            };
            let event = habit(*source).event.map(|(_, example)| example);
            let delivery = made(*source, event, Some(secret))?;
            let headers: HeaderMap = delivery
                .headers
                .iter()
                .filter_map(|(name, value)| {
                    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value.parse().ok()?))
                })
                .collect();
            let claim = Claim { headers: &headers, body: &delivery.body, now_ms: NOW };
            assert!(instance.authenticate(&claim, &SecretList::parse(secret)).is_ok(), "{source:?}");
        }
        Ok(())
    }

    #[test]
    fn the_event_is_named_where_the_sender_names_it_and_nowhere_else() {
        assert!(matches!(made(Source::GITHUB, None, None), Err(CliError::Usage(_))));
        assert!(matches!(made(Source::GENERIC, Some("push"), None), Err(CliError::Usage(_))));
    }

    #[test]
    fn a_header_given_by_hand_replaces_the_usual_one() -> Result<(), CliError> {
        let instance = Instance::from(Source::GENERIC);
        let own = [("content-type".to_owned(), "text/plain".to_owned())];
        let wanted =
            Wanted { event: None, id: "d-1", headers: &own, scheme: None, secret: None, now_ms: NOW };
        let delivery = delivery(instance, &wanted, BODY.to_vec())?;
        let types: Vec<_> = delivery.headers.iter().filter(|(name, _)| name == "content-type").collect();
        assert_eq!(types, [&("content-type".to_owned(), "text/plain".to_owned())]);
        Ok(())
    }

    #[test]
    fn the_request_is_shown_without_the_secret() -> Result<(), CliError> {
        let text = shown("http://h", &made(Source::GITHUB, Some("push"), Some(SECRET))?);
        assert!(text.starts_with("POST http://h/webhooks/github\n"), "{text}");
        assert!(text.ends_with("content-length: 13\n\nHello, World!"), "{text}");
        assert!(text.contains(SIGNATURE) && !text.contains(SECRET), "{text}");
        let json = as_json("http://h", &made(Source::GITHUB, Some("push"), Some(SECRET))?);
        assert_eq!(
            (&json["url"], &json["body"]),
            (&json!("http://h/webhooks/github"), &json!("Hello, World!"))
        );
        assert_eq!(json["headers"]["x-hub-signature-256"], SIGNATURE);
        Ok(())
    }
}

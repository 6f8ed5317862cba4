use homeostat_schema::types::{EventKind, Status};
use proptest::prelude::*;

use super::*;
use crate::normalise::Admitted;
use crate::source::Source;

/// 2026-03-01T10:00:00Z.
const NOW: u64 = 1_772_359_200_000;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, value.parse().unwrap());
    }
    map
}

fn delivery<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Delivery<'a> {
    Delivery {
        source: Source::PLUGIN.into(),
        admitted: Admitted::Verified,
        headers,
        body,
        received_at_ms: NOW,
        seed: [7; 10],
    }
}

fn normalised(answered: Result<Reading, String>) -> Result<Said, NotUnderstood> {
    let headers = HeaderMap::new();
    normalise(&delivery(&headers, b"{}"), answered, &Config::default())
}

#[test]
fn a_proof_a_secret_and_a_cookie_are_not_shown() {
    let given = headers(&[
        ("authorization", "Bearer t"),
        ("cookie", "c"),
        ("x-acme-event", "deploy"),
        ("x-acme-signature", "s"),
        ("x-api-key", "k"),
        ("x-gitlab-token", "t"),
        ("x-hub-signature-256", "sha256=0"),
        ("spin-client-addr", "127.0.0.1:1"),
        ("x-long", &"a".repeat(HEADER_BYTES_MAX + 1)),
    ]);
    let asked = question(&delivery(&given, b"body"));
    assert_eq!(asked.headers, [("x-acme-event".to_owned(), "deploy".to_owned())]);
    assert_eq!((asked.source.as_str(), asked.received_at_ms), ("plugin", NOW));
}

#[test]
fn a_body_is_text_where_it_is_one() {
    let headers = HeaderMap::new();
    let shown = |body: &[u8]| question(&delivery(&headers, body)).body;
    assert_eq!(shown("{\"é\":1}".as_bytes()), Body::Text("{\"é\":1}".to_owned()));
    assert_eq!(shown(b"\xff\x00"), Body::Binary(vec![0xff, 0]));
}

#[test]
fn what_it_says_becomes_an_event_with_names_resolved_by_us() {
    let said = plug_in::Draft {
        status: Some("failed".to_owned()),
        service: Some("shop".to_owned()),
        env: Some("production".to_owned()),
        occurred_at_ms: Some(NOW - 1),
        ..plug_in::Draft::saying("deployed")
    };
    let Ok(Said::Items(items)) = normalised(Ok(Reading::Events(vec![said]))) else { panic!("no items") };
    let event = &items[0].event;
    assert_eq!((&event.kind, &event.status), (&EventKind::Deployment, &Status::Failure));
    assert_eq!((event.source.as_str(), event.env.as_str()), ("plugin", "prod"));
    assert!(event.trust.signed && event.trust.fresh && !event.trust.self_);
}

#[test]
fn it_cannot_claim_to_be_our_echo() {
    let said = plug_in::Draft {
        attributes: vec![("homeostat.attempt".to_owned(), "a1".to_owned())],
        ..plug_in::Draft::saying("deployment")
    };
    let Ok(Said::Items(items)) = normalised(Ok(Reading::Events(vec![said]))) else { panic!("no items") };
    assert!(items[0].event.attributes.is_empty() && !items[0].event.trust.self_);
}

#[test]
fn a_refusal_and_a_reason_are_one_short_line() {
    let check = |text: &str, expected: &str| {
        let why = NotUnderstood::new(format!("the plug-in says: {expected}"));
        assert_eq!(normalised(Err(text.to_owned())), Err(why));
        assert_eq!(normalised(Ok(Reading::Ignored(text.to_owned()))), Ok(Said::Ignored(expected.to_owned())));
    };
    check("a ping", "a ping");
    check("two\r\nlines\u{1b}[31m", "two  lines [31m");
    check(" ", "no reason was given");
    check(&"é".repeat(10_000), &"é".repeat(flat::TEXT_CHARS_MAX));
}

#[test]
fn what_it_returns_out_of_bounds_is_refused_whole() {
    let refused = |drafts| match normalised(Ok(Reading::Events(drafts))) {
        Err(why) => why.to_string(),
        Ok(said) => panic!("{said:?}"),
    };
    let endless = plug_in::Draft { latency_ms: Some(f64::INFINITY), ..plug_in::Draft::saying("run") };
    assert!(refused(vec![plug_in::Draft::saying("run"), endless]).contains("latency-ms"));
    assert!(refused((0..1_001).map(|_| plug_in::Draft::saying("run")).collect()).contains("1001"));
}

#[test]
fn a_route_without_a_plug_in_says_so() {
    assert!(Source::PLUGIN.read(&Raw { headers: &HeaderMap::new(), body: b"{}" }).is_err());
}

proptest! {
    #[test]
    fn whatever_it_answers_nothing_panics(kind in ".{0,300}", subject in prop::option::of(".{0,300}"),
            latency: Option<f64>, at: Option<u64>, attempt: Option<u32>) {
        let said = plug_in::Draft { subject, attempt, latency_ms: latency, occurred_at_ms: at, ..plug_in::Draft::saying(&kind) };
        match normalised(Ok(Reading::Events(vec![said]))) {
            Ok(Said::Items(items)) => prop_assert!(items[0].event.occurred_at <= NOW),
            Err(_) => {}
            Ok(Said::Ignored(why)) => prop_assert!(false, "{}", why),
        }
    }
}

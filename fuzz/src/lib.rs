//! What the fuzz targets share: an input as a delivery, and what must hold of whatever comes out.
//!
//! An input is the first letter of a source's place in the target's list, header lines, an empty
//! line, and the body: a form that can be written by hand and that a fuzzer mutates well.
//!
//! What this does not do: sign. Readers get what a verified delivery could hold; the schemes of
//! proof have a target of their own.

use homeostat_schema::config::Config;
use homeostat_schema::types::Event;
use homeostat_schema::wire;
use homeostat_sources::{Admitted, Delivery, Item, Normalised, Share, Source, normalise};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Some instant, milliseconds since the epoch: 2026-03-01T10:00:00Z.
pub const NOW_MS: u64 = 1_772_359_200_000;

/// Header lines looked at, more than any sender needs.
const HEADERS_MAX: usize = 16;

/// Splits an input into which source, headers and body. `None` when it has not that form.
pub fn split<'a>(sources: &[&'static str], input: &'a [u8]) -> Option<(Source, HeaderMap, &'a [u8])> {
    let (which, rest) = input.split_first()?;
    let at = usize::from(*which).wrapping_sub(usize::from(b'a')) % sources.len();
    let source = Source::named(sources.get(at)?)?;
    let end = rest.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (rest.get(..end)?, rest.get(end + 2..)?);
    Some((source, headers(head), body))
}

fn headers(head: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').take(HEADERS_MAX) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    map
}

/// Reads the input as a verified delivery of one of these sources, and checks what came of it.
pub fn read(sources: &[&'static str], input: &[u8]) {
    let Some((source, headers, body)) = split(sources, input) else { return };
    let config = Config::default();
    let delivery = Delivery {
        source: source.into(),
        admitted: Admitted::Verified,
        headers: &headers,
        body,
        received_at_ms: NOW_MS,
        seed: [7; 10],
    };
    let first = normalise(&delivery, &config);
    assert_eq!(first, normalise(&delivery, &config), "the same delivery gives the same events");
    match first {
        Normalised::Items(items) => items.iter().for_each(check),
        Normalised::Batch(shares) => shares.iter().for_each(|share| {
            if let Share::Item(item) = share {
                check(item);
            }
        }),
        Normalised::Ignored(_) | Normalised::NotUnderstood(_) => {}
    }
}

fn check(item: &Item) {
    let event = &item.event;
    assert!(event.occurred_at <= event.received_at, "nothing happens after it was received");
    assert!(!event.id.is_empty() && !event.service.is_empty() && !event.env.is_empty());
    assert!(event.latency.is_none_or(f64::is_finite));
    assert!(event.signals.iter().all(|signal| signal.value.is_finite()));
    assert!(event.attributes.len() <= wire::flat::ATTRIBUTES_MAX);
    assert!(event.url.as_deref().is_none_or(|url| url.starts_with("http")), "a link is a web link");
    let back: Event = wire::decode(&wire::encode(event)).expect("its own JSON form is read");
    assert_eq!(back, *event, "the JSON form holds all of it");
}

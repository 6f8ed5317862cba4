//! What an event tells of one of two versions.
//!
//! The attribute `arm` says of which (`baseline` or `canary`), `scrape` = `failed` that nothing could
//! be read.

use homeostat_schema::types::Event;

use crate::{
    judge::{Arm, What},
    observation::{errors, latency, named},
    text,
};

/// What is measured of single requests, and what is one number for many: two metrics, as one sender
/// may tell both.
pub(crate) const LATENCY: &str = "latency-ms";
pub(crate) const LATENCY_LEVEL: &str = "latency-level";

/// Which arm an event is of; `None` when it names none.
pub(crate) fn of(event: &Event) -> Option<Arm> {
    match attribute(event, "arm")? {
        "baseline" => Some(Arm::Baseline),
        "canary" => Some(Arm::Canary),
        _ => None,
    }
}

/// Whether the event says that nothing could be read.
pub(crate) fn is_failed_scrape(event: &Event) -> bool {
    attribute(event, "scrape") == Some("failed")
}

fn attribute<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    event.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Whether it says that the new version's target could not be scraped: it is down, as far as is known.
pub(crate) fn is_down(event: &Event) -> bool {
    is_failed_scrape(event) && of(event) == Some(Arm::Canary)
}

/// What the judge reads of an event of an arm.
pub(crate) fn signals(event: &Event) -> Vec<What> {
    let counted = errors(&event.signals).filter(|errors| errors.total > 0);
    let counted = counted.map(|errors| (errors.bad(), errors.total)).or_else(|| no_requests(event));
    let errors = counted.map(|(bad, total)| What::Bernoulli { metric: "errors".to_owned(), bad, total });
    let latency = latency(event).map(|latency| match latency.samples {
        0 | 1 => What::Sample { metric: LATENCY.to_owned(), values: vec![latency.ms] },
        // One number for many requests: a quantile, say.
        _ => What::Gauge { metric: LATENCY_LEVEL.to_owned(), value: latency.ms },
    });
    errors.into_iter().chain(latency).collect()
}

/// Who says that there was nothing to do is heard; it is no evidence.
fn no_requests(event: &Event) -> Option<(u64, u64)> {
    named(&event.signals, "requests").filter(|requests| requests.value == 0.0).map(|_| (0, 0))
}

/// An event by the 32 bits that tell it from the others of its batch: a digest of its id. Two that are
/// taken for one lose one observation in millions of batches.
pub(crate) fn teller(id: &str) -> u32 {
    let digest = text::fnv(id.bytes());
    u32::try_from((digest ^ (digest >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

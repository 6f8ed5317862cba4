//! The timeline: everything an incident went through, bounded in items and in bytes.

use homeostat_schema::types::{Attempt, Cause, Evidence, Finding, Health, Plot, TimelineFact, TimelineItem};
use homeostat_schema::wire;

use super::case::Open;
use crate::text::{self, NAME_CHARS_MAX};

/// Items of a timeline, the last of which says so when more were dropped.
pub(super) const ITEMS_MAX: usize = 256;
/// Encoded bytes of a timeline; leaves half of the case's bound to the rest.
const BYTES_MAX: usize = 128 * 1024;
/// Reasons per verdict, and events per reason, as the schema says.
const EVIDENCE_MAX: usize = 8;
const EVENTS_MAX: usize = 8;
/// Points of a plot, as the schema says.
const POINTS_MAX: usize = 60;
/// Plots of a timeline: one is up to 10 KB, and more of them would crowd out what was done.
const PLOTS_MAX: usize = 4;
/// An event's id is a UUID or a hash.
const EVENT_ID_CHARS_MAX: usize = 64;
/// Of a request's body, in the timeline.
const BODY_CHARS_MAX: usize = 1024;

/// Adds an item, or counts it when there is no room.
pub(super) fn push(open: &mut Open, at: u64, text: &str, fact: TimelineFact) {
    let item = TimelineItem { at, text: text::line(text), fact: with_room_for_plot(open, fact) };
    open.incident.updated_at = at;
    let bytes = wire::encode(&item).len();
    let full = open.incident.timeline.len() + 1 >= ITEMS_MAX || open.bytes + bytes > BYTES_MAX;
    if open.dropped == 0 && !full {
        open.bytes += bytes;
        open.incident.timeline.push(item);
    } else {
        count_dropped(open, at);
    }
}

/// The first findings of an incident keep their plots.
fn with_room_for_plot(open: &Open, fact: TimelineFact) -> TimelineFact {
    let has_plot = |fact: &TimelineFact| matches!(fact, TimelineFact::Finding(found) if found.plot.is_some());
    let plots = open.incident.timeline.iter().filter(|item| has_plot(&item.fact)).count();
    match fact {
        TimelineFact::Finding(found) if plots >= PLOTS_MAX => {
            TimelineFact::Finding(Finding { plot: None, ..found })
        }
        fact => fact,
    }
}

fn count_dropped(open: &mut Open, at: u64) {
    open.dropped = open.dropped.saturating_add(1);
    let text = format!("the timeline is full: {} more item(s) were dropped", open.dropped);
    let last = TimelineItem { at, text, fact: TimelineFact::Note };
    let timeline = &mut open.incident.timeline;
    match timeline.last_mut() {
        Some(item) if open.dropped > 1 => *item = last,
        _ => timeline.push(last),
    }
}

/// A finding cut to the schema's bounds: it comes from outside and is kept.
pub(super) fn bounded(finding: &Finding) -> Finding {
    let mut finding = finding.clone();
    for name in [&mut finding.id, &mut finding.env, &mut finding.service] {
        *name = head(name, NAME_CHARS_MAX);
    }
    for name in [&mut finding.version, &mut finding.commit].into_iter().flatten() {
        *name = head(name, NAME_CHARS_MAX);
    }
    if let Some(good) = &mut finding.last_good {
        for name in [&mut good.version, &mut good.commit].into_iter().flatten() {
            *name = head(name, NAME_CHARS_MAX);
        }
    }
    let ids = &mut finding.correlation;
    for name in [&mut ids.run, &mut ids.deployment, &mut ids.pull_request].into_iter().flatten() {
        *name = head(name, NAME_CHARS_MAX);
    }
    finding.health = bounded_health(&finding.health);
    finding.plot.as_mut().into_iter().for_each(bound_plot);
    finding.cause.as_mut().into_iter().for_each(bound_cause);
    finding
}

fn bound_cause(cause: &mut Cause) {
    cause.incident = head(&cause.incident, EVENT_ID_CHARS_MAX);
    for name in [&mut cause.change, &mut cause.service].into_iter().flatten() {
        *name = head(name, NAME_CHARS_MAX);
    }
    cause.text = text::scrubbed(&cause.text);
}

fn bound_plot(plot: &mut Plot) {
    plot.metric = head(&plot.metric, EVENT_ID_CHARS_MAX);
    plot.unit = head(&plot.unit, EVENT_ID_CHARS_MAX);
    plot.points.truncate(POINTS_MAX);
}

/// A verdict cut to the schema's bounds.
pub(super) fn bounded_health(health: &Health) -> Health {
    let mut health = health.clone();
    health.because.truncate(EVIDENCE_MAX);
    health.because.iter_mut().for_each(bound_evidence);
    health
}

fn bound_evidence(evidence: &mut Evidence) {
    evidence.metric = head(&evidence.metric, EVENT_ID_CHARS_MAX);
    evidence.unit = head(&evidence.unit, EVENT_ID_CHARS_MAX);
    evidence.text = text::scrubbed(&evidence.text);
    evidence.events.truncate(EVENTS_MAX);
    for id in &mut evidence.events {
        *id = head(id, EVENT_ID_CHARS_MAX);
    }
}

/// An attempt cut for the timeline.
pub(super) fn bounded_attempt(attempt: &Attempt) -> Attempt {
    let mut attempt = attempt.clone();
    attempt.detail = text::scrubbed(&attempt.detail);
    attempt.exchanges.truncate(crate::connector::EXCHANGES_MAX);
    for exchange in &mut attempt.exchanges {
        exchange.request.body = text::cut(&exchange.request.body, BODY_CHARS_MAX);
        exchange.request.url = text::cut(&exchange.request.url, BODY_CHARS_MAX);
    }
    attempt
}

/// The first characters of a name, without control characters.
pub(super) fn head(name: &str, max: usize) -> String {
    name.chars().filter(|c| !c.is_control()).take(max).collect()
}

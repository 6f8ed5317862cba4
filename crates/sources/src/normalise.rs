//! From a delivery that was let in to events: names resolved, times judged, ids derived.
//!
//! What this does not do: authenticate (that came before), store or count anything.
//!
//! Invariants: the same delivery gives the same events, ids included; an event never occurred
//! after it was received; what cannot be shown to be fresh is not fresh.

use std::cell::OnceCell;

use homeostat_schema::config::Config;
use homeostat_schema::types::{Event, Trust};
use homeostat_schema::wire::flat::{self, ATTRIBUTES_MAX};
use homeostat_schema::{id, identity};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use sha2::{Digest, Sha256};

use crate::authenticate::Proof;
use crate::draft::Draft;
use crate::encoding;
use crate::instance::Instance;
use crate::reading::{NotUnderstood, Part, Raw, Read, Reading};

/// An event's own time within this of its receipt is fresh, milliseconds. Long enough for a
/// sender's backlog and for clocks that differ, short enough that a replayed capture or a
/// redelivery by hand does not move anything.
pub const FRESH_WITHIN_MS: u64 = 15 * 60 * 1000;

/// Names the attempt of ours an event echoes.
pub const ATTEMPT_ATTRIBUTE: &str = "homeostat.attempt";
/// Marks what was let in without a signature, as dev mode allows.
pub const DEV_MODE_ATTRIBUTE: &str = "dev-mode";

/// Why a delivery was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It was verified by a token that is not of its source, as the API's is.
    Verified,
    /// Its source's scheme verified it.
    Proven(Proof),
    /// It was not signed, and dev mode is on. Treated as signed, so that the loop can be tried,
    /// and marked in its attributes.
    DevMode,
}

/// A delivery that was let in.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The route it came by.
    pub source: Instance<'a>,
    /// Why it was let in.
    pub admitted: Admitted,
    /// As received.
    pub headers: &'a HeaderMap,
    /// As received and as signed, within the source's cap.
    pub body: &'a [u8],
    /// Milliseconds since the epoch.
    pub received_at_ms: u64,
    /// Random, new for each request: makes ids for what has none of its own.
    pub seed: [u8; 10],
}

/// What a delivery says.
#[derive(Debug, Clone, PartialEq)]
pub enum Normalised {
    /// What happened, in the sender's order.
    Items(Vec<Item>),
    /// Understood and not of interest: why.
    Ignored(String),
    /// Verified but not understood.
    NotUnderstood(NotUnderstood),
    /// A batch of which not everything became an event: what became of each, in the sender's order.
    Batch(Vec<Share>),
}

/// What became of one event of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Share {
    /// It is one of ours.
    Item(Box<Item>),
    /// Understood and not of interest: why.
    Ignored(String),
    /// Verified but not understood.
    NotUnderstood(NotUnderstood),
}

/// An event and the ids it must not come twice under.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The event.
    pub event: Event,
    /// Each of them alone makes a second delivery a duplicate.
    pub dedupe: Vec<String>,
}

/// Reads a delivery and resolves its names by the configuration.
pub fn normalise(delivery: &Delivery<'_>, config: &Config) -> Normalised {
    let read = match read(delivery) {
        Err(why) => return Normalised::NotUnderstood(why),
        Ok(read) => read,
    };
    match read.reading {
        Reading::Ignored(why) => Normalised::Ignored(why),
        Reading::Items(drafts) => Normalised::Items(items(delivery, read.id, drafts, config)),
        Reading::Batch(parts) => Normalised::Batch(shares(delivery, read.id, parts, config)),
    }
}

/// Reads a body as it was before it was compressed for the way.
fn read(delivery: &Delivery<'_>) -> Result<Read, NotUnderstood> {
    let source = delivery.source.source();
    match encoding::decoded(delivery.source, delivery.headers, delivery.body)? {
        None => source.read(&Raw { headers: delivery.headers, body: delivery.body }),
        Some(body) => {
            let mut headers = delivery.headers.clone();
            headers.remove(CONTENT_ENCODING);
            source.read(&Raw { headers: &headers, body: &body })
        }
    }
}

fn shares(delivery: &Delivery<'_>, id: Option<String>, parts: Vec<Part>, config: &Config) -> Vec<Share> {
    let ids = Ids::new(delivery, id);
    let share = |(at, part)| match part {
        Part::Said(draft) => Share::Item(Box::new(item(&ids, at, *draft, config))),
        Part::Ignored(why) => Share::Ignored(why),
        Part::NotUnderstood(why) => Share::NotUnderstood(why),
    };
    parts.into_iter().enumerate().map(share).collect()
}

/// Makes events of what was read of a delivery that its sender calls `id`.
pub fn items(delivery: &Delivery<'_>, id: Option<String>, drafts: Vec<Draft>, config: &Config) -> Vec<Item> {
    let ids = Ids::new(delivery, id);
    drafts.into_iter().enumerate().map(|(at, draft)| item(&ids, at, draft, config)).collect()
}

/// What a delivery's items are known by.
struct Ids<'a> {
    delivery: &'a Delivery<'a>,
    /// The sender's id of the delivery.
    name: Option<String>,
    /// Digest of the verified body, hexadecimal: the scheme's, where it made one, so that the
    /// body is hashed once, else SHA-256. Made when it is needed.
    body: OnceCell<String>,
}

impl<'a> Ids<'a> {
    fn new(delivery: &'a Delivery<'a>, name: Option<String>) -> Self {
        Self { delivery, name, body: OnceCell::new() }
    }

    fn body(&self) -> &str {
        self.body.get_or_init(|| {
            let proven = match self.delivery.admitted {
                Admitted::Proven(proof) => proof.body,
                Admitted::Verified | Admitted::DevMode => None,
            };
            hex::encode(proven.unwrap_or_else(|| Sha256::digest(self.delivery.body).into()))
        })
    }

    /// The ids of item number `at`. The delivery's id is not signed, so a body that names an id or
    /// a time of its own also counts by its digest: a new delivery id does not make it new. A
    /// body without either may well be meant twice. A state of something is one event, whatever
    /// the delivery and the body.
    fn dedupe(&self, at: usize, draft: &Draft) -> Vec<String> {
        let source = self.delivery.source.name();
        let said = &draft.said;
        let name = self.name.as_ref().map(|name| format!("{source}:delivery:{name}:{at}"));
        let own = said.delivery.as_ref().map(|own| format!("{source}:id:{own}"));
        let body = told_apart(said).then(|| format!("{source}:body:{}:{at}", self.body()));
        let state = draft.subject.as_ref().map(|subject| {
            format!("{source}:state:{}:{}:{}", subject.attempt, said.status.name(), subject.id)
        });
        [name, own, body, state].into_iter().flatten().collect()
    }

    /// From what the sender calls it, else from what it says, else from time and chance.
    fn event(&self, at: usize, draft: &flat::Draft) -> String {
        let source = self.delivery.source.name();
        match (&draft.delivery, &self.name) {
            (Some(own), _) => id::event(source, &format!("id:{own}"), 0),
            (None, Some(name)) => id::event(source, name, at),
            (None, None) if told_apart(draft) => id::event_of_content(source, self.delivery.body, at),
            (None, None) => id::timed(self.delivery.received_at_ms, numbered(self.delivery.seed, at)),
        }
    }
}

/// Whether two deliveries that read alike must be the same.
fn told_apart(draft: &flat::Draft) -> bool {
    draft.delivery.is_some() || draft.occurred_at_ms.is_some()
}

/// The seed of item number `at`.
fn numbered(mut seed: [u8; 10], at: usize) -> [u8; 10] {
    let number = (at as u64).to_be_bytes();
    seed.iter_mut().rev().zip(number.iter().rev()).for_each(|(byte, digit)| *byte ^= digit);
    seed
}

fn item(ids: &Ids<'_>, at: usize, draft: Draft, config: &Config) -> Item {
    let (id, dedupe) = (ids.event(at, &draft.said), ids.dedupe(at, &draft));
    Item { event: event(ids.delivery, id, draft, config), dedupe }
}

fn event(delivery: &Delivery<'_>, id: String, draft: Draft, config: &Config) -> Event {
    let source = delivery.source.name();
    let trust = trust(delivery, &draft);
    let attributes = attributes(delivery.admitted, &draft);
    let occurred_at =
        draft.said.occurred_at_ms.unwrap_or(delivery.received_at_ms).min(delivery.received_at_ms);
    let draft = draft.said;
    let service = identity::service(config, source, draft.service_name.as_deref());
    let env = identity::environment_of(config, &draft.kind, &service, draft.env_name.as_deref());
    Event {
        id,
        kind: draft.kind,
        source: source.to_owned(),
        env,
        service,
        title: draft.title,
        version: draft.version,
        commit: draft.commit,
        previous_version: draft.previous_version,
        branch: draft.branch,
        status: draft.status,
        duration: draft.duration_ms,
        latency: draft.latency_ms,
        signals: draft.signals,
        occurred_at,
        received_at: delivery.received_at_ms,
        actor: draft.actor,
        url: draft.url,
        correlation: draft.correlation,
        trust,
        irreversible: draft.irreversible,
        attributes,
    }
}

fn trust(delivery: &Delivery<'_>, draft: &Draft) -> Trust {
    let received = delivery.received_at_ms;
    let fresh = draft.said.occurred_at_ms.is_some_and(|at| at.abs_diff(received) <= FRESH_WITHIN_MS);
    let late = draft.said.occurred_at_ms.is_some_and(|at| at < received) && !fresh;
    Trust {
        signed: true,
        fresh,
        fork: draft.said.fork,
        self_: draft.own_attempt.is_some(),
        late,
        test: draft.said.test,
    }
}

fn attributes(admitted: Admitted, draft: &Draft) -> Vec<(String, String)> {
    let attempt = draft.own_attempt.clone().map(|attempt| (ATTEMPT_ATTRIBUTE.to_owned(), attempt));
    let dev = (admitted == Admitted::DevMode).then(|| (DEV_MODE_ATTRIBUTE.to_owned(), "true".to_owned()));
    // Ours come first: what a sender writes under the same name is dropped, and the bound of the
    // schema never cuts them off.
    let ours: Vec<_> = attempt.into_iter().chain(dev).collect();
    let theirs = draft.said.attributes.iter();
    let theirs = theirs.filter(|(name, _)| name != ATTEMPT_ATTRIBUTE && name != DEV_MODE_ATTRIBUTE).cloned();
    ours.iter().cloned().chain(theirs).take(ATTRIBUTES_MAX).collect()
}

#[cfg(test)]
mod tests;

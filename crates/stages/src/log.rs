//! What the loop says in a component's log: one struct for each internal event, one JSON line each.
//!
//! A line has `event`, `level` and the struct's fields, all of them names, ids and numbers. It is
//! written after what it tells of was committed: a crash between the two loses a line and never an
//! effect, and work that is done once more may tell once more.
//!
//! What this does not do: write; the shells do. Count; the numbers are read from the store.
//!
//! Invariant: no event has a field for a payload, a header, a body, a secret or what a person gave
//! as a reason; a text has at most [`TEXT_CHARS_MAX`] characters and no control character.

use std::fmt::{self, Display, Write};

use homeostat_flow::Said;
use homeostat_schema::types::{Attempt, Decision, Finding, FindingKind, Incident, OperatorWord, Plan};
use serde::{Serialize, Serializer};

/// The longest text of a field, in characters as they were: names are shorter.
pub const TEXT_CHARS_MAX: usize = 200;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it is meant to be.
    Info,
    /// Somebody may want to look.
    Warn,
}

/// Something worth a line in the log.
pub trait InternalEvent: Serialize {
    /// What to search for; it stays when words change.
    const NAME: &'static str;
    /// How much it matters.
    const LEVEL: Level = Level::Info;
}

#[derive(Serialize)]
struct Line<'a, E> {
    event: &'static str,
    level: Level,
    #[serde(flatten)]
    fields: &'a E,
}

/// The event's line, without its end.
pub fn line<E: InternalEvent>(event: &E) -> String {
    // Texts and numbers under fixed names always have a JSON form.
    serde_json::to_string(&Line { event: E::NAME, level: E::LEVEL, fields: event }).unwrap_or_default()
}

/// The line of what the store says after a commit.
pub fn said(said: &Said<'_>) -> String {
    match said {
        Said::Note(line) => (*line).to_owned(),
        Said::Dead { stage, shard, why } => {
            line(&DeadLetter { kind: Text(stage.as_str()), source: Text(shard.as_str()), why: Text(why) })
        }
    }
}

/// A text as the log shows it: cut, and with what would break or disguise a line escaped.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = self.0.chars();
        for letter in letters.by_ref().take(TEXT_CHARS_MAX) {
            if is_harmless(letter) {
                f.write_char(letter)?;
            } else {
                write!(f, "{}", letter.escape_unicode())?;
            }
        }
        if letters.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Neither a control character nor one that turns or ends lines.
fn is_harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A finding was made of a service.
#[derive(Serialize)]
pub struct FindingOpened<'a> {
    env: Text<'a>,
    service: Text<'a>,
    finding: Text<'a>,
    kind: Text<'a>,
    severity: &'static str,
}

impl InternalEvent for FindingOpened<'_> {
    const NAME: &'static str = "finding_opened";
    const LEVEL: Level = Level::Warn;
}

impl<'a> FindingOpened<'a> {
    pub(crate) fn of(finding: &'a Finding) -> Self {
        Self {
            env: Text(&finding.env),
            service: Text(&finding.service),
            finding: Text(&finding.id),
            kind: Text(finding.kind.name()),
            severity: finding.severity.name(),
        }
    }
}

/// What was found of a service is over.
#[derive(Serialize)]
pub struct FindingClosed<'a> {
    env: Text<'a>,
    service: Text<'a>,
    kind: Text<'a>,
}

impl InternalEvent for FindingClosed<'_> {
    const NAME: &'static str = "finding_closed";
}

impl<'a> FindingClosed<'a> {
    pub(crate) fn of(env: &'a str, service: &'a str, kind: &'a FindingKind) -> Self {
        Self { env: Text(env), service: Text(service), kind: Text(kind.name()) }
    }
}

/// An incident opened, or went on to another state.
#[derive(Serialize)]
pub struct IncidentChanged<'a> {
    env: Text<'a>,
    service: Text<'a>,
    incident: Text<'a>,
    severity: &'static str,
    state: &'static str,
}

impl InternalEvent for IncidentChanged<'_> {
    const NAME: &'static str = "incident_changed";
}

impl<'a> IncidentChanged<'a> {
    pub(crate) fn of(incident: &'a Incident) -> Self {
        Self {
            env: Text(&incident.env),
            service: Text(&incident.service),
            incident: Text(&incident.id),
            severity: incident.severity.name(),
            state: incident.state.name(),
        }
    }
}

/// A plan: whose, and what it is to do.
#[derive(Serialize)]
struct Planned<'a> {
    env: Text<'a>,
    service: Text<'a>,
    incident: Text<'a>,
    plan: Text<'a>,
    remedy: Text<'a>,
}

impl<'a> Planned<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self {
            env: Text(&plan.env),
            service: Text(&plan.service),
            incident: Text(&plan.incident),
            plan: Text(&plan.id),
            remedy: Text(plan.remedy.name()),
        }
    }
}

/// A plan is on its way to be carried out.
#[derive(Serialize)]
pub struct PlanMade<'a> {
    #[serde(flatten)]
    plan: Planned<'a>,
    attempt: Text<'a>,
}

impl InternalEvent for PlanMade<'_> {
    const NAME: &'static str = "plan_made";
}

/// A plan was made and is not carried out, for now or for good.
#[derive(Serialize)]
pub struct PlanHeld<'a> {
    #[serde(flatten)]
    plan: Planned<'a>,
    decision: &'static str,
    /// Names, separated by commas.
    guards: String,
}

impl InternalEvent for PlanHeld<'_> {
    const NAME: &'static str = "plan_held";
}

/// The line about a plan.
pub(crate) fn of_plan(plan: &Plan) -> String {
    if plan.decision == Decision::Dispatched {
        return line(&PlanMade { plan: Planned::of(plan), attempt: Text(&plan.idempotency_key) });
    }
    let held = plan.guards.iter().filter(|check| !check.passed);
    let guards: Vec<String> = held.map(|check| Text(check.guard.name()).to_string()).collect();
    let (decision, guards) = (plan.decision.name(), guards.join(","));
    line(&PlanHeld { plan: Planned::of(plan), decision, guards })
}

/// An attempt's first request is about to leave.
#[derive(Serialize)]
pub struct AttemptBegun<'a> {
    #[serde(flatten)]
    plan: Planned<'a>,
    attempt: Text<'a>,
}

impl InternalEvent for AttemptBegun<'_> {
    const NAME: &'static str = "attempt_begun";
}

impl<'a> AttemptBegun<'a> {
    pub(crate) fn of(plan: &'a Plan) -> Self {
        Self { plan: Planned::of(plan), attempt: Text(&plan.idempotency_key) }
    }
}

/// An attempt is over.
#[derive(Serialize)]
pub struct AttemptEnded<'a> {
    env: Text<'a>,
    service: Text<'a>,
    incident: Text<'a>,
    plan: Text<'a>,
    remedy: Text<'a>,
    attempt: Text<'a>,
    result: &'static str,
    /// Requests sent.
    requests: u64,
    took_ms: u64,
}

impl InternalEvent for AttemptEnded<'_> {
    const NAME: &'static str = "attempt_ended";
}

impl<'a> AttemptEnded<'a> {
    pub(crate) fn of(attempt: &'a Attempt) -> Self {
        Self {
            env: Text(&attempt.env),
            service: Text(&attempt.service),
            incident: Text(&attempt.incident),
            plan: Text(&attempt.plan),
            remedy: Text(attempt.remedy.name()),
            attempt: Text(&attempt.id),
            result: attempt.attempt_result.name(),
            requests: u64::try_from(attempt.exchanges.len()).unwrap_or(u64::MAX),
            took_ms: attempt.ended_at.saturating_sub(attempt.started_at),
        }
    }
}

/// A person's word on an incident was taken.
#[derive(Serialize)]
pub struct WordGiven<'a> {
    incident: Text<'a>,
    verb: &'static str,
    who: Text<'a>,
}

impl InternalEvent for WordGiven<'_> {
    const NAME: &'static str = "word_given";
}

impl<'a> WordGiven<'a> {
    /// Without the reason.
    pub fn of(word: &'a OperatorWord) -> Self {
        Self { incident: Text(&word.incident), verb: word.verb.name(), who: Text(&word.who) }
    }
}

/// A configuration is in force.
#[derive(Serialize)]
pub struct ConfigApplied<'a> {
    /// Its number.
    pub version: u64,
    /// What let its sender in.
    pub who: Text<'a>,
    /// Whether every remedy is held back by it.
    pub kill_switch: bool,
}

impl InternalEvent for ConfigApplied<'_> {
    const NAME: &'static str = "config_applied";
}

/// Something was given up and is kept for replay.
#[derive(Serialize)]
pub struct DeadLetter<'a> {
    /// The stage that gave an input up, or `delivery`.
    pub kind: Text<'a>,
    /// The shard, or the source of the delivery.
    pub source: Text<'a>,
    /// Names fields, never what was in them.
    pub why: Text<'a>,
}

impl InternalEvent for DeadLetter<'_> {
    const NAME: &'static str = "dead_letter";
    const LEVEL: Level = Level::Warn;
}

/// Deliveries were refused.
#[derive(Serialize)]
pub struct DeliveryRefused<'a> {
    /// Whose route they came by.
    pub source: Text<'a>,
    /// In words.
    pub why: Text<'a>,
    /// How many since the last such line of this source.
    pub count: u64,
    /// How many ever.
    pub total: u64,
}

impl InternalEvent for DeliveryRefused<'_> {
    const NAME: &'static str = "delivery_refused";
    const LEVEL: Level = Level::Warn;
}

/// Requests are answered with 503, since a store does not do its part.
#[derive(Serialize)]
pub struct Unavailable<'a> {
    /// In words, without an address.
    pub why: Text<'a>,
    /// How many requests since the last such line of this instance.
    pub count: u64,
}

impl InternalEvent for Unavailable<'_> {
    const NAME: &'static str = "unavailable";
    const LEVEL: Level = Level::Warn;
}

#[cfg(test)]
mod tests {
    use homeostat_flow::{Shard, Stage};

    use super::*;

    #[test]
    fn a_line_is_one_line_of_json_with_its_name_first() {
        let refused = DeliveryRefused { source: Text("github"), why: Text("no proof"), count: 3, total: 7 };
        assert_eq!(
            line(&refused),
            r#"{"event":"delivery_refused","level":"warn","source":"github","why":"no proof","count":3,"total":7}"#
        );
    }

    #[test]
    fn texts_are_cut_and_cannot_break_or_disguise_a_line() {
        let check = |text: &str, expected: &str| assert_eq!(Text(text).to_string(), expected);
        check("shop", "shop");
        check("größe", "größe");
        check("a\nb\u{1b}[31m", "a\\u{a}b\\u{1b}[31m");
        check("a\u{202e}b\u{2028}", "a\\u{202e}b\\u{2028}");
        check(&"x".repeat(200), &"x".repeat(200));
        check(&"x".repeat(201), &format!("{}…", "x".repeat(200)));
        let worst =
            line(&DeadLetter { kind: Text("\n"), source: Text("\""), why: Text(&"\0".repeat(9_000)) });
        assert!(worst.len() < 2_000 && !worst.contains('\n'), "{worst}");
    }

    #[test]
    fn what_the_store_gave_up_is_told_with_its_stage() {
        let dead = Said::Dead { stage: Stage::new("plan"), shard: &Shard::service(1), why: "odd" };
        let told = said(&dead);
        assert!(told.starts_with(r#"{"event":"dead_letter","level":"warn","kind":"plan""#), "{told}");
        assert_eq!(said(&Said::Note("as it is")), "as it is");
    }
}

//! The planner: the state machine of one service's incident in one environment.
//!
//! A [`Case`] is all that is remembered of a service; [`decide`] takes it, one [`Fact`] and the
//! [`World`], and answers with the new case, the incident as people see it, and [`Command`]s.
//!
//! Life cycle of an incident:
//!
//! ```text
//! finding -> open --plan--> acting -> verifying -> resolved
//!              |  \-> awaiting-approval -^   |
//!              |                             +-> next remedy, or escalated
//!              +-> escalated (a guard held it back, or nothing is left to try)
//! ```
//!
//! * Findings that arrive while an incident is open attach to it. While an attempt is in flight
//!   they start nothing; when one is about a release deployed since, the attempt's outcome can no
//!   longer be told and counts as unverified, without a lesson.
//! * A plan held back by the cooldown alone waits for its end, asks how the service is, and is
//!   made anew. Held back by anything else, a person has it.
//! * Whatever is open and not in flight is looked at again from time to time, less and less often
//!   ([`WATCHES_MAX`] times), and closes by itself when the service is healthy.
//! * `notify` is the last remedy. The policy is offered it beside others only when it expects
//!   more of it than of any of them, so that exploring never means paging where a cure may work.
//! * A rollback is not rolled back: while what it brought back is running, the release before that
//!   is the one that was bad, and `rollback` is left out.
//! * A failed run is run again only while the finding says that this is worth its cost, or says
//!   nothing of that; else a person has it, with the reason.
//! * What takes a release away is held back while something else than that release is blamed for
//!   the finding. Of the findings of one cause only the first is told to a person then.
//! * A disaster has a playbook and no remedy: a person is told when it begins and when it is past its
//!   objective, and it is closed when it is over.
//! * A person is told at most once per incident and reason, and nobody in the modes `observe` and
//!   `suggest`.
//!
//! What this does not do: it sends nothing and judges no health. It relies on the act stage to
//! answer every dispatched plan with an attempt.
//!
//! Invariants: at most one remedy is in flight; every dispatched plan passed every guard that
//! concerns it; idempotency keys are never used twice; facts about what is not pending change
//! nothing; a case stays below [`CASE_BYTES_MAX`].

mod candidates;
mod case;
mod decide;
mod desk;
mod operator;
mod timeline;
mod verify;
mod words;

#[cfg(test)]
mod tests;

use homeostat_policy::Policy;
use homeostat_schema::config::Config;
use homeostat_schema::types::{
    Assessment, AssessmentRequest, Attempt, Finding, Incident, OperatorWord, Plan, Sample,
};

use crate::connector::Endpoints;

pub use case::{Case, DecodeError};

/// Remedies dispatched per incident: more tries than there are remedies means none of them helps.
pub const ATTEMPTS_PER_INCIDENT_MAX: u32 = 5;
/// Plans made per incident, done or not; bounds what a stream of new releases can cause.
pub const PLANS_PER_INCIDENT_MAX: u32 = 24;
/// An approval counts for this long after the plan was made, milliseconds: an hour later it is
/// another situation.
pub const APPROVAL_MS_MAX: u64 = 60 * 60 * 1000;
/// Looks at an incident that nobody works on; doubling from a minute, the last after a day and a half.
pub const WATCHES_MAX: u32 = 11;
/// Encoded size of a case, bytes; it is read and written with every fact.
pub const CASE_BYTES_MAX: usize = 256 * 1024;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one at a time is at hand, for as long as one entry takes")]
pub enum Fact {
    /// The detector found something.
    Finding(Finding),
    /// The detector's answer to [`Command::Assess`].
    Assessment(Assessment),
    /// What became of [`Command::Dispatch`].
    Attempt(Attempt),
    /// A person said something.
    Operator(OperatorWord),
    /// How the disaster of a finding goes on.
    Disaster {
        /// The finding's id.
        finding: String,
        /// It is over; else it is past its objective.
        over: bool,
        /// In plain words.
        text: String,
    },
    /// The time of [`Command::VerifyAt`] has come.
    VerifyDue {
        /// As in the command.
        attempt: String,
    },
}

/// What may be known besides the case and the fact.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// Milliseconds since the epoch.
    pub now_ms: u64,
    /// The only source of chance.
    pub seed: u64,
    /// The configuration in force.
    pub config: &'a Config,
    /// Its version, recorded with every plan.
    pub config_version: u64,
    /// The learned policy.
    pub policy: &'a Policy,
    /// Where remedies are asked for; for previews, and whether Slack is there at all.
    pub endpoints: &'a Endpoints,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a handful per fact, each moved once")]
pub enum Command {
    /// Hand this to the act stage.
    Dispatch(Plan),
    /// Ask the detector.
    Assess(AssessmentRequest),
    /// Come back with [`Fact::VerifyDue`]. The same name again moves it.
    VerifyAt {
        /// Names it: an attempt, or a name of the planner's own (a wait, an approval).
        attempt: String,
        /// Milliseconds since the epoch.
        at_ms: u64,
    },
    /// Teach the policy.
    Learn(Sample),
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// To be kept.
    pub case: Case,
    /// The incident as people see it, when it changed.
    pub incident: Option<Incident>,
    /// In order.
    pub commands: Vec<Command>,
}

/// Digests one fact. Never fails: a fact that fits nothing pending changes nothing.
pub fn decide(case: Case, fact: Fact, world: &World<'_>) -> Decided {
    let mut desk = desk::Desk::new(case, world);
    let open = desk.case.open.take();
    let open = match fact {
        Fact::Finding(finding) => desk.finding(open, &finding),
        Fact::Attempt(attempt) => {
            desk.case.landed(&attempt.id);
            open.map(|open| desk.attempt(open, &attempt))
        }
        Fact::Assessment(answer) => open.map(|open| desk.assessment(open, &answer)),
        Fact::Operator(word) => open.map(|open| desk.operator(open, &word)),
        Fact::Disaster { finding, over, text } => open.map(|open| desk.disaster(open, &finding, over, &text)),
        Fact::VerifyDue { attempt } => open.map(|open| desk.due(open, &attempt)),
    };
    desk.finish(open)
}

//! What of our own doing is worth telling: an incident opened, handed to a person, waiting for
//! one, resolved; a remedy carried out.
//!
//! | happening | type |
//! |---|---|
//! | incident opened | `dev.cdevents.incident.detected` |
//! | waits for approval | `dev.cdeventsx.homeostat-incident.approvalrequested` |
//! | handed to a person | `dev.cdeventsx.homeostat-incident.escalated` |
//! | incident resolved | `dev.cdevents.incident.resolved` |
//! | rolled back | `dev.cdevents.service.rolledback` |
//! | the last good commit deployed again | `dev.cdevents.service.deployed` |
//! | any other remedy, and one that failed | `dev.cdeventsx.homeostat-remedy.finished` |
//!
//! CDEvents' `incident.reported` is not used: it requires the address of a ticket, and there is none.
//!
//! What this does not do: decide anything. Invariant: told once for each change of an incident's
//! state and each attempt, and a replay of the same step tells the same under the same id.

use homeostat_schema::id;
use homeostat_schema::time;
use homeostat_schema::types::{
    Attempt, AttemptResult, Finding, Incident, IncidentState, Plan, Remedy, TimelineFact,
};
use serde_json::{Value, json};

use crate::cdevents::{CdEvent, Made, Subject, make};
use crate::purl;

/// What an incident's step has to tell. `before` is the incident as it was, `after` as it is.
pub fn of_incident(before: Option<&Incident>, after: &Incident, source: &str) -> Vec<CdEvent> {
    let before = before.filter(|before| before.id == after.id);
    let opened = before.is_none().then(|| incident(after, "opened", DETECTED, after.opened_at, source));
    let was = before.map_or(IncidentState::Open, |before| before.state);
    let changed = (was != after.state).then(|| changed(after, source)).flatten();
    [opened.flatten(), changed].into_iter().flatten().collect()
}

/// What an attempt has to tell. Its incident, where it is still at hand, knows the plan that the
/// attempt carried out.
pub fn of_attempt(attempt: &Attempt, incident: Option<&Incident>, source: &str) -> Option<CdEvent> {
    let plan = incident.and_then(|incident| plan_of(attempt, incident));
    let good = plan.and_then(|plan| plan.last_good.as_ref());
    let release = good.and_then(|good| good.version.as_deref().or(good.commit.as_deref()));
    let artifact = release.map(|release| purl::generic(&attempt.service, Some(release)));
    let standard = match (&attempt.remedy, attempt.attempt_result) {
        (Remedy::Rollback, AttemptResult::Done) => Some("service.rolledback"),
        (Remedy::Redeploy, AttemptResult::Done) => Some("service.deployed"),
        _ => None,
    };
    let made = Made {
        id: own_id(&attempt.incident, &format!("attempt:{}", attempt.id)),
        source: source.to_owned(),
        at: time::rfc3339(attempt.ended_at),
        chain: Some(attempt.incident.clone()),
        custom: Some(about_attempt(attempt)),
    };
    let environment = json!({"id": attempt.env});
    match (standard, artifact) {
        (Some(kind), Some(artifact)) => {
            let content = json!({"environment": environment, "artifactId": artifact});
            make(kind, Subject::new(&attempt.service, content), made)
        }
        _ => {
            let content = json!({
                "environment": environment,
                "service": {"id": attempt.service},
                "remedy": attempt.remedy.name(),
                "result": attempt.attempt_result.name(),
            });
            make(REMEDY_FINISHED, Subject::new(&attempt.id, content), made)
        }
    }
}

const DETECTED: &str = "incident.detected";
const RESOLVED: &str = "incident.resolved";
const ESCALATED: &str = "homeostat-incident.escalated";
const APPROVAL: &str = "homeostat-incident.approvalrequested";
const REMEDY_FINISHED: &str = "homeostat-remedy.finished";

fn changed(after: &Incident, source: &str) -> Option<CdEvent> {
    let kind = match after.state {
        IncidentState::Resolved => RESOLVED,
        IncidentState::Escalated => ESCALATED,
        IncidentState::AwaitingApproval => APPROVAL,
        IncidentState::Open | IncidentState::Acting | IncidentState::Verifying => return None,
    };
    // An incident may be handed over, taken back and handed over again: each time is told.
    let what = format!("{}:{}", after.state.name(), after.updated_at);
    incident(after, &what, kind, after.updated_at, source)
}

fn incident(of: &Incident, what: &str, kind: &str, at_ms: u64, source: &str) -> Option<CdEvent> {
    let finding = finding_of(of);
    let mut content = json!({
        "description": of.title,
        "environment": {"id": of.env},
        "service": {"id": of.service},
    });
    let release = finding.and_then(|finding| finding.version.as_deref().or(finding.commit.as_deref()));
    if let (Some(release), Some(content)) = (release, content.as_object_mut()) {
        content.insert("artifactId".to_owned(), purl::generic(&of.service, Some(release)).into());
    }
    let made = Made {
        id: own_id(&of.id, what),
        source: source.to_owned(),
        at: time::rfc3339(at_ms),
        chain: Some(of.id.clone()),
        custom: Some(about_incident(of, finding)),
    };
    make(kind, Subject::new(&of.id, content), made)
}

fn about_incident(of: &Incident, finding: Option<&Finding>) -> Value {
    json!({"homeostat": {
        "severity": of.severity.name(),
        "state": of.state.name(),
        "finding": finding.map(|finding| finding.kind.name()),
    }})
}

fn about_attempt(attempt: &Attempt) -> Value {
    json!({"homeostat": {
        "incident": attempt.incident,
        "attempt": attempt.id,
        "remedy": attempt.remedy.name(),
        "result": attempt.attempt_result.name(),
    }})
}

/// Made of content, so that a step told twice tells the same.
fn own_id(incident: &str, what: &str) -> String {
    id::event("homeostat", &format!("{incident}:{what}"), 0)
}

/// The newest finding: what the incident is about now.
fn finding_of(incident: &Incident) -> Option<&Finding> {
    incident.timeline.iter().rev().find_map(|item| match &item.fact {
        TimelineFact::Finding(finding) => Some(finding),
        _ => None,
    })
}

fn plan_of<'a>(attempt: &Attempt, incident: &'a Incident) -> Option<&'a Plan> {
    incident.timeline.iter().rev().find_map(|item| match &item.fact {
        TimelineFact::Plan(plan) if plan.idempotency_key == attempt.id => Some(plan),
        _ => None,
    })
}

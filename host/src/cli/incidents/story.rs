//! An incident, told: head, timeline, what to do next.
//!
//! Does not: leave out an item; of a plan and an attempt it adds what was asked and what was sent.

use homeostat_schema::time;
use homeostat_schema::wire::{Incident, IncidentState, Plan, TimelineFact, TimelineItem};

use crate::cli::output::{plain, span};
use crate::cli::plot;

/// Under an item, in line with its text.
const INDENT: &str = "                    ";

/// The whole incident as lines.
pub(super) fn told(incident: &Incident, now_ms: u64) -> String {
    let mut lines = head(incident, now_ms);
    lines.push(String::new());
    lines.extend(incident.timeline.iter().flat_map(|item| item_lines(item, incident.opened_at)));
    if let Some(next) = next(incident) {
        lines.extend([String::new(), next]);
    }
    lines.join("\n")
}

fn head(incident: &Incident, now_ms: u64) -> Vec<String> {
    let opened = span(now_ms.saturating_sub(incident.opened_at));
    let mut lines = vec![
        plain(&incident.title),
        format!("  {} in {}, severity {}", plain(&incident.service), plain(&incident.env), incident.severity),
        format!("  {}, opened {} ({opened} ago)", incident.state, time::display(incident.opened_at)),
    ];
    lines.extend(
        incident.cause.iter().map(|cause| format!("  one with {}: {}", cause.incident, plain(&cause.text))),
    );
    if let Some(closed) = incident.closed_at {
        let took = span(closed.saturating_sub(incident.opened_at));
        lines.push(format!("  closed {}, after {took}", time::display(closed)));
    }
    lines
}

fn item_lines(item: &TimelineItem, opened_ms: u64) -> Vec<String> {
    let since = offset(item.at, opened_ms);
    let mut lines = vec![format!("{since:>8}  {:<8}  {}", item.fact.word(), plain(&item.text))];
    // What the item's own line says already is not said again.
    let details = details(&item.fact).into_iter().filter(|detail| !item.text.contains(&detail.said));
    lines.extend(details.map(|detail| format!("{INDENT}{}{}", detail.label, plain(&detail.said))));
    lines
}

/// Since the opening, in seconds to a tenth; what was before it has a minus.
fn offset(at_ms: u64, opened_ms: u64) -> String {
    let (sign, ms) = if at_ms < opened_ms { ('-', opened_ms - at_ms) } else { ('+', at_ms - opened_ms) };
    format!("{sign}{}.{}s", ms / 1000, ms % 1000 / 100)
}

/// A line under an item.
struct Detail {
    label: String,
    said: String,
}

fn detail(label: impl Into<String>, said: impl Into<String>) -> Detail {
    Detail { label: label.into(), said: said.into() }
}

fn details(fact: &TimelineFact) -> Vec<Detail> {
    match fact {
        TimelineFact::Finding(finding) => {
            let why = finding.health.because.iter().map(|why| why.text.clone());
            why.chain(finding.plot.iter().flat_map(plot::lines)).map(|said| detail("", said)).collect()
        }
        TimelineFact::Plan(plan) => plan_details(plan),
        TimelineFact::Attempt(attempt) => {
            let sent = attempt.exchanges.iter();
            sent.map(|sent| {
                let status = if sent.status == 0 { "no answer".to_owned() } else { sent.status.to_string() };
                let request = &sent.request;
                detail("", format!("{} {} -> {status} ({} ms)", request.method, request.url, sent.took))
            })
            .collect()
        }
        TimelineFact::Outcome(outcome) => {
            vec![detail("", format!("{}, reward {}", outcome.kind, outcome.reward))]
        }
        // The item's own text has it all.
        TimelineFact::Operator(_) | TimelineFact::Note => Vec::new(),
    }
}

fn plan_details(plan: &Plan) -> Vec<Detail> {
    let mut lines = vec![detail(format!("{}: ", plan.decision), &plan.reason)];
    let held = plan.guards.iter().filter(|check| !check.passed);
    lines.extend(held.map(|check| detail(format!("held by {}: ", check.guard), &check.reason)));
    if let Some(request) = &plan.preview {
        lines.push(detail("request: ", format!("{} {}", request.method, request.url)));
        lines.extend((!request.body.is_empty()).then(|| detail("", &request.body)));
    }
    lines
}

fn next(incident: &Incident) -> Option<String> {
    let id = plain(&incident.id);
    match incident.state {
        IncidentState::AwaitingApproval => Some(format!(
            "It waits for you:\n  homeostat approve {id} --who NAME --why REASON\n  \
             homeostat approve {id} --reject --who NAME --why REASON"
        )),
        IncidentState::Verifying => {
            let at = time::display(incident.verifying_until()?);
            Some(format!("Whether it helped is judged at {at} at the earliest."))
        }
        IncidentState::Escalated => Some(format!(
            "A person has it. Once it is mended:\n  homeostat approve {id} --resolve --who NAME --why REASON"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homeostat_schema::types::OperatorVerb;
    use homeostat_schema::wire::{OperatorWord, Severity};

    const OPENED: u64 = 1_764_244_800_000;

    fn incident(state: IncidentState, timeline: Vec<TimelineItem>) -> Incident {
        Incident {
            id: "i1".to_owned(),
            env: "stage".to_owned(),
            service: "shop".to_owned(),
            title: "Deployment failed\u{1b}[2J".to_owned(),
            severity: Severity::Critical,
            state,
            opened_at: OPENED,
            updated_at: OPENED,
            closed_at: None,
            cause: None,
            timeline,
        }
    }

    fn item(at: u64, text: &str, fact: TimelineFact) -> TimelineItem {
        TimelineItem { at, text: text.to_owned(), fact }
    }

    #[test]
    fn an_incident_is_told_in_order_and_plainly() {
        let word = OperatorWord {
            incident: "i1".to_owned(),
            verb: OperatorVerb::Resolve,
            who: "ann".to_owned(),
            why: "mended".to_owned(),
            at: OPENED + 61_250,
        };
        let timeline = vec![
            item(OPENED - 200, "seen", TimelineFact::Note),
            item(OPENED + 61_250, "ann resolved it", TimelineFact::Operator(word)),
        ];
        let text = told(&incident(IncidentState::Resolved, timeline), OPENED + 120_000);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "Deployment failed [2J",
                "  shop in stage, severity critical",
                "  resolved, opened 2025-11-27T12:00:00Z (2m ago)",
                "",
                "   -0.2s  note      seen",
                "  +61.2s  operator  ann resolved it",
            ]
        );
    }

    #[test]
    fn what_waits_for_a_person_says_how_to_answer() {
        let check = |state, expected: Option<&str>| {
            let next = next(&incident(state, vec![]));
            assert_eq!(next.is_some(), expected.is_some(), "{state}");
            assert!(next.unwrap_or_default().contains(expected.unwrap_or_default()), "{state}");
        };
        check(IncidentState::AwaitingApproval, Some("homeostat approve i1 --reject"));
        check(IncidentState::Escalated, Some("homeostat approve i1 --resolve"));
        check(IncidentState::Acting, None);
        check(IncidentState::Verifying, None);
    }

    #[test]
    fn an_incident_that_is_verifying_says_until_when() {
        let golden = include_bytes!("../../../../crates/schema/tests/golden/1.0/incident.json");
        let mut incident: Incident = serde_json::from_slice(golden).expect("an incident");
        incident.state = IncidentState::Verifying;
        incident.timeline.truncate(3);
        let until = time::display(incident.verifying_until().expect("a time"));
        assert!(next(&incident).is_some_and(|next| next.contains(&until)));
    }
}

//! One incident: what it is, why, what was done and how it went.
//!
//! What this does not do: leave an item of the timeline out, or take a word from an operator; the
//! command line and the API do.

use homeostat_flow::{Redis, ScriptStore};
use homeostat_schema::types::IncidentState;
use homeostat_schema::wire::{Finding, Incident, Plan, TimelineFact, TimelineItem};
use homeostat_schema::{time, wire};

use super::{HEAD, badge, document, escaped, line, plot};
use crate::answer::{Answer, Problem};
use crate::incidents;

/// Answers with the page of one incident.
pub(crate) async fn answer<R: Redis>(
    store: &ScriptStore<R>,
    id: &str,
    now_ms: u64,
) -> Result<Answer, Problem> {
    let bytes = incidents::stored(store, id).await?;
    let incident = wire::decode_form(&bytes)
        .map_err(|_| Problem::not_found().saying("this incident was stored by another version"))?;
    Ok(document(render(&incident, now_ms)))
}

fn render(incident: &Incident, now_ms: u64) -> String {
    let mut page = String::from(HEAD);
    line(&mut page, &format!("<h2>{}</h2>", escaped(&incident.title)));
    line(&mut page, &format!("<p>{}</p>", standing(incident, now_ms)));
    if let Some(cause) = &incident.cause {
        let (name, text) = (escaped(&cause.incident), escaped(&cause.text));
        line(&mut page, &format!("<p class=\"note\">{text}<br><small>one incident: {name}</small></p>"));
    }
    line(&mut page, "<table><thead><tr><th>after</th><th></th><th>what</th></tr></thead><tbody>");
    for item in &incident.timeline {
        let after = after(item.at, incident.opened_at);
        let (kind, what) = (item.fact.word(), told(item));
        line(&mut page, &format!("<tr><td>{after}</td><td>{kind}</td><td>{what}</td></tr>"));
    }
    line(&mut page, "</tbody></table>");
    let id = escaped(&incident.id);
    line(&mut page, &format!("<p><a href=\"/api/v1/incidents/{id}\">as JSON</a></p>"));
    page.push_str("</main></body></html>\n");
    page
}

/// State, severity, where, since when, and for how long.
fn standing(incident: &Incident, now_ms: u64) -> String {
    let until = incident.closed_at.unwrap_or(now_ms);
    let lasted = span(until.saturating_sub(incident.opened_at));
    let how = match incident.state {
        IncidentState::Resolved => format!("took {lasted}"),
        _ => format!("open for {lasted}"),
    };
    let looked =
        incident.verifying_until().map(|at| format!(", judged at {} at the earliest", time::display(at)));
    format!(
        "{} {} {} in {}, since {}, {how}{}",
        badge(incident.state.name()),
        badge(incident.severity.name()),
        escaped(&incident.service),
        escaped(&incident.env),
        time::display(incident.opened_at),
        looked.unwrap_or_default()
    )
}

/// The item's own line, and what its fact adds to it.
fn told(item: &TimelineItem) -> String {
    let mut lines = vec![escaped(&item.text)];
    match &item.fact {
        TimelineFact::Finding(finding) => lines.extend(of_finding(finding, &item.text)),
        TimelineFact::Plan(plan) => lines.extend(of_plan(plan)),
        TimelineFact::Attempt(attempt) => lines.extend(attempt.exchanges.iter().map(|sent| {
            let answer = if sent.status == 0 { "no answer".to_owned() } else { sent.status.to_string() };
            let (method, url) = (escaped(&sent.request.method), escaped(&sent.request.url));
            small(&format!("{method} {url} → {answer} ({} ms)", sent.took))
        })),
        TimelineFact::Outcome(outcome) => lines.push(small(&format!("reward {}", outcome.reward))),
        TimelineFact::Operator(_) | TimelineFact::Note => {}
    }
    lines.join("<br>")
}

/// What the item's own line says already is not said again.
fn of_finding(finding: &Finding, said: &str) -> Vec<String> {
    let reasons = finding.health.because.iter().filter(|because| !said.contains(&because.text));
    let reasons = reasons.map(|because| small(&escaped(&because.text)));
    reasons.chain(finding.plot.iter().filter_map(plot::svg)).collect()
}

fn of_plan(plan: &Plan) -> Vec<String> {
    let mut lines = vec![small(&escaped(&plan.reason))];
    let guards = plan.guards.iter().map(|check| {
        let mark = if check.passed { "✓" } else { "✗" };
        format!("{mark} {}: {}", escaped(check.guard.name()), escaped(&check.reason))
    });
    let guards: Vec<String> = guards.collect();
    if !guards.is_empty() {
        let failed = plan.guards.iter().filter(|check| !check.passed).count();
        let summary = format!("{} guards asked, {failed} held back", guards.len());
        lines.push(format!("<details><summary>{summary}</summary>{}</details>", guards.join("<br>")));
    }
    if let Some(request) = &plan.preview {
        lines.push(small(&format!("{} {}", escaped(&request.method), escaped(&request.url))));
    }
    lines
}

fn small(html: &str) -> String {
    format!("<small>{html}</small>")
}

/// Since the opening; what was before it has a minus.
fn after(at_ms: u64, opened_ms: u64) -> String {
    let sign = if at_ms < opened_ms { "−" } else { "" };
    format!("{sign}{}", span(at_ms.abs_diff(opened_ms)))
}

/// In the largest unit of which there are two.
fn span(ms: u64) -> String {
    match ms / 1000 {
        0..=119 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn incident() -> Incident {
        let evidence = |text: &str| json!({"metric": "canary", "observed": 2.0, "bound": 1.0, "unit": "1", "samples": 1, "text": text});
        let point = |at: &str, canary: f64| {
            json!({"at": at, "baseline": 0.01, "baseline_samples": 100, "canary": canary, "canary_samples": 10,
                   "statistic": 3.0})
        };
        let finding = json!({
            "id": "f1", "kind": "error-rate-high", "severity": "critical", "env": "prod", "service": "shop",
            "health": {"verdict": "bad", "score": 3.0, "because": [evidence("first"), evidence("<second>")]},
            "correlation": {}, "irreversible": false, "found_at": "2026-03-01T10:00:00Z", "config_version": 1,
            "trust": {"signed": true, "fresh": true, "fork": false, "self": false, "late": false, "test": false},
            "plot": {"metric": "errors", "unit": "1", "bound": 200.0, "points": [
                point("2026-03-01T09:58:00Z", 0.01), point("2026-03-01T09:59:00Z", 0.02)]},
        });
        serde_json::from_value(json!({
            "id": "i1", "env": "prod", "service": "shop", "title": "errors <b>of</b> shop", "severity": "critical",
            "state": "resolved", "opened_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-01T10:05:00Z",
            "closed_at": "2026-03-01T10:05:00Z",
            "cause": {"incident": "cause-1", "findings": 2, "change": "b1", "service": "billing",
                      "probability": 0.9, "blamed": true, "text": "blamed on b1 & co"},
            "timeline": [
                {"at": "2026-03-01T10:00:00Z", "text": "found \"it\", as first", "fact": {"kind": "finding", "finding": finding}},
                {"at": "2026-03-01T10:01:30.500Z", "text": "done", "fact": {"kind": "note"}},
            ],
        }))
        .expect("an incident")
    }

    #[test]
    fn the_page_tells_all_and_escapes_it() {
        let page = render(&incident(), 0);
        for expected in [
            "<h2>errors &lt;b&gt;of&lt;/b&gt; shop</h2>",
            "since 2026-03-01T10:00:00Z, took 5 min",
            "blamed on b1 &amp; co",
            "one incident: cause-1",
            "<td>0.0 s</td><td>found</td><td>found &quot;it&quot;, as first<br><small>&lt;second&gt;</small>",
            "<svg ",
            "<td>90.5 s</td><td>note</td><td>done</td>",
            "href=\"/api/v1/incidents/i1\"",
        ] {
            assert!(page.contains(expected), "{expected} is not in {page}");
        }
        assert!(!page.contains("<b>of") && !page.contains("<second>"), "{page}");
    }

    #[test]
    fn an_incident_that_is_verifying_says_until_when() {
        let golden = include_bytes!("../../../schema/tests/golden/1.0/incident.json");
        let mut incident: Incident = serde_json::from_slice(golden).expect("an incident");
        assert!(!render(&incident, 0).contains("judged at"));
        incident.state = IncidentState::Verifying;
        incident.timeline.truncate(3);
        let until = time::display(incident.verifying_until().expect("a time"));
        assert!(render(&incident, 0).contains(&format!("judged at {until} at the earliest")));
    }

    #[test]
    fn spans_are_short() {
        let check = |ms: u64, expected: &str| assert_eq!(span(ms), expected);
        check(0, "0.0 s");
        check(119_999, "119.9 s");
        check(120_000, "2 min");
        check(7_200_000, "2 h");
        check(172_800_000, "2 d");
        assert_eq!(after(1_000, 3_500), "−2.5 s");
    }
}

//! The first page: health, incidents with their state, services, and where to look further.

use homeostat_flow::Redis;
use homeostat_sources::ingest::DevMode;
use homeostat_stages::view::ServiceView;

use super::{HEAD, badge, css, document, escaped, line};
use crate::answer::{Answer, Problem};
use crate::health::{self, Readiness};
use crate::incidents::{self, Summary};
use crate::port::Snapshots;
use crate::serve::World;
use crate::{listing, services};

/// Rows of each table.
const ROWS_MAX: usize = 50;

/// Answers with the page, also when the store is down: then it says so.
pub(crate) async fn answer<R: Redis, S: Snapshots>(world: &World<'_, R, S>) -> Result<Answer, Problem> {
    let readiness = health::look(world).await;
    let redis = world.store.redis();
    let (incidents, services) = if readiness.ready {
        let incidents = listing::newest(redis, &incidents::LIST, ROWS_MAX).await?;
        (incidents, listing::newest(redis, &services::LIST, ROWS_MAX).await?)
    } else {
        (Vec::new(), Vec::new())
    };
    let html = render(&readiness, &incidents, &services, world.dev_mode);
    Ok(document(html))
}

fn render(ready: &Readiness, incidents: &[Summary], services: &[ServiceView], dev_mode: DevMode) -> String {
    let mut page = String::from(HEAD);
    if dev_mode == DevMode::On {
        page.push_str("<p class=\"banner\">Dev mode: this machine needs no token and no signature.</p>\n");
    }
    let state = if ready.ready { "ready" } else { "not ready" };
    line(&mut page, &format!("<p>Homeostat is <b class=\"{}\">{state}</b>.", css(state)));
    if let Some(version) = ready.config_version {
        line(&mut page, &format!("Configuration version {version}."));
    }
    page.push_str("</p>\n");
    for text in ready.problems.iter().chain(&ready.warnings) {
        line(&mut page, &format!("<p class=\"note\">{}</p>", escaped(text)));
    }
    table(
        &mut page,
        "Incidents",
        &["state", "severity", "service", "what", "opened"],
        &incident_rows(incidents),
    );
    table(
        &mut page,
        "Services",
        &["verdict", "score", "service", "version", "changed"],
        &service_rows(services),
    );
    page.push_str("</main></body></html>\n");
    page
}

fn incident_rows(incidents: &[Summary]) -> Vec<[String; 5]> {
    let row = |incident: &Summary| {
        let title = escaped(&incident.title);
        [
            badge(incident.state.name()),
            badge(&incident.severity),
            format!("{} in {}", escaped(&incident.service), escaped(&incident.env)),
            format!("<a href=\"/incidents/{}\">{title}</a>{}", escaped(&incident.id), cause(incident)),
            escaped(&incident.opened_at),
        ]
    };
    incidents.iter().map(row).collect()
}

/// What leads, and the name that the findings of one cause share.
fn cause(incident: &Summary) -> String {
    let Some(cause) = &incident.cause else { return String::new() };
    let leads = match (&cause.change, &cause.service) {
        (Some(change), Some(service)) => format!("{change} of {service}"),
        _ => "no change".to_owned(),
    };
    let sure = 100.0 * cause.probability;
    format!("<br><small>{}, {sure:.0} %: {}</small>", escaped(&leads), escaped(&cause.incident))
}

fn service_rows(services: &[ServiceView]) -> Vec<[String; 5]> {
    let row = |service: &ServiceView| {
        [
            badge(service.health.verdict.name()),
            format!("{:.0}", service.health.score),
            format!("{} in {}", escaped(&service.service), escaped(&service.env)),
            escaped(service.version.as_deref().or(service.commit.as_deref()).unwrap_or("unknown")),
            escaped(&serde_json::to_value(&service.updated_at).ok().and_then(text_of).unwrap_or_default()),
        ]
    };
    services.iter().map(row).collect()
}

fn text_of(value: serde_json::Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn table(page: &mut String, title: &str, heads: &[&str], rows: &[[String; 5]]) {
    line(page, &format!("<h2>{title}</h2>"));
    if rows.is_empty() {
        line(page, "<p>None.</p>");
        return;
    }
    let heads: String = heads.iter().map(|head| format!("<th>{head}</th>")).collect();
    line(page, &format!("<table><thead><tr>{heads}</tr></thead><tbody>"));
    for row in rows {
        let cells: String = row.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        line(page, &format!("<tr>{cells}</tr>"));
    }
    line(page, "</tbody></table>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_store_are_escaped() {
        let incident: Summary = serde_json::from_value(serde_json::json!({
            "id": "i\"1", "env": "prod", "service": "<script>", "title": "a & 'b'", "severity": "critical\" x=\"",
            "cause": {"incident": "cause-1", "findings": 2, "change": "b<1", "service": "billing",
                      "probability": 0.9, "blamed": true, "text": ""},
            "state": "open", "opened_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-01T10:00:00Z",
        }))
        .unwrap();
        let rows = incident_rows(&[incident]);
        let row = &rows[0];
        assert_eq!(row[0], "<b class=\"open\">open</b>");
        assert_eq!(row[1], "<b class=\"critical--x--\">critical&quot; x=&quot;</b>");
        assert_eq!(row[2], "&lt;script&gt; in prod");
        assert_eq!(
            row[3],
            "<a href=\"/incidents/i&quot;1\">a &amp; &#39;b&#39;</a><br><small>b&lt;1 of billing, 90 %: cause-1</small>"
        );
    }
}

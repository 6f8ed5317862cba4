//! The plain page: health, incidents with their state, services, and where to look further.
//!
//! What this does not do: run scripts or load anything; it is one document.
//!
//! Invariant: every text of the store is escaped, and the page's policy forbids what escaping
//! might miss.

use std::fmt::Write as _;

use homeostat_flow::Redis;
use homeostat_sources::ingest::DevMode;
use homeostat_stages::view::ServiceView;
use http::StatusCode;
use http::header::CONTENT_SECURITY_POLICY;

use crate::answer::{Answer, Problem, whole, with};
use crate::health::{self, Readiness};
use crate::incidents::{self, Summary};
use crate::port::Snapshots;
use crate::serve::World;
use crate::{listing, services};

/// Rows of each table.
const ROWS_MAX: usize = 50;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEAD: &str = include_str!("dashboard.html");

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
    let answer = whole(StatusCode::OK, "text/html; charset=utf-8", html.into_bytes());
    Ok(with(answer, CONTENT_SECURITY_POLICY, POLICY))
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
            format!("<a href=\"/api/v1/incidents/{}\">{title}</a>", escaped(&incident.id)),
            escaped(&incident.opened_at),
        ]
    };
    incidents.iter().map(row).collect()
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

fn badge(text: &str) -> String {
    format!("<b class=\"{}\">{}</b>", css(text), escaped(text))
}

/// A class name: letters and dashes only.
fn css(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_lowercase() { letter } else { '-' };
    text.chars().take(32).map(plain).collect()
}

fn line(page: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_store_are_escaped() {
        let incident: Summary = serde_json::from_value(serde_json::json!({
            "id": "i\"1", "env": "prod", "service": "<script>", "title": "a & 'b'", "severity": "critical\" x=\"",
            "state": "open", "opened_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-01T10:00:00Z",
        }))
        .unwrap();
        let rows = incident_rows(&[incident]);
        let row = &rows[0];
        assert_eq!(row[0], "<b class=\"open\">open</b>");
        assert_eq!(row[1], "<b class=\"critical--x--\">critical&quot; x=&quot;</b>");
        assert_eq!(row[2], "&lt;script&gt; in prod");
        assert_eq!(row[3], "<a href=\"/api/v1/incidents/i&quot;1\">a &amp; &#39;b&#39;</a>");
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        for outside in ["http://", "https://", "<script", "<link", "<img", "@import", "url("] {
            assert!(!HEAD.contains(outside), "{outside}");
        }
    }
}

//! What else the app asks or tells: Prometheus, GitLab and Alertmanager for reconcilers and pulls,
//! and sinks.
//!
//! Does not: ask what has no origin; tell a sink anything, of which only an answer is wanted.

use http::request::Builder;
use http::{Request, StatusCode};

use super::super::finding::Finding;
use super::super::known::Known;
use super::{CHECK, CallError, send};

/// A system at an origin of its own.
struct Place {
    name: &'static str,
    origin: &'static str,
    path: &'static str,
    /// The header and the variable of its token, where it wants one.
    token: Option<(&'static str, &'static str)>,
    accepts: fn(StatusCode) -> bool,
}

const fn sink(name: &'static str, origin: &'static str) -> Place {
    // Whatever it says to a bare question: it is there.
    Place { name, origin, path: "/", token: None, accepts: |status| !status.is_server_error() }
}

fn is_success(status: StatusCode) -> bool {
    status.is_success()
}

const PLACES: [Place; 6] = [
    Place {
        name: "Prometheus",
        origin: "prometheus_origin",
        path: "/api/v1/query?query=1",
        token: None,
        accepts: is_success,
    },
    Place {
        name: "GitLab",
        origin: "gitlab_api_origin",
        path: "/api/v4/version",
        token: Some(("private-token", "gitlab_token")),
        accepts: is_success,
    },
    Place {
        name: "Alertmanager",
        origin: "alertmanager_origin",
        path: "/api/v2/status",
        token: None,
        accepts: is_success,
    },
    sink("the sink", "sink_origin"),
    sink("the second sink", "sink_origin_2"),
    sink("the third sink", "sink_origin_3"),
];

/// Asks each that has an origin here; tells of those that only the app knows.
pub(super) async fn look(known: &Known<'_>) -> Vec<Finding> {
    let asked = PLACES.iter().map(|place| one(place, known));
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

async fn one(place: &Place, known: &Known<'_>) -> Option<Finding> {
    let Some(origin) = known.value(place.origin) else {
        let wanted = known.is_set(place.origin) || is_pulled(place, known);
        let text = format!("{}: {} was not asked", known.missing(place.origin), place.name);
        return wanted.then(|| Finding::skip(CHECK, text));
    };
    let request = Request::get(format!("{}{}", origin.trim_end_matches('/'), place.path));
    match with_token(place, known, request) {
        Ok(request) => Some(judge(place, origin, &send(request).await)),
        Err(missing) => Some(Finding::skip(CHECK, format!("{missing}: {} was not asked", place.name))),
    }
}

/// Whether the configuration pulls from it.
fn is_pulled(place: &Place, known: &Known<'_>) -> bool {
    place.name == "Prometheus" && known.config().is_some_and(|config| !config.pulls.is_empty())
}

fn with_token(place: &Place, known: &Known<'_>, request: Builder) -> Result<Builder, String> {
    let request = request.header("accept", "application/json");
    let Some((header, variable)) = place.token else { return Ok(request) };
    let token = known.value(variable).ok_or_else(|| known.missing(variable))?;
    Ok(request.header(header, token))
}

fn judge(place: &Place, origin: &str, answer: &Result<StatusCode, CallError>) -> Finding {
    let at = format!("{} at {origin}", place.name);
    let mend = format!("mend the variable {}, the network, or the system", place.origin);
    match answer {
        Ok(status) if (place.accepts)(*status) => Finding::ok(CHECK, format!("{at} answers")),
        Ok(status) => Finding::wrong(CHECK, format!("{at} answers {} with {status}", place.path), mend),
        Err(error) => Finding::wrong(CHECK, format!("{at}: {error}"), mend),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Level;
    use super::*;

    #[test]
    fn who_is_asked_for_something_must_give_it_and_a_sink_must_be_there() {
        let check = |name: &str, answer: Result<u16, CallError>, level: Level| {
            let place = PLACES.iter().find(|place| place.name == name).expect("a place");
            let answer = answer.map(|status| StatusCode::from_u16(status).expect("a status"));
            let finding = judge(place, "http://h:9090", &answer);
            assert_eq!(finding.level, level, "{finding}");
        };
        check("Prometheus", Ok(200), Level::Ok);
        check("Prometheus", Ok(404), Level::Wrong);
        check("Prometheus", Ok(503), Level::Wrong);
        check("Alertmanager", Err(CallError::Broken("cut".to_owned())), Level::Wrong);
        check("GitLab", Ok(401), Level::Wrong);
        check("the sink", Ok(404), Level::Ok);
        check("the sink", Ok(502), Level::Wrong);
        check("the sink", Err(CallError::NotReached("refused".to_owned())), Level::Wrong);
    }
}

//! Which request means what. One table, which the OpenAPI document is tested against.

use std::sync::LazyLock;

use homeostat_schema::types::OperatorVerb;
use http::Method;
use matchit::Router;
use percent_encoding::percent_decode_str;

use crate::answer::Problem;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Is the process there.
    Health,
    /// Can it work.
    Ready,
    /// Prometheus text.
    Metrics,
    /// The page.
    Dashboard,
    /// The document of all this.
    OpenApi,
    /// Take events.
    SubmitEvents,
    /// List events.
    Events,
    /// Read the delivery of one again, by the event's id.
    ReplayEvent(String),
    /// List incidents.
    Incidents,
    /// One incident, by id.
    Incident(String),
    /// The same as a page.
    IncidentPage(String),
    /// An operator's word on an incident.
    Word(String, OperatorVerb),
    /// List services.
    Services,
    /// One service, by environment and name.
    Service(String, String),
    /// Whether to promote a service's newest release, by environment and name.
    Gate(String, String),
    /// The learned policy.
    Policy,
    /// What it learned from.
    Samples,
    /// The configuration.
    Config,
    /// Apply a configuration.
    ApplyConfig,
    /// Names of the variables that are set.
    Variables,
    /// List deliveries that were given up.
    Undelivered,
    /// Send one again, by sink and id.
    Resend(String, String),
    /// What reconcilers found.
    Reconcilers,
    /// List dead letters.
    DeadLetters,
    /// One dead letter, by id.
    DeadLetter(String),
    /// Replay one, by id.
    ReplayDeadLetter(String),
    /// Ring whatever has work.
    Tick,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anyone: probes and scrapers. Tells nothing of a payload.
    Everyone,
    /// Holders of an API token.
    Operators,
    /// The same, for what changes nothing whatever the method: a stored password will do.
    Readers,
    /// Holders of the internal token; for all others it does not exist.
    Internal,
}

type Make = fn(&matchit::Params<'_, '_>) -> Route;

/// A line of the table.
struct Line {
    method: Method,
    path: &'static str,
    audience: Audience,
    make: Make,
}

const fn line(method: Method, path: &'static str, audience: Audience, make: Make) -> Line {
    Line { method, path, audience, make }
}

static TABLE: LazyLock<Vec<Line>> = LazyLock::new(|| {
    use Audience::{Everyone, Internal, Operators, Readers};
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    vec![
        line(get.clone(), "/", Operators, |_| Route::Dashboard),
        line(get.clone(), "/incidents/{id}", Operators, |of| Route::IncidentPage(part(of, "id"))),
        line(get.clone(), "/health", Everyone, |_| Route::Health),
        line(get.clone(), "/ready", Everyone, |_| Route::Ready),
        line(get.clone(), "/metrics", Everyone, |_| Route::Metrics),
        line(get.clone(), "/api/v1/openapi.json", Everyone, |_| Route::OpenApi),
        line(post.clone(), "/api/v1/events", Operators, |_| Route::SubmitEvents),
        line(get.clone(), "/api/v1/events", Operators, |_| Route::Events),
        line(post.clone(), "/api/v1/events/{id}/replay", Operators, |of| Route::ReplayEvent(part(of, "id"))),
        line(get.clone(), "/api/v1/incidents", Operators, |_| Route::Incidents),
        line(get.clone(), "/api/v1/incidents/{id}", Operators, |of| Route::Incident(part(of, "id"))),
        line(post.clone(), "/api/v1/incidents/{id}/approve", Operators, |of| {
            Route::Word(part(of, "id"), OperatorVerb::Approve)
        }),
        line(post.clone(), "/api/v1/incidents/{id}/reject", Operators, |of| {
            Route::Word(part(of, "id"), OperatorVerb::Reject)
        }),
        line(post.clone(), "/api/v1/incidents/{id}/resolve", Operators, |of| {
            Route::Word(part(of, "id"), OperatorVerb::Resolve)
        }),
        line(get.clone(), "/api/v1/services", Operators, |_| Route::Services),
        line(get.clone(), "/api/v1/services/{env}/{*service}", Operators, |of| {
            Route::Service(part(of, "env"), part(of, "service"))
        }),
        line(get.clone(), "/api/v1/gate/{env}/{*service}", Readers, |of| {
            Route::Gate(part(of, "env"), part(of, "service"))
        }),
        // Flagger asks with POST only.
        line(post.clone(), "/api/v1/gate/{env}/{*service}", Readers, |of| {
            Route::Gate(part(of, "env"), part(of, "service"))
        }),
        line(get.clone(), "/api/v1/policy", Operators, |_| Route::Policy),
        line(get.clone(), "/api/v1/policy/samples", Operators, |_| Route::Samples),
        line(get.clone(), "/api/v1/undelivered", Operators, |_| Route::Undelivered),
        line(post.clone(), "/api/v1/undelivered/{sink}/{id}/resend", Operators, |of| {
            Route::Resend(part(of, "sink"), part(of, "id"))
        }),
        line(get.clone(), "/api/v1/reconcilers", Operators, |_| Route::Reconcilers),
        line(get.clone(), "/api/v1/dead-letters", Operators, |_| Route::DeadLetters),
        line(get.clone(), "/api/v1/dead-letters/{id}", Operators, |of| Route::DeadLetter(part(of, "id"))),
        line(post.clone(), "/api/v1/dead-letters/{id}/replay", Operators, |of| {
            Route::ReplayDeadLetter(part(of, "id"))
        }),
        line(get.clone(), "/api/v1/config", Operators, |_| Route::Config),
        line(put, "/api/v1/config", Operators, |_| Route::ApplyConfig),
        line(get, "/api/v1/variables", Operators, |_| Route::Variables),
        line(post, "/internal/tick", Internal, |_| Route::Tick),
    ]
});

/// The lines of each path, by their place in the table.
static ROUTER: LazyLock<Router<Vec<usize>>> = LazyLock::new(|| {
    let mut router = Router::new();
    for (at, line) in TABLE.iter().enumerate() {
        let same = TABLE.iter().enumerate().filter(|(_, other)| other.path == line.path);
        let lines: Vec<_> = same.map(|(at, _)| at).collect();
        if lines.first() == Some(&at) {
            // A clash of patterns would be seen by the test that looks every path up.
            drop(router.insert(line.path, lines));
        }
    }
    router
});

/// Finds what a request asks for. One trailing slash is overlooked.
///
/// # Errors
/// 404 for a path that is not in the table, 405 for another method than those it has.
pub fn find(method: &Method, path: &str) -> Result<(Route, Audience), Problem> {
    let path = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
    let found = ROUTER.at(path).map_err(|_| Problem::not_found())?;
    let lines: Vec<_> = found.value.iter().filter_map(|at| TABLE.get(*at)).collect();
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    match lines.iter().find(|line| line.method == wanted) {
        Some(line) => Ok(((line.make)(&found.params), line.audience)),
        None => {
            let methods = lines.iter().map(|line| line.method.as_str()).collect::<Vec<_>>().join(", ");
            let problem = Problem::new(http::StatusCode::METHOD_NOT_ALLOWED);
            Err(problem.saying(format!("this path takes {methods}")))
        }
    }
}

/// Method and path of every route, for the document.
pub fn all() -> impl Iterator<Item = (&'static Method, &'static str, Audience)> {
    TABLE.iter().map(|line| (&line.method, line.path, line.audience))
}

fn part(params: &matchit::Params<'_, '_>, name: &str) -> String {
    percent_decode_str(params.get(name).unwrap_or_default()).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_found_by_its_own_path() {
        for (method, path, audience) in all() {
            let path = path
                .replace("{id}", "i1")
                .replace("{sink}", "team")
                .replace("{env}", "prod")
                .replace("{*service}", "a/b");
            assert_eq!(find(method, &path).unwrap().1, audience, "{method} {path}");
        }
    }

    #[test]
    fn paths_mean_what_they_say() {
        let check = |method: Method, path: &str, expected: Result<Route, u16>| {
            let found =
                find(&method, path).map(|(route, _)| route).map_err(|problem| problem.status().as_u16());
            assert_eq!(found, expected, "{method} {path}");
        };
        check(Method::GET, "/", Ok(Route::Dashboard));
        check(Method::GET, "/health/", Ok(Route::Health));
        check(Method::HEAD, "/health", Ok(Route::Health));
        check(Method::GET, "/incidents/i1", Ok(Route::IncidentPage("i1".to_owned())));
        check(Method::GET, "/api/v1/incidents/i1", Ok(Route::Incident("i1".to_owned())));
        check(
            Method::POST,
            "/api/v1/incidents/i1/approve",
            Ok(Route::Word("i1".to_owned(), OperatorVerb::Approve)),
        );
        check(
            Method::GET,
            "/api/v1/services/prod/unassigned/github/acme%2Fshop",
            Ok(Route::Service("prod".to_owned(), "unassigned/github/acme/shop".to_owned())),
        );
        check(Method::POST, "/api/v1/gate/prod/shop", Ok(Route::Gate("prod".to_owned(), "shop".to_owned())));
        check(Method::POST, "/api/v1/events", Ok(Route::SubmitEvents));
        check(Method::POST, "/api/v1/events/e1/replay", Ok(Route::ReplayEvent("e1".to_owned())));
        check(Method::GET, "/api/v1/events/e1/replay", Err(405));
        check(Method::DELETE, "/api/v1/events", Err(405));
        check(Method::GET, "/internal/tick", Err(405));
        check(Method::GET, "/api/v1/nothing", Err(404));
        check(Method::GET, "/api/v1/incidents/i1/approve/x", Err(404));
    }
}

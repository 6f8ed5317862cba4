//! The systems that remedies work on: do they answer, and do they take our token. And Prometheus,
//! where pulls ask for numbers.
//!
//! Purpose: one `GET` each that changes nothing, over the same client as the components' requests.
//! Does not: follow redirects, retry, or tell Slack anything, whose webhooks have no dry question.
//! Invariant: the token is in the request's header and nowhere else.

use std::time::Duration;

use http::{Request, StatusCode};

use super::finding::Finding;
use super::setup::Setup;
use crate::cli::call::{CallError, Limits, call};
use crate::cli::client::bearer;

const CHECK: &str = "connector";
const PROMETHEUS_ORIGIN: &str = "prometheus_origin";

/// Someone waits at a terminal; the answers are small, `/rate_limit` has some kilobytes.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), body_bytes_max: 256 * 1024 };

/// A system, and the question that changes nothing there.
struct Connector {
    name: &'static str,
    origin: &'static str,
    token: &'static str,
    path: &'static str,
}

const CONNECTORS: [Connector; 2] = [
    Connector { name: "GitHub", origin: "github_api_origin", token: "github_token", path: "/rate_limit" },
    Connector {
        name: "Kubernetes",
        origin: "kubernetes_api_origin",
        token: "kubernetes_token",
        path: "/version",
    },
];

/// Asks each one that has a token.
pub(super) async fn look(setup: &Setup, findings: &mut Vec<Finding>) {
    if !setup.has_manifest() {
        findings.push(Finding::skip(CHECK, "without the manifest it is not known where the connectors are"));
        return;
    }
    let asked = CONNECTORS.iter().map(|connector| one(connector, setup));
    findings.extend(futures::future::join_all(asked).await);
    findings.extend(prometheus(setup).await);
    findings.push(match setup.variable("slack_webhook_url") {
        Some(_) => {
            Finding::skip(CHECK, "Slack has a webhook, which cannot be asked without telling it something")
        }
        None => Finding::skip(CHECK, "slack_webhook_url is not set in this shell: Slack is not told"),
    });
}

/// Asks Prometheus a question that needs no numbers; nothing where no origin is set and no pull
/// needs one.
async fn prometheus(setup: &Setup) -> Option<Finding> {
    let pulls = setup.config.as_ref().is_some_and(|config| !config.pulls.is_empty());
    let Some(origin) = setup.variable(PROMETHEUS_ORIGIN) else {
        let text = format!("{PROMETHEUS_ORIGIN} is not set in this shell: Prometheus was not asked");
        return pulls.then(|| Finding::skip(CHECK, text));
    };
    let url = format!("{}/api/v1/query?query=1", origin.trim_end_matches('/'));
    let Ok(request) = Request::get(&url).header("accept", "application/json").body(Vec::new()) else {
        let text = format!("{PROMETHEUS_ORIGIN} cannot be part of a request");
        return Some(Finding::wrong(CHECK, text, "an origin is https://HOST[:PORT]"));
    };
    Some(numbers(origin, &call(request, LIMITS).await.map(|answer| answer.status())))
}

fn numbers(origin: &str, answer: &Result<StatusCode, CallError>) -> Finding {
    let place = format!("Prometheus at {origin}");
    let mend =
        "mend the variable prometheus_origin, the network, or Prometheus; pulls see nothing until then";
    match answer {
        Ok(status) if status.is_success() => Finding::ok(CHECK, format!("{place} answers queries")),
        Ok(status) => Finding::wrong(CHECK, format!("{place} answers a query with {status}"), mend),
        Err(error) => Finding::wrong(CHECK, format!("{place}: {error}"), mend),
    }
}

async fn one(connector: &Connector, setup: &Setup) -> Finding {
    let (Some(origin), Some(token)) = (setup.variable(connector.origin), setup.variable(connector.token))
    else {
        return Finding::skip(
            CHECK,
            format!("{} is not set in this shell: {} was not asked", connector.token, connector.name),
        );
    };
    let url = format!("{}{}", origin.trim_end_matches('/'), connector.path);
    match bearer(Request::get(&url).header("accept", "application/json"), token).body(Vec::new()) {
        Ok(request) => judge(connector, origin, &call(request, LIMITS).await.map(|answer| answer.status())),
        Err(_) => {
            let text = format!("{} or {} cannot be part of a request", connector.origin, connector.token);
            Finding::wrong(
                CHECK,
                text,
                "an origin is https://HOST[:PORT]; a token has no spaces and no line break",
            )
        }
    }
}

fn judge(connector: &Connector, origin: &str, answer: &Result<StatusCode, CallError>) -> Finding {
    let Connector { name, token, origin: variable, .. } = connector;
    let place = format!("{name} at {origin}");
    match answer {
        Ok(status) if status.is_success() => Finding::ok(CHECK, format!("{place} answers and takes {token}")),
        Ok(status) if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Finding::wrong(
            CHECK,
            format!("{place} refuses {token} ({status})"),
            "make a new token and start the app with it; docs/runbooks/remedy-fails.md says what it must be allowed",
        ),
        Ok(status) => Finding::warn(
            CHECK,
            format!("{place} answers {status}, which does not say whether it takes {token}"),
            format!("is {variable} the API's origin?"),
        ),
        Err(error @ CallError::Tls(_)) => Finding::wrong(
            CHECK,
            format!("{place}: {error}"),
            "only certificates of public authorities are trusted; put a proxy with such a one before it, or plain \
             HTTP on this machine",
        ),
        Err(error) => Finding::wrong(
            CHECK,
            format!("{place}: {error}"),
            format!("mend the variable {variable}, the network, or the system; its remedies fail until then"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn prometheus_must_answer_queries() {
        let check = |answer: Result<u16, CallError>, level: Level| {
            let answer = answer.map(|status| StatusCode::from_u16(status).expect("a status"));
            let finding = numbers("http://prometheus:9090", &answer);
            assert_eq!(finding.level, level, "{finding}");
        };
        check(Ok(200), Level::Ok);
        check(Ok(404), Level::Wrong);
        check(Ok(503), Level::Wrong);
        check(Err(CallError::TimedOut(LIMITS.timeout)), Level::Wrong);
    }

    #[test]
    fn an_answer_is_judged_without_the_token() {
        let check = |answer: Result<u16, CallError>, level: Level| {
            let answer = answer.map(|status| StatusCode::from_u16(status).expect("a status"));
            let finding = judge(&CONNECTORS[0], "https://api.github.com", &answer);
            assert_eq!(finding.level, level, "{finding}");
        };
        check(Ok(200), Level::Ok);
        check(Ok(401), Level::Wrong);
        check(Ok(403), Level::Wrong);
        check(Ok(404), Level::Warn);
        check(Ok(503), Level::Warn);
        check(Err(CallError::Tls("unknown issuer".to_owned())), Level::Wrong);
        check(Err(CallError::TimedOut(LIMITS.timeout)), Level::Wrong);
    }
}

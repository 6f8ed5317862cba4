//! The systems that remedies work on: do they answer, do they take our token, and can what the
//! configuration names there be read.
//!
//! Purpose: a `GET` each that changes nothing, over the same client as the components' requests.
//! Does not: follow redirects, retry, or tell Slack anything, whose webhooks have no dry question.
//! Invariant: the token is in the request's header and nowhere else.

mod outside;

use std::collections::BTreeSet;
use std::time::Duration;

use homeostat_schema::config::{Config, Kubernetes};
use http::request::Builder;
use http::{Request, StatusCode};

use super::finding::{Finding, Level};
use super::known::Known;
use crate::cli::call::{CallError, Limits, call};
use crate::cli::client::bearer;

const CHECK: &str = "connector";

/// Someone waits at a terminal; the answers are small, `/rate_limit` has some kilobytes.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), body_bytes_max: 256 * 1024 };

/// A system, and the question that changes nothing there.
struct Connector {
    name: &'static str,
    origin: &'static str,
    token: &'static str,
    path: &'static str,
    /// What the configuration names there.
    things: fn(&Config) -> BTreeSet<Thing>,
}

const CONNECTORS: [Connector; 2] = [
    Connector {
        name: "GitHub",
        origin: "github_api_origin",
        token: "github_token",
        path: "/rate_limit",
        things: repositories,
    },
    Connector {
        name: "Kubernetes",
        origin: "kubernetes_api_origin",
        token: "kubernetes_token",
        path: "/version",
        things: deployments,
    },
];

/// Things of one system that are asked for at most: a fleet is not walked through at a terminal.
const THINGS_MAX: usize = 50;

/// Asks each one that there are credentials for.
pub(super) async fn look(known: &Known<'_>, findings: &mut Vec<Finding>) {
    if !known.has_manifest() {
        findings.push(Finding::skip(CHECK, "without the manifest it is not known where the connectors are"));
        return;
    }
    let asked = CONNECTORS.iter().map(|connector| whole(connector, known));
    findings.extend(futures::future::join_all(asked).await.into_iter().flatten());
    findings.extend(outside::look(known).await);
    findings.push(match known.is_set("slack_webhook_url") {
        true => {
            Finding::skip(CHECK, "Slack has a webhook, which cannot be asked without telling it something")
        }
        false => Finding::skip(CHECK, format!("{}: Slack is not told", known.missing("slack_webhook_url"))),
    });
}

/// The system itself, and, where it did not refuse us, what the configuration names there.
async fn whole(connector: &Connector, known: &Known<'_>) -> Vec<Finding> {
    let mut findings = vec![one(connector, known).await];
    let refused = findings.iter().any(|finding| matches!(finding.level, Level::Wrong | Level::Skip));
    let (Some(origin), Some(token), Some(config)) =
        (known.value(connector.origin), known.value(connector.token), known.config())
    else {
        return findings;
    };
    if refused {
        return findings;
    }
    let things = (connector.things)(config);
    let asked = things.iter().take(THINGS_MAX).map(|thing| async {
        let answer = get(&format!("{}{}", origin.trim_end_matches('/'), thing.path), token).await;
        readable(connector, thing, &answer)
    });
    findings.extend(futures::future::join_all(asked).await);
    findings.extend((things.len() > THINGS_MAX).then(|| {
        Finding::skip(
            CHECK,
            format!("{}: {} more were not asked for", connector.name, things.len() - THINGS_MAX),
        )
    }));
    findings
}

/// What a remedy works on, and where it is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Thing {
    name: String,
    path: String,
}

fn repositories(config: &Config) -> BTreeSet<Thing> {
    let github = config.services.iter().filter_map(|service| service.github.as_ref());
    let thing = |repository: &String| Thing {
        name: format!("repository {repository}"),
        path: format!("/repos/{repository}"),
    };
    github.map(|github| thing(&github.repository)).collect()
}

fn deployments(config: &Config) -> BTreeSet<Thing> {
    let thing = |target: &Kubernetes| {
        let Kubernetes { namespace, deployment } = target;
        Thing {
            name: format!("Deployment {namespace}/{deployment}"),
            path: format!("/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"),
        }
    };
    config.services.iter().flat_map(|service| service.kubernetes.values()).map(thing).collect()
}

async fn one(connector: &Connector, known: &Known<'_>) -> Finding {
    let (Some(origin), Some(token)) = (known.value(connector.origin), known.value(connector.token)) else {
        let text = format!("{}: {} was not asked", known.missing(connector.token), connector.name);
        return Finding::skip(CHECK, text);
    };
    let answer = get(&format!("{}{}", origin.trim_end_matches('/'), connector.path), token).await;
    judge(connector, origin, &answer)
}

async fn get(url: &str, token: &str) -> Result<StatusCode, CallError> {
    let request = bearer(Request::get(url).header("accept", "application/json"), token);
    send(request).await
}

/// Sends a request without a body, and gives the status of the answer.
async fn send(request: Builder) -> Result<StatusCode, CallError> {
    let wrong = |_| {
        let why = "the variables cannot be part of a request: an origin is https://HOST[:PORT], a token has no \
                   spaces and no line break";
        CallError::NotReached(why.to_owned())
    };
    let request = request.body(Vec::new()).map_err(wrong)?;
    call(request, LIMITS).await.map(|answer| answer.status())
}

fn readable(connector: &Connector, thing: &Thing, answer: &Result<StatusCode, CallError>) -> Finding {
    let (system, token, name) = (connector.name, connector.token, &thing.name);
    let mend = "mend the name in the configuration, or what the token may read; docs/runbooks/remedy-fails.md says \
                what it must be allowed";
    match answer {
        Ok(status) if status.is_success() => Finding::ok(CHECK, format!("{system}: {name} can be read")),
        Ok(StatusCode::NOT_FOUND) => {
            Finding::wrong(CHECK, format!("{system}: {name} is not there, or {token} may not see it"), mend)
        }
        Ok(status) if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Finding::wrong(CHECK, format!("{system}: {token} may not read {name} ({status})"), mend)
        }
        Ok(status) => Finding::warn(CHECK, format!("{system}: {name} is answered {status}"), mend),
        Err(error) => Finding::wrong(CHECK, format!("{system}: {name}: {error}"), mend),
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
    use super::*;

    #[test]
    fn what_the_configuration_names_is_asked_for_once() {
        let toml = "[[service]]\nname = \"shop\"\ngithub = { repository = \"acme/shop\" }\n\
                    [service.kubernetes]\nprod = { namespace = \"shop\", deployment = \"web\" }\n\
                    stage = { namespace = \"shop\", deployment = \"web\" }\n\
                    [[service]]\nname = \"cart\"\ngithub = { repository = \"acme/shop\" }\n";
        let config = Config::from_toml(toml, "homeostat.toml").expect("a configuration");
        let paths = |things: BTreeSet<Thing>| things.into_iter().map(|thing| thing.path).collect::<Vec<_>>();
        assert_eq!(paths(repositories(&config)), ["/repos/acme/shop"]);
        assert_eq!(paths(deployments(&config)), ["/apis/apps/v1/namespaces/shop/deployments/web"]);
    }

    #[test]
    fn what_cannot_be_read_is_wrong() {
        let thing = Thing { name: "repository acme/shop".to_owned(), path: String::new() };
        let check = |status: u16, level: Level| {
            let answer = Ok(StatusCode::from_u16(status).expect("a status"));
            let finding = readable(&CONNECTORS[0], &thing, &answer);
            assert_eq!(finding.level, level, "{finding}");
            assert!(finding.text.contains("acme/shop"), "{finding}");
        };
        check(200, Level::Ok);
        check(404, Level::Wrong);
        check(403, Level::Wrong);
        check(502, Level::Warn);
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

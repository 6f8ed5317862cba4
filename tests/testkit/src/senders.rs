//! A small valid delivery of every source, never the same twice.
//!
//! Made by hand after each sender's documentation, with the fields that are read and a few that
//! are not. Each says one thing: something of the service `service-<n>` is under way or firing.
//!
//! What this does not do: check our schemes of proof; it signs with our own hand, and what others
//! sign is checked elsewhere.

use std::collections::BTreeMap;

use homeostat_schema::secret::Secret;
use homeostat_sources::Source;
use homeostat_sources::authenticate::Unsigned;
use serde_json::{Value, json};

use crate::rfc3339;

/// A delivery as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The route.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it is sent.
    pub body: Vec<u8>,
}

/// Every source there is a delivery of.
pub const SOURCES: [&str; 19] = [
    "github",
    "gitlab",
    "bitbucket",
    "jenkins",
    "circleci",
    "buildkite",
    "azure-devops",
    "argocd",
    "argo-rollouts",
    "flux",
    "alertmanager",
    "grafana",
    "datadog",
    "pagerduty",
    "tekton",
    "cdevents",
    "cloudevents",
    "standard",
    "generic",
];

/// Whose hand signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The holder of the secret.
    Sender,
    /// Somebody without it.
    Forger,
}

impl Signer {
    /// Standard Webhooks asks for a form of its own, basic authentication for a colon.
    const fn secret(self, source: &str) -> &'static str {
        match (self, source.as_bytes()) {
            (Self::Sender, b"standard") => "whsec_YSBzZWNyZXQgb2Ygb25lJ3Mgb3duLCBvZiAzMiBieXQ=",
            (Self::Sender, _) => "sender:a-secret-of-its-own",
            (Self::Forger, _) => "whsec_c29tZWJvZHkgd2hvIGhhcyBubyBzZWNyZXQgYXQgYWw=",
        }
    }
}

/// The variables with the secrets of all sources.
pub fn variables() -> BTreeMap<String, String> {
    let one = |name: &&str| {
        (format!("webhook_secret_{}", name.replace('-', "_")), Signer::Sender.secret(name).to_owned())
    };
    SOURCES.iter().map(one).collect()
}

/// What a delivery is about.
struct Facts {
    serial: u64,
    id: String,
    service: String,
    now_ms: u64,
    now: String,
}

/// A delivery of this source; `None` when there is no such source. Another `serial` is another
/// delivery, of another subject.
pub fn delivery(source: &str, serial: u64, now_ms: u64, signer: Signer) -> Option<Sent> {
    let facts = Facts {
        serial,
        id: format!("00000000-0000-4000-8000-{serial:012x}"),
        service: format!("service-{}", serial % 16),
        now_ms,
        now: rfc3339(now_ms),
    };
    let (mut headers, body) = match source {
        "github" | "gitlab" | "bitbucket" => forge(source, &facts),
        "jenkins" | "circleci" => pipeline(source, &facts),
        "buildkite" | "azure-devops" | "tekton" => build(source, &facts),
        "argocd" | "argo-rollouts" | "flux" => gitops(source, &facts),
        "alertmanager" | "grafana" | "datadog" | "pagerduty" => alert(source, &facts),
        "cdevents" | "cloudevents" | "standard" | "generic" => envelope(source, &facts),
        _ => return None,
    };
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        headers.push(("content-type", "application/json".to_owned()));
    }
    let body = body.to_string().into_bytes();
    let unsigned = Unsigned { id: &facts.id, body: &body, now_ms };
    let proof = proof(source, &unsigned, signer.secret(source))?;
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(proof);
    Some(Sent { path: format!("/webhooks/{source}"), headers: headers.collect(), body })
}

/// An event, or a list of them, as the holder of `secret` sends it to `/webhooks/generic` under the
/// delivery id `id`.
pub fn generic(events: &Value, id: &str, now_ms: u64, secret: &str) -> Option<Sent> {
    let body = events.to_string().into_bytes();
    let mut headers = proof("generic", &Unsigned { id, body: &body, now_ms }, secret)?;
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    headers.push(("idempotency-key".to_owned(), id.to_owned()));
    Some(Sent { path: "/webhooks/generic".to_owned(), headers, body })
}

/// The headers that prove it, by the source's first scheme.
fn proof(source: &str, unsigned: &Unsigned<'_>, secret: &str) -> Option<Vec<(String, String)>> {
    Source::named(source)?.schemes().first()?.sign(unsigned, &Secret::new(secret))
}

type Parts = (Vec<(&'static str, String)>, Value);

fn forge(source: &str, facts: &Facts) -> Parts {
    let Facts { serial, id, service, now, .. } = facts;
    let sha = format!("{serial:040x}");
    match source {
        "github" => (
            vec![("x-github-event", "workflow_run".to_owned()), ("x-github-delivery", id.clone())],
            json!({
                "action": "in_progress",
                "workflow_run": {
                    "id": serial, "run_attempt": 1, "name": "build", "path": ".github/workflows/build.yml",
                    "status": "in_progress", "conclusion": null, "head_sha": sha, "head_branch": "main",
                    "run_started_at": now, "updated_at": now, "pull_requests": [],
                    "head_repository": {"id": 7}, "html_url": "https://github.com/acme/x/actions/runs/1",
                },
                "repository": {"id": 7, "full_name": format!("acme/{service}")},
                "sender": {"login": "someone"},
            }),
        ),
        "gitlab" => (
            vec![("x-gitlab-event", "Pipeline Hook".to_owned()), ("idempotency-key", id.clone())],
            json!({
                "object_kind": "pipeline",
                "object_attributes": {
                    "id": serial, "status": "running", "detailed_status": "running", "ref": "main", "sha": sha,
                    "created_at": now, "finished_at": null, "duration": null,
                },
                "user": {"username": "someone", "email": "[REDACTED]"},
                "project": {"path_with_namespace": format!("acme/{service}"), "web_url": "https://gitlab.com/acme/x"},
                "builds": [],
            }),
        ),
        _ => (
            vec![("x-event-key", "repo:commit_status_created".to_owned()), ("x-request-uuid", id.clone())],
            json!({
                "commit_status": {
                    "state": "INPROGRESS", "key": format!("build-{serial}"), "name": "build", "refname": "main",
                    "created_on": now, "updated_on": now, "url": "https://bitbucket.org/acme/x",
                    "commit": {"hash": sha}, "type": "build",
                },
                "repository": {"full_name": format!("acme/{service}")},
                "actor": {"nickname": "someone"},
            }),
        ),
    }
}

fn pipeline(source: &str, facts: &Facts) -> Parts {
    let Facts { serial, id, service, now, now_ms, .. } = facts;
    let sha = format!("{serial:040x}");
    match source {
        "jenkins" => (
            vec![],
            json!({
                "name": service, "display_name": service, "url": format!("job/{service}/"),
                "build": {
                    "full_url": format!("https://ci.example.com/job/{service}/{serial}/"), "number": serial,
                    "phase": "FINALIZED", "status": "SUCCESS", "duration": 1200, "timestamp": now_ms - 1200,
                    "url": format!("job/{service}/{serial}/"),
                    "scm": {"branch": "origin/main", "commit": sha},
                },
            }),
        ),
        _ => (
            vec![("circleci-event-type", "workflow-completed".to_owned())],
            json!({
                "type": "workflow-completed", "id": id, "happened_at": now,
                "webhook": {"id": "w", "name": "homeostat"},
                "workflow": {
                    "id": format!("workflow-{serial}"), "name": "build", "status": "success",
                    "created_at": now, "stopped_at": now, "url": "https://app.circleci.com/pipelines/1",
                },
                "pipeline": {"id": "p", "number": serial, "vcs": {"revision": sha, "branch": "main"}},
                "project": {"id": "p", "name": service, "slug": format!("gh/acme/{service}")},
                "organization": {"id": "o", "name": "acme"},
            }),
        ),
    }
}

fn build(source: &str, facts: &Facts) -> Parts {
    let Facts { serial, id, service, now, .. } = facts;
    let sha = format!("{serial:040x}");
    match source {
        "buildkite" => (
            vec![("x-buildkite-event", "build.running".to_owned())],
            json!({
                "event": "build.running",
                "build": {
                    "id": id, "number": serial, "state": "running", "blocked": false, "commit": sha,
                    "branch": "main", "web_url": "https://buildkite.com/acme/x/builds/1",
                    "created_at": now, "started_at": now, "finished_at": null, "creator": {"name": "Someone"},
                },
                "pipeline": {"id": "p", "slug": service},
                "sender": {"name": "Someone"},
            }),
        ),
        "azure-devops" => (
            vec![],
            json!({
                "id": id, "eventType": "build.complete", "publisherId": "tfs", "createdDate": now,
                "resource": {
                    "id": serial, "buildNumber": format!("b{serial}"), "status": "completed", "result": "succeeded",
                    "startTime": now, "finishTime": now, "sourceVersion": sha, "sourceBranch": "refs/heads/main",
                    "definition": {"id": 1, "name": service}, "project": {"name": "acme"},
                },
                "resourceVersion": "2.0",
            }),
        ),
        _ => (
            vec![
                ("ce-id", id.clone()),
                ("ce-source", "/apis/tekton.dev/v1/namespaces/ci/pipelineruns/x".to_owned()),
                ("ce-type", "dev.tekton.event.pipelinerun.running.v1".to_owned()),
                ("ce-specversion", "1.0".to_owned()),
                ("ce-time", now.clone()),
            ],
            json!({
                "pipelineRun": {
                    "metadata": {"name": format!("{service}-{serial}"), "namespace": "ci", "uid": id,
                        "creationTimestamp": now, "labels": {"tekton.dev/pipeline": service}},
                    "spec": {"pipelineRef": {"name": service}},
                    "status": {"startTime": now,
                        "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running"}]},
                },
            }),
        ),
    }
}

fn gitops(source: &str, facts: &Facts) -> Parts {
    let Facts { serial, service, now, .. } = facts;
    let sha = format!("{serial:040x}");
    match source {
        "argocd" => (
            vec![],
            json!({
                "timestamp": now, "context": {"argocdUrl": "https://argocd.example.com"},
                "app": {
                    "metadata": {"name": service, "namespace": "argocd", "uid": format!("app-{serial}"), "generation": 1},
                    "spec": {"destination": {"server": "https://kubernetes.default.svc", "namespace": "prod"},
                        "project": "default", "source": {"repoURL": "https://github.com/acme/x"}},
                    "status": {
                        "operationState": {"phase": "Running", "startedAt": now, "syncResult": {"revision": sha}},
                        "sync": {"status": "OutOfSync", "revision": sha}, "health": {"status": "Progressing"},
                        "history": [], "summary": {"images": [format!("registry.example.com/{service}:{serial}")]},
                    },
                },
            }),
        ),
        "argo-rollouts" => (
            vec![],
            json!({
                "homeostat": 1, "trigger": "on-rollout-completed",
                "rollout": {
                    "metadata": {"name": service, "namespace": "prod", "uid": format!("rollout-{serial}"), "generation": serial},
                    "status": {
                        "phase": "Healthy", "currentPodHash": format!("{serial:x}"), "stableRS": format!("{serial:x}"),
                        "conditions": [{"type": "Completed", "status": "True", "lastUpdateTime": now}],
                    },
                },
            }),
        ),
        _ => (
            vec![("gotk-component", "kustomize-controller".to_owned())],
            json!({
                "involvedObject": {"kind": "Kustomization", "namespace": "flux-system", "name": service, "uid": format!("k-{serial}")},
                "severity": "info", "reason": "ReconciliationSucceeded", "timestamp": now,
                "message": "Reconciliation finished", "reportingController": "kustomize-controller",
                "metadata": {"revision": format!("main@sha1:{sha}"), "kustomize.toolkit.fluxcd.io/revision": format!("main@sha1:{sha}")},
            }),
        ),
    }
}

fn alert(source: &str, facts: &Facts) -> Parts {
    let Facts { serial, id, service, now, now_ms, .. } = facts;
    let labels =
        json!({"alertname": "HighErrorRate", "service": service, "env": "prod", "shard": serial.to_string()});
    match source {
        "alertmanager" | "grafana" => {
            let alert = json!({
                "status": "firing", "labels": labels, "annotations": {"summary": "many errors"}, "startsAt": now,
                "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "https://prometheus.example.com/graph",
                "fingerprint": format!("{serial:016x}"), "values": {"A": 0.5},
            });
            let body = json!({
                "version": if source == "grafana" { "1" } else { "4" }, "groupKey": "{}:{}", "truncatedAlerts": 0,
                "orgId": 1, "status": "firing", "state": "alerting", "receiver": "homeostat", "groupLabels": {},
                "commonLabels": {}, "commonAnnotations": {}, "externalURL": "https://alerts.example.com",
                "title": "firing", "alerts": [alert],
            });
            (vec![], body)
        }
        "datadog" => (
            vec![],
            json!({
                "homeostat": 1, "id": id, "alert_id": serial.to_string(), "alert_cycle_key": id, "aggreg_key": id,
                "transition": "Triggered", "title": "many errors", "metric": "trace.http.errors",
                "tags": format!("env:prod,service:{service}"), "date": now_ms.to_string(),
                "last_updated": now_ms.to_string(), "link": "https://app.datadoghq.com/monitors/1", "priority": "P2",
            }),
        ),
        _ => (
            vec![("x-webhook-id", id.clone())],
            json!({"event": {
                "id": id, "event_type": "incident.triggered", "resource_type": "incident", "occurred_at": now,
                "agent": null,
                "data": {
                    "id": format!("P{serial}"), "type": "incident", "status": "triggered", "title": "many errors",
                    "html_url": "https://acme.pagerduty.com/incidents/P1", "created_at": now,
                    "service": {"id": format!("S{}", serial % 16), "summary": service}, "urgency": "high",
                },
            }}),
        ),
    }
}

fn envelope(source: &str, facts: &Facts) -> Parts {
    let Facts { serial, id, service, now, .. } = facts;
    let flat = json!({
        "event": "deployment", "env": "stage", "status": "running", "service": service, "timestamp": now,
        "deployment": serial.to_string(), "version": format!("1.0.{serial}"),
    });
    match source {
        "cdevents" => (
            vec![],
            json!({
                "context": {"version": "0.4.1", "id": id, "source": "/ci/acme", "timestamp": now,
                    "type": "dev.cdevents.pipelinerun.started.0.2.0"},
                "subject": {"id": format!("run-{serial}"), "source": "/ci/acme", "type": "pipelineRun",
                    "content": {"pipelineName": service, "url": "https://ci.example.com/1"}},
            }),
        ),
        "cloudevents" => (
            vec![("content-type", "application/cloudevents+json".to_owned())],
            json!({
                "specversion": "1.0", "id": id, "source": "/acme", "type": "com.example.deployment", "time": now,
                "datacontenttype": "application/json", "data": flat,
            }),
        ),
        "standard" => (vec![], flat),
        _ => (vec![("idempotency-key", id.clone())], flat),
    }
}

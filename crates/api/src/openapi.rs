//! The OpenAPI 3.1 document, made from the table of routes so that it cannot miss one.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::answer::{self, Answer};
use crate::route::{self, Audience};

/// Answers with the document.
pub(crate) fn answer() -> Answer {
    answer::json(StatusCode::OK, &document())
}

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for (method, path, audience) in route::all() {
        let plain = path.replace("{*", "{");
        let item = paths.entry(plain.clone()).or_insert_with(|| json!({}));
        item[method.as_str().to_ascii_lowercase()] = operation(method, &plain, audience);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Homeostat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Times are RFC 3339. Errors are application/problem+json (RFC 9457).",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn operation(method: &Method, path: &str, audience: Audience) -> Value {
    let about = about(method, path);
    let mut operation = json!({
        "summary": about.summary,
        "parameters": parameters(path, about.query),
        "responses": responses(&about),
    });
    if audience != Audience::Everyone {
        operation["security"] = json!([{ "token": [] }]);
    }
    if let Some(schema) = about.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": schema } },
        });
    }
    operation
}

/// What the table of routes does not say.
struct About {
    summary: &'static str,
    status: &'static str,
    kind: &'static str,
    query: &'static [&'static str],
    body: Option<Value>,
}

fn about(method: &Method, path: &str) -> About {
    let of = |summary, query| About { summary, status: "200", kind: "application/json", query, body: None };
    let word = |summary| About {
        summary,
        status: "202",
        kind: "application/json",
        query: &[],
        body: Some(json!({ "$ref": "#/components/schemas/Word" })),
    };
    let posts = method == Method::POST;
    match path {
        "/" => About { kind: "text/html", ..of("A plain page", &[]) },
        "/incidents/{id}" => {
            About { kind: "text/html", ..of("An incident as a page, with its picture", &[]) }
        }
        "/health" => of("Whether the process answers", &[]),
        "/ready" => of("Whether Redis and the key-value store answer, and how durable Redis is", &[]),
        "/metrics" => {
            About { kind: "application/openmetrics-text", ..of("Metrics as Prometheus reads them", &[]) }
        }
        "/api/v1/openapi.json" => of("This document", &[]),
        "/api/v1/events" if posts => About {
            summary: "Takes one event or a list, flat or full",
            status: "202",
            body: Some(json!({ "type": ["object", "array"] })),
            ..of("", &[])
        },
        "/api/v1/events" => {
            of("Events, newest first", &["env", "service", "source", "kind", "status", "limit", "cursor"])
        }
        "/api/v1/events/{id}/replay" => {
            About { status: "202", ..of("Reads the delivery kept under this event again", &[]) }
        }
        "/api/v1/incidents" => of("Incidents, newest first", &["env", "service", "state", "limit", "cursor"]),
        "/api/v1/incidents/{id}" => of("One incident with its whole timeline", &[]),
        "/api/v1/incidents/{id}/approve" => word("Lets the plan that waits be carried out"),
        "/api/v1/incidents/{id}/reject" => word("Drops the plan that waits"),
        "/api/v1/incidents/{id}/resolve" => word("Ends the incident"),
        "/api/v1/services" => of("Services, last changed first", &["env", "limit", "cursor"]),
        "/api/v1/services/{env}/{service}" => of("One service", &[]),
        "/api/v1/gate/{env}/{service}" => of(
            "Whether to promote the newest release; 409 while it is not what `require` asks for",
            &["require", "version", "commit"],
        ),
        "/api/v1/policy" => of("The learned policy", &[]),
        "/api/v1/policy/samples" => About {
            kind: "application/jsonl",
            ..of("What the policy learned from, oldest first", &["limit", "cursor"])
        },
        "/api/v1/config" if *method == Method::PUT => About {
            body: Some(json!({ "type": "object" })),
            ..of("Applies a configuration, JSON or TOML; If-Match guards against another's change", &[])
        },
        "/api/v1/config" => of("The configuration; ETag is its version", &[]),
        "/api/v1/variables" => of("Names of the variables that are set, where the host tells them", &[]),
        "/api/v1/undelivered" => {
            of("Deliveries to sinks that were given up, newest first", &["sink", "limit", "cursor"])
        }
        "/api/v1/undelivered/{sink}/{id}/resend" => {
            About { status: "202", ..of("Sends one of them again", &[]) }
        }
        "/api/v1/reconcilers" => of("What each reconciler last found", &[]),
        "/api/v1/dead-letters" => of("What was given up, newest first", &["kind", "limit"]),
        "/api/v1/dead-letters/{id}" => of("One dead letter with what was kept of it", &[]),
        "/api/v1/dead-letters/{id}/replay" => About { status: "202", ..of("Puts it on its way again", &[]) },
        "/internal/tick" => of("Rings whatever has work", &[]),
        _ => of("", &[]),
    }
}

fn parameters(path: &str, query: &[&str]) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = query.iter().map(|name| {
        let kind = if *name == "limit" { "integer" } else { "string" };
        json!({ "name": name, "in": "query", "schema": { "type": kind } })
    });
    in_path.chain(in_query).collect()
}

fn responses(about: &About) -> Value {
    let problem = json!({
        "description": "A problem",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    json!({
        about.status: { "description": about.summary, "content": { about.kind: {} } },
        "default": problem,
    })
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status"],
            "properties": {
                "type": text, "title": text, "status": { "type": "integer" }, "detail": text, "field": text,
            },
        },
        "Word": {
            "type": "object",
            "required": ["who", "why"],
            "properties": { "who": text, "why": text },
            "additionalProperties": false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_every_route_and_says_what_it_is() {
        let document = document();
        for (method, path, audience) in route::all() {
            let (path, method) = (path.replace("{*", "{"), method.as_str().to_ascii_lowercase());
            let operation = &document["paths"][&path][&method];
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            assert_eq!(operation["security"].is_null(), audience == Audience::Everyone, "{method} {path}");
            let names = path.matches('{').count();
            let params = operation["parameters"].as_array().unwrap();
            assert_eq!(params.iter().filter(|param| param["in"] == "path").count(), names, "{path}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}

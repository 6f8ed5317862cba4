//! Deployments and ReplicaSets as far as a rollback looks at them, and the patch made of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Carries the idempotency key of the attempt that last changed a Deployment.
pub(super) const ATTEMPT: &str = "homeostat.dev/attempt";
const REVISION: &str = "deployment.kubernetes.io/revision";
const TEMPLATE_HASH: &str = "pod-template-hash";
const WITHHELD: &str = "(withheld)";

/// What is needed of the Deployment as it stands.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) revision: Option<u64>,
    /// The controller has not yet acted on the newest template.
    pub(super) lagging: bool,
    pub(super) annotated: bool,
    pub(super) selector: String,
    pub(super) template: Value,
}

/// A ReplicaSet that could be gone back to.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) revision: u64,
    /// Milliseconds since the epoch, of whole seconds.
    pub(super) made_ms: Option<u64>,
    pub(super) template: Value,
}

impl Current {
    pub(super) fn of(json: &Value) -> Option<Self> {
        let metadata = &json["metadata"];
        let generation = metadata["generation"].as_u64();
        let observed = json["status"]["observedGeneration"].as_u64();
        Some(Self {
            uid: metadata["uid"].as_str()?.to_owned(),
            resource_version: metadata["resourceVersion"].as_str()?.to_owned(),
            revision: annotation(json, REVISION).and_then(|text| text.parse().ok()),
            lagging: matches!((generation, observed), (Some(newest), Some(seen)) if seen < newest),
            annotated: metadata["annotations"].is_object(),
            selector: selector(&json["spec"]["selector"])?,
            template: json["spec"]["template"].as_object().map(|_| json["spec"]["template"].clone())?,
        })
    }
}

impl Past {
    pub(super) fn of(set: &Value) -> Option<Self> {
        let revision = annotation(set, REVISION)?.parse().ok()?;
        let made: Option<Timestamp> =
            set["metadata"]["creationTimestamp"].as_str().and_then(|text| text.parse().ok());
        let made_ms = made.and_then(|made| u64::try_from(made.as_millisecond()).ok());
        let template = &set["spec"]["template"];
        template.is_object().then(|| Self { revision, made_ms, template: template.clone() })
    }
}

/// The ReplicaSets before the current one, newest first. A Deployment the controller has not caught
/// up with still names the revision before its newest template, which then is the previous one.
pub(super) fn earlier<'a>(current: &Current, history: &'a [Past]) -> Vec<&'a Past> {
    let now = revision(current, history);
    let below = |past: &&Past| if current.lagging { past.revision <= now } else { past.revision < now };
    let mut earlier: Vec<&Past> = history.iter().filter(below).collect();
    earlier.sort_by_key(|past| std::cmp::Reverse(past.revision));
    earlier
}

/// When the current ReplicaSet was made; `None` when the controller has not come to it, too.
pub(super) fn made_ms(current: &Current, history: &[Past]) -> Option<u64> {
    let now = revision(current, history);
    let running = history.iter().find(|past| !current.lagging && past.revision == now)?;
    running.made_ms
}

fn revision(current: &Current, history: &[Past]) -> u64 {
    let newest = || history.iter().map(|past| past.revision).max();
    current.revision.or_else(newest).unwrap_or_default()
}

pub(super) fn controlled_by(set: &Value, uid: &str) -> bool {
    let owners = set["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    owners.iter().any(|owner| owner["uid"] == uid && owner["controller"] == Value::Bool(true))
}

pub(super) fn annotation<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json["metadata"]["annotations"][name].as_str()
}

pub(super) fn annotation_path() -> String {
    format!("/metadata/annotations/{}", ATTEMPT.replace('~', "~0").replace('/', "~1"))
}

/// A label selector in the form the API takes as a query; `None` for one that matches everything
/// or holds an operator this does not know.
fn selector(json: &Value) -> Option<String> {
    let mut parts = BTreeMap::new();
    for (key, value) in json["matchLabels"].as_object().into_iter().flatten() {
        parts.insert(key.clone(), format!("{key}={}", value.as_str()?));
    }
    let mut all: Vec<String> = parts.into_values().collect();
    for expression in json["matchExpressions"].as_array().into_iter().flatten() {
        all.push(requirement(expression)?);
    }
    (!all.is_empty()).then(|| all.join(","))
}

fn requirement(json: &Value) -> Option<String> {
    let key = json["key"].as_str()?;
    let values: Vec<&str> =
        json["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let values = values.join(",");
    Some(match json["operator"].as_str()? {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.to_owned(),
        "DoesNotExist" => format!("!{key}"),
        _ => return None,
    })
}

pub(super) fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(TEMPLATE_HASH);
    }
    template
}

/// The template for the record: what containers are told may hold secrets.
pub(super) fn shown(template: &Value) -> Value {
    let mut template = template.clone();
    for group in ["containers", "initContainers"] {
        for container in template["spec"][group].as_array_mut().into_iter().flatten() {
            withhold(container);
        }
    }
    template
}

fn withhold(container: &mut Value) {
    for field in ["command", "args"] {
        if let Some(words) = container.get_mut(field) {
            *words = json!([WITHHELD]);
        }
    }
    let variables = container.get_mut("env").and_then(Value::as_array_mut);
    for variable in variables.into_iter().flatten() {
        if let Some(value) = variable.get_mut("value") {
            *value = json!(WITHHELD);
        }
    }
}

pub(super) fn patch(current: &Current, template: &Value, key: &str) -> Value {
    let mut steps = vec![
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": current.resource_version}),
        json!({"op": "replace", "path": "/spec/template", "value": template}),
    ];
    if !current.annotated {
        steps.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    steps.push(json!({"op": "add", "path": annotation_path(), "value": key}));
    Value::Array(steps)
}
